"""From a picture's bytes to the square that a network sees: the one way of training, Predict, Optimize and bundles.

Bundles carry this text in their predict.py (`core.optimize.bundle.write`), so it asks for Pillow and numpy alone, and
for an old Python. What `facts` hold is told by `core.models.card.Preprocessing`, and by preprocessing.json.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

# Counts up whenever the same file becomes other pixels: what was kept of an earlier decoding is not used.
DECODING = 2
MAX_BYTES = 64_000_000
MAX_PIXELS = 100_000_000
# What decoding one picture may take in memory, and what each pixel takes: WebP, HEIC and AVIF unfold to several copies
# (measured with Pillow 13), a progressive JPEG keeps its coefficients, any other picture takes its own four bytes.
MOST_MEMORY = 400_000_000
_BYTES_A_PIXEL = {"WEBP": 16, "HEIF": 8, "AVIF": 10}
_PROGRESSIVE_BYTES, _DEEP_BYTES, _COPY_BYTES = 6, 14, 4
# A photo or a scan never packs so well: it is a bomb, and many of them would keep a machine busy.
_MOST_RATIO, _RATIO_COUNTS_FROM = 500, 100_000_000
_BAND = 1_000_000  # pixels that are converted at once
# What is tried, by the content and not by the name: nothing that is drawn by another program (EPS, PDF, WMF).
READ_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", "HEIF", "TIFF", "PPM", "AVIF")
# What may be odd about a picture that is read all the same.
TURN_UNKNOWN, NEARLY_FLAT = "turn_unknown", "nearly_flat"

_PNG = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Of 256 steps, so many are nearly one colour: 12 bits kept in 16 use sixteen of them.
_FLAT_STEPS = 16
_WIDE = "wide"  # among what Pillow knows of a picture: it was kept with more than 8 bits a value
# Bicubic enlarging rings around every edge of tiny pictures; no network was tested with these by its publisher.
TINY_PX = 64


class TooLargeError(ValueError):
    """A picture that would take too much memory; says how large it may be."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"it is too large: at most {limit} are read")
        self.limit = limit


# -- opening -----------------------------------------------------------------------------------------------


def open_header(data: bytes) -> Image.Image:
    """The picture not yet decoded: its size and mode are known. Raises OSError for anything else."""
    formats = _known_formats()
    if data[4:8] == b"ftyp" and data[8:11] != b"avi" and "HEIF" not in formats:
        raise OSError("HEIC needs the package pillow-heif")
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except Exception as error:  # every format's reader fails in its own ways on what is no such file
        if not data.startswith(_PNG):
            raise OSError(str(error)) from error
    try:
        return Image.open(io.BytesIO(_without_words(data)), formats=("PNG",))
    except Exception as error:
        raise OSError(str(error)) from error


def open_decoded(data: bytes) -> Image.Image:
    """The picture as its file holds it, decoded. Raises OSError, or `TooLargeError`.

    A JPEG that would take too much memory is decoded at half its size.
    """
    if len(data) > MAX_BYTES:
        raise TooLargeError(f"{MAX_BYTES // 10**6} MB")
    image = open_header(data)
    check_size(image, len(data))
    image.info[_WIDE] = holds_wide_values(image)
    if _is_jpeg(image) and _memory(image, 1) > MOST_MEMORY:
        image.draft(None, (image.width // 2, image.height // 2))
    try:
        image.load()
    except MemoryError:  # says nothing about the picture
        raise
    except Exception as error:  # decoders fail in many ways on damaged files
        if not data.startswith(_PNG):
            raise OSError(str(error)) from error
        try:  # words may stand behind the pixels too
            image = Image.open(io.BytesIO(_without_words(data)), formats=("PNG",))
            image.info[_WIDE] = holds_wide_values(image)
            image.load()
        except MemoryError:
            raise
        except Exception as again:
            raise OSError(str(again)) from again
    return image


def check_size(image: Image.Image, num_bytes: int) -> None:
    """Refuse a picture that would take too much to decode, before it is. Raises `TooLargeError`."""
    pixels, needed = image.width * image.height, memory_for(image)
    if pixels > MAX_PIXELS or needed > MOST_MEMORY:
        most = min(MAX_PIXELS, int(MOST_MEMORY * pixels / max(1, needed)))
        raise TooLargeError(f"{most // 10**6} MP")
    unpacked = pixels * (1 / 8 if image.mode == "1" else len(image.getbands()))
    if unpacked > max(_RATIO_COUNTS_FROM, _MOST_RATIO * num_bytes):
        raise TooLargeError(f"{_RATIO_COUNTS_FROM * pixels // int(unpacked) // 10**6} MP")


def memory_for(image: Image.Image) -> int:
    """How many bytes decoding a picture and turning it upright takes, told by its header."""
    return min(_memory(image, scale) for scale in ((1, 4) if _is_jpeg(image) else (1,)))


def _memory(image: Image.Image, scale: int) -> int:
    """The same, with a fraction of the pixels."""
    pixels = image.width * image.height
    own = 1 if image.mode in ("1", "L", "P") else 4
    loading = pixels * _BYTES_A_PIXEL.get(image.format or "", own) // scale
    if image.info.get("progressive"):
        loading += pixels * _PROGRESSIVE_BYTES
    if is_deep(image):
        return loading + pixels * _DEEP_BYTES
    turned = pixels * own // scale if orientation(image) not in (1, None) else 0
    converted = 0 if image.mode == "RGB" else pixels * _COPY_BYTES // scale
    return max(loading, pixels * own // scale + max(turned, converted))


def _is_jpeg(image: Image.Image) -> bool:
    return image.format in ("JPEG", "MPO")


def _known_formats() -> tuple[str, ...]:
    """Those of READ_FORMATS that this Pillow reads: phones' HEIC where pillow-heif is installed."""
    if "HEIF" not in Image.OPEN:
        try:
            import pillow_heif

            pillow_heif.register_heif_opener()
        except ImportError:
            pass
        Image.init()
    return tuple(name for name in READ_FORMATS if name in Image.OPEN)


def _without_words(data: bytes) -> bytes:
    """A PNG without its texts and its colour profile: Pillow refuses the whole file where these are large."""
    kept, place = [_PNG], len(_PNG)
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        chunk = data[place : place + 12 + length]
        if chunk[4:8] not in (b"tEXt", b"zTXt", b"iTXt", b"iCCP"):
            kept.append(chunk)
        place += len(chunk)
    return b"".join(kept)


# -- upright RGB -------------------------------------------------------------------------------------------


def upright(image: Image.Image) -> Image.Image:
    """As RGB, turned as its EXIF tag says; unturned where the tag cannot be read."""
    turn = _TURNS.get(orientation(image) or 1)
    if turn is not None:
        image = image.transpose(turn)
        for name in set(image.info) - {"transparency"}:  # or it would be turned again
            del image.info[name]
    return to_rgb(image)


def orientation(image: Image.Image) -> int | None:
    """How the picture has to be turned, 1 … 8 as EXIF counts; None where it says so and cannot be read."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & set(image.info):
        return 1  # Pillow would decode it to look behind the pixels
    try:
        value = image.getexif().get(_ORIENTATION, 1)
        turn = int(value[0] if isinstance(value, tuple) else value)
    except Exception:  # cameras and editors write what they like, and Pillow stumbles in many ways
        return None
    return turn if 1 <= turn <= 8 else None


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as RGB: transparency on white; grey, palette, CMYK, 16 bits, 32 bits and floats."""
    if image.mode == "RGB":
        return image
    if is_deep(image):
        return Image.fromarray(_scaled(image).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _on_white(image)
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """A transparent picture on white, some rows at a time: whole, it would be held five times."""
    seen = Image.new("RGB", image.size)
    rows = max(1, _BAND // max(1, image.width))
    for top in range(0, image.height, rows):
        part = image.crop((0, top, image.width, min(top + rows, image.height))).convert("RGBA")
        ground = Image.new("RGBA", part.size, (255, 255, 255, 255))
        seen.paste(Image.alpha_composite(ground, part).convert("RGB"), (0, top))
    return seen


def is_deep(image: Image.Image) -> bool:
    """Whether its grey values have 16 or 32 bits or are floats."""
    return image.mode.startswith("I") or image.mode == "F"


def holds_wide_values(header: Image.Image) -> bool:
    """Whether a file not yet decoded holds more than 8 bits a value; of colours Pillow keeps the upper 8."""
    return is_deep(header) or any(";16" in str(tile[-1]) for tile in getattr(header, "tile", ()))


def _scaled(image: Image.Image) -> Any:
    """Grey values of 16 or 32 bits as 0 … 255.

    16 bits range over 0 … 65535, whatever this picture's brightest point is. 32 bits and floats do not say their
    range: 0 … 1 is taken for floats that stay within, then 0 … 255, then 0 … 65535.
    """
    values: Any = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    top = float(values.max())
    if image.mode == "F" and 0 < top <= 1 and float(values.min()) >= 0:
        values = values * 255
    elif image.mode.startswith("I;16") or top > 255:
        values = values / 257
    return np.clip(values, 0, 255)


def oddities(image: Image.Image) -> list[str]:
    """What is odd about a decoded picture: how it is turned is not known, or it becomes nearly one colour."""
    found = [] if orientation(image) else [TURN_UNKNOWN]
    if is_deep(image):
        raw, seen = np.nan_to_num(np.asarray(image, dtype=np.float32)), _scaled(image)
        is_flat = raw.max() > raw.min() and seen.max() - seen.min() < _FLAT_STEPS
    else:
        bands: Any = image.convert("RGB").getextrema() if image.info.get(_WIDE) else ()
        is_flat = any(low < high for low, high in bands) and all(high < _FLAT_STEPS for _, high in bands)
    return [*found, NEARLY_FLAT] if is_flat else found


# -- the square --------------------------------------------------------------------------------------------


def fit(image: Image.Image, facts: Mapping[str, Any]) -> Image.Image:
    """The square of an upright RGB picture, as torchvision and timm resize and crop: to whole pixels.

    `crop_mode` is timm's: center resizes the shorter edge and cuts the middle out, squash resizes both edges, border
    resizes the longer edge and adds what is missing in the mean colour. Where it is not given, the model was made by
    a version of Graft that cut at fractions of pixels, and goes on seeing what it learned from.
    """
    size, resized = facts["image_size"], facts["resize_size"]
    if image.size == (size, size) and resized == size:
        return image
    crop_mode = facts.get("crop_mode") or "fraction"
    if crop_mode == "fraction":
        return _fit_at_fractions(image, size, resized, facts["interpolation"])
    if crop_mode == "center":
        image = _shortened(image)
    wide, high = _resized(image.width, image.height, resized, crop_mode)
    is_bicubic = facts["interpolation"] == "bicubic" and min(image.size) > TINY_PX
    whole = image.resize((wide, high), Image.Resampling.BICUBIC if is_bicubic else Image.Resampling.BILINEAR)
    left, top = _start(wide, size), _start(high, size)
    square = whole.crop((max(0, left), max(0, top), min(left + size, wide), min(top + size, high)))
    if square.size == (size, size):
        return square
    fill = tuple(round(255 * value) for value in facts["mean"]) if crop_mode == "border" else (0, 0, 0)
    ground = Image.new("RGB", (size, size), fill)
    ground.paste(square, (max(0, -left), max(0, -top)))
    return ground


def _shortened(image: Image.Image) -> Image.Image:
    """The middle of a very long picture: what would be cut off is not enlarged before."""
    most = 16 * min(image.size)
    if max(image.size) <= most:
        return image
    wide, high = min(image.width, most), min(image.height, most)
    left, top = (image.width - wide) // 2, (image.height - high) // 2
    return image.crop((left, top, left + wide, top + high))


def _resized(width: int, height: int, resized: int, crop_mode: str) -> tuple[int, int]:
    """The size of the whole picture, of which the square is cut."""
    if crop_mode == "squash":
        return resized, resized
    if crop_mode == "border":
        ratio = max(width / resized, height / resized)
        return max(1, round(width / ratio)), max(1, round(height / ratio))
    if width <= height:
        return resized, int(resized * height / width)
    return int(resized * width / height), resized


def _start(edge: int, size: int) -> int:
    """Where the square begins on an edge; negative where it is longer than the edge."""
    return -((size - edge) // 2) if size > edge else round((edge - size) / 2.0)


def _fit_at_fractions(image: Image.Image, size: int, resized: int, interpolation: str) -> Image.Image:
    width, height = image.size
    edge = min(width, height) * size / resized  # the crop, measured in the picture's own pixels
    left, top = (width - edge) / 2, (height - edge) / 2
    box = (max(0.0, left), max(0.0, top), min(float(width), left + edge), min(float(height), top + edge))
    is_bicubic = interpolation == "bicubic" and edge >= size  # enlarging was always bilinear
    return image.resize((size, size), Image.Resampling.BICUBIC if is_bicubic else Image.Resampling.BILINEAR, box=box)


def read_picture(source: str | Path | Image.Image, facts: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """A picture as the network wants it: float32 [3, size, size]. Raises OSError and ValueError."""
    if not isinstance(source, Image.Image):
        with Path(source).open("rb") as file:
            source = open_decoded(file.read(MAX_BYTES + 1))
    pixels = np.asarray(fit(upright(source), facts), dtype=np.float32)
    mean, std = (np.array(facts[name], dtype=np.float32) * 255 for name in ("mean", "std"))
    normalised: np.ndarray[Any, Any] = ((pixels - mean) / std).transpose(2, 0, 1)
    return np.ascontiguousarray(normalised)
