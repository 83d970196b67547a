"""Ask this model about texts, without Graft and without a network.

python predict.py "some text" "another"     the label of each text and how probable it is
python predict.py --json "some text"        the same as JSON, with the five likeliest labels
python predict.py sample                    is everything here as it was when the model was measured?
"""

from __future__ import annotations

import argparse
import hashlib
import html
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
Arrays = dict[str, Any]
MAX_CHARS = 20_000  # more of a text was never read
BREAK = re.compile(r"<\s*(?:br|/?p|/?div|/?li)\b[^>]{0,200}>", re.IGNORECASE)
TAG = re.compile(r"</?\s*(?:[biu]|em|strong|span|a|font|h[1-6]|ul|ol|img|table|t[rdh])\b[^>]{0,300}>", re.IGNORECASE)
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


def prepare(source: str, facts: dict[str, Any]) -> Arrays:
    """What the model is given for one text. Raises ValueError when there is nothing to read."""
    if not clean(source):
        raise ValueError("there is nothing to read")
    if "tokenizer" not in facts:
        facts["tokenizer"] = Tokenizer.from_file(str(HERE / "tokenizer.json"))
    return read_texts([source], facts["tokenizer"], facts)


def samples() -> list[str]:
    """The texts in sample/, in the order of expected.json."""
    texts: list[str] = read_json("sample/texts.json")
    return texts


# -- from here on the same for pictures and texts ----------------------------------------------------------


def open_model(folder: Path) -> Callable[[Arrays], Any]:
    """The model as a function from arrays to logits, by ONNX Runtime on the processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return lambda arrays: session.run(None, {name: arrays[name] for name in names})[0]


def read_json(name: str) -> Any:
    """A file of this folder."""
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def answer(inputs: list[str], top: int = 5) -> list[dict[str, Any]]:
    """For each input its likeliest labels with their probabilities, or what is wrong with it."""
    model, facts, labels = open_model(HERE), read_json("preprocessing.json"), read_json("labels.json")
    answers: list[dict[str, Any]] = []
    for one in inputs:
        try:
            logits = model(prepare(one, facts))[0].astype(np.float64)
        except ValueError as error:
            answers.append({"input": one, "error": str(error)})
            continue
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        best = [{"label": labels[i], "probability": round(float(shares[i]), 6)} for i in np.argsort(-shares)[:top]]
        answers.append({"input": one, **best[0], "top": best})
    return answers


def check_samples() -> list[str]:
    """What is not as it was when the model was measured; nothing when all is well."""
    expected, labels = read_json("sample/expected.json"), read_json("labels.json")
    for name, wanted in expected["sha256"].items():
        if not (HERE / name).is_file() or hashlib.sha256((HERE / name).read_bytes()).hexdigest() != wanted:
            return [f"{name} is not the file that was measured"]
    model, facts, wrong = open_model(HERE), read_json("preprocessing.json"), []
    tolerance = expected["tolerance"]
    for i, one in enumerate(samples()):
        logits, wanted = model(prepare(one, facts))[0], np.array(expected["logits"][i])
        label, best = labels[int(logits.argmax())], expected["labels"][i]
        away = float(np.abs(logits - wanted).max())
        # Two labels that are this near to each other may change places on another processor.
        is_close = float(wanted.max() - wanted[int(logits.argmax())]) <= tolerance
        if label != best and not is_close:
            wrong.append(f"sample {i + 1}: {label} where {best} is expected")
        elif not away <= tolerance and not expected["labels_decide"]:
            wrong.append(f"sample {i + 1}: logits differ by {away:.2g} where {tolerance:.2g} is allowed")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0: all answered, or all samples as expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help='what to ask about, or the word "sample"')
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    if options.inputs == ["sample"]:
        total = len(read_json("sample/expected.json")["labels"])
        try:
            wrong = check_samples()
        except Exception as error:
            wrong = [f"the model cannot be used here: {type(error).__name__}: {error}"]
        if options.json:
            print(json.dumps({"samples": total, "wrong": wrong}, ensure_ascii=False))
        else:
            print("\n".join(wrong) or f"ok: {total} of {total} samples as expected")
        return int(bool(wrong))
    answers = answer(options.inputs)
    if options.json:
        print(json.dumps(answers, ensure_ascii=False, indent=1))
    for one in answers:
        if "error" in one:
            print(f"{one['input']}: {one['error']}", file=sys.stderr)
        elif not options.json:
            print(f"{one['label']}  {one['probability']:.1%}  {one['input']}")
    return int(any("error" in one for one in answers))


if __name__ == "__main__":
    sys.exit(main())
