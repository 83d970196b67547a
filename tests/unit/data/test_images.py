"""A data set as training gets it: what is damaged is left out and stays out, and everything odd is said."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.cache import clear_cache, with_lock
from core.data import images as data_images
from core.data.images import ImageData, load_images
from core.data.picture import decode
from core.data.report import describe_data
from core.errors import DataError, StoppedError
from core.messages import explain
from core.progress import SilentReporter
from core.spec import DataRef
from tests.fixtures.pictures import codes, encoded, fill, load, pack, seeing


class Listener(SilentReporter):
    """A reporter that keeps what it is told and stops when asked for the nth time."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.phases: list[tuple[str, dict[str, object]]] = []
        self.stop_after, self.asked = stop_after, 0

    def phase(self, code: str, **values: object) -> None:
        self.phases.append((code, values))

    def should_stop(self) -> bool:
        self.asked += 1
        return self.stop_after is not None and self.asked > self.stop_after


def _rows(data: ImageData) -> list[int]:
    return sorted(np.concatenate([data.train, data.validation, data.test]).tolist())


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _scratch(path: Path) -> None:
    """Damage the body and leave the header and the end: only decoding tells."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20] = b"\xff" * 20
    path.write_bytes(content)


def _refusal(source: Path, **changes: Any) -> set[str]:
    with pytest.raises(DataError) as found:
        load(source, **changes)
    for problem in found.value.problems:
        assert "{" not in explain(problem)
    return codes(found.value.problems, "error")


# -- pixels ----------------------------------------------------------------------------------------------


def test_digits_keep_their_own_size_and_pixels() -> None:
    data = load("builtin/digits", image_size=224, resize_size=256)
    assert (data.pixels.size, data.is_native, len(data.pixels)) == (8, True, 1797)
    assert (len(data.train), len(data.validation), len(data.test)) == (1151, 287, 359)
    pixels = data.pixels.read(data.train[:5])
    assert (pixels.shape, pixels.dtype) == ((5, 8, 8, 3), np.uint8)
    assert (pixels[..., 0] == pixels[..., 1]).all()


def test_pixels_are_those_of_each_row_when_read_in_any_order(tmp_path: Path) -> None:
    data = load(fill(tmp_path, {"a": 30, "b": 30}), image_size=8, resize_size=9)
    rows = np.array([50, 3, 3, 17])
    wanted = [decode(encoded(row), seeing(8, 9, "bilinear")) for row in rows]
    np.testing.assert_array_equal(data.pixels.read(rows), np.stack(wanted))
    assert not data.is_native


@pytest.mark.parametrize(
    ("sizes", "limit", "kept"),
    [([(10, 10)], 10, 10), ([(10, 10)], 9, None), ([(10, 12)], 32, None), ([(10, 10), (9, 9)], 32, None)],
)
def test_own_size_is_kept_only_when_all_are_equal_squares_that_fit(
    tmp_path: Path, sizes: list[tuple[int, int]], limit: int, kept: int | None
) -> None:
    for i, size in enumerate(sizes):
        fill(tmp_path, {f"a{i}": 5, f"b{i}": 5}, size=size, first=10 * i)
    data = load(tmp_path, image_size=limit, resize_size=limit + 4)
    assert data.pixels.size == (kept or limit)
    assert data.is_native == (kept is not None)


def test_keys_differ_when_data_preparation_or_decoding_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fill(tmp_path / "one", {"a": 5, "b": 5})
    second = fill(tmp_path / "two", {"a": 5, "b": 5}, first=50)
    keys = [
        load(first).pixels.key,
        load(second).pixels.key,
        load(first, image_size=9, resize_size=9).pixels.key,
        load(first, resize_size=9).pixels.key,
        load(first, interpolation="bicubic").pixels.key,
        load(first, crop_mode="squash").pixels.key,
    ]
    assert len(set(keys)) == 6
    assert load(first, seed=7).pixels.key == keys[0]
    monkeypatch.setattr(data_images, "DECODING", 0)  # squares that an earlier version kept are not read
    assert load(first).pixels.key not in keys


@pytest.mark.parametrize(
    ("counts", "is_enough"),
    [({"a": 2, "b": 1}, False), ({"a": 1, "b": 1, "c": 1}, False), ({"a": 1, "b": 1}, False), ({"a": 2, "b": 2}, True)],
)
def test_two_or_three_pictures_are_told_before_anything_is_trained(
    tmp_path: Path, counts: dict[str, int], is_enough: bool
) -> None:
    root = fill(tmp_path, counts)
    problems = describe_data(DataRef(id=f"path:{root}"), SilentReporter()).problems
    assert ("data.too_few_to_train" in codes(problems, "error")) != is_enough
    if is_enough:
        assert len(set(load(root).targets[load(root).train].tolist())) == 2
    else:
        with pytest.raises(DataError) as found:
            load(root)
        assert found.value.code == "data.too_few_to_train"


def test_nothing_is_decoded_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fill(tmp_path, {"a": 20, "b": 20})
    decoded: list[int] = []

    def counted(data: bytes, *how: Any) -> Any:
        decoded.append(1)
        return decode(data, *how)

    monkeypatch.setattr(data_images, "decode", counted)
    load(root)
    assert len(decoded) == 40
    data = load(root, seed=3)
    data.pixels.ensure(data.train, SilentReporter())
    data.pixels.read(data.test)
    assert len(decoded) == 40


def test_pictures_are_decoded_once_when_two_ask_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fill(tmp_path, {"a": 60, "b": 60})
    decoded: list[int] = []

    def counted(data: bytes, *how: Any) -> Any:
        decoded.append(1)
        return decode(data, *how)

    monkeypatch.setattr(data_images, "decode", counted)
    threads = [threading.Thread(target=load, args=(root,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 120


# -- damaged pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [_cut, _scratch, lambda path: path.write_bytes(b"MZ" + bytes(99))])
def test_damaged_pictures_are_left_out_and_named(tmp_path: Path, damage: Any) -> None:
    root = fill(tmp_path, {"a": 20, "b": 20})
    damage(root / "a" / "003.png")
    damage(root / "b" / "001.png")
    data = load(root)
    assert _rows(data) == sorted(set(range(40)) - {3, 21})
    (problem,) = data.problems
    assert (problem.code, problem.severity, problem.values["n"]) == ("data.unreadable", "warning", 2)
    assert "a/003.png" in explain(problem)


@pytest.mark.parametrize("kind", ["facts", "pixels", None])
def test_damaged_picture_stays_out_when_caches_are_cleared(tmp_path: Path, kind: str | None) -> None:
    """It was once kept as a grey square, and trained on when it was forgotten why."""
    root = fill(tmp_path, {"a": 20, "b": 20})
    _scratch(root / "a" / "003.png")
    first = load(root)
    clear_cache(kind)
    second = load(root)
    assert 3 not in _rows(second)
    assert _rows(second) == _rows(first)
    assert codes(second.problems) == {"data.unreadable"}


@pytest.mark.parametrize("stop_after", [10, 21, 25, 38])
def test_damaged_picture_stays_out_when_loading_was_stopped_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    root = fill(tmp_path, {"a": 40, "b": 40})
    _scratch(root / "a" / "000.png")
    monkeypatch.setattr("core.data.headers._CHUNK", 4)  # 20 looks, then 20 times decoding
    with pytest.raises(StoppedError):
        load(root, reporter=Listener(stop_after))
    assert 0 not in _rows(load(root))


def test_damaged_picture_reads_as_grey_when_asked_for_all_the_same(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 20, "b": 20})
    _scratch(root / "a" / "003.png")
    pixels = load(root).pixels.read(np.array([2, 3, 3]))
    assert (pixels[1:] == 128).all()
    np.testing.assert_array_equal(pixels[0], decode(encoded(2), seeing(8, 8, "bilinear")))


def test_others_stay_where_they_are_when_a_picture_is_damaged(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 100, "b": 100})
    whole = load(root, train_size=60)
    _scratch(root / "a" / f"{int(whole.train[0] % 100):03}.png" if whole.train[0] < 100 else root / "a" / "000.png")
    for seed in range(3):
        data = load(root, train_size=60, seed=seed)
        assert len(data.train) == 60
        assert set(data.test.tolist()) <= set(whole.test.tolist())
        assert len(data.test) >= len(whole.test) - 1
    small, large = load(root, train_size=20), load(root, train_size=60)
    np.testing.assert_array_equal(small.train, large.train[:20])


def test_pictures_that_are_too_large_are_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fill(tmp_path, {"a": 20, "b": 20})
    (root / "a" / "003.png").write_bytes(encoded(99, size=(60, 60)))
    monkeypatch.setattr("core.data.showing.MAX_PIXELS", 1000)
    data = load(root)
    assert 3 not in _rows(data)
    assert codes(data.problems) == {"data.too_large"}


def test_modes_and_formats_may_be_mixed(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 10, "b": 10})
    for i, (format, mode) in enumerate(
        [("PNG", "RGBA"), ("JPEG", "CMYK"), ("JPEG", "L"), ("GIF", "P"), ("WEBP", "RGB")]
    ):
        from tests.fixtures.pictures import picture

        picture(100 + i, mode=mode).save(root / "a" / f"{format}-{mode}.{format.lower()}", format)
    assert len(_rows(load(root))) == 25
    assert load(root).problems == []


# -- what blocks, what warns -----------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [{"a": 1}, {"a": 30}])
def test_one_class_is_refused(tmp_path: Path, classes: dict[str, int]) -> None:
    assert _refusal(fill(tmp_path, classes)) == {"data.one_class"}


def test_class_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 10, "b": 10, "c": 2})
    for path in (root / "c").iterdir():
        _scratch(path)
    assert _refusal(root) == {"data.class_unreadable"}


def test_data_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 3, "b": 3})
    for path in root.rglob("*.png"):
        path.write_bytes(b"no picture")
    assert _refusal(root) == {"data.nothing_readable"}


def test_test_split_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, {"train/a": 10, "train/b": 10, "test/a": 2, "test/b": 2})
    for path in (root / "test").rglob("*.png"):
        _cut(path)
    assert _refusal(root) == {"data.test_unreadable"}


def test_data_without_a_training_split_is_refused(tmp_path: Path) -> None:
    assert _refusal(fill(tmp_path, {"test/a": 3, "test/b": 3})) == {"data.no_train_split"}


def test_all_that_blocks_is_told_at_once(tmp_path: Path) -> None:
    root = fill(tmp_path, {"train/a": 10, "train/b": 2, "test/a": 2})
    for path in [*(root / "train" / "b").iterdir(), *(root / "test").rglob("*.png")]:
        _cut(path)
    assert _refusal(root) == {"data.class_unreadable", "data.test_unreadable", "data.one_class"}


@pytest.mark.parametrize(
    ("classes", "wanted"),
    [
        ({"a": 2, "b": 1, "c": 1}, {"data.too_few", "data.single_picture"}),
        ({"a": 20, "b": 20, "c": 1}, {"data.single_picture", "data.unbalanced"}),
        ({"Cat": 9, "cat": 9}, {"data.labels_alike"}),
        ({"train/a": 9, "train/b": 9, "test/c": 3}, {"data.empty_class", "data.test_one_class"}),
        ({"train/a": 9, "train/b": 9, "test/a": 3, "test/b": 3}, set()),
    ],
)
def test_what_is_odd_is_told_and_does_not_block(tmp_path: Path, classes: dict[str, int], wanted: set[str]) -> None:
    data = load(fill(tmp_path, classes))
    assert codes(data.problems, "warning") == wanted
    assert codes(data.problems, "error") == set()


def test_pictures_in_train_and_test_are_counted(tmp_path: Path) -> None:
    root = fill(tmp_path, {"train/a": 20, "train/b": 20, "test/a": 5, "test/b": 5})
    for name in ("000.png", "001.png"):
        (root / "test" / "a" / name).write_bytes((root / "train" / "a" / name).read_bytes())
    (problem,) = load(root).problems
    assert (problem.code, problem.severity, dict(problem.values)) == ("data.leak", "warning", {"n": 2, "total": 10})


def test_fewer_pictures_than_asked_for_are_told(tmp_path: Path) -> None:
    data = load(fill(tmp_path, {"a": 20, "b": 20}), train_size=1000)
    (problem,) = data.problems
    assert (problem.code, problem.values) == ("data.fewer_than_asked", {"asked": 1000, "n": len(data.train)})


def test_long_and_foreign_class_names_are_kept_and_told_short(tmp_path: Path) -> None:
    names = ["分类" * 500, "b" * 3000]
    path = pack(
        tmp_path / "x.zip", {f"{name}/{i}.png": encoded(i) for name in names for i in range(3 - names.index(name) * 2)}
    )
    data = load(path)
    assert set(data.labels) == set(names)
    assert all(len(explain(problem)) < 400 for problem in data.problems)


# -- waiting, stopping, telling --------------------------------------------------------------------------


@pytest.mark.parametrize("stop_after", [0, 1, 3])
def test_loading_stops_soon_when_asked(tmp_path: Path, stop_after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.headers._CHUNK", 2)
    listener = Listener(stop_after)
    with pytest.raises(StoppedError):
        load(fill(tmp_path, {"a": 60, "b": 60}), reporter=listener)
    assert listener.asked == stop_after + 1, "it went on after it was asked to stop"


def test_waiting_for_another_process_stops_when_asked(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 5, "b": 5})
    key = load(root).pixels.key
    clear_cache("pixels")
    with with_lock(f"pixels-{key}"), pytest.raises(StoppedError):
        load(root, reporter=Listener(1))


def test_progress_is_told_while_pictures_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.headers._TELL_EVERY_S", 0.0)
    monkeypatch.setattr("core.data.headers._CHUNK", 5)
    listener = Listener()
    load(fill(tmp_path, {"a": 30, "b": 30}), reporter=listener)
    told = [values for code, values in listener.phases if code == "decode"]
    assert told[0] == {"done": 5, "total": 60}
    assert told[-1] == {"done": 60, "total": 60}


def test_lack_of_room_is_raised_and_not_taken_for_a_damaged_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fill(tmp_path, {"a": 5, "b": 5})

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("core.cache._write_all", full)
        with pytest.raises(OSError, match="No space"):
            load(root)
    assert load(root).problems == []


def test_seed_draws_the_training_rows_and_never_the_test(tmp_path: Path) -> None:
    root = fill(tmp_path, {"a": 50, "b": 50})
    one, same, other = (
        load_images(
            DataRef(id=f"path:{root}"),
            seeing(8, 8),
            train_size=30,
            test_size=10,
            seed=seed,
            reporter=SilentReporter(),
        )
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.train, same.train)
    assert set(one.train.tolist()) != set(other.train.tolist())
    np.testing.assert_array_equal(one.test, other.test)
    assert len(one.test) == 10
