"""Whatever people photograph, scan and download becomes an upright RGB square; what is hostile is refused."""

from __future__ import annotations

import io
import random
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.data.picture import decode, fit_image, is_cut_short, open_image, open_told
from core.data.showing import MAX_PIXELS, READ_FORMATS, open_header, upright
from core.errors import DataError
from core.messages import explain
from core.models.card import Preprocessing
from core.registry.formats import PICTURE_FILES
from tests.fixtures.pictures import encoded, exif_of, picture, seeing

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
    square = decode(_bytes(image, format, **LOSSY[format]), seeing(24, 24)).astype(int)
    wanted = fit_image(image, seeing(24, 24)).astype(int)
    assert np.abs(square - wanted).mean() < 4


def test_first_frame_counts_when_a_gif_moves() -> None:
    frames = [Image.new("P", (10, 10), i) for i in range(3)]
    for frame in frames:
        frame.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    data = _bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert fit_image(open_image(data), seeing(10, 10))[5, 5].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("value", "wanted"), [(0, 0), (200, 1), (257 * 100, 100), (65535, 255)])
def test_png_of_16_bits_keeps_its_range_when_it_is_dark_or_bright(value: int, wanted: int) -> None:
    data = _bytes(Image.fromarray(np.full((6, 6), value, dtype=np.uint16)), "PNG")
    assert np.abs(decode(data, seeing(6, 6)).astype(int) - wanted).max() <= 1


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
    square = fit_image(Image.new(mode, (9, 9), colour), seeing(5, 5))
    assert square.shape == (5, 5, 3)
    assert square.dtype == np.uint8
    assert np.abs(square.astype(int) - wanted).max() <= 1


def test_transparent_palette_colour_becomes_white() -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([9, 9, 9, 200, 0, 0])
    data = _bytes(image, "PNG", transparency=0)
    assert decode(data, seeing(8, 8)).min() == 255


def test_cmyk_jpeg_is_read() -> None:
    data = _bytes(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert np.abs(decode(data, seeing(8, 8)).astype(int) - (255, 0, 0)).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_picture_is_upright_when_its_tag_says_it_was_turned(orientation: int) -> None:
    straight = _smooth()
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    turned = straight.transpose(undo[orientation]) if orientation in undo else straight
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _bytes(turned, "JPEG", quality=95, subsampling=0, exif=exif)
    square = decode(data, seeing(24, 24)).astype(int)
    assert np.abs(square - fit_image(straight, seeing(24, 24))).mean() < 6


def test_fit_returns_the_picture_itself_when_it_has_the_size() -> None:
    image = picture(3, (16, 16))
    np.testing.assert_array_equal(fit_image(image, seeing(16, 16, "bicubic")), np.asarray(image))


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2)])
def test_fit_gives_a_square_when_the_picture_is_very_small_or_thin(size: tuple[int, int]) -> None:
    assert fit_image(picture(0, size), seeing(20, 23, "bicubic")).shape == (20, 20, 3)


def test_large_jpeg_is_decoded_alike_in_training_and_when_it_is_opened_whole() -> None:
    """At a fraction of its size, as JPEG can be, a picture became another one for training than for Predict."""
    noise = np.random.default_rng(0).integers(0, 256, (600, 1000, 3), dtype=np.uint8)
    data = _bytes(Image.fromarray(noise), "JPEG", quality=95)
    for crop_mode in ("center", "squash", "border", "fraction"):
        how = seeing(32, 36, crop_mode=crop_mode)
        np.testing.assert_array_equal(decode(data, how), fit_image(open_image(data), how))


def test_models_of_earlier_versions_go_on_seeing_what_they_learned_from() -> None:
    image = picture(0, (45, 30))
    old = Preprocessing.model_validate(
        {"image_size": 24, "resize_size": 28, "interpolation": "bilinear", "mean": (0, 0, 0), "std": (1, 1, 1)}
    )
    edge = 30 * 24 / 28
    box = ((45 - edge) / 2, (30 - edge) / 2, (45 + edge) / 2, (30 + edge) / 2)
    wanted = image.resize((24, 24), Image.Resampling.BILINEAR, box=box)
    np.testing.assert_array_equal(fit_image(image, old), np.asarray(wanted))
    assert (fit_image(image, old.model_copy(update={"crop_mode": "center"})) != np.asarray(wanted)).any()


def test_very_long_picture_costs_no_more_than_its_middle() -> None:
    image = Image.new("RGB", (1, 200_000), (9, 9, 9))  # resized whole it would have ten thousand million pixels
    assert fit_image(image, seeing(224, 256)).tolist() == np.full((224, 224, 3), 9).tolist()


# -- odd, and read all the same --------------------------------------------------------------------------


SIX = struct.pack("<HH", 6, 0)
ODD_EXIF = {
    "negative width": (exif_of(3, SIX, (0x0100, 9, 1, struct.pack("<i", -5))), True),
    "as text": (exif_of(2, b"6\0\0\0"), True),
    "as long": (exif_of(4, struct.pack("<I", 6)), True),
    "nine": (exif_of(3, struct.pack("<HH", 9, 0)), False),
    "a word": (exif_of(2, b"up\0\0"), False),
    "unit beyond": (exif_of(3, SIX, (0x0128, 4, 1, struct.pack("<I", 70_000))), True),
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("name", ODD_EXIF)
def test_odd_exif_never_ends_a_picture(name: str, format: str) -> None:
    exif, is_known = ODD_EXIF[name]
    options = {"exif": exif} | ({"lossless": True} if format == "WEBP" else {})
    data = _bytes(_smooth(), format, **options)
    image, odd = open_told(data, "holiday.jpg")
    assert image.size == ((24, 40) if is_known else (40, 24))
    assert [problem.code for problem in odd] == ([] if is_known else ["data.turn_unknown"])
    assert decode(data, seeing(8, 8)).shape == (8, 8, 3)
    np.testing.assert_array_equal(np.asarray(upright(image)), np.asarray(image))  # never turned twice


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("kind", [b"zTXt", b"tEXt", b"iCCP"])
def test_png_with_large_words_is_read(kind: bytes, before: bool) -> None:
    body = b"words\0" + (b"a" * 2**21 if kind == b"tEXt" else b"\0" + zlib.compress(b"\0" * 2**21))
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    data = _bytes(picture(1), "PNG")
    place = 33 if before else len(data) - 12
    data = data[:place] + chunk + data[place:]
    np.testing.assert_array_equal(np.asarray(open_image(data)), np.asarray(picture(1)))


DEEP = {  # values, what is seen of the darkest and the brightest, and what is told
    "float 0 to 1": (np.linspace(0.1, 0.9, 64, dtype=np.float32), (25, 229), []),
    "float 0 to 255": (np.linspace(10, 250, 64, dtype=np.float32), (10, 250), []),
    "float beyond": (np.linspace(0, 4000, 64, dtype=np.float32), (0, 15), ["data.nearly_flat"]),
    "float far beyond": (np.linspace(1e6, 2e6, 64, dtype=np.float32), (255, 255), ["data.nearly_flat"]),
    "float with holes": (np.array([0.5, 1, 0] * 21 + [np.nan], dtype=np.float32), (0, 255), []),
    "16 bits": (np.linspace(0, 65535, 64).astype(np.uint16), (0, 255), []),
    "12 bits in 16": (np.linspace(0, 4095, 64).astype(np.uint16), (0, 15), ["data.nearly_flat"]),
    "one grey of 16 bits": (np.full(64, 700, dtype=np.uint16), (2, 2), []),
    "32 bits": (np.linspace(0, 3000, 64).astype(np.int32), (0, 11), ["data.nearly_flat"]),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_pictures_are_scaled_or_told(name: str) -> None:
    values, wanted, told = DEEP[name]
    image, odd = open_told(_bytes(Image.fromarray(values.reshape(8, 8)), "TIFF"), "scan.tif")
    assert image.mode == "RGB"
    assert np.asarray(image).min() == pytest.approx(wanted[0], abs=1)
    assert np.asarray(image).max() == pytest.approx(wanted[1], abs=1)
    assert [problem.code for problem in odd] == told
    assert all("scan.tif" in explain(problem) for problem in odd)


def test_heic_without_its_package_is_told_by_the_packages_name(monkeypatch: pytest.MonkeyPatch) -> None:
    data = _bytes(picture(1), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF")
    with pytest.raises(OSError, match="needs the package pillow-heif"):
        open_header(data)


@pytest.mark.parametrize(("top", "told"), [(4095, ["data.nearly_flat"]), (65535, [])])
def test_colours_of_12_bits_in_16_are_told(top: int, told: list[str]) -> None:
    ramp = np.linspace(0, top, 64).astype(">u2")
    rows = b"".join(b"\0" + np.repeat(ramp[i : i + 8], 3).tobytes() for i in range(0, 64, 8))
    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    image, odd = open_told(_png(header, zlib.compress(rows)), "slide.png")
    assert np.asarray(image).max() == top >> 8
    assert [problem.code for problem in odd] == told


def test_formats_that_are_tried_are_those_of_the_table() -> None:
    assert set(READ_FORMATS) == set(PICTURE_FILES)


# -- hostile and damaged ---------------------------------------------------------------------------------


def _png(header: bytes, pixels: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _png_claiming(width: int, height: int) -> bytes:
    return _png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), zlib.compress(b"\0" * 100))


def test_pixel_bomb_is_refused_from_its_header() -> None:
    data = _png_claiming(50_000, 50_000)
    with pytest.raises(DataError) as found:
        open_image(data, "bomb.png")
    assert found.value.code == "data.picture_too_large"
    assert "50000 × 50000" in str(found.value)
    with pytest.raises(ValueError, match="too large"):
        decode(data, seeing(8, 8))


def test_picture_at_the_limit_is_not_called_a_bomb() -> None:
    assert open_header(_png_claiming(10_000, MAX_PIXELS // 10_000)).size == (10_000, 10_000)


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
    with pytest.raises(OSError, match="cannot identify"):
        open_header(data)


def test_content_counts_when_the_name_says_another_format(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(2, "PNG"))
    np.testing.assert_array_equal(np.asarray(open_image(path)), np.asarray(picture(2)))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "HEIF", "AVIF"])
def test_file_cut_short_is_refused_and_suspected_before_decoding(format: str) -> None:
    data = _bytes(picture(4, (64, 48)), format)
    assert not is_cut_short(data, format)
    assert is_cut_short(data[: len(data) * 2 // 3], format)
    with pytest.raises(DataError) as found:
        open_image(data[: len(data) * 2 // 3])
    assert found.value.code == "data.picture_unreadable"
    with pytest.raises(OSError, match=r".+"):
        decode(data[: len(data) * 2 // 3], seeing(8, 8))


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
            square = decode(bytes(data), seeing(16, 18))
        except (OSError, ValueError):
            continue
        assert square.shape == (16, 16, 3)


def test_lack_of_memory_is_not_blamed_on_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("core.data.showing.to_rgb", fail)
    with pytest.raises(MemoryError):
        decode(encoded(0), seeing(8, 8))
