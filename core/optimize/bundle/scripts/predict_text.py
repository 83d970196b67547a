"""Ask this model about texts, without Graft and without a network.

python predict.py "some text" "another"     the label of each text and how probable it is
python predict.py --json "some text"        the same as JSON, with the five likeliest labels
python predict.py sample                    is everything here as it was when the model was measured?
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
Arrays = dict[str, Any]
MAX_CHARS = 20_000  # more of a text was never read
BREAK = re.compile(r"<\s*+(?:br|/?p|/?div|/?li)\b[^<>]{0,200}>", re.IGNORECASE)
TAG = re.compile(r"</?\s*+(?:[biu]|em|strong|span|a|font|h[1-6]|ul|ol|img|table|t[rdh])\b[^<>]{0,300}>", re.IGNORECASE)
ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")


def clean(text: str) -> str:
    """Without markup, control characters and superfluous blanks."""
    text = text[:MAX_CHARS]
    if "<" in text:
        text = TAG.sub(" ", BREAK.sub(" ", text))
    if "&" in text:
        text = ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return re.sub(r"\s+", " ", CONTROL.sub("", text)).strip()


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
