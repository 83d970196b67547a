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
from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent
Arrays = dict[str, Any]


def read_picture(source: str | Path | Image.Image, facts: dict[str, Any]) -> np.ndarray[Any, Any]:
    """A picture as the network wants it: float32 [3, size, size]; `facts` is what preprocessing.json holds."""
    size, resize_size = facts["image_size"], facts["resize_size"]
    if isinstance(source, Image.Image):
        image = source
    else:
        image = Image.open(source)
        if image.format in ("JPEG", "MPO"):  # a large one is decoded at a fraction of its size
            image.draft("RGB", (2 * resize_size, 2 * resize_size))
    pixels = np.asarray(_fit(image, size, resize_size, facts["interpolation"]), dtype=np.float32)
    mean, std = (np.array(facts[name], dtype=np.float32) * 255 for name in ("mean", "std"))
    normalised: np.ndarray[Any, Any] = ((pixels - mean) / std).transpose(2, 0, 1)
    return np.ascontiguousarray(normalised)


def _fit(image: Image.Image, size: int, resize_size: int, interpolation: str) -> Image.Image:
    """Upright, RGB, the shorter edge resized to `resize_size`, the centre cropped to a square of `size`."""
    image = _rgb(ImageOps.exif_transpose(image) or image)
    width, height = image.size
    if (width, height) == (size, size) and resize_size == size:
        return image
    edge = min(width, height) * size / resize_size  # the crop, measured in the picture's own pixels
    left, top = (width - edge) / 2, (height - edge) / 2
    box = (max(0.0, left), max(0.0, top), min(float(width), left + edge), min(float(height), top + edge))
    bicubic = interpolation == "bicubic" and edge >= size  # enlarging is always bilinear
    return image.resize((size, size), Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR, box=box)


def _rgb(image: Image.Image) -> Image.Image:
    """Transparency on white; grey, palette, CMYK and 16 bit become RGB."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float32)
        scale = 257.0 if image.mode.startswith("I;16") or values.max(initial=0) > 255 else 1.0
        return Image.fromarray(np.clip(values / scale, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, image).convert("RGB")
    return image.convert("RGB")


def prepare(source: str, facts: dict[str, Any]) -> Arrays:
    """What the model is given for one picture. Raises ValueError when there is nothing to see."""
    try:
        return {"pixels": read_picture(source, facts)[None]}
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot be read as a picture ({error})") from error


def samples() -> list[str]:
    """The pictures in sample/, in the order of expected.json."""
    expected = json.loads((HERE / "sample" / "expected.json").read_text(encoding="utf-8"))
    return [str(HERE / "sample" / name) for name in expected["inputs"]]
