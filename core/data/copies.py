"""Rows of equal content: what is a copy of what, what is tested on and trained on too, what has two classes."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.data.collection import Collection
from core.data.splits import Split
from core.data.text_collection import TextItems
from core.problems import Problem, shown

Ints = NDArray[np.int64]
_SHOWN = 3
_SHOWN_CHARS = 40


def alike_texts(texts: Sequence[str]) -> Ints:
    """For every text the first that is the same but for capitals.

    >>> alike_texts(["Good", "bad", "GOOD"]).tolist()
    [0, 1, 0]
    """
    # A sum of each stands for it: were the texts themselves looked up, a million of them would be held twice.
    sums = bytearray()
    for text in texts:
        plain = text if text.isascii() else unicodedata.normalize("NFC", text)
        sums += hashlib.blake2b(plain.casefold().encode("utf-8", "surrogatepass"), digest_size=16).digest()
    halves = np.frombuffer(sums, dtype=np.uint64).reshape(-1, 2)
    order = np.lexsort((halves[:, 0], halves[:, 1]))  # stable: of equal ones the first comes first
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = (halves[order[1:]] != halves[order[:-1]]).any(axis=1)
    alike = np.empty(len(order), dtype=np.int64)
    alike[order] = order[is_first][np.cumsum(is_first) - 1]
    return alike


def leaked_rows(alike: Ints, split: Split) -> NDArray[np.bool_]:
    """Which test rows hold what is trained on or chosen by."""
    known = np.concatenate([split.train, split.validation])
    return np.isin(alike[split.test], alike[known])


def copied_rows(alike: Ints, splits: Mapping[str, Ints], split: Split) -> NDArray[np.bool_]:
    """Which test rows of a given split hold what stands outside the test as well, trained on or not."""
    others = np.concatenate([rows for rows in splits.values() if not np.isin(split.test, rows).any()] or [alike[:0]])
    return np.isin(alike[split.test], alike[others])


@dataclass(frozen=True)
class _Codes:
    """What is said of copies: once of pictures, once of texts."""

    leak: str
    copies: str
    contradictions: str
    all_alike: str


_PICTURES = _Codes("data.leak", "data.duplicates", "data.contradictions", "data.all_alike")
_TEXTS = _Codes("data.text_leak", "data.text_duplicates", "data.text_contradictions", "data.all_texts_alike")


def copy_problems(collection: Collection, alike: Ints, usable: Ints) -> list[Problem]:
    """Copies among the training rows, the same content under several classes in any part, and nothing but copies.

    `usable` are the rows that can be read.
    """
    codes = _TEXTS if collection.kind == "text" else _PICTURES
    train = np.intersect1d(collection.splits.get("train", usable[:0]), usable)
    first = np.unique(alike[train])
    if len(first) == 1 < len(train):
        return [Problem(codes.all_alike, field="data", values={"n": len(train)})]
    problems = []
    same = len(np.unique(_content_and_class(collection, alike, train)))
    if len(train) > same:
        problems.append(Problem(codes.copies, "warning", "data", {"n": len(train) - same}))
    n, several = _contradicting(collection, alike, np.sort(usable))
    if n:
        named = [_name(collection, rows) for rows in several]
        values = {"n": n, "names": "; ".join(named) + ("; …" if n > len(several) else "")}
        problems.append(Problem(codes.contradictions, "warning", "data", values))
    return problems


def leak_problems(collection: Collection, leaked: NDArray[np.bool_]) -> list[Problem]:
    """Test rows that are trained on too: the result would flatter."""
    codes = _TEXTS if collection.kind == "text" else _PICTURES
    n, total = int(leaked.sum()), len(leaked)
    return [Problem(codes.leak, "warning", "data", {"n": n, "total": total})] if n else []


def validation_problems(collection: Collection, alike: Ints, split: Split) -> list[Problem]:
    """Rows that choose and are trained on too, in a validation split that the data brings: the choice would flatter."""
    n = int(np.isin(alike[split.validation], alike[split.train]).sum())
    own = collection.splits.get("validation", split.test[:0])
    if not n or not np.isin(split.validation, own).any():
        return []
    return [Problem("data.validation_leak", "warning", "data", {"n": n, "total": len(split.validation)})]


def _contradicting(collection: Collection, alike: Ints, rows: Ints) -> tuple[int, list[Ints]]:
    """How many contents stand under more than one class, and of the first few a row of each class."""
    keys, place = np.unique(_content_and_class(collection, alike, rows), return_index=True)
    _, first, counts = np.unique(keys // max(1, len(collection.labels)), return_index=True, return_counts=True)
    several = np.flatnonzero(counts > 1)
    shown_ones = [rows[place[first[one] : first[one] + counts[one]]] for one in several[:_SHOWN]]
    return len(several), shown_ones


def _content_and_class(collection: Collection, alike: Ints, rows: Ints) -> Ints:
    """A number for each row that only rows of the same content and class share; those of one content lie together."""
    numbers: Ints = alike[rows] * len(collection.labels) + collection.targets[rows]
    return numbers


def _name(collection: Collection, rows: Ints) -> str:
    """A content that stands under several classes, with these: "Good film" (pos, neg); a.png (cat), b.png (dog)."""
    labels = [shown(collection.labels[int(collection.targets[row])])[:_SHOWN_CHARS] for row in rows]
    if isinstance(collection.items, TextItems):
        text = shown(collection.items.texts[int(rows[0])])
        short = text[: _SHOWN_CHARS - 1] + "…" if len(text) > _SHOWN_CHARS else text
        return f"“{short}” ({', '.join(labels)})"
    return ", ".join(
        f"{shown(collection.items.name(int(row)))} ({label})" for row, label in zip(rows, labels, strict=True)
    )
