"""The scripts that travel with a model: old Pythons read them, and they prepare pictures and texts as Graft does."""

from __future__ import annotations

import ast
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.optimize.bundle.write import TEMPLATES, script
from core.registry import looks
from core.registry.model_formats import BUNDLED, FORMATS
from tests.fixtures.bundles import IMAGES, TEXTS, VISION, WORDS, WRITINGS, load, tiny_tokenizer


def test_scripts_suit_python_3_9_and_every_format() -> None:
    for task in ("image-classification", "text-classification"):
        for format in BUNDLED:
            text = script(task, FORMATS[format])
            tree = ast.parse(text, feature_version=(3, 9))
            names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
            assert names.count("open_model") == 1
            assert {"read_json", "answer", "main", "prepare", "samples"} <= set(names)
            assert ('"bf16"' in text) == (format == "openvino_bf16")


def test_script_imports_what_it_uses_once_and_holds_no_placeholder() -> None:
    for task in ("image-classification", "text-classification"):
        text = script(task, FORMATS["onnx"])
        lines = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
        assert len(lines) == len(set(lines))
        assert {"import argparse", "import hashlib", "import json", "import numpy as np"} <= set(lines)
        assert "NotImplementedError" not in text
    assert {path.suffix for path in TEMPLATES.glob("[!_]*")} == {".py"}


def odd_pictures() -> dict[str, Image.Image]:
    random = np.random.default_rng(2)
    rgb = Image.fromarray(random.integers(0, 256, (60, 45, 3), dtype=np.uint8))
    rgba = rgb.copy()
    rgba.putalpha(Image.fromarray(random.integers(0, 256, (60, 45), dtype=np.uint8)))
    clear = rgb.quantize(16)
    clear.info["transparency"] = 3
    return {
        "rgb": rgb,
        "tiny": rgb.resize((9, 7)),
        "exact": rgb.resize((24, 24)),
        "rgba": rgba,
        "la": rgba.convert("LA"),
        "grey": rgb.convert("L"),
        "bits": rgb.convert("1"),
        "palette": rgb.quantize(16),
        "clear palette": clear,
        "cmyk": rgb.convert("CMYK"),
        "16 bit": Image.fromarray(random.integers(0, 65536, (60, 45), dtype=np.uint16)),
        "32 bit": Image.fromarray(random.integers(0, 256, (60, 45)).astype(np.int32)),
    }


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"resize_size": 24},
        {"interpolation": "bilinear"},
        *({"crop_mode": one} for one in ("squash", "border", None)),
    ],
)
def test_pictures_are_prepared_as_in_training(how: dict[str, Any], tmp_path: Path) -> None:
    import torch

    from core.data.picture import decode, fit_image
    from core.data.showing import read_picture
    from core.models.card import Preprocessing
    from core.networks.transforms import Batcher

    facts = IMAGES | how
    seen = Preprocessing.model_validate({name: facts[name] for name in VISION if facts[name]})  # None: of an older run
    batcher = Batcher(seen, 24, torch.device("cpu"), channels_last=False)

    def graft(square: Any) -> Any:
        return batcher(square[None].copy())[0].numpy()

    for name, picture in odd_pictures().items():
        wanted = graft(fit_image(picture, seen))
        found = read_picture(picture, facts)
        assert (found.dtype, found.shape, found.flags.c_contiguous) == (np.float32, (3, 24, 24), True)
        assert np.abs(found - wanted).max() < 1e-5, name
    rgb = odd_pictures()["rgb"].resize((450, 600))
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, options in {"turned.jpg": {"exif": exif}, "plain.jpg": {}, "plain.png": {}, "plain.webp": {}}.items():
        rgb.save(tmp_path / name, **options)
        data = (tmp_path / name).read_bytes()
        wanted = graft(decode(data, seen))
        assert np.abs(read_picture(tmp_path / name, facts) - wanted).max() < 1e-5, name
        opened = Image.open(io.BytesIO(data))
        wanted = graft(fit_image(opened, seen))
        assert np.abs(read_picture(Image.open(io.BytesIO(data)), facts) - wanted).max() < 1e-5, name


def test_script_of_texts_reads_nothing_where_graft_reads_nothing(tmp_path: Path) -> None:
    from core.data.text_cleaning import clean_texts

    text = script("text-classification", FORMATS["onnx"])
    assert "from core" not in text
    assert "*+" not in text.replace("**", ""), "old Pythons know no possessive pattern"
    (tmp_path / "predict.py").write_text(text, encoding="utf-8")
    carried = load(tmp_path / "predict.py")
    assert carried._UNSEEN.pattern == looks._UNSEEN.pattern
    unseen = [chr(code) for code in range(0x3000) if not looks.look(chr(code))]
    assert {"\u200b", "\u00ad", "\u2060"} <= set(unseen)
    asked = [*unseen, "".join(unseen), "\u200b \ufeff<br>&nbsp;", "a\u200bb", "\u200b" * 200, "<b>good</b>", "好\u200b"]
    assert [carried.clean(one) for one in asked] == clean_texts(asked).texts
    for one in unseen:
        with pytest.raises(ValueError, match="nothing to read"):
            carried.prepare(one, {})


def test_texts_are_prepared_as_in_training() -> None:
    from transformers import PreTrainedTokenizerFast

    from core.data.text_cleaning import clean_texts
    from core.networks.tokens import Tokens

    odd = [
        "<p>good<br/>film</p> &lt;3 &nbsp; &bogus; a < b > c", "bad\x00 \x7f film\t\n good", "", "a  " * 30,
        "a" * 30_000,
        "好电影\u3000good\ud800", "<script>bad</script> <a href='x'>book</a> &#233; &#x4e2d;", *WORDS,
    ]  # fmt: skip
    cleaned = clean_texts(odd).texts
    assert [WRITINGS.clean(text) for text in odd] == cleaned
    own = PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer(), pad_token="[PAD]", unk_token="[UNK]")
    tokens = Tokens(cleaned, np.arange(len(cleaned)), own, 12, None)
    for rows in (np.arange(len(odd)), np.array([len(odd) - 1])):
        wanted = tokens(rows)
        found = WRITINGS.read_texts([odd[row] for row in rows], tiny_tokenizer(), TEXTS)
        assert list(found) == ["input_ids", "attention_mask"]
        assert np.array_equal(found["input_ids"], wanted.ids.numpy())
        assert np.array_equal(found["attention_mask"], wanted.mask.numpy())
        assert found["input_ids"].dtype == found["attention_mask"].dtype == np.int64
