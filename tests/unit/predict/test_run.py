"""A table is answered as a run: every column kept, formulas made harmless, stopped and gone on from there."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from core import settings
from core.errors import DataError, InputError, StoppedError
from core.files import to_json
from core.predict import load as predict_load
from core.predict import run as predict_run
from core.predict.run import answer_file
from core.predict.spec import PredictSpec
from core.predict.text_files import preview_questions, read_questions, store_questions
from core.runs import kinds, manage, submit
from core.runs.kinds import check_spec
from core.runs.worker import work
from core.store import open_store
from tests.fixtures.listening import Listener
from tests.fixtures.pictures import fill

GOOD, BAD = "房间很干净，服务非常好，下次还来", "太差了，又脏又吵，非常失望"


def _spec(path: Path, **values: Any) -> PredictSpec:
    return PredictSpec.model_validate({"file": str(path), **values})


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "artifacts" / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _table(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_table_comes_back_with_its_answers(tmp_path: Path, home: Path) -> None:
    rows = [["id", "text", "answer"], ["1", GOOD, "x"], ["2", BAD, "=1+1"], ["3", "", "y"], ["-4", "🙂", "@z"]]
    summary = answer_file(_spec(_table(tmp_path / "a.csv", rows)), tmp_path, Listener(), False)
    found = _rows(tmp_path)
    assert [row["answer 2"] for row in found] == ["positive", "negative", "unsure", "unsure"]
    assert [row["answer"] for row in found] == ["x", "'=1+1", "y", "'@z"]
    assert [row["id"] for row in found] == ["1", "2", "3", "-4"]
    assert float(found[0]["p positive"]) == pytest.approx(1 - float(found[0]["p negative"]), abs=1e-3)
    assert (found[0]["answered by"], found[3]["confidence"]) == ("sentiment/zh", "")
    assert (summary["rows"], summary["column"]) == (4, "text")
    assert summary["counts"] == {"unsure": 2, "positive": 1, "negative": 1}
    assert not (tmp_path / "checkpoint").exists()


def test_texts_in_other_languages_are_left_unanswered_and_the_reason_is_told(tmp_path: Path, home: Path) -> None:
    rows = [["text"], [GOOD], ["방이 깨끗하고 조용했어요"], ["Una noche maravillosa, todo perfecto."], ["!"]]
    summary = answer_file(_spec(_table(tmp_path / "a.csv", rows)), tmp_path, Listener(), False)
    found = _rows(tmp_path)
    assert [row["answer"] for row in found] == ["positive", "declined", "declined", "unsure"]
    assert [row["not answered because"][:4] for row in found] == ["", "This", "This", "Ther"]
    told = {problem["code"]: problem["values"] for problem in summary["problems"]}
    assert told["predict.other_languages"] == {"n": 2, "total": 4}
    assert told["predict.without_letters"] == {"n": 1, "total": 4}


def test_stopped_run_goes_on_where_it_was(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_run, "PART", 10)
    texts = [GOOD if i % 3 else BAD for i in range(45)]
    spec = _spec(_table(tmp_path / "a.csv", [["text"], *([text] for text in texts)]))

    class Stops(Listener):
        def should_stop(self) -> bool:
            return len(list((tmp_path / "checkpoint").glob("*.json"))) >= 2

    with pytest.raises(StoppedError):
        answer_file(spec, tmp_path, Stops(), False)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "checkpoint").glob("*.json")}
    assert len(kept) == 2
    asked: list[int] = []
    load = predict_load.load_predictor

    def counting(model_id: str) -> Any:
        predictor = load(model_id)
        answer = predictor.answer
        monkeypatch.setattr(predictor, "answer", lambda texts: asked.append(len(texts)) or answer(texts))
        return predictor

    monkeypatch.setattr(predict_load, "load_predictor", counting)
    answer_file(spec, tmp_path, Listener(), True)
    assert asked == [10, 10, 5], "what was answered is not asked again"
    assert [row["answer"] for row in _rows(tmp_path)] == ["positive" if i % 3 else "negative" for i in range(45)]


def test_damaged_part_is_answered_again_and_said(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def answer(first: int, stop: int) -> list[predict_run.TextPart]:
        asked.append(first)
        return [predict_run.TextPart(f"label {first + i}", {"a": 0.25}, "m") for i in range(stop - first)]

    def go_on(*, resume: bool) -> list[str]:
        heard = Listener()
        monkeypatch.setattr(heard, "log", lines.append)
        predict_run._answer_parts(answer, 50, 10, tmp_path / "checkpoint", heard, asked="x", resume=resume)
        return [row[0] for row in predict_run._read_parts(tmp_path / "checkpoint")]

    lines: list[str] = []
    whole = go_on(resume=False)
    parts = sorted((tmp_path / "checkpoint").glob("*.json"))
    parts[0].write_text(parts[0].read_text().replace("label 3", "label 8"), encoding="utf-8")
    parts[1].write_bytes(parts[1].read_bytes()[:30])
    parts[2].write_bytes(b"")
    unsealed = json.loads(parts[3].read_text(encoding="utf-8"))["answers"]  # as earlier versions kept them
    parts[3].write_text(to_json(unsealed), encoding="utf-8")
    asked.clear()
    assert go_on(resume=True) == whole
    assert asked == [0, 10, 20]
    assert sum("is damaged and is answered again" in line for line in lines) == 3


@pytest.mark.parametrize("kind", ["texts", "pictures"])
def test_run_does_not_go_on_with_another_file(
    kind: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = tmp_path / "run" / "checkpoint"
    parts.parent.mkdir()

    def asked() -> str:
        if kind == "texts":
            return predict_run._digest(map(str, predict_run.read_questions(tmp_path / "a.csv", None).texts))
        return predict_run._digest(predict_run.open_album(tmp_path / "album").stamps)

    def answer(*, resume: bool) -> None:
        predict_run._answer_parts(lambda first, stop: [], 3, 10, parts, Listener(), asked=asked(), resume=resume)

    _table(tmp_path / "a.csv", [["text"], [GOOD], [GOOD], [BAD]])
    fill(tmp_path / "album", {"a": 3})
    answer(resume=False)
    answer(resume=True)
    _table(tmp_path / "a.csv", [["text"], [GOOD], [BAD], [BAD]])
    fill(tmp_path / "album", {"a": 3}, first=20, size=(14, 10))
    with pytest.raises(DataError, match="run run repeat"):
        answer(resume=True)
    answer(resume=False)


def test_run_answers_a_file_and_forgets_the_upload_with_it(home: Path) -> None:
    path = store_questions(io.BytesIO(f"text\n{GOOD}\n".encode()), "my ../reviews.csv", "upload-1")
    assert path.is_relative_to(settings.folder("asked"))
    assert path == store_questions(io.BytesIO(b""), "my ../reviews.csv", "upload-1"), "kept once"
    run = submit.new_run(_spec(path))
    open_store().update_run(run.id, status="running")
    assert work(run.id) == 0, manage.read_log(run.id)
    run = open_store().get_run(run.id)
    assert run.summary["counts"] == {"positive": 1}
    assert {artifact.name for artifact in open_store().list_artifacts(run.id)} == {"answers.csv", "report.json"}
    assert kinds.command_line(manage.spec_of(run)).startswith("python -m core predict --model sentiment --file")
    manage.delete_run(run.id)
    assert not path.exists()


def test_every_problem_is_told_before_the_start(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_text = {"model": "bundled/minilm-l6"}
    found = {problem.code for problem in check_spec(_spec(tmp_path / "no.csv", **no_text))}
    assert found == {"data.path_missing", "model.no_classifier"}
    (there := tmp_path / "a.csv").write_text("text\nx\n", encoding="utf-8")
    assert [p.code for p in check_spec(_spec(there, model="bundled/efficientnet_lite0"))] == ["predict.no_folder"]
    assert [p.code for p in check_spec(_spec(tmp_path))] == ["predict.folder"]
    assert [p.code for p in check_spec(_spec(there, model="bundled/minilm-l6"))] == ["model.no_classifier"]
    missing = "hub/uer/roberta-base-finetuned-jd-binary-chinese"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert [p.code for p in check_spec(_spec(there, model=missing))] == ["weights.not_in_cache"]
    monkeypatch.setenv("GRAFT_DATA_ROOTS", str(tmp_path / "elsewhere"))
    assert [p.code for p in check_spec(_spec(there))] == ["data.path_not_allowed"]
    with pytest.raises(InputError):
        submit.new_run(_spec(there))


@pytest.mark.parametrize(
    ("name", "content", "rows", "column"),
    [
        ("a.txt", "第一行，有逗号\n\n第二行\r\n", 2, "text"),
        ("lines.csv", "one, two, three\njust one\nfour, five\nsix\n", 4, "text"),
        ("single.csv", "review\ngood\nbad\n", 2, "review"),
        ("gbk.csv", "编号,评论\n1,很好的酒店\n2,非常差的酒店\n".encode("gb18030"), 2, "评论"),
        ("bom.tsv", "\ufeffid\tcontent\n1\thello there\n".encode(), 1, "content"),
        ("a.jsonl", '{"q": "how was it", "n": 1}\n{"q": "fine", "n": 2}\n', 2, "q"),
    ],
)
def test_questions_are_read_without_labels(
    tmp_path: Path, name: str, content: str | bytes, rows: int, column: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = read_questions(path)
    assert (len(found), found.column) == (rows, column)
    assert preview_questions(path).rows == rows


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        (["too,many,cells, here"], ["too", "many, cells, here"]),
        (["few"], ["few", ""]),
        (["=1+1,🙂", "\u202eabc,مرحبا", "a\x00b,c"], ["a\x00b", "c"]),
    ],
)
def test_no_row_of_a_file_is_lost(tmp_path: Path, lines: list[str], last: list[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,note", *(f"fine {i},x" for i in range(5)), *lines]), encoding="utf-8")
    found = read_questions(path)
    assert len(found) == 5 + len(lines)
    assert [column[-1] for column in found.table.values()] == last
    told = [problem.code for problem in found.problems]
    assert told == (["data.ragged_rows_kept"] if len(lines) == 1 else [])


def test_line_of_two_million_characters_is_answered_like_any_other(tmp_path: Path, home: Path) -> None:
    (path := tmp_path / "a.txt").write_text("很好" * 1_000_000 + f"\n{BAD}\n", encoding="utf-8")
    summary = answer_file(_spec(path), tmp_path, Listener(), False)
    assert summary["counts"] == {"positive": 1, "negative": 1}
    assert len(_rows(tmp_path)[0]["text"]) == 2_000_000


def test_formula_without_its_result_is_told_and_never_computed(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["text", "n"], [GOOD, 1], ['=CONCATENATE("a","b")', 2], ["=1+1", 3]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    found = read_questions(tmp_path / "a.xlsx")
    assert found.texts == [GOOD, None, None]
    (problem,) = found.problems
    assert (problem.code, problem.values["n"]) == ("data.formulas_without_values", 2)


def test_parquet_is_read_without_its_nested_columns(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": [GOOD, None], "tags": [["a"], []]}), tmp_path / "a.parquet")
    found = read_questions(tmp_path / "a.parquet")
    assert (list(found.table), found.texts) == (["text"], [GOOD, None])


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.csv", b"", "data.empty_table"),
        ("empty.txt", b"\n \n", "data.empty_table"),
        ("numbers.csv", b"a,b\n1,2\n3,4\n", None),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(5000), "data.unknown_file"),
        ("broken.parquet", b"PAR1" + bytes(200), "data.unreadable_file"),
    ],
)
def test_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes, code: str | None) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    if code is None:
        assert read_questions(path).column in ("a", "b")
        return
    with pytest.raises(DataError) as caught:
        read_questions(path)
    assert caught.value.problems[0].code == code


def test_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = _table(tmp_path / "a.csv", [["text", "n"], ["x", "1"]])
    with pytest.raises(DataError) as caught:
        read_questions(path, "review")
    assert caught.value.problems[0].code == "data.no_such_column"
