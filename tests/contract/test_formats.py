"""Every data format of the table: a smallest example opens everywhere the row says, and half a row is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from core.cli.app import app
from core.data.collection import Collection
from core.data.open import open_collection
from core.data.uploads import store_upload
from core.errors import DataError, InputError
from core.i18n import LANGUAGES, translator
from core.messages import explain
from core.predict.picture_files import open_album
from core.predict.run import answer_file
from core.predict.spec import PredictSpec
from core.predict.text_files import read_questions, store_questions
from core.problems import Problem
from core.progress import SilentReporter
from core.registry.formats import (
    FORMATS,
    PICTURE_FILES,
    PICTURE_SUFFIXES,
    Format,
    asked_suffixes,
    format_of,
    listed_words,
    load,
    upload_suffixes,
    without_ending,
)
from core.registry.table import build_table
from core.runs.names import data_name
from core.spec import DataRef
from tests.fixtures.pictures import fill, pack

ROWS = list(FORMATS.values())
FILES = [row for row in ROWS if not row.is_source]
TEXTS = [("good film", "good"), ("bad film", "bad"), ("fine play", "good"), ("dull play", "bad")]
CLASSES = {"cat": 2, "dog": 2}


def _folder(path: Path) -> Path:
    return fill(path, CLASSES)


def _zip(path: Path) -> Path:
    return pack(path, [f"{label}/{i}.png" for label, n in CLASSES.items() for i in range(n)])


def _separated(sign: str) -> Callable[[Path], Path]:
    return lambda path: _write(path, "\n".join(sign.join(row) for row in [("text", "label"), *TEXTS]))


def _json_lines(path: Path) -> Path:
    return _write(path, "\n".join(json.dumps({"text": text, "label": label}) for text, label in TEXTS))


def _json(path: Path) -> Path:
    return _write(path, json.dumps([{"text": text, "label": label} for text, label in TEXTS]))


def _xlsx(path: Path) -> Path:
    import openpyxl

    book = openpyxl.Workbook()
    for row in [("text", "label"), *TEXTS]:
        book.active.append(row)
    book.save(path)
    return path


def _parquet(path: Path) -> Path:
    pq.write_table(pa.table({"text": [text for text, _ in TEXTS], "label": [label for _, label in TEXTS]}), path)
    return path


def _write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


# The smallest example of each format that lies on a disk.
EXAMPLES: dict[str, Callable[[Path], Path]] = {
    "folder": _folder,
    "zip": _zip,
    "csv": _separated(","),
    "tsv": _separated("\t"),
    "txt": _separated("\t"),
    "jsonl": _json_lines,
    "json": _json,
    "xlsx": _xlsx,
    "parquet": _parquet,
}
ON_DISK = pytest.mark.parametrize("row", FILES, ids=lambda row: row.id)


@pytest.fixture
def example(row: Format, tmp_path: Path) -> Path:
    return EXAMPLES[row.id](tmp_path / f"my-set{next(iter(row.suffixes), '')}")


def _is_right(found: Collection, row: Format) -> bool:
    kinds = {"pictures": {"image"}, "texts": {"text"}, "either": {"image", "text"}}
    return found.kind in kinds[row.holds] and len(found) == 4 and len(found.labels) == 2


def test_every_format_on_a_disk_has_an_example() -> None:
    assert set(EXAMPLES) == {row.id for row in FILES}


@ON_DISK
def test_example_is_told_by_what_it_is_and_opens_by_its_path(row: Format, example: Path) -> None:
    assert format_of(example) is row
    assert _is_right(open_collection(DataRef(id=f"path:{example}")), row)


@ON_DISK
def test_example_can_be_uploaded_under_each_of_its_endings(row: Format, tmp_path: Path) -> None:
    assert [suffix for suffix in row.suffixes if suffix in upload_suffixes()] == list(row.suffixes * row.may_upload)
    for suffix in row.suffixes * row.may_upload:
        path = EXAMPLES[row.id](tmp_path / f"my-set{suffix}")
        data_id = store_upload(path, path.name)
        assert data_id.startswith("upload/my-set")
        assert _is_right(open_collection(DataRef(id=data_id)), row)


@ON_DISK
def test_example_is_described_on_the_command_line(row: Format, example: Path) -> None:
    done = CliRunner().invoke(app, ["data", f"path:{example}", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["num_images"], told["status"]) == (4, "done")
    assert told["name"] in (example.name, example.stem)


@ON_DISK
def test_example_is_read_to_be_answered_where_the_row_says_so(row: Format, example: Path) -> None:
    assert bool(row.texts or row.pictures) == (row.id in EXAMPLES), "Predict answers whatever lies on a disk"
    if row.pictures:
        assert len(open_album(example)) == 4
    if row.texts:
        assert read_questions(example).texts == [text for text, _ in TEXTS]
    if row.suffixes:
        with example.open("rb") as file:
            assert store_questions(file, example.name, row.id).suffix == example.suffix


@pytest.mark.parametrize("row", [row for row in FILES if row.texts], ids=lambda row: row.id)
def test_texts_of_the_example_are_answered(row: Format, example: Path, tmp_path: Path) -> None:
    told = answer_file(PredictSpec(file=str(example)), tmp_path, SilentReporter(), resume=False)
    assert told["rows"] == len(TEXTS)


@ON_DISK
def test_a_name_loses_the_endings_of_the_format(row: Format) -> None:
    for suffix in row.suffixes:
        assert without_ending(f"a.b{suffix}") == without_ending(f"a.b{suffix.upper()}") == "a.b"
        assert data_name(f"/some/where/pets{suffix}") == "pets"
    assert data_name("pets.tar.gz") == "pets"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_function_of_a_row_is_there(row: Format) -> None:
    for function in filter(None, (row.reader, row.rows, row.texts, row.pictures)):
        assert callable(load(function))
    if row.rows:  # several tables are read together, of whatever kind
        assert row.reader == FORMATS["csv"].reader
        assert row.texts


@pytest.mark.parametrize("row", [row for row in ROWS if row.is_source], ids=lambda row: row.id)
def test_source_begins_a_data_id(row: Format) -> None:
    with pytest.raises(DataError) as found:
        open_collection(DataRef(id=f"{row.id}/nothing-of-this-name"))
    assert found.value.code in {"data.unknown_builtin", "data.hub_id"}
    assert found.value.problems[0].values["id"] == f"{row.id}/nothing-of-this-name"


def test_what_comes_with_graft_opens() -> None:
    kinds = {open_collection(DataRef(id=f"builtin/{name}")).kind for name in ("digits", "reviews-en", "reviews-zh")}
    assert kinds == {"image", "text"}


def test_unknown_source_is_refused_with_all_that_are_known() -> None:
    with pytest.raises((DataError, InputError)) as found:
        open_collection(DataRef.model_construct(id="cloud/x", text_column=None, label_column=None))
    known = str(found.value.problems[0].values["known"]).split(", ")
    assert known == [*(row.id for row in ROWS if row.is_source), "upload", "path"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", ["data.unknown_file", "data.not_an_upload"])
def test_sentences_list_the_formats_of_the_table(code: str, language: str) -> None:
    told = explain(Problem(code, values={"path": "x", "name": "x"}), translator(language))
    assert [word for word in re.findall(r"[a-z]+", told) if word in listed_words()] == listed_words()
    assert "zip" in told


def test_readme_names_every_format() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert [row.id for row in ROWS if row.is_listed and row.word not in readme] == []


def test_folder_of_a_leading_format_is_read_by_it(tmp_path: Path) -> None:
    for row in (row for row in FILES if row.leads_folders):
        folder = fill(tmp_path / row.id, CLASSES)
        EXAMPLES[row.id](folder / f"train{row.suffixes[0]}")
        assert open_collection(DataRef(id=f"path:{folder}")).kind == "text"


@pytest.mark.parametrize("row", [row for row in FILES if row.rows], ids=lambda row: row.id)
def test_folder_of_tables_is_read_as_their_splits(row: Format, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for split in ("train", "test"):
        EXAMPLES[row.id](folder / f"{split}{row.suffixes[0]}")
    (folder / "notes.txt").write_text("not a table")
    found = open_collection(DataRef(id=f"path:{folder}"))
    assert {split: len(rows) for split, rows in found.splits.items()} == {"train": 4, "test": 4}


# -- what the table refuses --------------------------------------------------------------------------------

CSV = FORMATS["csv"]


def _table(*rows: Format) -> Any:
    return build_table(rows, unique=("suffixes",))


def test_doubled_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="csv"):
        _table(CSV, replace(CSV, suffixes=(".other",)))
    with pytest.raises(ValueError, match=r"'\.csv' belongs to csv"):
        _table(CSV, replace(CSV, id="another"))


@pytest.mark.parametrize("field", ["id", "word", "holds", "reader"])
def test_half_filled_rows_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field if field != "id" else "Format"):
        _table(replace(CSV, **{field: ""}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"suffixes": (), "may_upload": False}, "nothing tells"),
        ({"suffixes": (), "is_folder": True}, "under its ending"),
        ({"suffixes": ("csv",)}, "no ending"),
        ({"suffixes": (".CSV",)}, "no ending"),
    ],
)
def test_rows_that_nothing_can_find_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(CSV, **changes)


# -- one place ---------------------------------------------------------------------------------------------


def test_no_other_module_lists_endings_of_data_files() -> None:
    """A list of two or more of them elsewhere is a copy that a new format would miss."""
    root = Path(__file__).resolve().parents[2]
    own = {suffix for row in ROWS for suffix in row.suffixes} - {".zip"} | PICTURE_SUFFIXES
    kept = {"run_archive.py", "formats.py", "worker.py", "export.py", "local_weights.py", "archive.py"}
    for path in [*root.joinpath("core").rglob("*.py"), *root.joinpath("pages").rglob("*.py")]:
        if path.name in kept:  # of a run's own files and of weights, not of data sets
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            found = set(re.findall(r"[\"'](\.?[a-z]+)[\"']", line))
            assert len({one for one in found if f".{one.lstrip('.')}" in own}) < 3, f"{path}: {line}"


def test_asked_files_are_those_with_a_way_to_be_read() -> None:
    assert asked_suffixes("pictures") == (".zip",)
    assert set(asked_suffixes("texts")) == {suffix for row in FILES if row.texts for suffix in row.suffixes}


def test_offered_picture_files_are_known_ones() -> None:
    for row in PICTURE_FILES.values():
        assert set(row.offered) <= set(row.suffixes)
