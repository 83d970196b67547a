"""Every row of the table of tasks answers: tiny random models of each kind go the whole way through.

What such a model answers is chance: these tests prove shapes and plumbing, not quality.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from core.data.sound import Sound
from core.errors import GraftError, InputError, NotFoundError, WeightsError
from core.models.catalog import get_model, list_hub_cards
from core.networks.configurations import network_class
from core.predict.tasks import media_answers, text_answers
from core.predict.tasks.load import ANSWERS, TaskModel, load_task
from core.predict.tasks.records import AnswerReport, TaskValues
from core.predict.tasks.table import does, get_task
from core.registry.task_rows import HubTask, Task
from core.registry.tasks import HUB_TASKS, TASKS
from tests.fixtures.tiny_models import MAKERS, folder_of, plant

_RANDOM = np.random.default_rng(0)
_GIVEN: dict[str, Any] = {
    "text": "a cat and a dog ran home",
    "labels": ["cat", "猫"],
    "question": "who ran home?",
    "context": "a cat and a dog ran home, they were cold. " * 8,
    "picture": Image.fromarray(_RANDOM.integers(0, 255, (48, 64, 3), np.uint8)),
    "sound": Sound(_RANDOM.normal(0, 0.1, 24_000).astype(np.float32), 8_000),
}
# Other families that a row must take as well.
_OTHERS = {
    "chinese-clip": "zero-shot-image-classification",
    "siglip": "zero-shot-image-classification",
    "detr": "object-detection",
    "detr-parts": "image-segmentation",
    "wav2vec2": "automatic-speech-recognition",
}


def _planted(task: Task, maker: str = "") -> str:
    return plant(maker or task.id, f"hub/tiny/{task.direction or maker or task.id}")


def _inputs(task: Task) -> dict[str, Any]:
    given = {entry.name: _GIVEN[entry.name] for entry in task.inputs}
    if task.id == "fill-mask":
        given["text"] = "a [MASK] and a dog ran home"
    names = {option.name for option in task.options}
    return given | ({"max_new_tokens": 4} if "max_new_tokens" in names else {})


def _check(task: Task, report: AnswerReport) -> None:
    assert report.task == task.id
    assert report.latency_ms > 0
    assert json.loads(json.dumps(report.as_dict()))["task"] == task.id
    assert pickle.loads(pickle.dumps(report)).as_dict() == report.as_dict(), "the page keeps it for its viewers"
    if report.output == "labels":
        scores = [row.score for row in report.labels]
        assert scores == sorted(scores, reverse=True)
        assert all(-1 <= score <= 1 for score in scores)
    elif report.output == "spans":
        context = _GIVEN["context"]
        assert report.spans
        assert all(context[span.start : span.end] == span.text for span in report.spans)
    elif report.output == "masks":
        assert report.mask is not None
        assert report.mask.shape == (48, 64)
        assert set(np.unique(report.mask)) - {0} == {part.number for part in report.segments}
        assert sum(part.share for part in report.segments) <= 1.0001


def test_every_row_has_an_answer_and_a_tiny_model() -> None:
    assert set(ANSWERS) == set(TASKS)
    assert len(text_answers.ANSWERS) + len(media_answers.ANSWERS) == len(ANSWERS), "a task is answered twice"
    assert set(TASKS) == set(MAKERS) - set(_OTHERS)
    assert list(TASKS)[-1] == "text-to-image", "what needs an extra stands last"


def test_every_row_asks_by_known_names_and_of_a_task_of_the_hub() -> None:
    for task in TASKS.values():
        names = {entry.name for entry in task.inputs} | {option.name for option in task.options}
        assert names <= set(TaskValues.__annotations__), task.id
        assert task.hub in HUB_TASKS
        if len({row.id for row in TASKS.values() if row.hub == task.hub}) == 1:
            assert task.id == task.hub, "two names for one thing"


@pytest.mark.parametrize("row", HUB_TASKS.values(), ids=lambda row: row.id)
def test_every_task_of_the_hub_has_its_classes_and_its_kinds(row: HubTask) -> None:
    if row.library == "transformers":
        assert all(hasattr(transformers, name) for name in row.classes)
    for kind in row.kinds:
        config = transformers.AutoConfig.for_model(kind)
        assert network_class(row.id, config) is not None, kind
    endings = [end for other in HUB_TASKS.values() for end in other.endings]
    assert len(endings) == len(set(endings)), "one ending tells one task"


@pytest.mark.parametrize(
    "task", [task for task in TASKS.values() if task.output != "picture"], ids=lambda task: task.id
)
def test_row_answers_the_same_for_a_seed(task: Task, home: Path) -> None:
    model_id = _planted(task)
    card = get_model(model_id)
    assert does(card, task)
    assert card.parameters > 0
    asked = load_task(task.id, model_id)
    first = asked.answer(**_inputs(task))
    _check(task, first)
    again = asked.answer(**_inputs(task))
    assert {**again.as_dict(), "latency_ms": 0} == {**first.as_dict(), "latency_ms": 0}


@pytest.mark.parametrize("maker", _OTHERS)
def test_other_family_answers_too(maker: str, home: Path) -> None:
    task = get_task(_OTHERS[maker])
    _check(task, load_task(task.id, _planted(task, maker)).answer(**_inputs(task)))


def test_recommended_models_are_named_once_with_what_they_take() -> None:
    for task in TASKS.values():
        assert task.models, task.id
        for row in task.models:
            assert row.id.startswith("hub/")
            assert row.id.count("/") == 2
            assert row.size_mb > 0
            assert set(row.languages) <= {"en", "zh", "multilingual"}
    languages = {
        code for task in TASKS.values() if task.group == "texts" for row in task.models for code in row.languages
    }
    assert {"en", "zh", "multilingual"} <= languages


def test_drawing_is_refused_with_its_install_line_when_its_package_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import util

    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "diffusers" else real(name, *rest))
    with pytest.raises(InputError) as caught:
        load_task("text-to-image", "hub/kakaobrain/karlo-v1-alpha")
    assert [problem.code for problem in caught.value.problems] == ["ask.needs_package", "ask.not_local"]
    assert "pip install" in str(caught.value)


def test_words_become_a_picture_when_the_extra_is_installed(home: Path) -> None:
    pytest.importorskip("diffusers", reason="drawing is an extra: pip install -r requirements-extras.txt")
    asked = _model("text-to-image")
    one, same, other = (asked.answer(text="a cat", steps=2, seed=seed).picture for seed in (1, 1, 2))
    assert one.size == (32, 32)
    assert one.tobytes() == same.tobytes() != other.tobytes()


# -- what is told --------------------------------------------------------------------------------------------


def _model(task_id: str) -> TaskModel:
    return load_task(task_id, _planted(get_task(task_id)))


def test_boxes_lie_in_px_of_the_picture_when_it_is_scaled_down(home: Path) -> None:
    picture = Image.new("RGB", (2048, 1024), "red")
    report = _model("object-detection").answer(picture=picture, threshold=0.05)
    assert len(report.boxes) == 4, "a tiny detector with four places, all of them surer than 5%"
    edges = np.array([box.box for box in report.boxes])
    assert edges.min() >= 0
    assert edges[:, [0, 2]].max() <= 2048
    assert edges[:, 1::2].max() <= 1024
    assert edges[:, [0, 2]].max() > 64, "not in px of what the network was shown"


def test_nothing_found_is_told(home: Path) -> None:
    report = _model("object-detection").answer(picture=_GIVEN["picture"], threshold=0.95)
    assert (report.boxes, [note.code for note in report.notes]) == ((), ["ask.nothing_found"])


def test_long_text_is_cut_and_told_and_a_short_one_is_not(home: Path) -> None:
    asked = _model("zero-shot-classification")
    short = asked.answer(text="a cat", labels=["a", "b"])
    long = asked.answer(text="a cat " * 100, labels=["a", "b"])
    assert short.notes == ()
    assert [note.code for note in long.notes] == ["ask.cut"]
    assert long.notes[0].values["limit"] == 64
    assert long.notes[0].values["n"] > 400


def test_beginning_is_cut_and_told_when_a_text_to_go_on_is_long(home: Path) -> None:
    report = _model("text-generation").answer(text="abc " * 60, max_new_tokens=4, temperature=0)
    assert {note.code for note in report.notes} == {"ask.cut_start", "ask.stopped"}
    assert report.text.startswith("abc abc"), "all of what was given is shown"


def test_writing_differs_between_seeds_and_never_without_heat(home: Path) -> None:
    asked = _model("text-generation")
    one, other = (asked.answer(text="a", max_new_tokens=20, seed=seed, temperature=2, top_p=1) for seed in (1, 2))
    assert one.text != other.text
    cold = [asked.answer(text="a", max_new_tokens=5, seed=seed, temperature=0).text for seed in (1, 2)]
    assert cold[0] == cold[1]


def test_passage_is_found_in_the_last_window(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """A network that points at the only z of a text that is five windows long."""
    asked = _model("question-answering")

    class Pointer(torch.nn.Module):
        config = asked.context.net.config

        def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
            logits = 20.0 * (input_ids == input_ids.max()).float()
            return transformers.modeling_outputs.QuestionAnsweringModelOutput(start_logits=logits, end_logits=logits)

    asked.context.net = Pointer()
    context = "a b c d e " * 40 + "猫 f"
    report = asked.answer(question="a?", context=context)
    best = report.spans[0]
    assert (best.text, best.start) == ("猫", context.index("猫"))
    assert best.score > 0.9


def test_passages_are_apart_and_no_longer_than_an_answer() -> None:
    spans = {(0, 5): 0.5, (3, 8): 0.4, (10, 12): 0.3, (9, 9): 0.9}
    assert text_answers._apart(spans, 3) == [(0, 5, 0.5), (10, 12, 0.3)]
    start, end = torch.zeros(50), torch.zeros(50)
    start[5], end[45] = 9, 9
    found, none = text_answers._passages(start, end, [place > 2 for place in range(50)])
    assert all(1 <= last - first + 1 <= 30 for first, last, _ in found)
    assert 0 <= none <= 1


def test_labels_are_judged_together_or_each_for_itself(home: Path) -> None:
    asked = _model("zero-shot-classification")
    together = asked.answer(text="a cat", labels=["a", "b", "c"])
    assert sum(row.score for row in together.labels) == pytest.approx(1, abs=1e-5)
    apart = asked.answer(text="a cat", labels=["a", "b", "c"], several=True)
    assert [row.score for row in apart.labels] != [row.score for row in together.labels]


def test_recording_is_written_down_when_it_exceeds_what_is_heard_at_once(home: Path) -> None:
    asked = _model("automatic-speech-recognition")
    long = Sound(_RANDOM.normal(0, 0.1, 35 * 16_000).astype(np.float32), 16_000)
    assert isinstance(asked.answer(sound=long).text, str)


# -- what is refused -----------------------------------------------------------------------------------------


def test_all_problems_of_the_inputs_are_told_at_once(home: Path) -> None:
    with pytest.raises(InputError) as caught:
        _model("zero-shot-classification").answer(text=" ", labels=["a"], colour="red")
    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["ask.unknown_input", "ask.input_missing", "ask.labels_number"]


@pytest.mark.parametrize("text", ["no gap here", "[MASK] and [MASK]"])
def test_anything_but_one_gap_is_refused(text: str, home: Path) -> None:
    with pytest.raises(InputError, match="exactly one"):
        _model("fill-mask").answer(text=text)


def test_model_that_is_not_here_is_told_with_its_size(home: Path) -> None:
    with pytest.raises(NotFoundError, match=r"312 MB.*core download hub/Helsinki-NLP/opus-mt-zh-en"):
        load_task("translation-zh-en", "hub/Helsinki-NLP/opus-mt-zh-en")


def test_model_of_another_task_is_refused_with_what_it_does(home: Path) -> None:
    with pytest.raises(InputError, match="It does: fill-mask"):
        load_task("question-answering", plant("fill-mask"))
    other_way = _planted(get_task("translation-zh-en"))
    with pytest.raises(InputError, match="translation-zh-en"):
        load_task("translation-en-zh", other_way)


def test_weights_without_the_tasks_head_are_refused_and_not_made_up(home: Path) -> None:
    model_id = plant("fill-mask")
    folder = folder_of(model_id)
    config = transformers.AutoConfig.from_pretrained(folder)
    transformers.BertModel(config).save_pretrained(folder)
    (folder / "config.json").write_text((folder / "config.json").read_text().replace("BertModel", "BertForMaskedLM"))
    with pytest.raises(WeightsError, match="random"):
        load_task("fill-mask", model_id)


def test_weights_in_parts_load_and_a_missing_part_is_told(home: Path) -> None:
    model_id = plant("text-generation")
    folder = folder_of(model_id)
    whole = load_task("text-generation", model_id).answer(text="a b", max_new_tokens=4)
    net = transformers.GPT2LMHeadModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    net.save_pretrained(folder, max_shard_size="10KB")
    parts = sorted(folder.glob("model-*.safetensors"))
    assert len(parts) > 1
    assert load_task("text-generation", model_id).answer(text="a b", max_new_tokens=4).text == whole.text
    parts[0].unlink()
    with pytest.raises(NotFoundError):
        load_task("text-generation", model_id)


def test_file_that_runs_code_is_refused(home: Path, tmp_path: Path) -> None:
    model_id = plant("fill-mask")
    folder, mark = folder_of(model_id), tmp_path / "ran"
    (folder / "model.safetensors").unlink()

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (mark,)

    torch.save({"weight": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError):
        load_task("fill-mask", model_id)
    assert not mark.exists()


def test_code_of_a_repository_is_not_run(home: Path, tmp_path: Path) -> None:
    model_id = plant("fill-mask")
    folder, mark = folder_of(model_id), tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: ...\n")
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace("{", '{"auto_map": {"AutoModelForMaskedLM": "evil.Evil"},', 1))
    load_task("fill-mask", model_id)
    assert not mark.exists()


def test_model_in_a_folder_answers_too(home: Path) -> None:
    folder = folder_of(plant("text2text-generation"))
    report = load_task("text2text-generation", f"path:{folder}").answer(text="a", max_new_tokens=3)
    assert report.model == f"path:{folder}"
    with pytest.raises(GraftError, match="no file or folder"):
        load_task("text2text-generation", "path:/nowhere/at/all")


def test_everything_in_the_cache_has_a_card_with_its_tasks(home: Path) -> None:
    wanted = {plant(name) for name in ("fill-mask", "object-detection", "siglip", "wav2vec2")}
    broken = folder_of("hub/tiny/broken")
    broken.mkdir(parents=True)
    (broken / "config.json").write_text("{not json")
    cards = {card.id: card for card in list_hub_cards()}
    assert cards.keys() == wanted
    assert cards["hub/tiny/siglip"].can("zero-shot-image-classification")
    assert not cards["hub/tiny/siglip"].is_text
    assert cards["hub/tiny/fill-mask"].is_trainable
    assert not cards["hub/tiny/object-detection"].is_trainable
