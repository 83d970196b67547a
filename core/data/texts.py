"""A data set of texts: rows by split, as a training takes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from core.data.checks import check_collection, too_few_for
from core.data.collection import Collection, Ints
from core.data.open import open_collection
from core.data.splits import Split, make_split
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
    texts: list[str]
    problems: list[Problem]

    @cached_property
    def class_counts(self) -> Ints:
        """Training rows of each class."""
        return np.bincount(self.targets[self.train], minlength=len(self.labels)).astype(np.int64)


def load_texts(ref: DataRef, *, train_size: int | None = None, test_size: int | None = None, seed: int) -> TextData:
    """Read, check and split a set of texts. Raises `DataError` with everything that blocks, all at once."""
    collection = open_collection(ref)
    texts = texts_of(collection)
    problems = check_collection(collection, collection.splits)
    if any(problem.severity == "error" for problem in problems):
        raise DataError(problems)
    split = make_split(collection.targets, collection.splits, train_size=train_size, test_size=test_size, seed=seed)
    problems += text_leaks(collection, split) + too_few_for(split, train_size)
    return TextData(
        id=ref.id,
        fingerprint=collection.fingerprint,
        labels=collection.labels,
        targets=collection.targets,
        train=split.train,
        validation=split.validation,
        test=split.test,
        texts=texts,
        problems=[problem if problem.field else replace(problem, field="data") for problem in problems],
    )


def text_leaks(collection: Collection, split: Split) -> list[Problem]:
    """Test texts that are trained on too, and copies within the training texts."""
    texts = texts_of(collection)
    # Once each: of few rows some are trained on and chosen by.
    rows = np.unique(np.concatenate([split.train, split.validation]))
    trained = [texts[row].casefold() for row in rows]
    known = set(trained)
    leaked = sum(texts[row].casefold() in known for row in split.test)
    problems = []
    if leaked:
        values = {"n": leaked, "total": len(split.test)}
        problems.append(Problem("data.text_leak", "warning", "data", values))
    if len(trained) > len(known):
        problems.append(Problem("data.text_duplicates", "warning", "data", {"n": len(trained) - len(known)}))
    return problems
