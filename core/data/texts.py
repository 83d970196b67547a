"""A data set of texts: rows by split, as a training takes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.cache import trim_cache
from core.data.checks import check_collection, nothing_to_tell_apart, split_problems, too_few_for
from core.data.collection import Ints
from core.data.copies import alike_texts, copied_rows, copy_problems, leaked_rows
from core.data.open import open_collection
from core.data.splits import make_split
from core.data.text_collection import texts_of
from core.errors import DataError
from core.problems import Problem
from core.spec import DataRef

# -- for training ------------------------------------------------------------------------------------------


@dataclass
class TextData:
    """What training needs of a set of texts; `targets` has an entry for every row, the splits are row numbers."""

    id: str
    fingerprint: str
    labels: list[str]
    targets: Ints
    train: Ints
    validation: Ints
    test: Ints
    alike: Ints  # for every row the first of the same content
    leaked: NDArray[np.bool_]  # of the test rows: those that are trained on or chosen by too
    copied: NDArray[np.bool_]  # those that a training could have seen: they stand outside the test as well
    texts: list[str]
    problems: list[Problem]

    @cached_property
    def class_counts(self) -> Ints:
        """Training rows of each class."""
        return np.bincount(self.targets[self.train], minlength=len(self.labels)).astype(np.int64)


def load_texts(
    ref: DataRef,
    *,
    train_size: int | None = None,
    test_size: int | None = None,
    seed: int,
    as_in_0_1: bool = False,
) -> TextData:
    """Read, check and split a set of texts; `as_in_0_1`: as `make_split` takes it.

    Raises `DataError` with everything that blocks, all at once.
    """
    trim_cache()
    collection = open_collection(ref)
    texts = texts_of(collection)
    alike = alike_texts(texts)
    problems = check_collection(collection, collection.splits)
    problems += copy_problems(collection, alike, np.concatenate([alike[:0], *collection.splits.values()]))
    if any(problem.severity == "error" for problem in problems):
        raise DataError(problems)
    split = make_split(
        collection.targets,
        collection.splits,
        train_size=train_size,
        test_size=test_size,
        seed=seed,
        alike=alike,
        as_in_0_1=as_in_0_1,
    )
    if too_few := nothing_to_tell_apart(collection, split):
        raise DataError(too_few + problems)
    leaked = leaked_rows(alike, split)
    problems += split_problems(collection, alike, split) + too_few_for(split, train_size)
    return TextData(
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
        texts=texts,
        problems=[problem if problem.field else replace(problem, field="data") for problem in problems],
    )
