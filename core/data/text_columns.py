"""Which column of a table holds the texts, and which the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.data.table_rows import Several
from core.errors import DataError
from core.problems import Problem
from core.spec import DataRef

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
    column = wanted or _named(columns, _TEXT_NAMES, None) or _longest(columns, None)
    if column is None:
        raise DataError("data.no_text_column", columns=shown)
    return column


def is_usual_name(cell: object) -> bool:
    """Whether a cell is one of the names that columns of texts or labels usually bear."""
    return str(cell).strip().lower() in (*_TEXT_NAMES, *_LABEL_NAMES)


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
    strings = [value for value in values if isinstance(value, str) and not isinstance(value, Several)]
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
