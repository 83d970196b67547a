"""The part of predict.py that is the same for pictures and texts: open the model, answer, check the samples.

`core.optimize.bundle.write.script` pastes it, from the line across the page on, behind the reader of a task, which
brings what stands before that line here; `end_in_words` goes before the packages that may be missing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def end_in_words(kind: Any, error: BaseException, trace: Any) -> None:
    """Instead of a traceback, a sentence: how what was not foreseen came about goes to a file that it names."""
    if issubclass(kind, BrokenPipeError):  # the reader of the output had enough
        os._exit(0)
    if issubclass(kind, KeyboardInterrupt):
        return
    if issubclass(kind, ImportError):
        print(f"error: {error}. First: python -m pip install -r requirements.txt", file=sys.stderr)
        return
    for folder in (Path(__file__).resolve().parent, Path(tempfile.gettempdir())):
        log = folder / "predict-error.log"
        try:
            with log.open("w", encoding="utf-8", errors="backslashreplace") as file:
                traceback.print_exception(kind, error, trace, file=file)
        except OSError:
            continue
        print(f"error: {kind.__name__}: {error}. How it came about is written in {log}", file=sys.stderr)
        return
    print(f"error: {kind.__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":  # before other packages are looked for: one may be missing
    sys.excepthook = end_in_words

HERE = Path(__file__).resolve().parent
Arrays = dict[str, Any]


def prepare(source: str, facts: dict[str, Any]) -> tuple[Arrays, list[str]]:
    """What the model is given for one input, and what is odd about that. Raises ValueError when it cannot be read."""
    raise NotImplementedError


def samples() -> list[str]:
    """What lies in sample/, in the order of expected.json."""
    raise NotImplementedError


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
            arrays, remarks = prepare(one, facts)
            logits = model(arrays)[0].astype(np.float64)
        except ValueError as error:
            answers.append({"input": one, "error": str(error)})
            continue
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        best = [{"label": labels[i], "probability": round(float(shares[i]), 6)} for i in np.argsort(-shares)[:top]]
        answers.append({"input": one, **best[0], "top": best, **({"remarks": remarks} if remarks else {})})
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
        logits, wanted = model(prepare(one, facts)[0])[0], np.array(expected["logits"][i])
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
        sys.stdout.reconfigure(errors="backslashreplace")
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
        for remark in one.get("remarks", []):
            print(f"{one['input']}: {remark}", file=sys.stderr)
    return int(any("error" in one for one in answers))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()  # here, where a reader that has gone is nothing wrong
    sys.exit(code)
