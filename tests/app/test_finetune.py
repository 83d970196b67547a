"""Fine-tune: the form, its problems, the start, a run in every state, several methods."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.data.report import describe_data
from core.data.spec import ImportSpec
from core.files import to_json
from core.i18n import LANGUAGES
from core.messages import explain
from core.problems import Problem
from core.progress import SilentReporter
from core.runs.submit import new_run
from core.spec import DataRef
from core.store import Run, open_store
from tests.app.conftest import assert_sound, charts_of, texts_of
from tests.fixtures.pictures import fill


def test_form_starts_a_run_as_it_is_filled_in(open_page: Callable[..., AppTest]) -> None:
    at = open_page("finetune")
    at.number_input(key="ft_epochs").set_value(3).run()
    at.number_input(key="ft_lr").set_value(0.01).run()
    at.button(key="ft_start").click().run()
    assert_sound(at)
    (run,) = open_store().list_runs()
    assert run.spec["model"] == {"id": "bundled/efficientnet_lite0", "weights": "pretrained"}
    assert run.spec["data"]["id"] == "builtin/digits"
    assert (run.spec["method"], run.spec["epochs"], run.spec["lr"]) == ("head", 3, 0.01)
    assert run.status == "running"
    assert at.title[0].value == run.name
    assert "Starting the worker" in texts_of(at)


def test_second_click_starts_nothing_more(open_page: Callable[..., AppTest]) -> None:
    at = open_page("finetune")
    button = at.button(key="ft_start")
    button.click().run()
    button.click().run()
    assert len(open_store().list_runs()) == 1


def test_several_methods_become_sibling_runs(open_page: Callable[..., AppTest]) -> None:
    at = open_page("finetune")
    at.checkbox(key="ft_method_last").check().run()
    at.number_input(key="ft_last_blocks").set_value(3).run()
    assert at.button(key="ft_start").label == "Start 2 trainings to compare"
    at.button(key="ft_start").click().run()
    assert_sound(at)
    found = {run.spec["method"]: run for run in open_store().list_runs()}
    assert set(found) == {"head", "last"}
    assert found["last"].spec["last_blocks"] == 3
    assert found["head"].sibling_group == found["last"].sibling_group is not None
    assert at.title[0].value == "2 methods compared"


def test_fields_appear_only_when_they_matter(open_page: Callable[..., AppTest]) -> None:
    at = open_page("finetune")
    assert "ft_last_blocks" not in [field.key for field in at.number_input]
    at.checkbox(key="ft_method_last").check().run()
    assert "ft_last_blocks" in [field.key for field in at.number_input]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "No method is chosen: choose at least one."), ("zh_CN", "还没有选方法：至少选一种。")],
)
def test_start_is_blocked_when_no_method_is_chosen(
    open_page: Callable[..., AppTest], language: str, sentence: str
) -> None:
    at = open_page("finetune", language)
    at.checkbox(key="ft_method_head").uncheck().run()
    assert at.button(key="ft_start").disabled
    assert [box.value for box in at.error] == [sentence]


def test_start_is_blocked_when_the_weights_are_not_here(open_page: Callable[..., AppTest]) -> None:
    at = open_page("finetune", model="torchvision/resnet18.imagenet1k_v1")
    assert at.selectbox(key="ft_model").value == "torchvision/resnet18.imagenet1k_v1"
    assert at.button(key="ft_start").disabled
    assert "are not on this machine" in at.error[0].value
    at.radio(key="ft_weights").set_value("random").run()
    at.checkbox(key="ft_method_head").uncheck().run()
    at.checkbox(key="ft_method_full").check().run()
    assert not at.error
    assert not at.button(key="ft_start").disabled


def test_warning_is_shown_and_does_not_block(open_page: Callable[..., AppTest]) -> None:
    at = open_page("finetune")
    at.number_input(key="ft_train_size").set_value(20).run()
    assert "A batch of 32 is more than the 20 training examples" in at.warning[0].value
    assert not at.button(key="ft_start").disabled


def test_estimate_names_the_run_it_is_based_on(open_page: Callable[..., AppTest], make_run: Callable[..., Run]) -> None:
    assert open_page("finetune").metric[0].value == "–"
    from core.hardware import this_host

    make_run("done", host=this_host())
    at = open_page("finetune")
    assert at.metric[0].value.endswith((" s", " min"))  # beside other work it is told to take longer
    assert at.metric[0].delta.startswith("from ")
    assert "Estimated from this machine's measured speed." not in texts_of(at)


@pytest.mark.parametrize("language", LANGUAGES)
def test_running_run_says_what_it_does_and_stops_on_request(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run], language: str
) -> None:
    run = make_run("running")
    at = open_page("finetune", language, run=run.id)
    assert ("Training, epoch 2 of 5" if language == "en" else "训练中：第 2 轮，共 5 轮") in texts_of(at)
    assert at.metric[0].value == "80.0%"
    at.button(key=f"stop_{run.id}").click().run()
    assert_sound(at)
    assert open_store().get_run(run.id).stop_requested
    assert "Stopping" in texts_of(at) or "正在停止" in texts_of(at)


def test_run_that_does_not_listen_can_be_ended_by_force(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.runs import queue

    asked: list[bool] = []
    monkeypatch.setattr(queue.LocalExecutor, "stop", lambda _self, _run, force=False: asked.append(force))
    run = make_run("running", stop_requested=True)
    at = open_page("finetune", run=run.id)
    assert not [button for button in at.button if button.key == f"terminate_{run.id}"]
    at.session_state[f"stopped_at_{run.id}"] = 0.0
    at.run()
    at.button(key=f"terminate_{run.id}").click().run()
    at.run()
    at.button(key=f"kill_{run.id}").click().run()
    assert asked == [False, True]


def test_queued_run_says_what_it_waits_for(open_page: Callable[..., AppTest], make_run: Callable[..., Run]) -> None:
    make_run("running")
    at = open_page("finetune", run=make_run("queued").id)
    assert "1 run is before it" in texts_of(at)


@pytest.mark.parametrize("language", LANGUAGES)
def test_done_run_gives_the_answer_first(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run], language: str
) -> None:
    at = open_page("finetune", language, run=make_run("done").id)
    said = [element.value for element in at.markdown]
    answer = "85.0% of 100 test pictures are recognised" if language == "en" else "100 张测试图片认对 85.0%"
    assert any(answer in text for text in said)
    assert [box.value for box in at.metric][:1] == ["85.0%"]
    chart = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert chart["data"][0]["type"] == "heatmap"
    classes = at.dataframe[0].value
    assert set(classes["label"]) == {"cat", "dog", "数字"}
    assert classes["f1"].is_monotonic_increasing


def test_fitted_head_counts_passes_and_tells_how_held_out_examples_were_told(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run]
) -> None:
    run = make_run("done")
    held_out = {"accuracy": 0.55, "interval": [0.452, 0.644], "n": 100, "folds": 5}
    fit = {"strength": 0.03, "trained_on": 100, "passes": 39, "has_converged": True, "cross_validation": held_out}
    report_path = run.folder / "artifacts" / "report.json"
    report = json.loads(report_path.read_text(encoding="utf-8"))
    report_path.write_text(to_json(report | {"fit": fit}), encoding="utf-8")
    open_store().update_run(run.id, summary={**run.summary, "fit": fit})
    at = open_page("finetune", run=run.id)
    said = texts_of(at)
    assert "fitted in 39 passes" in said
    assert "epochs" not in said
    assert "55.0% of 100 examples are told rightly" in said
    assert {chart["layout"]["xaxis"]["title"]["text"] for chart in charts_of(at)} == {"Pass"}


def test_what_the_data_hides_stands_beside_the_answer(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run]
) -> None:
    run = make_run("done")
    clean = {"accuracy": 0.5, "interval": [0.4, 0.6], "n": 80}
    values = {"accuracy": 0.5, "low": 0.4, "high": 0.6, "n": 80}
    problems = [
        Problem("data.leak", "warning", "data", {"n": 20, "total": 100}),
        Problem("data.without_leaks", "warning", "data", values),
    ]
    test = {**run.summary["test"], "without_leaks": clean}
    summary = {**run.summary, "test": test, "problems": [problem.as_dict() for problem in problems]}
    open_store().update_run(run.id, summary=summary)
    at = open_page("finetune", run=run.id)
    assert [box.value for box in at.warning] == [explain(problem) for problem in problems]
    assert "50.0% of 80" in at.warning[1].value
    assert "without what is trained on too: 50.0%" in texts_of(open_page("runs", run=run.id)) + texts_of(
        open_page("home")
    )


def test_run_at_work_tells_what_its_data_showed(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run]
) -> None:
    run = make_run("running")
    problem = Problem("data.text_leak", "warning", "data", {"n": 20, "total": 20})
    record = {"id": "x", "fingerprint": "f", "labels": [], "rows": "r", "problems": [problem.as_dict()]}
    (run.folder / "artifacts" / "data.json").write_text(to_json(record), encoding="utf-8")
    assert [box.value for box in open_page("finetune", run=run.id).warning] == [explain(problem)]
    (run.folder / "artifacts" / "data.json").write_text('{"problems": [{"code": "data.leak"}, 7]}', encoding="utf-8")
    assert not open_page("finetune", run=run.id).warning


def test_run_on_changed_data_offers_to_be_repeated(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run]
) -> None:
    problem = Problem("run.data_changed", values={"id": "path:/pets", "run": "ft-test-000"})
    run = make_run("failed", error=[problem.as_dict()])
    at = open_page("finetune", run=run.id)
    assert explain(problem) in [box.value for box in at.error]
    at.button(key=f"repeat_{run.id}").click().run()
    assert_sound(at)
    other = next(one for one in open_store().list_runs() if one.id != run.id)
    assert (other.spec, other.attempt) == (run.spec, 0)


@pytest.mark.parametrize("status", ["failed", "interrupted", "stopped"])
def test_ended_run_tells_why_and_begins_again(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run], status: str
) -> None:
    from tests.app.conftest import ENDED

    run = make_run(status, error=ENDED[status])
    at = open_page("finetune", run=run.id)
    told = {"failed": "The memory did not suffice", "interrupted": "ended without a word", "stopped": "on request"}
    assert told[status] in texts_of(at)
    assert at.button(key=f"resume_{run.id}").label == "Begin anew"  # it left no checkpoint
    at.button(key=f"resume_{run.id}").click().run()
    assert_sound(at)
    again = open_store().get_run(run.id)
    assert (again.status, again.attempt) == ("running", 1)


def test_stopped_run_with_a_checkpoint_goes_on(open_page: Callable[..., AppTest], make_run: Callable[..., Run]) -> None:
    run = make_run("stopped")
    (run.folder / "checkpoint" / "checkpoint-10").mkdir(parents=True)
    assert open_page("finetune", run=run.id).button(key=f"resume_{run.id}").label == "Resume"


@pytest.mark.parametrize("language", LANGUAGES)
def test_siblings_end_in_a_conclusion(
    open_page: Callable[..., AppTest], make_run: Callable[..., Run], language: str
) -> None:
    make_run("done", "head", right=60, group="g-1")
    make_run("done", "full", right=95, group="g-1")
    at = open_page("finetune", language, group="g-1")
    assert ("is better than" if language == "en" else "优于") in texts_of(at)
    assert at.dataframe[0].value["accuracy"].tolist() == [95.0, 60.0]


def test_siblings_at_work_stand_side_by_side(open_page: Callable[..., AppTest], make_run: Callable[..., Run]) -> None:
    first, second = make_run("running", "head", group="g-2"), make_run("queued", "full", group="g-2")
    at = open_page("finetune", group="g-2")
    assert {f"stop_{first.id}", f"stop_{second.id}"} <= {button.key for button in at.button}


def test_data_chosen_elsewhere_is_taken_over(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    at = open_page("finetune", data=f"path:{tmp_path}")
    assert at.selectbox(key="ft_data").value == f"path:{tmp_path}"


def test_path_that_is_not_there_is_told_at_its_field(open_page: Callable[..., AppTest]) -> None:
    at = open_page("finetune")
    at.selectbox(key="ft_data").select("path:new").run()
    assert at.button(key="ft_start").disabled
    at.text_input(key="ft_data_path").input("/no/such/folder").run()
    assert "There is no file or folder /no/such/folder" in at.error[0].value


@pytest.mark.parametrize(
    ("language", "unknown", "covered", "cut"),
    [
        ("en", "does not know 65% of the tokens", "tokens of each text are read", "lose their end"),
        ("zh_CN", "不认识这些文本中 65% 的词元", "个词元", "结尾会被截掉"),
    ],
)
def test_texts_are_looked_into_before_a_training(
    open_page: Callable[..., AppTest], language: str, unknown: str, covered: str, cut: str
) -> None:
    data = DataRef(id="builtin/reviews-zh")
    check = new_run(ImportSpec(data=data))
    (check.folder / "artifacts").mkdir(parents=True, exist_ok=True)
    report = describe_data(data, SilentReporter()).model_dump(mode="json")
    (check.folder / "artifacts" / "report.json").write_text(to_json(report), encoding="utf-8")
    open_store().update_run(check.id, status="done")
    at = open_page("finetune", language, model="bundled/minilm-l6", data="builtin/reviews-zh")
    assert_sound(at)
    assert unknown in texts_of(at)
    assert covered in texts_of(at)
    at.number_input(key="ft_max_length").set_value(16).run()
    assert cut in texts_of(at)


def test_warning_of_several_methods_is_told_once(open_page: Callable[..., AppTest]) -> None:
    at = open_page("finetune")
    at.radio(key="ft_weights").set_value("random").run()
    at.checkbox(key="ft_method_last").check().run()
    assert [warning.value.startswith("Random weights and only part") for warning in at.warning] == [True]


def test_folders_of_pictures_are_looked_into_before_a_training(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    root = fill(tmp_path / "set", {"train/a": 8, "train/b": 8, "test/a": 2, "test/b": 2})
    for name in ("000.png", "001.png"):
        (root / "test" / "a" / name).write_bytes((root / "train" / "a" / name).read_bytes())
    at = open_page("finetune", data=f"path:{root}")
    (check,) = open_store().list_runs(kind="import")
    assert "Looking into the data" in texts_of(at)
    (check.folder / "artifacts").mkdir(parents=True, exist_ok=True)
    report = describe_data(DataRef(id=f"path:{root}"), SilentReporter()).model_dump(mode="json")
    (check.folder / "artifacts" / "report.json").write_text(to_json(report), encoding="utf-8")
    open_store().update_run(check.id, status="done", started_at=time.time() + 60)
    at.run()
    assert_sound(at)
    assert "2 of 4 test pictures are among the training pictures too" in texts_of(at)
    assert not at.button(key="ft_start").disabled
    open_store().update_run(check.id, started_at=1.0)  # the folder has changed since: it is looked into again
    at.run()
    assert len(open_store().list_runs(kind="import")) == 2


def test_page_waits_for_what_is_looked_into(open_page: Callable[..., AppTest]) -> None:
    at = open_page("finetune", model="bundled/minilm-l6", data="builtin/reviews-zh")
    (check,) = open_store().list_runs(kind="import")
    assert check.spec["data"]["id"] == "builtin/reviews-zh"
    assert "Looking into the data" in texts_of(at)
