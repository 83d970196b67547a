"""What a task may be given: recordings, pictures with what was found, labels, options; and what a model can do."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from core.data.sound import read_sound
from core.errors import DataError, NotFoundError
from core.models.hub_cards import describe_folder, tasks_of
from core.models.weight_files import find_local_weights
from core.predict.drawing import draw_boxes, paint_parts
from core.predict.tasks.checks import check_inputs, not_here, split_labels
from core.predict.tasks.records import Box, Segment, colour_of
from core.predict.tasks.table import get_task
from core.registry.tasks import TASKS

_RATE = 8000
_TONE = np.sin(np.arange(_RATE) * 2 * np.pi * 440 / _RATE)


def _wav(samples: Any, rate: int = _RATE) -> bytes:
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


# -- recordings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "samples",
    [
        (128 + 127 * _TONE).astype(np.uint8), (32767 * _TONE).astype(np.int16),
        (2**31 * 0.999 * _TONE).astype(np.int32),
        _TONE.astype(np.float32), np.stack([_TONE, _TONE], 1).astype(np.float32),
    ],
    ids=["8 bits", "16 bits", "32 bits", "float", "stereo"],
)  # fmt: skip
def test_wav_of_any_depth_is_the_same_sound(samples: Any) -> None:
    sound = read_sound(_wav(samples))
    assert (sound.rate, sound.seconds) == (_RATE, 1.0)
    np.testing.assert_allclose(sound.samples, _TONE, atol=0.02)


def test_sound_keeps_its_pitch_and_length_at_another_rate() -> None:
    sound = read_sound(_wav(_TONE.astype(np.float32))).at(16_000)
    assert sound.rate == 16_000
    assert len(sound.samples) == 16_000
    assert np.abs(np.fft.rfft(sound.samples)).argmax() == 440


def _broken() -> dict[str, tuple[bytes, str]]:
    good = _wav(_TONE.astype(np.int16))
    odd = bytearray(good)
    odd[24:28] = struct.pack("<I", 3)  # samples a second
    return {
        "flac": (b"fLaC" + bytes(100), "sound.not_wav"),
        "mp3": (b"ID3" + bytes(100), "sound.not_wav"),
        "text": (b"hello", "sound.not_wav"),
        "empty": (b"", "sound.not_wav"),
        "head alone": (good[:20], "sound.damaged"),
        "no samples": (_wav(np.zeros(0, np.int16)), "sound.empty"),
        "odd rate": (bytes(odd), "sound.damaged"),
        "too long": (_wav(np.zeros(1000 * 301, np.uint8), 1000), "sound.too_long"),
    }


@pytest.mark.parametrize("name", _broken())
def test_what_is_no_recording_is_told(name: str) -> None:
    data, code = _broken()[name]
    with pytest.raises(DataError) as caught:
        read_sound(data, "speech.wav")
    assert caught.value.code == code
    assert "speech.wav" in str(caught.value)


def test_recording_larger_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.sound.MAX_BYTES", 1000)
    with pytest.raises(DataError, match="larger than"):
        read_sound(_wav(_TONE.astype(np.int16)))


# -- pictures ------------------------------------------------------------------------------------------------


def test_frames_are_drawn_where_things_are_also_on_a_large_picture() -> None:
    picture = Image.new("RGB", (2048, 1024))
    drawn = draw_boxes(picture, [Box("cat", 0.9, (512, 256, 1024, 768)), Box("turned", 0.5, (1800, 900, 1700, 800))])
    assert drawn.size == (1024, 512)
    pixels = np.asarray(drawn).astype(int)
    blue = np.array([int(colour_of(1)[place : place + 2], 16) for place in (1, 3, 5)])
    assert (pixels[250, 256:260] == blue).all(1).any(), "the left edge, half as far as in the picture"
    assert not pixels[100:120, 20:200].any(), "nothing where nothing is"
    assert picture.getpixel((512, 300)) == (0, 0, 0), "the picture itself stays as it is"


def test_parts_are_painted_by_their_numbers() -> None:
    mask = np.zeros((40, 60), np.uint16)
    mask[:, 30:] = 1
    painted = paint_parts(Image.new("RGB", (120, 80), "white"), mask, [Segment(1, "sky", 0.5)])
    assert painted.size == (60, 40)
    assert painted.getpixel((3, 3)) == (255, 255, 255)
    red, _, blue = painted.getpixel((58, 37))
    assert red < blue


# -- what is asked -------------------------------------------------------------------------------------------


def test_labels_are_split_at_the_commas_of_both_scripts_and_kept_once() -> None:
    assert split_labels("a cat, 狗，猫、a cat;\n火箭; ") == ["a cat", "狗", "猫", "火箭"]
    assert split_labels(" , ") == []


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({"text": "a", "labels": ["x", "y"]}, []),
        ({"text": "", "labels": ["x", "x"]}, ["ask.input_missing", "ask.labels_alike"]),
        ({"text": "a" * 5001, "labels": ["x", "y" * 101]}, ["ask.text_too_long", "ask.label_too_long"]),
        ({"text": "a", "labels": [f"l{n}" for n in range(51)]}, ["ask.labels_number"]),
        ({"text": "a", "labels": ["x", "y"], "picture": 1}, ["ask.unknown_input"]),
    ],
)
def test_inputs_are_checked_all_at_once(given: dict[str, Any], codes: list[str]) -> None:
    assert [problem.code for problem in check_inputs(get_task("zero-shot-classification"), given)] == codes


@pytest.mark.parametrize("value", [0, 513, "many", True, float("nan")])
def test_option_out_of_its_range_is_refused(value: Any) -> None:
    problems = check_inputs(get_task("text-generation"), {"text": "a", "max_new_tokens": value})
    assert [problem.code for problem in problems] == ["ask.option_range"]


def test_options_defaults_lie_within_their_ranges() -> None:
    for task in TASKS.values():
        for option in task.options:
            assert isinstance(option.default, bool) or option.least <= option.default <= option.most


def test_unknown_task_is_told_with_those_there_are() -> None:
    with pytest.raises(NotFoundError, match="fill-mask"):
        get_task("fortune-telling")


def test_size_of_a_download_is_said_in_its_unit() -> None:
    large = not_here(get_task("zero-shot-classification"), "hub/facebook/bart-large-mnli")
    assert (large.code, large.values["size"]) == ("ask.not_local", "1.6 GB")
    small = not_here(get_task("image-segmentation"), "hub/nvidia/segformer-b0-finetuned-ade-512-512")
    assert small.values["size"] == "15 MB"


# -- what lies here ------------------------------------------------------------------------------------------

_NLI = {"0": "CONTRADICTION", "1": "NEUTRAL", "2": "ENTAILMENT"}


@pytest.mark.parametrize(
    ("facts", "tasks"),
    [
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, ("text-classification", "fill-mask")),
        ({"model_type": "albert", "architectures": ["AlbertForPreTraining"]}, ("text-classification", "fill-mask")),
        (
            {"model_type": "electra", "architectures": ["ElectraForPreTraining"], "vocab_size": 9},
            ("text-classification",),
        ),
        ({"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 9}, ("text-classification",)),
        (
            {"model_type": "bart", "architectures": ["BartForSequenceClassification"], "id2label": _NLI},
            ("zero-shot-classification",),
        ),
        (
            {"model_type": "deberta-v2", "architectures": ["DebertaV2ForSequenceClassification"], "id2label": _NLI},
            ("text-classification", "zero-shot-classification"),
        ),
        ({"model_type": "bert", "architectures": ["BertForSequenceClassification"]}, ("text-classification",)),
        ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, ("text-classification", "text-generation")),
        ({"model_type": "clip", "architectures": ["CLIPModel"]}, ("zero-shot-image-classification",)),
        ({"model_type": "clip", "architectures": ["CLIPForImageClassification"]}, ("image-classification",)),
        ({"model_type": "marian", "architectures": ["MarianMTModel"]}, ("translation",)),
        ({"model_type": "mask2former", "architectures": ["Mask2FormerForUniversalSegmentation"]},
         ("image-segmentation",)),
        ({"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"]},
         ("automatic-speech-recognition",)),
        ({"model_type": "vit", "architectures": ["ViTModel"], "image_size": 224}, ("image-feature-extraction",)),
        ({"model_type": "wav2vec2", "architectures": ["Wav2Vec2Model"], "vocab_size": 32, "conv_dim": [8]}, ()),
        ({"model_type": "blip", "architectures": ["BlipForConditionalGeneration"], "text_config": {}}, ()),
        ({}, ()),
    ],
)  # fmt: skip
def test_tasks_follow_from_the_class(facts: dict[str, Any], tasks: tuple[str, ...]) -> None:
    assert tasks_of(facts) == tasks


def _folder(path: Path, facts: Any) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text(facts if isinstance(facts, str) else json.dumps(facts))
    return path


_SMALL = {
    "model_type": "bert", "architectures": ["BertForMaskedLM"], "vocab_size": 50, "hidden_size": 8,
    "num_hidden_layers": 2, "max_position_embeddings": 32,
}  # fmt: skip


def test_parameters_are_counted_from_the_head_of_the_file(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", _SMALL)
    head = json.dumps({"a": {"shape": [3, 4]}, "b": {"shape": [5]}, "__metadata__": {}}).encode()
    (folder / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + bytes(68))
    card = describe_folder("hub/a/b", folder)
    assert card is not None
    assert card.parameters == 17
    assert (card.reading.layers, card.reading.hidden, card.reading.max_length) == (2, 8, 32)


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, (10**12).to_bytes(8, "little"), b"\x02" + bytes(7) + b"[]"])
def test_head_of_a_file_that_lies_is_no_trap(content: bytes, tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", _SMALL)
    (folder / "model.safetensors").write_bytes(content)
    card = describe_folder("hub/a/b", folder)
    assert card is not None
    assert card.parameters == len(content) // 4


@pytest.mark.parametrize("config", ["", "[]", "{}", '{"model_type": 3}', '{"architectures": 5, "model_type": "bert"}'])
def test_configuration_that_says_nothing_makes_no_card(config: str, tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", config)
    (folder / "pytorch_model.bin").write_bytes(b"x")
    assert describe_folder("hub/a/b", folder) is None


def test_weights_are_here_only_with_all_their_parts(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "m", _SMALL)
    assert find_local_weights(folder) is None
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "../../two.safetensors"}}))
    (folder / "one.safetensors").write_bytes(b"x")
    assert find_local_weights(folder) is None
    (folder / "two.safetensors").write_bytes(b"x")
    assert find_local_weights(folder) == index
    index.write_text("{")
    assert find_local_weights(folder) is None
    (folder / "pytorch_model.bin").write_bytes(b"x")
    assert find_local_weights(folder) == folder / "pytorch_model.bin"
