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


def open_decoded(data: bytes) -> Any:
    """A picture. Graft's own preparation stands here in a bundle (core.data.showing), with all that follows."""
    raise NotImplementedError


def oddities(image: Any) -> list[str]:
    """What is odd about it."""
    raise NotImplementedError


def read_picture(source: Any, facts: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The picture as the network wants it."""
    raise NotImplementedError


# -- asking ------------------------------------------------------------------------------------------------

REMARKS = {
    "turn_unknown": "how it is to be turned cannot be read; it is taken as it lies",
    "nearly_flat": "its 16 or 32 bits are used so little that the model sees nearly one colour",
}


def prepare(source: str, facts: dict[str, Any]) -> tuple[Arrays, list[str]]:
    """What the model is given for one picture, and what is odd about it. Raises ValueError when it cannot be read."""
    try:
        if not Path(source).is_file():  # a pipe would be waited for, a device be read without end
            raise OSError("there is no such file")
        image = open_decoded(Path(source).read_bytes())
        return {"pixels": read_picture(image, facts)[None]}, [REMARKS[one] for one in oddities(image)]
    except MemoryError:  # says nothing about the picture
        raise
    except Exception as error:  # whatever a file is, the others are answered
        raise ValueError(f"cannot be read as a picture ({error})") from error


def samples() -> list[str]:
    """The pictures in sample/, in the order of expected.json."""
    expected = json.loads((HERE / "sample" / "expected.json").read_text(encoding="utf-8"))
    return [str(HERE / "sample" / name) for name in expected["inputs"]]
