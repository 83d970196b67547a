"""Zips from every system are read; those that mean harm are refused before anything is unpacked."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from core.data import zip_safety
from core.data.collection import Collection
from core.data.readers import zip as readers_zip
from core.data.readers.zip import open_zip
from core.errors import DataError
from core.spec import DataRef
from tests.fixtures.pictures import codes, encoded, pack, pack_raw

PAIR = ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]


def _open(path: Path) -> Collection:
    return open_zip([path], DataRef(id="upload/x"), path.name)


def _refusal(path: Path) -> list[str]:
    with pytest.raises(DataError) as found:
        _open(path)
    for problem in found.value.problems:
        assert problem.severity == "error"
    return sorted(codes(found.value.problems))


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_pictures_are_read_in_place(tmp_path: Path, how: int) -> None:
    found = _open(pack(tmp_path / "x.zip", PAIR, compression=how))
    assert found.labels == ["a", "b"]
    got = dict(found.items.read_many(np.arange(4)))
    assert got == {i: encoded(i) for i in range(4)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.zip"]


def test_wrapper_splits_and_junk_are_handled_as_in_folders(tmp_path: Path) -> None:
    names = ["x/train/a/1.png", "x/train/b/1.png", "x/test/a/1.png", "__MACOSX/x/train/a/._1.png", "x/Thumbs.db"]
    found = _open(pack(tmp_path / "x.zip", names))
    assert found.labels == ["a", "b"]
    assert {name: len(rows) for name, rows in found.splits.items()} == {"train": 2, "test": 1}
    assert found.problems == []


@pytest.mark.parametrize(
    ("encoding", "labels"),
    [
        ("gb18030", ["猫", "狗"]),
        ("gb18030", ["镕基", "北京"]),
        ("gb18030", ["乗子", "花"]),  # the second byte of 乗 is a backslash
        ("utf-8", ["猫", "Äpfel"]),
        ("cp437", ["Pêche", "Café", "Äpfel", "Straße"]),
    ],
)
def test_names_without_the_utf8_flag_are_read_as_their_maker_wrote_them(
    tmp_path: Path, encoding: str, labels: list[str]
) -> None:
    names = [f"{label}/{i:03}.png".encode(encoding) for label in labels for i in range(2)]
    found = _open(pack_raw(tmp_path / "x.zip", names))
    assert set(found.labels) == set(labels)
    assert len(dict(found.items.read_many(np.arange(len(names))))) == 2 * len(labels)
    assert None not in dict(found.items.read_many(np.arange(len(names)))).values()


def test_names_with_the_utf8_flag_are_taken_as_they_are(tmp_path: Path) -> None:
    assert _open(pack(tmp_path / "x.zip", ["猫/1.png", "Café/1.png"])).labels == ["Café", "猫"]


def test_backslashes_of_windows_packers_separate_folders(tmp_path: Path) -> None:
    names = [b"set\\cat\\001.png", b"set\\cat\\002.png", b"set\\dog\\001.png", b"set\\none\\"]
    found = _open(pack_raw(tmp_path / "x.zip", names))
    assert found.labels == ["cat", "dog"]
    assert codes(found.problems) == {"data.empty_folder"}
    assert None not in dict(found.items.read_many(np.arange(3))).values()


def test_empty_class_folder_is_told(tmp_path: Path) -> None:
    found = _open(pack(tmp_path / "x.zip", {**{name: encoded(i) for i, name in enumerate(PAIR)}, "none/": b""}))
    assert found.labels == ["a", "b"]
    assert [problem.values for problem in found.problems] == [{"n": 1, "names": "none"}]


def test_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    first = _open(pack(tmp_path / "x.zip", PAIR)).fingerprint
    assert _open(pack(tmp_path / "y.zip", PAIR, compression=zipfile.ZIP_DEFLATED)).fingerprint == first
    assert _open(pack(tmp_path / "z.zip", dict.fromkeys(PAIR, encoded(5)))).fingerprint != first


# -- hostile ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../evil.png", "a/../../evil.png", "/etc/evil.png", "..\\evil.png", "C:\\evil.png", "\\\\host\\evil.png", "a/.."],
)
def test_entry_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    assert _refusal(pack_raw(tmp_path / "x.zip", [b"a/001.png", name.encode()])) == ["data.zip_unsafe_path"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.zip"]


def test_two_dots_inside_a_name_are_no_crime(tmp_path: Path) -> None:
    assert _open(pack(tmp_path / "x.zip", ["a..b/1..png", "c/2.png", "c/...png"])).labels == ["a..b", "c"]


def test_symbolic_link_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", PAIR)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("a/link.png")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert _refusal(path) == ["data.zip_symlink"]


def test_ratio_bomb_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"a/1.png": bytes(5_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert _refusal(path) == ["data.zip_bomb"]


def test_well_packed_small_files_are_no_bomb(tmp_path: Path) -> None:
    files = {"a/1.bmp": encoded(0, "BMP"), "b/1.bmp": encoded(1, "BMP"), "b/2.bmp": bytes(900_000)}
    assert len(_open(pack(tmp_path / "x.zip", files, compression=zipfile.ZIP_DEFLATED))) == 3


def test_too_much_in_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_safety, "MAX_UNPACKED_BYTES", 1000)
    assert _refusal(pack(tmp_path / "x.zip", PAIR)) == ["data.zip_too_large"]


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    """One packed body that many entries claim: small on the disk, endless unpacked."""
    path = pack(tmp_path / "x.zip", {"a/1.png": os.urandom(100_000)})
    content = path.read_bytes()
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    entry = content[start:end]
    tail = bytearray(content[end:])
    tail[8:12] = (30).to_bytes(2, "little") * 2
    tail[12:16] = (30 * len(entry)).to_bytes(4, "little")
    path.write_bytes(content[:start] + entry * 30 + bytes(tail))
    assert _refusal(path) == ["data.zip_too_large"]


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_safety, "MAX_ENTRIES", 3)
    assert _refusal(pack(tmp_path / "x.zip", PAIR)) == ["data.too_many_files"]


def test_endless_list_of_entries_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_safety, "_MAX_LIST_BYTES", 100)
    path = pack(tmp_path / "x.zip", PAIR)
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *_: pytest.fail("it was read"))
    assert _refusal(path) == ["data.too_many_files"]


def test_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", PAIR)
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place] |= 1
            at = content.find(mark, at + 1)
    path.write_bytes(content)
    assert _refusal(path) == ["data.zip_encrypted"]


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    files = {"../out.png": b"x", "a/bomb.png": bytes(5_000_000)}
    path = pack(tmp_path / "x.zip", files, compression=zipfile.ZIP_DEFLATED)
    assert _refusal(path) == ["data.zip_bomb", "data.zip_unsafe_path"]


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all" * 10, b"MZ" + bytes(500)])
def test_file_that_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    assert _refusal(path) == ["data.zip_damaged"]


@pytest.mark.parametrize("keep", [0.3, 0.8, 0.99])
def test_zip_cut_short_is_refused(tmp_path: Path, keep: float) -> None:
    path = pack(tmp_path / "x.zip", PAIR)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    assert _refusal(path) == ["data.zip_damaged"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([], "data.no_pictures"),
        (["a/1.txt", "a/2.txt"], "data.no_pictures"),
        (["inner.zip"], "data.only_archives"),
        (["1.png", "2.png"], "data.no_class_folders"),
    ],
)
def test_zip_without_classes_is_refused(tmp_path: Path, files: list[str], code: str) -> None:
    assert _refusal(pack(tmp_path / "x.zip", files)) == [code]


def test_one_damaged_entry_is_unreadable_and_the_others_are_not(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", PAIR)
    content = path.read_bytes()
    at = content.index(encoded(2)) + 30
    path.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
    got = dict(_open(path).items.read_many(np.arange(4)))
    assert [row for row, raw in got.items() if raw is None] == [2]


def test_entry_is_read_no_further_than_a_picture_may_be_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers_zip, "MAX_BYTES", 1000)
    found = _open(pack(tmp_path / "x.zip", {"a/1.png": os.urandom(50_000), "b/1.png": encoded(0)}))
    got = dict(found.items.read_many(np.arange(2)))
    assert len(got[0] or b"") == 1001
    assert got[1] == encoded(0)


def test_names_are_shown_short_and_without_control_characters(tmp_path: Path) -> None:
    with pytest.raises(DataError) as found:
        _open(pack(tmp_path / "x.zip", ["../\x1b[31m\nred" + "x" * 500]))
    shown = found.value.values["entry"]
    assert len(shown) <= 80
    assert shown.isprintable()


def test_twenty_thousand_entries_are_all_found(tmp_path: Path) -> None:
    content = encoded(0, size=(2, 2))
    path = pack(tmp_path / "x.zip", {f"{c}/{i}.png": content for c in "abcd" for i in range(5000)})
    found = _open(path)
    rows = np.arange(0, 20_000, 5)
    assert np.bincount(found.targets).tolist() == [5000] * 4
    assert sum(zlib.crc32(raw) == zlib.crc32(content) for _, raw in found.items.read_many(rows) if raw) == len(rows)
