"""Uploads are looked through, named safely, kept whole or not at all; the list shows what is here."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path

import pytest

from core.data import upload_files
from core.data.library import list_data
from core.data.open import open_collection
from core.data.uploads import delete_upload, store_upload, upload_size
from core.errors import DataError
from core.files import unshared
from core.spec import DataRef
from tests.fixtures.pictures import load, pack

PAIR = ["a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/2.png", "b/3.png"]


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    return pack(tmp_path / "pets.zip", PAIR)


def _kept(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "uploads").iterdir())


def test_upload_is_a_data_set_at_once(home: Path, zipped: Path) -> None:
    assert store_upload(zipped, "pets.zip") == "upload/pets"
    assert _kept(home) == ["pets.zip"]
    assert load("upload/pets").labels == ["a", "b"]
    assert upload_size("pets") == zipped.stat().st_size
    card = next(card for card in list_data() if card.id == "upload/pets")
    assert (card.name, card.bytes) == ("pets", zipped.stat().st_size)


def test_upload_from_an_open_file_is_read_from_its_beginning(zipped: Path) -> None:
    file = io.BytesIO(zipped.read_bytes())
    file.read(10)
    assert store_upload(file, "pets.zip") == "upload/pets"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("my pets.zip", "my-pets"),
        ("PETS.ZIP", "PETS"),
        ("猫和狗.zip", "猫和狗"),
        ("../../etc/passwd.zip", "passwd"),
        ("C:\\Users\\me\\pets.zip", "pets"),
        ("..", "data"),
        ("", "data"),
        (".zip", "data"),
        ("CON.zip", "CON-data"),
        ("a\0b\n.zip", "a-b"),
        ("-rf.zip", "rf"),
    ],
)
def test_name_is_made_safe(home: Path, zipped: Path, name: str, stem: str) -> None:
    assert store_upload(zipped, name) == f"upload/{stem}"
    assert _kept(home) == [f"{stem}.zip"]
    assert len(open_collection(DataRef(id=f"upload/{stem}"))) == 6


def test_name_is_cut_when_it_is_very_long(home: Path, zipped: Path) -> None:
    stored = store_upload(zipped, "很长" * 200 + ".zip")
    assert len(_kept(home)[0].encode()) <= 110
    assert len(open_collection(DataRef(id=stored))) == 6


def test_second_upload_of_a_name_gets_another(zipped: Path) -> None:
    assert [store_upload(zipped, "pets.zip") for _ in range(3)] == ["upload/pets", "upload/pets-2", "upload/pets-3"]


def test_uploads_of_one_name_at_the_same_time_are_all_kept_whole(home: Path, tmp_path: Path) -> None:
    zips = [pack(tmp_path / f"{i}.zip", [f"{i}/{j}.png" for j in range(20)] + ["z/1.png"]) for i in range(4)]
    stored: list[str] = []
    threads = [
        threading.Thread(target=lambda path=path: stored.append(store_upload(path, "same.zip"))) for path in zips
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [open_collection(DataRef(id=data_id)) for data_id in stored]
    assert sorted(collection.labels[0] for collection in found) == ["0", "1", "2", "3"]
    assert all(len(collection) == 21 for collection in found)
    assert len(_kept(home)) == 4


@pytest.mark.parametrize(
    ("files", "code"),
    [(["../a.png"], "data.zip_unsafe_path"), (["1.png"], "data.no_class_folders"), ([], "data.no_pictures")],
)
def test_nothing_is_kept_when_a_zip_is_refused(home: Path, tmp_path: Path, files: list[str], code: str) -> None:
    with pytest.raises(DataError) as found:
        store_upload(pack(tmp_path / "x.zip", files), "x.zip")
    assert found.value.code == code
    assert _kept(home) == []


@pytest.mark.parametrize("content", [b"", b"MZ" + bytes(3000), b"Rar!\x1a\x07", b"just text"])
def test_file_that_is_no_zip_is_refused(home: Path, content: bytes) -> None:
    with pytest.raises(DataError) as found:
        store_upload(io.BytesIO(content), "x.zip")
    assert found.value.code == "data.not_an_upload"
    assert _kept(home) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("my films.csv", b""),
        ("my films.csv", b"\x89PNG\r\n\x1a\n" + bytes(500)),
        ("my films.txt", b"one line alone\nand another"),
        ("my films.xlsx", b"PK\x03\x04" + bytes(500)),
    ],
)
def test_refusal_tells_the_name_that_was_given(home: Path, name: str, content: bytes) -> None:
    with pytest.raises(DataError) as found:
        store_upload(io.BytesIO(content), name)
    (problem,) = found.value.problems
    assert name in problem.values.values()
    assert ".tmp" not in str(problem.values)
    assert _kept(home) == []


class _Endless(io.RawIOBase):
    """A stream that never ends, and counts what was taken of it."""

    taken = 0

    def seek(self, place: int, whence: int = 0) -> int:
        return 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "read whole"
        self.taken += size
        return bytes(size)


def test_upload_that_is_too_large_is_refused_as_soon_as_it_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_files, "UPLOAD_LIMIT_MB", 3)
    stream = _Endless()
    with pytest.raises(DataError) as found:
        store_upload(stream, "x.zip")
    assert found.value.code == "data.upload_too_large"
    assert stream.taken <= 5_000_000
    assert _kept(home) == []


def test_what_a_crash_left_is_removed_later(home: Path, zipped: Path) -> None:
    (home / "uploads").mkdir()
    old, new = (unshared(home / "uploads" / "upload.zip") for _ in range(2))
    for path in (old, new):
        path.write_bytes(b"x")
    then = time.time() - 200_000
    os.utime(old, (then, then))
    store_upload(zipped, "pets.zip")
    assert _kept(home) == [new.name, "pets.zip"]


def test_deleted_upload_is_gone(home: Path, zipped: Path) -> None:
    store_upload(zipped, "pets.zip")
    delete_upload("pets")
    assert _kept(home) == []
    with pytest.raises(DataError) as found:
        upload_size("pets")
    assert found.value.code == "data.unknown_upload"


@pytest.mark.parametrize("name", ["../secret", "..", "", ".hidden", "a/b", "a\\b", "/etc/passwd"])
def test_nothing_outside_the_uploads_is_deleted(home: Path, name: str) -> None:
    (home / "uploads").mkdir()
    for path in (home / "secret.zip", home / "uploads" / ".hidden.zip"):
        path.write_bytes(b"x")
    with pytest.raises(DataError):
        delete_upload(name)
    assert (home / "secret.zip").exists()
    assert (home / "uploads" / ".hidden.zip").exists()


def test_list_holds_what_is_here_and_the_newest_upload_first(home: Path, zipped: Path) -> None:
    here = ["builtin/digits", "builtin/reviews-en", "builtin/reviews-zh"]
    assert [card.id for card in list_data()] == here
    for name, age in (("older.zip", 100), ("newer.zip", 1)):
        store_upload(zipped, name)
        then = time.time() - age
        os.utime(home / "uploads" / name, (then, then))
    (home / "datasets" / "cifar-10-batches-py").mkdir(parents=True)
    ids = [card.id for card in list_data()]
    assert ids == [*here, "torchvision/cifar10", "upload/newer", "upload/older"]


_ROWS = "".join(f"a {word} film number {i},{label}\n" for i in range(10) for word, label in (("good", 1), ("bad", 0)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_table_is_taken_in_and_described(encoding: str, home: Path) -> None:
    from core.data.report import describe_data
    from core.progress import SilentReporter
    from core.spec import DataRef

    data_id = store_upload(io.BytesIO(("review,label\n" + _ROWS).encode(encoding)), "my reviews.csv")
    assert data_id == "upload/my-reviews"
    assert data_id in {card.id for card in list_data()}
    report = describe_data(DataRef(id=data_id), SilentReporter())
    assert (report.task, report.num_images, report.columns) == ("text-classification", 20, ["review", "label"])
    assert report.tokens is not None
    assert report.tokens.share_unknown == 0
    assert {row["label"] for row in report.preview} == {"0", "1"}
    assert store_upload(io.BytesIO(("review,label\n" + _ROWS).encode()), "my reviews.tsv.csv") != data_id


def test_table_without_labels_and_unknown_kinds_are_refused(home: Path) -> None:
    with pytest.raises(DataError):
        store_upload(io.BytesIO(b"text\nonly one column\n"), "x.csv")
    with pytest.raises(DataError, match="nothing Graft reads"):
        store_upload(io.BytesIO(b"MZ"), "x.exe")
    assert _kept(home) == []


def test_language_the_tokenizer_does_not_know_is_told(home: Path) -> None:
    from core.data.report import describe_data
    from core.progress import SilentReporter
    from core.spec import DataRef

    chinese, english = (describe_data(DataRef(id=f"builtin/reviews-{code}"), SilentReporter()) for code in ("zh", "en"))
    assert "data.unknown_tokens" in {problem.code for problem in chinese.problems}
    assert "data.unknown_tokens" not in {problem.code for problem in english.problems}
    assert chinese.counts["train"] == [148, 148]
