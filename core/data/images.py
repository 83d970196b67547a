"""A data set ready for training: labels, splits, and pictures as squares of uint8, decoded once and kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL
from numpy.typing import NDArray

from core.cache import RowStore, cache_folder, check_room, trim_cache, with_lock
from core.data.checks import (
    check_collection,
    nothing_to_tell_apart,
    odd_problems,
    split_problems,
    too_few_for,
    unreadable_problems,
)
from core.data.collection import Collection, Raw
from core.data.copies import copied_rows, copy_problems, leaked_rows
from core.data.headers import Facts, Ints, in_threads
from core.data.open import open_collection
from core.data.picture import decode
from core.data.showing import DECODING
from core.data.splits import make_split
from core.errors import DataError
from core.models.card import Preprocessing
from core.problems import Problem
from core.progress import Reporter
from core.spec import DataRef

if TYPE_CHECKING:
    from PIL import Image


_GREY = 128


class Pixels:
    """The pictures of a data set as the squares that a network sees, decoded on demand and kept on the disk."""

    def __init__(self, collection: Collection, seen: Preprocessing) -> None:
        self.size = size = seen.image_size
        self._collection, self._seen = collection, seen
        # Whatever makes other pixels of the same files; colours are normalised later, and fill only a border.
        how = seen.model_dump_json(exclude=set() if seen.crop_mode == "border" else {"mean", "std"})
        facts = f"{collection.fingerprint}|{how}|{DECODING}|{PIL.__version__}"
        self.key = hashlib.sha256(facts.encode()).hexdigest()[:24]
        self._store = RowStore(cache_folder("pixels", self.key), len(collection), (size, size, 3), np.uint8)

    def __len__(self) -> int:
        return len(self._collection)

    def read(self, rows: Ints) -> NDArray[np.uint8]:
        """Pictures [n, size, size, 3]; rows never decoded are decoded now, unreadable ones are grey."""
        missing = np.unique(self._store.missing(rows))
        bad = self.decode(missing, None) if len(missing) else missing
        pixels: NDArray[np.uint8] = self._store.read(rows)
        pixels[np.isin(rows, bad)] = _GREY
        return pixels

    def pictures(self, rows: Ints) -> list[Image.Image]:
        """Whole pictures, upright and RGB, for what prepares them itself."""
        from PIL import Image

        from core.data.picture import open_image

        by_row = dict(self._collection.items.read_many(np.asarray(rows)))
        raw = [by_row[row] for row in np.asarray(rows).tolist()]
        return [Image.fromarray(one) if isinstance(one, np.ndarray) else open_image(one or b"") for one in raw]

    def ensure(self, rows: Ints, reporter: Reporter) -> None:
        """Decode what is missing of these rows. Raises `StoppedError` when asked to stop."""
        self.decode_missing(rows, reporter)

    def decode_missing(self, rows: Ints, reporter: Reporter) -> Ints:
        """`ensure`, returning the rows that cannot be read. Of several processes one decodes, the others wait."""
        missing = self._store.missing(rows)
        if not len(missing):
            return missing
        with with_lock(f"pixels-{self.key}", reporter.should_stop):
            missing = np.unique(self._store.missing(rows))
            check_room(len(missing) * self._store.row_bytes)
            return self.decode(missing, reporter)

    def decode(self, rows: Ints, reporter: Reporter | None) -> Ints:
        """Decode and keep rows; returns those that cannot be read. These are not kept: nobody mistakes them."""
        bad = []
        for part in in_threads(self._collection, rows, self._square, reporter):
            good = [(row, square) for row, square in part if square is not None]
            bad += [row for row, square in part if square is None]
            if good:
                numbers = np.array([row for row, _ in good], dtype=np.int64)
                self._store.write(numbers, np.stack([square for _, square in good]))
        return np.array(bad, dtype=np.int64)

    def _square(self, raw: Raw | None) -> NDArray[np.uint8] | None:
        if raw is None:
            return None
        if isinstance(raw, np.ndarray) and raw.shape[0] == self.size:
            return raw
        try:
            if isinstance(raw, np.ndarray):
                from PIL import Image

                from core.data.picture import fit_image

                return fit_image(Image.fromarray(raw), self._seen)
            return decode(raw, self._seen)
        except (OSError, ValueError):
            return None


@dataclass
class ImageData:
    """What training needs of a data set; `targets` has an entry for every row, the splits are row numbers."""

    id: str
    fingerprint: str
    labels: list[str]
    targets: Ints
    train: Ints
    validation: Ints
    test: Ints
    pixels: Pixels
    alike: Ints  # for every row the first of the same content
    leaked: NDArray[np.bool_]  # of the test rows: those that are trained on or chosen by too
    copied: NDArray[np.bool_]  # those that a training could have seen: they stand outside the test as well
    is_native: bool  # kept at the pictures' own small size, whole: nothing is cropped
    problems: list[Problem]


def load_images(
    ref: DataRef,
    seen: Preprocessing,
    *,
    train_size: int | None = None,
    test_size: int | None = None,
    seed: int,
    reporter: Reporter,
    as_in_0_1: bool = False,
) -> ImageData:
    """Read, check and split a data set, and decode the pictures chosen.

    Small pictures that are all squares of one size up to the network's keep it (they are enlarged on the
    device, batch by batch); others become the squares that it sees. Unreadable pictures are left out and told.
    `as_in_0_1`: as `make_split` takes it. Raises `DataError` with everything that blocks, all at once.
    """
    trim_cache()
    collection = open_collection(ref)
    if collection.kind != "image":
        raise DataError("data.not_pictures", id=ref.id)
    facts = Facts(collection)
    # Before anything is drawn: where a picture lies decides where its copies may lie.
    likely = facts.possible_copies(np.concatenate([np.zeros(0, dtype=np.int64), *collection.splits.values()]))
    facts.look(likely, reporter)
    alike, broken = facts.alike(likely), facts.unusable(likely)
    bad: Ints = np.zeros(0, dtype=np.int64)
    while True:
        usable = {name: rows[~np.isin(rows, bad)] for name, rows in collection.splits.items() if len(rows)}
        problems = check_collection(collection, usable) + unreadable_problems(collection, facts, bad)
        if any(problem.severity == "error" for problem in problems):
            raise DataError(problems)
        problems += copy_problems(collection, alike, np.setdiff1d(np.concatenate(list(usable.values())), broken))
        if any(problem.severity == "error" for problem in problems):
            raise DataError(problems)
        split = make_split(
            collection.targets,
            collection.splits,
            train_size=train_size,
            test_size=test_size,
            seed=seed,
            unusable=bad,
            alike=alike,
            as_in_0_1=as_in_0_1,
        )
        chosen = np.unique(np.concatenate([split.train, split.validation, split.test]))
        facts.look(chosen, reporter)
        new = facts.unusable(chosen)
        if not len(new):
            edge = facts.native_edge(chosen, seen.image_size)
            pixels = Pixels(collection, seen.at(edge).whole() if edge else seen)
            new = pixels.decode_missing(chosen, reporter)
            facts.mark_unreadable(new)
        if not len(new):
            break
        bad = np.union1d(bad, new)
    if too_few := nothing_to_tell_apart(collection, split):
        raise DataError(too_few + problems)
    leaked = leaked_rows(alike, split)
    problems += odd_problems(collection, facts, chosen)
    problems += split_problems(collection, alike, split) + too_few_for(split, train_size)
    return ImageData(
        id=ref.id,
        fingerprint=collection.fingerprint,
        labels=collection.labels,
        targets=collection.targets,
        train=split.train,
        validation=split.validation,
        test=split.test,
        alike=alike,
        leaked=leaked,
        copied=copied_rows(alike, collection.splits, split),
        pixels=pixels,
        is_native=edge is not None,
        problems=problems,
    )
