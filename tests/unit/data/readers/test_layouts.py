"""Folders and zips as people have them: pictures without endings, tables of classes beside them, folders of texts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from core.data.collection import Collection
from core.data.open import open_collection
from core.data.text_collection import texts_of
from core.errors import DataError
from core.predict.picture_files import open_album
from core.spec import DataRef


def _picture(path: Path, colour: str, kind: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), colour).save(path, kind)
    return path


def _as_folder(folder: Path) -> Path:
    return folder


def _as_zip(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder))


BOTH_WAYS = pytest.mark.parametrize("as_brought", [_as_folder, _as_zip])
Bring = Callable[[Path], Path]


def _open(path: Path) -> Collection:
    return open_collection(DataRef(id=f"path:{path}"))


def _classes(found: Collection) -> dict[str, str]:
    return {found.items.name(row): found.labels[target] for row, target in enumerate(found.targets)}


@BOTH_WAYS
def test_pictures_are_known_by_their_content_where_their_endings_say_nothing(tmp_path: Path, as_brought: Bring) -> None:
    for i in range(4):
        _picture(tmp_path / "set" / "red" / f"photo{i}", "red")
        _picture(tmp_path / "set" / "blue" / f"{i}.jpg_large", "blue", "JPEG")
    (tmp_path / "set" / "red" / "notes.jpg_large").write_text("no picture at all", encoding="utf-8")
    path = as_brought(tmp_path / "set")
    found = _open(path)
    assert (len(found), found.labels) == (8, ["blue", "red"])
    assert [(problem.code, problem.values["n"]) for problem in found.problems] == [("data.other_files", 1)]
    assert len(open_album(path)) == 8


@BOTH_WAYS
@pytest.mark.parametrize(
    ("place", "table"),
    [
        ("", "file_name,label\n{},{}\n"),
        ("train/", "file_name,label\n{},{}\n"),
        ("", "id,breed,width\n{stem},{label},16\n"),
        ("", "image;class\n./pictures/{};{}\n"),
    ],
)
def test_a_table_beside_the_pictures_tells_their_classes(
    tmp_path: Path, as_brought: Bring, place: str, table: str
) -> None:
    header, row = table.splitlines()
    folder = tmp_path / "set"
    lines, expected = [header], {}
    for i in range(6):
        inner = "pictures/" if "pictures" in row else ""
        label = ("cat", "dog")[i % 2]
        _picture(folder / place / inner / f"{i}.png", "red")
        expected[f"{place}{inner}{i}.png"] = label
        lines.append(row.format(f"{i}.png", label, stem=i, label=label))
    _picture(folder / place / "other.png", "blue")
    (folder / place / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    found = _open(as_brought(folder))
    assert _classes(found) == expected
    assert [problem.code for problem in found.problems] == ["data.pictures_not_in_table"]
    table_file = folder / place / "metadata.csv"
    table_file.write_text(table_file.read_text(encoding="utf-8").replace("dog", "fox"), encoding="utf-8")
    assert _open(as_brought(folder)).fingerprint != found.fingerprint, "another table is other data"


def test_classes_in_names_are_asked_to_be_folders(tmp_path: Path) -> None:
    for i in range(4):
        _picture(tmp_path / "pets" / f"{('cat', 'dog')[i % 2]}.{i}.png", "red")
        _picture(tmp_path / "camera" / f"IMG_{i}.png", "red")
    for name, code in (("pets", "data.classes_in_names"), ("camera", "data.no_class_folders")):
        with pytest.raises(DataError) as refused:
            _open(tmp_path / name)
        assert refused.value.code == code


@BOTH_WAYS
def test_text_files_in_class_folders_are_texts_of_these_classes(tmp_path: Path, as_brought: Bring) -> None:
    for part in ("train", "test"):
        for i in range(6):
            path = tmp_path / "set" / part / ("pos", "neg")[i % 2] / f"{i}_7.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"A review\nof two lines, {part} {i}", encoding="utf-8")
    (tmp_path / "set" / "train" / "pos" / "old.txt").write_bytes("Le café était très bon à Besançon".encode("cp1252"))
    (tmp_path / "set" / "README").write_text("about", encoding="utf-8")
    found = _open(as_brought(tmp_path / "set"))
    assert (found.kind, found.labels) == ("text", ["negative", "positive"])
    assert {split: len(rows) for split, rows in found.splits.items()} == {"train": 7, "test": 6}
    assert "A review of two lines, test 0" in texts_of(found)
    assert "Le café était très bon à Besançon" in texts_of(found)
    assert {problem.code for problem in found.problems} == {"data.files_of_other_encodings", "data.texts_left_out"}
