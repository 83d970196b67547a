"""Built-in data, parquet in a hub's layout, hub repositories and CIFAR-10 in torchvision's own form."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.data.collection import Collection
from core.data.open import open_collection
from core.data.readers import cifar10
from core.errors import DataError
from core.spec import DataRef
from tests.fixtures.pictures import codes, encoded, fill, pack


def _open(source: Path | str) -> Collection:
    return open_collection(DataRef(id=f"path:{source}" if isinstance(source, Path) else source))


def _refusal(source: Path | str) -> set[str]:
    with pytest.raises(DataError) as found:
        _open(source)
    return codes(found.value.problems, "error")


def test_import_is_light() -> None:
    """Pages and the import of data begin at once: nothing large is loaded before it is needed."""
    heavy = {"torch", "torchvision", "transformers", "datasets", "pyarrow", "pandas", "sklearn", "scipy"}
    modules = "core.data.images, core.data.library, core.data.report, core.data.texts"
    code = f"import sys, {modules}; print(sorted({heavy!r} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


# -- built in, paths -------------------------------------------------------------------------------------


def test_digits_are_1797_squares_of_8_px() -> None:
    found = _open("builtin/digits")
    assert len(found) == 1797
    assert found.labels == [str(n) for n in range(10)]
    _, first = next(iter(found.items.read_many(np.array([0]))))
    assert isinstance(first, np.ndarray)
    assert (first.shape, first.dtype, first.min(), first.max()) == ((8, 8, 3), np.uint8, 0, 239)
    assert found.fingerprint == "5041882ba158d26a98a8b180", "runs of earlier versions go on with the same data"


@pytest.mark.parametrize(
    ("data_id", "code"),
    [
        ("builtin/unknown", "data.unknown_builtin"),
        ("torchvision/imagenet", "data.unknown_builtin"),
        ("upload/nothing", "data.unknown_upload"),
        ("upload/../runs", "data.unknown_upload"),
        ("path:/no/such/folder", "data.path_missing"),
        ("ftp/somewhere", "data.unknown_source"),
        ("hub/one-word", "data.hub_id"),
        ("hub/../../etc", "data.hub_id"),
        ("hub//etc/x", "data.hub_id"),
        ("hub/a/b/c", "data.hub_id"),
    ],
)
def test_id_that_names_nothing_is_refused(data_id: str, code: str) -> None:
    assert _refusal(data_id) == {code}


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"", b"\x1f\x8b\x08" + bytes(50)])
def test_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.bin").write_bytes(content)
    assert _refusal(tmp_path / "data.bin") == {"data.unknown_file"}


def test_path_outside_the_allowed_roots_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, outside = fill(tmp_path / "in", {"a": 1, "b": 1}), fill(tmp_path / "out", {"a": 1, "b": 1})
    (inside / "escape").symlink_to(outside)
    monkeypatch.setenv("GRAFT_DATA_ROOTS", str(inside))
    assert len(_open(inside)) == 2
    assert _refusal(outside) == {"data.path_not_allowed"}
    assert _refusal(inside / "escape") == {"data.path_not_allowed"}
    assert _refusal(inside / ".." / "out") == {"data.path_not_allowed"}


def test_zip_is_told_by_its_content_when_the_name_lacks_an_ending(tmp_path: Path) -> None:
    assert _open(pack(tmp_path / "pictures", ["a/1.png", "b/1.png"])).labels == ["a", "b"]


# -- parquet ---------------------------------------------------------------------------------------------

_IMAGE = {"image": {"_type": "Image"}}


def _write(
    path: Path, labels: Any, *, names: list[str] | None = None, column: str = "label", first: int = 0, rows: int = 3
) -> None:
    """A parquet file as `datasets` writes it: pictures as bytes, features in the metadata."""
    pictures = [{"bytes": encoded(first + i), "path": None} for i in range(len(labels))]
    table = pa.table({"image": pictures, column: labels})
    features: dict[str, Any] = dict(_IMAGE)
    if names is not None:
        features[column] = {"names": names, "_type": "ClassLabel"}
    meta = {"huggingface": json.dumps({"info": {"features": features}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(meta), path, row_group_size=rows)


def test_hub_layout_gives_splits_labels_and_pictures(tmp_path: Path) -> None:
    names = ["cat", "dog", "unused"]
    _write(tmp_path / "data" / "train-00000-of-00002.parquet", [0, 1, 1, 0, 1], names=names)
    _write(tmp_path / "data" / "train-00001-of-00002.parquet", [1, 0], names=names, first=5)
    _write(tmp_path / "data" / "test-00000-of-00001.parquet", [0, 0], names=names, first=7)
    _write(tmp_path / "data" / "validation-00000-of-00001.parquet", [1], names=names, first=9)
    (tmp_path / "README.md").write_text("---\n---\n")
    found = _open(tmp_path)
    assert found.labels == names
    assert {name: found.targets[rows].tolist() for name, rows in found.splits.items()} == {
        "test": [0, 0],
        "train": [0, 1, 1, 0, 1, 1, 0],
        "validation": [1],
    }
    got = dict(found.items.read_many(np.concatenate(list(found.splits.values()))))
    assert got == {row: encoded(seed) for row, seed in zip(range(10), [7, 8, 0, 1, 2, 3, 4, 5, 6, 9], strict=True)}
    assert found.items.name(3) == "train-00000-of-00002.parquet #1"


def test_single_file_of_text_labels_is_a_training_split(tmp_path: Path) -> None:
    _write(tmp_path / "x.parquet", ["dog", "cat", "dog", None])
    found = _open(tmp_path / "x.parquet")
    assert found.labels == ["cat", "dog"]
    assert found.targets.tolist() == [1, 0, 1, -1]
    assert found.splits["train"].tolist() == [0, 1, 2]
    assert [(problem.code, problem.values) for problem in found.problems] == [("data.unlabelled", {"n": 1})]


def test_unlabelled_test_split_is_no_test_split(tmp_path: Path) -> None:
    _write(tmp_path / "train.parquet", [0, 1], names=["a", "b"])
    _write(tmp_path / "test.parquet", [-1, -1], names=["a", "b"], first=5)
    assert list(_open(tmp_path).splits) == ["train"]


def test_plain_bytes_column_is_read_too(tmp_path: Path) -> None:
    pq.write_table(pa.table({"img": [encoded(0), encoded(1)], "class": [7, 9]}), tmp_path / "x.parquet")
    found = _open(tmp_path)
    assert found.labels == ["7", "9"]
    assert dict(found.items.read_many(np.array([1]))) == {1: encoded(1)}


def test_row_without_a_picture_is_unreadable(tmp_path: Path) -> None:
    pictures = [{"bytes": None, "path": "x.png"}, None, {"bytes": encoded(2), "path": None}]
    pq.write_table(pa.table({"image": pictures, "label": [0, 1, 1]}), tmp_path / "x.parquet")
    assert dict(_open(tmp_path).items.read_many(np.arange(3))) == {0: None, 1: None, 2: encoded(2)}


def test_several_labels_for_a_picture_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "x.parquet", [[0, 1], [1]], column="labels")
    assert _refusal(tmp_path) == {"data.several_labels"}


def test_columns_that_lack_are_told_at_once(tmp_path: Path) -> None:
    pq.write_table(pa.table({"sentence": ["good", "bad"]}), tmp_path / "train.parquet")
    assert _refusal(tmp_path) == {"data.no_label_column"}
    pq.write_table(pa.table({"number": [1, 2, 3], "other": [4.5, 5.5, 6.5]}), tmp_path / "train.parquet")
    assert _refusal(tmp_path) == {"data.no_text_column", "data.no_label_column"}


def test_several_data_sets_in_a_folder_are_refused(tmp_path: Path) -> None:
    for config in ("small", "large"):
        _write(tmp_path / config / "train.parquet", [0, 1])
    assert _refusal(tmp_path) == {"data.several_configs"}
    assert _open(tmp_path / "small").labels == ["0", "1"]


def test_folder_whose_name_begins_like_a_split_says_nothing(tmp_path: Path) -> None:
    _write(tmp_path / "test_pictures" / "all.parquet", [0, 1])
    assert list(_open(tmp_path / "test_pictures").splits) == ["train"]


def test_folders_named_after_splits_are_one_data_set(tmp_path: Path) -> None:
    _write(tmp_path / "train" / "0000.parquet", [0, 1])
    _write(tmp_path / "test" / "0000.parquet", [1], first=5)
    assert {name: len(rows) for name, rows in _open(tmp_path).splits.items()} == {"train": 2, "test": 1}


def test_files_with_different_columns_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "train-0.parquet", [0, 1])
    _write(tmp_path / "train-1.parquet", [0, 1], column="other")
    assert _refusal(tmp_path) == {"data.mixed_files"}


def test_parquet_cut_short_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "x.parquet", [0, 1])
    (tmp_path / "x.parquet").write_bytes((tmp_path / "x.parquet").read_bytes()[:-20])
    assert _refusal(tmp_path) == {"data.unreadable_file"}


def test_damaged_rows_of_parquet_are_unreadable_and_the_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    _write(path, [0, 1, 0, 1], rows=2)
    place = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    start = place.data_page_offset
    content[start : start + 40] = b"\xff" * 40
    path.write_bytes(content)
    got = dict(_open(path).items.read_many(np.arange(4)))
    assert [row for row, raw in got.items() if raw is None] == [0, 1]
    assert got[3] == encoded(3)


def test_fingerprint_of_parquet_is_that_of_the_content(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "train.parquet", [0, 1])
    _write(tmp_path / "b" / "train.parquet", [0, 1])
    _write(tmp_path / "c" / "train.parquet", [1, 0])
    first, same, other = (_open(tmp_path / name).fingerprint for name in "abc")
    assert first == same != other


# -- hub -------------------------------------------------------------------------------------------------


def test_hub_out_of_reach_is_told(home: Path) -> None:
    with pytest.raises(DataError) as found:
        _open("hub/some-org/never-downloaded")
    assert found.value.code == "data.hub_unreachable"
    assert "path:" in str(found.value)


def test_offline_holds_in_the_libraries_when_they_were_imported_before(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was used"))
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("the network was used"))
    assert _refusal("hub/some-org/never-downloaded") == {"data.hub_unreachable"}
    assert huggingface_hub.constants.HF_HUB_OFFLINE


def _hub_data(labels: dict[str, list[Any]], feature: Any = None) -> Any:
    import datasets

    kind = feature or datasets.ClassLabel(names=["cat", "dog"])
    features = datasets.Features({"image": datasets.Image(), "note": datasets.Value("string"), "label": kind})
    first, parts = 0, {}
    for name, values in labels.items():
        pictures = [{"bytes": encoded(first + i), "path": None} for i in range(len(values))]
        rows = {"image": pictures, "note": ["x"] * len(values), "label": values}
        parts[name] = datasets.Dataset.from_dict(rows, features=features)
        first += len(values)
    return datasets.DatasetDict(parts)


def test_hub_data_gives_splits_labels_and_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    data = _hub_data({"train": [0, 1, 1], "test": [-1, -1], "valid": [1, 0], "unsupervised": [0]})
    monkeypatch.setattr("datasets.load_dataset", lambda *names, **options: asked.append((names, options)) or data)
    found = _open("hub/some-org/pets:small")
    assert asked == [(("some-org/pets", "small"), {})], "no repository code is asked to run"
    assert found.labels == ["cat", "dog"]
    assert {name: found.targets[rows].tolist() for name, rows in found.splits.items()} == {
        "train": [0, 1, 1],
        "validation": [1, 0],
    }
    assert dict(found.items.read_many(found.splits["validation"])) == {5: encoded(5), 6: encoded(6)}
    assert found.fingerprint == _open("hub/some-org/pets:small").fingerprint


def test_hub_data_with_several_labels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    data = _hub_data({"train": [[0], [0, 1]]}, datasets.List(datasets.Value("int64")))
    monkeypatch.setattr("datasets.load_dataset", lambda *_: data)
    assert _refusal("hub/some-org/tags") == {"data.several_labels"}


def test_folder_that_looks_like_a_repository_is_not_read_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "some-org" / "pets", {"a": 1, "b": 1})
    monkeypatch.chdir(tmp_path)
    assert _refusal("hub/some-org/pets") == {"data.hub_id"}


# -- CIFAR-10 --------------------------------------------------------------------------------------------


class _Python2(pickle._Pickler):  # type: ignore[name-defined]
    """Writes texts and bytes as Python 2 did: the published batches come from it."""

    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def _save_string(self, text: str | bytes) -> None:
        content = text if isinstance(text, bytes) else text.encode("latin-1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)

    dispatch[str] = dispatch[bytes] = _save_string


def _batch(seed: int, n: int = 20) -> bytes:
    """A batch as the published ones are: pixels in planes, names as bytes."""
    planes = np.random.default_rng(seed).integers(0, 256, (n, 3072), dtype=np.uint8)
    content = io.BytesIO()
    batch = {"data": planes, "labels": [i % 10 for i in range(n)], "batch_label": "x"}
    _Python2(content, protocol=2).dump(batch)
    return content.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    contents = {name: _batch(seed) for seed, name in enumerate([*cifar10._TRAIN, *cifar10._TEST])}
    for table in (cifar10._TRAIN, cifar10._TEST):
        for name in table:
            monkeypatch.setitem(table, name, hashlib.md5(contents[name]).hexdigest())
    return contents


def _lay(folder: Path, batches: dict[str, bytes]) -> Path:
    folder = folder / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, content in batches.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("place", ["datasets", "torch/datasets"])
def test_cifar10_is_read_where_torchvision_puts_it(home: Path, batches: dict[str, bytes], place: str) -> None:
    _lay(home / place, batches)
    found = _open("torchvision/cifar10")
    assert found.labels[:2] == ["airplane", "automobile"]
    got = dict(found.items.read_many(np.array([21])))[21]
    planes = np.random.default_rng(1).integers(0, 256, (20, 3072), dtype=np.uint8)
    assert isinstance(got, np.ndarray)
    np.testing.assert_array_equal(got, planes[1].reshape(3, 32, 32).transpose(1, 2, 0))
    assert {name: len(rows) for name, rows in found.splits.items()} == {"train": 100, "test": 20}
    assert found.targets.tolist() == [i % 10 for i in range(20)] * 6


def test_cifar10_is_read_from_its_archive(home: Path, batches: dict[str, bytes]) -> None:
    (home / "datasets").mkdir()
    with tarfile.open(home / "datasets" / "cifar-10-python.tar.gz", "w:gz") as archive:
        for name, content in batches.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    assert len(_open("torchvision/cifar10")) == 120


def test_cifar10_with_another_checksum_is_never_unpickled(home: Path, batches: dict[str, bytes]) -> None:
    _lay(home / "datasets", {**batches, "data_batch_3": _batch(99)})
    assert _refusal("torchvision/cifar10") == {"data.unreadable_file"}


def test_cifar10_that_lacks_a_batch_is_refused(home: Path, batches: dict[str, bytes]) -> None:
    _lay(home / "datasets", {name: content for name, content in batches.items() if name != "test_batch"})
    assert _refusal("torchvision/cifar10") == {"data.unreadable_file"}


class _Evil:
    def __reduce__(self) -> Any:
        return print, ("run",)


def test_unpickler_knows_nothing_but_arrays(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(pickle.UnpicklingError):
        cifar10._unpickle(pickle.dumps({b"data": _Evil()}, protocol=2))
    assert capsys.readouterr().out == ""


def test_cifar10_that_is_not_here_is_told_with_where_to_put_it() -> None:
    with pytest.raises(DataError) as found:
        _open("torchvision/cifar10")
    assert found.value.code == "data.cifar10_not_here"
    assert "cifar-10-python.tar.gz" in str(found.value)
