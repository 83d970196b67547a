"""Texts with labels: found in the columns of a table, cleaned, and everything odd about them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.checks import check_collection, too_few_for
from core.data.sources import Collection, Raw, digest, open_collection
from core.data.splits import Split, make_split
from core.errors import DataError, Problem
from core.specs import DataRef

Ints = NDArray[np.int64]

# More of a text than this is never read: no model here reads so far, and one cell may hold megabytes.
MAX_CHARS = 20_000
MAX_CLASSES = 500
SAMPLE = 500  # values of a column that tell what it holds
SPLIT_COLUMNS = ("split", "set", "subset", "partition")
_TEXT_NAMES = (
    "text", "sentence", "review", "content", "comment", "comments", "document", "body", "message", "tweet", "title",
    "query", "question", "文本", "内容", "评论", "句子", "正文", "评价", "标题",
)  # fmt: skip
_LABEL_NAMES = (
    "label", "labels", "sentiment", "target", "class", "category", "polarity", "rating", "stars", "score", "y",
    "标签", "情感", "类别", "分类", "情感倾向", "评分",
)  # fmt: skip
_BREAK = re.compile(r"<\s*(?:br|/?p|/?div|/?li)\b[^>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"</?\s*(?:[biu]|em|strong|span|a|font|h[1-6]|ul|ol|img|table|t[rdh])\b[^>]{0,300}>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
_BLANKS = re.compile(r"\s+")
# Surrogates stand alone only where an encoder failed; no tokenizer takes them.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")
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


@dataclass(frozen=True)
class Cleaned:
    """Texts ready for a tokenizer, and what was done to them."""

    texts: list[str]
    markup: int = 0  # texts that held HTML
    cut: int = 0  # texts longer than MAX_CHARS
    control: int = 0  # texts with NUL or other control characters


def clean_texts(raw: Sequence[object]) -> Cleaned:
    """Take markup, control characters and superfluous blanks out; nothing else is changed."""
    texts, markup, cut, control = [], 0, 0, 0
    for value in raw:
        text = "" if value is None or value != value else str(value)  # NaN is not itself
        if len(text) > MAX_CHARS:
            text, cut = text[:MAX_CHARS], cut + 1
        plain = _TAG.sub(" ", _BREAK.sub(" ", text)) if "<" in text else text
        if "&" in plain:
            plain = _ENTITY.sub(lambda found: html.unescape(found[0]), plain)
        markup += plain != text
        kept = _CONTROL.sub("", plain)
        control += kept != plain
        texts.append(_BLANKS.sub(" ", kept).strip())
    return Cleaned(texts, markup, cut, control)


# -- which column is what ----------------------------------------------------------------------------------


def find_text_columns(columns: dict[str, Sequence[Any]], ref: DataRef | None = None) -> tuple[str, str]:
    """(text column, label column): as asked for, else by name, else by what they hold.

    `columns` maps each name to a sample of its values. Raises `DataError` with all that is missing.
    """
    shown = ", ".join(columns)[:200]
    text, label = (ref.text_column, ref.label_column) if ref else (None, None)
    problems = [
        Problem("data.no_such_column", field="data", values={"column": name, "columns": shown})
        for name in (text, label)
        if name is not None and name not in columns
    ]
    if text is not None and text == label:
        problems.append(Problem("data.same_column", field="data", values={"column": text}))
    if problems:
        raise DataError(problems)
    label = label or _named(columns, _LABEL_NAMES, text)
    text = text or _named(columns, _TEXT_NAMES, label) or _longest(columns, label)
    label = label or _fewest(columns, text)
    if text is None:
        problems.append(Problem("data.no_text_column", field="data", values={"columns": shown}))
    if label is None:
        problems.append(Problem("data.no_label_column", field="data", values={"columns": shown}))
    if text is None or label is None:
        raise DataError(problems)
    return text, label


def find_column_of_texts(columns: dict[str, Sequence[Any]], wanted: str | None = None) -> str:
    """The column of the texts alone: as asked for, else by name, else the one with the longest. Raises `DataError`."""
    shown = ", ".join(columns)[:200]
    if wanted is not None and wanted not in columns:
        raise DataError("data.no_such_column", column=wanted, columns=shown)
    found = wanted or _named(columns, _TEXT_NAMES, None) or _longest(columns, None)
    if found is None:
        raise DataError("data.no_text_column", columns=shown)
    return found


def _named(columns: dict[str, Sequence[Any]], names: tuple[str, ...], taken: str | None) -> str | None:
    """The first column that bears one of these names."""
    lower = {name.strip().lower(): name for name in reversed(columns) if name != taken}
    return next((lower[name] for name in names if name in lower), None)


def _longest(columns: dict[str, Sequence[Any]], taken: str | None) -> str | None:
    """The column of the longest texts."""
    lengths = {name: _mean_length(values) for name, values in columns.items() if name != taken}
    best = max(lengths, key=lengths.__getitem__, default=None)
    return best if best is not None and lengths[best] > 0 else None


def _mean_length(values: Sequence[Any]) -> float:
    strings = [value for value in values if isinstance(value, str)]
    return sum(map(len, strings)) / len(strings) if len(strings) >= max(1, len(values) // 2) else 0.0


def _fewest(columns: dict[str, Sequence[Any]], taken: str | None) -> str | None:
    """The column with the fewest different values, as far as they can be classes."""
    few = {}
    for name, values in columns.items():
        different = len({str(value) for value in values if value is not None})
        is_split = name.strip().lower() in SPLIT_COLUMNS
        if name != taken and not is_split and 2 <= different <= max(2, min(20, len(values) // 5)):
            few[name] = different
    return min(few, key=few.__getitem__, default=None)


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
    from core.data.parquet import encode_labels

    cleaned = clean_texts(texts)
    values = [_plain_label(value) for value in labels]
    _forget_stand_ins(values, splits)
    names, targets, unlabelled = encode_labels(values, label_names)
    if len(names) > MAX_CLASSES:
        raise DataError("data.too_many_classes", column=columns[1], n=len(names), limit=MAX_CLASSES)
    is_empty = np.array([not text for text in cleaned.texts], dtype=bool)
    usable = (targets >= 0) & ~is_empty
    counts = {
        "data.unlabelled_texts": unlabelled,
        "data.empty_texts": int((is_empty & (targets >= 0)).sum()),
        "data.markup": cleaned.markup,
        "data.long_texts": cleaned.cut,
        "data.control_characters": cleaned.control,
    }
    targets = np.where(usable, targets, -1)
    told = [Problem(code, "warning", "data", {"n": n, "limit": MAX_CHARS}) for code, n in counts.items() if n]
    kept = {split: rows[usable[rows]] for split, rows in splits.items() if usable[rows].any()}
    # What is trained on, not the file: another column of it, or another way of cleaning, is other data.
    parts = [*cleaned.texts, *names, *(f"{split}:{len(rows)}" for split, rows in sorted(kept.items()))]
    order = b"".join(rows.tobytes() for _, rows in sorted(kept.items()))
    return Collection(
        id=data_id,
        name=name,
        fingerprint=digest("\0".join(parts).encode(), targets.tobytes(), order),
        labels=_whole_words(names),
        targets=targets,
        splits=kept,
        items=TextItems(cleaned.texts),
        problems=[*problems, *told],
        num_bytes=num_bytes,
        kind="text",
        columns=columns,
        all_columns=tuple(all_columns),
    )


def _plain_label(value: object) -> object:
    """A label as it is shown: 1.0 is 1, blanks around words go, nothing is nothing."""
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch(r"-?[0-9]{1,9}(\.0+)?", text):
            return int(float(text))
        return _CONTROL.sub("", text)[:100] or None
    return value if isinstance(value, int) else str(value)[:100]


def _forget_stand_ins(values: list[object], splits: dict[str, Ints]) -> None:
    """A test split of nothing but -1 is unlabelled, unless -1 is a class of the training rows."""
    if any(values[row] == -1 for row in splits.get("train", ())):
        return
    for rows in splits.values():
        if len(rows) and all(values[row] == -1 for row in rows):
            for row in rows:
                values[row] = None


def _whole_words(names: list[str]) -> list[str]:
    """neg and pos written out where they stand for sentiment: both are there, and nothing would be named twice."""
    lower = [name.lower() for name in names]
    if not set(_POLARITY) <= set(lower) or set(_POLARITY.values()) & set(lower):
        return names
    return [_POLARITY.get(name.lower(), name) for name in names]


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


def texts_of(collection: Collection) -> list[str]:
    """The cleaned texts of a collection. Raises `DataError` when it holds pictures."""
    items = collection.items
    if not isinstance(items, TextItems):
        raise DataError("data.not_texts", id=collection.id)
    return items.texts


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
