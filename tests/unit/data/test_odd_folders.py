"""What lies among people's pictures and is none, names of other systems, and disks that cannot be read."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.data.collection import Collection
from core.data.open import open_collection
from core.errors import DataError
from core.spec import DataRef
from tests.fixtures.pictures import encoded


def _open(path: Path) -> Collection:
    return open_collection(DataRef.model_construct(id=f"path:{path}", text_column=None, label_column=None))


def _two_classes(folder: Path) -> Path:
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        for n in range(3):
            (folder / label / f"{n}.png").write_bytes(encoded(n + ord(label)))
    return folder


def test_what_lies_among_pictures_and_is_none_is_passed_over(tmp_path: Path) -> None:
    folder = _two_classes(tmp_path / "set")
    (folder / "a" / "up").symlink_to(folder)
    (folder / "b" / "self.png").symlink_to(folder / "b" / "self.png")
    (folder / "b" / "gone.png").symlink_to("nowhere")
    (folder / "b" / "folder.png").mkdir()
    os.mkfifo(folder / "b" / "pipe.png")
    found = _open(folder)
    assert (found.labels, len(found.targets)) == (["a", "b"], 6)


def test_names_of_other_systems_are_classes(tmp_path: Path) -> None:
    folder = _two_classes(tmp_path / "set")
    for raw, name in ((b"\xb9\xb7", "狗"), (b"caf\xe9", "caf\\xe9")):
        odd = Path(os.fsdecode(os.fsencode(folder) + b"/" + raw))
        odd.mkdir()
        (odd / os.fsdecode(b"\xff\xfe.png")).write_bytes(encoded(len(name)))
        (odd / "2.png").write_bytes(encoded(2 + len(name)))
    found = _open(folder)
    assert found.labels == ["a", "b", "caf\\xe9", "狗"]
    assert len(list(found.items.read_many(np.arange(10)))) == 10
    assert all(content for _, content in found.items.read_many(np.arange(10)))
    json.dumps([found.items.name(row) for row in range(10)], ensure_ascii=False).encode()


@pytest.mark.parametrize("is_zipped", [False, True])
def test_digits_of_any_kind_are_names_of_classes_in_their_order(is_zipped: bool, tmp_path: Path) -> None:
    names = ["①", "②", "x²", "第10课", "第2课", "٣", "Ⅷ", "½", "9" * 80]
    folder = tmp_path / "set"
    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for n in range(2):
            (folder / name / f"{n}.png").write_bytes(encoded(place + 100 * n))
    path = Path(shutil.make_archive(str(folder), "zip", folder)) if is_zipped else folder
    found = _open(path)
    assert sorted(found.labels) == sorted(names)
    assert found.labels.index("①") < found.labels.index("②")
    assert found.labels.index("第2课") < found.labels.index("第10课")


def test_what_the_system_refuses_to_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "table.csv"
    table.write_text("text,label\n" + "fine,a\nbad,b\n" * 4, encoding="utf-8")

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("core.data.open.load", lambda _name: broken)
    with pytest.raises(DataError) as found:
        _open(table)
    assert [(one.code, one.values["path"]) for one in found.value.problems] == [("path.unusable", str(table))]
