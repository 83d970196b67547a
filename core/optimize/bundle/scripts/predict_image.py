"""Ask this model about pictures, without Graft and without a network.

python predict.py picture.jpg other.png     the label of each picture and how probable it is
python predict.py --json picture.jpg        the same as JSON, with the five likeliest labels
python predict.py sample                    is everything here as it was when the model was measured?
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
Arrays = dict[str, Any]


def read_picture(source: str, facts: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Graft's own preparation stands here in a bundle (core.data.showing), with all that it needs."""
    raise NotImplementedError


def prepare(source: str, facts: dict[str, Any]) -> Arrays:
    """What the model is given for one picture. Raises ValueError when there is nothing to see."""
    try:
        return {"pixels": read_picture(source, facts)[None]}
    except MemoryError:  # says nothing about the picture
        raise
    except Exception as error:  # whatever a file is, the others are answered
        raise ValueError(f"cannot be read as a picture ({error})") from error


def samples() -> list[str]:
    """The pictures in sample/, in the order of expected.json."""
    expected = json.loads((HERE / "sample" / "expected.json").read_text(encoding="utf-8"))
    return [str(HERE / "sample" / name) for name in expected["inputs"]]
