"""Ask this model about texts, without Graft and without a network.

python predict.py "some text" "another"     the label of each text and how probable it is
python predict.py --json "some text"        the same as JSON, with the five likeliest labels
python predict.py sample                    is everything here as it was when the model was measured?
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from core.registry.looks import clean

HERE = Path(__file__).resolve().parent
Arrays = dict[str, Any]


def read_texts(texts: list[str], tokenizer: Tokenizer, facts: dict[str, Any]) -> Arrays:
    """Texts as the network wants them: int64 [n, T]; `facts` is what preprocessing.json holds."""
    length, pad, pad_to = facts["max_length"], facts["pad_id"], facts.get("pad_to", 8)
    direction = (tokenizer.truncation or {}).get("direction", "right")
    tokenizer.enable_truncation(length, direction=direction)
    tokenizer.no_padding()
    rows = [encoded.ids or [pad] for encoded in tokenizer.encode_batch([clean(text) for text in texts])]
    width = min(length, -(-max(map(len, rows)) // pad_to) * pad_to)
    ids = np.full((len(rows), width), pad, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)], mask[place, : len(row)] = row, 1
    return {"input_ids": ids, "attention_mask": mask}


def prepare(source: str, facts: dict[str, Any]) -> tuple[Arrays, list[str]]:
    """What the model is given for one text; nothing is odd. Raises ValueError when there is nothing to read."""
    if not clean(source):
        raise ValueError("there is nothing to read")
    if "tokenizer" not in facts:
        facts["tokenizer"] = Tokenizer.from_file(str(HERE / "tokenizer.json"))
    return read_texts([source], facts["tokenizer"], facts), []


def samples() -> list[str]:
    """The texts in sample/, in the order of expected.json."""
    texts: list[str] = json.loads((HERE / "sample" / "texts.json").read_text(encoding="utf-8"))
    return texts
