"""Whatever people photograph, scan and download becomes an upright RGB square; what is hostile is refused."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.data.picture import MAX_PIXELS, decode, fit_image, is_cut_short, open_image, read_header
from core.errors import DataError
from tests.fixtures.pictures import encoded, picture

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}, "PPM": {}}
LOSSY = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "HEIF": {"quality": 95},
    "AVIF": {"quality": 95},
}


def _smooth() -> Image.Image:
    """Left red, right blue, bright below: lossy formats and orientation are told by it."""
    image = Image.new("RGB", (40, 24), (220, 20, 20))
    ImageDraw.Draw(image).rectangle((20, 0, 40, 24), (20, 20, 220))
    return image


def _bytes(image: Image.Image, format: str, **options: object) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    content = io.BytesIO()
    image.save(content, format, **options)
    return content.getvalue()


@pytest.mark.parametrize("format", LOSSLESS)
def test_pixels_are_exact_when_the_format_loses_nothing(format: str) -> None:
    image = picture(1)
    opened = open_image(_bytes(image, format, **LOSSLESS[format]))
    np.testing.assert_array_equal(np.asarray(opened.convert("RGB")), np.asarray(image))


@pytest.mark.parametrize("format", LOSSY)
def test_pixels_are_near_when_the_format_is_a_photo_format(format: str) -> None:
    image = _smooth()
    square = decode(_bytes(image, format, **LOSSY[format]), 24, 24, "bilinear").astype(int)
    wanted = fit_image(image, 24, 24, "bilinear").astype(int)
    assert np.abs(square - wanted).mean() < 4


def test_first_frame_counts_when_a_gif_moves() -> None:
    frames = [Image.new("P", (10, 10), i) for i in range(3)]
    for frame in frames:
        frame.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    data = _bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert fit_image(open_image(data), 10, 10, "bilinear")[5, 5].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("value", "wanted"), [(0, 0), (200, 1), (257 * 100, 100), (65535, 255)])
def test_png_of_16_bits_keeps_its_range_when_it_is_dark_or_bright(value: int, wanted: int) -> None:
    data = _bytes(Image.fromarray(np.full((6, 6), value, dtype=np.uint16)), "PNG")
    assert np.abs(decode(data, 6, 6, "bilinear").astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("mode", "colour", "wanted"),
    [
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (0, 0, 0, 128), (127, 127, 127)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("I", 300 * 100, (117, 117, 117)),
        ("F", 60.0, (60, 60, 60)),
        ("HSV", (0, 255, 255), (255, 0, 0)),
    ],
)
def test_every_mode_becomes_rgb(mode: str, colour: object, wanted: tuple[int, int, int]) -> None:
    square = fit_image(Image.new(mode, (9, 9), colour), 5, 5, "bilinear")
    assert square.shape == (5, 5, 3)
    assert square.dtype == np.uint8
    assert np.abs(square.astype(int) - wanted).max() <= 1


def test_transparent_palette_colour_becomes_white() -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([9, 9, 9, 200, 0, 0])
    data = _bytes(image, "PNG", transparency=0)
    assert decode(data, 8, 8, "bilinear").min() == 255


def test_cmyk_jpeg_is_read() -> None:
    data = _bytes(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert np.abs(decode(data, 8, 8, "bilinear").astype(int) - (255, 0, 0)).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_picture_is_upright_when_its_tag_says_it_was_turned(orientation: int) -> None:
    upright = _smooth()
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    turned = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    square = decode(_bytes(turned, "JPEG", quality=95, subsampling=0, exif=exif), 24, 24, "bilinear").astype(int)
    assert np.abs(square - fit_image(upright, 24, 24, "bilinear")).mean() < 6


def test_fit_crops_the_centre_as_networks_are_tested() -> None:
    """Like resizing the shorter edge to 32 and cropping the centre 24, in one step."""
    image = _smooth().resize((160, 96), Image.Resampling.BICUBIC)
    wanted = image.resize((53, 32), Image.Resampling.BILINEAR).crop((14, 4, 38, 28))
    got = fit_image(image, 24, 32, "bilinear").astype(int)
    assert np.abs(got - np.asarray(wanted).astype(int)).mean() < 4


def test_fit_returns_the_picture_itself_when_it_has_the_size() -> None:
    image = picture(3, (16, 16))
    np.testing.assert_array_equal(fit_image(image, 16, 16, "bicubic"), np.asarray(image))


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2)])
def test_fit_gives_a_square_when_the_picture_is_very_small_or_thin(size: tuple[int, int]) -> None:
    assert fit_image(picture(0, size), 20, 23, "bicubic").shape == (20, 20, 3)


def test_large_jpeg_is_decoded_like_a_png_of_it() -> None:
    image = _smooth().resize((1000, 600), Image.Resampling.BICUBIC)
    quick = decode(_bytes(image, "JPEG", quality=95), 32, 36, "bilinear").astype(int)
    exact = decode(_bytes(image, "PNG"), 32, 36, "bilinear").astype(int)
    assert np.abs(quick - exact).mean() < 3


# -- hostile and damaged ---------------------------------------------------------------------------------


def _png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def test_pixel_bomb_is_refused_from_its_header() -> None:
    data = _png_claiming(50_000, 50_000)
    with pytest.raises(DataError) as found:
        open_image(data, "bomb.png")
    assert found.value.code == "data.picture_too_large"
    assert "50000 × 50000" in str(found.value)
    with pytest.raises(ValueError, match="pixels"):
        decode(data, 8, 8, "bilinear")


def test_picture_at_the_limit_is_not_called_a_bomb() -> None:
    assert read_header(_png_claiming(10_000, MAX_PIXELS // 10_000)).size == (10_000, 10_000)


@pytest.mark.parametrize(
    "data",
    [b"", b"MZ\x90\0" + b"\0" * 200, b"\x7fELF" + b"\0" * 200, b"<svg onload='x'/>", b"%PDF-1.7", b"%!PS-Adobe\n"],
    ids=["empty", "exe", "elf", "svg", "pdf", "postscript"],
)
def test_file_that_is_no_picture_is_refused_by_its_content(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cat.jpg"
    path.write_bytes(data)
    with pytest.raises(DataError) as found:
        open_image(path)
    assert found.value.code == "data.picture_unreadable"
    assert "cat.jpg" in str(found.value)


def test_content_counts_when_the_name_says_another_format(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(2, "PNG"))
    assert open_image(path).format == "PNG"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "HEIF", "AVIF"])
def test_file_cut_short_is_refused_and_suspected_before_decoding(format: str) -> None:
    data = _bytes(picture(4, (64, 48)), format)
    assert not is_cut_short(data, format)
    assert is_cut_short(data[: len(data) * 2 // 3], format)
    with pytest.raises(DataError) as found:
        open_image(data[: len(data) * 2 // 3])
    assert found.value.code == "data.picture_unreadable"
    with pytest.raises(OSError, match=r".+"):
        decode(data[: len(data) * 2 // 3], 8, 8, "bilinear")


def test_file_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.picture.MAX_BYTES", 100)
    with pytest.raises(DataError) as found:
        open_image(io.BytesIO(encoded(0)), "large.png")
    assert found.value.code == "data.picture_too_large"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "HEIF", "AVIF"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # as core.data.picture has it; pytest shows them again
def test_damaged_bytes_raise_only_what_callers_expect(format: str) -> None:
    chance = random.Random(0)
    whole = _bytes(picture(5, (40, 30)), format)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(min(len(data), 400))] = chance.randrange(256)
        try:
            square = decode(bytes(data), 16, 18, "bilinear")
        except (OSError, ValueError):
            continue
        assert square.shape == (16, 16, 3)


def test_lack_of_memory_is_not_blamed_on_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("core.data.picture.to_rgb", fail)
    with pytest.raises(MemoryError):
        decode(encoded(0), 8, 8, "bilinear")
