"""Rows of a table as labelled texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from core.data.collection import Collection, Ints, Raw, digest_all
from core.data.table_rows import Several
from core.data.text_cleaning import clean_texts
from core.errors import DataError
from core.problems import Problem, told
from core.registry.looks import CONTROL, MAX_CHARS, one_for_each_look

MAX_CLASSES = 500
_WHOLE = re.compile(r"0(\.0+)?|-?[1-9][0-9]{0,17}(\.0+)?")
_POLARITY = {"neg": "negative", "pos": "positive"}


class TextItems:
    """The cleaned texts of a collection, all in memory."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def read_many(self, rows: Ints) -> Iterator[tuple[int, Raw | None]]:
        for row in rows.tolist():
            yield row, self.texts[row].encode() or None

    def name(self, row: int) -> str:
        return f"#{row + 1}"


# -- a collection ------------------------------------------------------------------------------------------


def collect_texts(
    data_id: str,
    name: str,
    *,
    texts: Sequence[object],
    labels: Sequence[object],
    splits: dict[str, Ints],
    columns: tuple[str, str],
    label_names: list[str] | None = None,
    all_columns: Sequence[str] = (),
    num_bytes: int = 0,
    problems: Sequence[Problem] = (),
) -> Collection:
    """A collection of texts from two columns: cleaned, labels encoded, empty rows left out, oddities told."""
    from core.data.collection import encode_labels

    cleaned = clean_texts(texts)
    several = count_several(labels, columns[1])
    values = plain_labels(labels)
    same = one_for_each_look(label for label in _each_plain(labels) if isinstance(label, str))
    alike = told("data.labels_look_alike", sorted({one for label, one in same.items() if one != label}))
    _forget_stand_ins(values, splits)
    names, targets, unlabelled = encode_labels(values, label_names)
    if len(names) > MAX_CLASSES:
        raise DataError("data.too_many_classes", column=columns[1], n=len(names), limit=MAX_CLASSES)
    is_empty = np.array([not text for text in cleaned.texts], dtype=bool)
    usable = (targets >= 0) & ~is_empty
    counts = {
        "data.several_labels_left_out": several,
        "data.unlabelled_texts": unlabelled - several,
        "data.empty_texts": int((is_empty & (targets >= 0)).sum()),
        "data.markup": cleaned.markup,
        "data.long_texts": cleaned.cut,
        "data.control_characters": cleaned.control,
    }
    targets = np.where(usable, targets, -1)
    changed = [Problem(code, "warning", "data", {"n": n, "limit": MAX_CHARS}) for code, n in counts.items() if n]
    kept = {split: rows[usable[rows]] for split, rows in splits.items() if usable[rows].any()}
    # What is trained on, not the file: another column of it, or another way of cleaning, is other data.
    facts = [*names, *(f"{split}:{len(rows)}" for split, rows in sorted(kept.items()))]
    order = (rows.tobytes() for _, rows in sorted(kept.items()))
    return Collection(
        id=data_id,
        name=name,
        fingerprint=digest_all(chain(_joined(cleaned.texts, facts), (targets.tobytes(),), order)),
        labels=_whole_words(names),
        targets=targets,
        splits=kept,
        items=TextItems(cleaned.texts),
        problems=[*problems, *alike, *changed],
        num_bytes=num_bytes,
        kind="text",
        columns=columns,
        all_columns=tuple(all_columns),
    )


def _joined(*lists: Sequence[str]) -> Iterator[bytes]:
    """Texts one behind the other, with a sign between them, some at a time."""
    between = ""
    for texts in lists:
        for start in range(0, len(texts), 10_000):
            yield (between + "\0".join(texts[start : start + 10_000])).encode()
            between = "\0"


def count_several(labels: Sequence[object], column: str) -> int:
    """How many examples have several labels. Raises `DataError` where at least half of them do."""
    several = sum(isinstance(value, Several) for value in labels)
    if several and 2 * several >= len(labels):
        raise DataError("data.several_labels", column=column)
    return several


def plain_labels(labels: Sequence[object]) -> list[object]:
    """Labels as they are written: 01 and 1 are two. Whole numbers are numbers, so that 10 comes after 9.

    Where all are whole numbers and some hold a gap's ".0", as spreadsheets and pandas make of 1, that goes.
    """
    values = _each_plain(labels)
    different = one_for_each_look(value for value in values if isinstance(value, str))
    values = [different[value] if isinstance(value, str) else value for value in values]
    if all(_WHOLE.fullmatch(value) for value in different):
        numbers = {value: int(value.partition(".")[0]) for value in different}
        return [numbers[value] if isinstance(value, str) else value for value in values]
    if any(isinstance(value, int) for value in values):  # words beside numbers: each is a name
        return [str(value) if isinstance(value, int) else value for value in values]
    return values


def _each_plain(labels: Sequence[object]) -> list[object]:
    """Every label as `_plain_label` makes it, each word once: they are few."""
    words = {value: _plain_label(value) for value in {value for value in labels if type(value) is str}}
    return [words[value] if type(value) is str else _plain_label(value) for value in labels]


def _plain_label(value: object) -> object:
    """A label without blanks around it; nothing is nothing."""
    if value is None or value != value or isinstance(value, Several):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return CONTROL.sub("", value.strip())[:100] or None
    return value if isinstance(value, int) else str(value)[:100]


def _forget_stand_ins(values: list[object], splits: dict[str, Ints]) -> None:
    """A test split of nothing but -1 is unlabelled, unless -1 is a class of the training rows."""
    if any(str(values[row]) == "-1" for row in splits.get("train", ())):
        return
    for rows in splits.values():
        if len(rows) and all(str(values[row]) == "-1" for row in rows):
            for row in rows:
                values[row] = None


def _whole_words(names: list[str]) -> list[str]:
    """neg and pos written out where they stand for sentiment: both are there, and nothing would be named twice."""
    lower = [name.lower() for name in names]
    if not set(_POLARITY) <= set(lower) or set(_POLARITY.values()) & set(lower):
        return names
    return [_POLARITY.get(name.lower(), name) for name in names]


def texts_of(collection: Collection) -> list[str]:
    """The cleaned texts of a collection. Raises `DataError` when it holds pictures."""
    items = collection.items
    if not isinstance(items, TextItems):
        raise DataError("data.not_texts", id=collection.id)
    return items.texts
