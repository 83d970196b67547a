"""Tables written as JSON: one object for each row, in any of the shapes that programs give them.

Read value by value where that can be done: a document of some megabytes may unfold to gigabytes of objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from core.data.table_rows import Columns, Table, as_cell, whole
from core.errors import DataError, what_is_broken
from core.problems import Problem
from core.registry.split_names import split_of

_BLANK = re.compile(r"[ \t\r\n]*")
_MANY = 1000
_LONG_LINE = 1_000_000
# What a document takes at least when it is parsed whole, by the signs that begin its parts.
_PART_BYTES = {"[": 72, "{": 184, ",": 8, '"': 20}
_MOST_PARSED_BYTES = 350_000_000
_decode = json.JSONDecoder().raw_decode


def read_json(text: str, name: str) -> tuple[Table, list[Problem]]:
    """The columns of JSON lines, of objects one after another, of a list of objects, or of what pandas writes.

    Raises `DataError` for anything else, and says what it is.
    """
    columns = Columns(name)
    start = _skip(text, 0)
    if text.startswith("[", start):
        if text.startswith("[", _skip(text, start + 1)):  # no objects: each entry may be as large as the whole
            raise DataError("data.json_shape", name=name)
        bad = _take(_elements(text, start, name), columns)
    elif _begins_with_lines(text, start):
        bad = _take(_lines(text, name), columns)
    else:
        _check_size(text, name)
        bad = _read_objects(text, start, name, columns)
    if not columns.rows:
        raise DataError("data.json_shape", name=name)
    return columns.table, [Problem("data.bad_lines", "warning", "data", {"name": name, "n": bad})] if bad else []


def is_single_value(text: str) -> bool:
    """Whether a text is one JSON value that holds no rows: null, a number, a word in quotes."""
    start = _skip(text, 0)
    if text[start : start + 1] not in '"-0123456789tfn' or start == len(text):
        return False
    try:
        return _skip(text, _decode(text, start)[1]) == len(text)
    except ValueError:
        return False


def _check_size(text: str, name: str) -> None:
    """Refuse a document that would unfold too far. Raises `DataError`."""
    if sum(size * text.count(sign) for sign, size in _PART_BYTES.items()) > _MOST_PARSED_BYTES:
        raise DataError("data.table_unfolds", name=name, limit=_MOST_PARSED_BYTES // 1_000_000)


def _read_objects(text: str, start: int, name: str, columns: Columns) -> int:
    """Objects one after another, over several lines each; one alone is a whole table. How many are no rows."""
    first, place = _value(text, start, name)
    if not isinstance(first, dict):
        raise DataError("data.json_shape", name=name)
    if _skip(text, place) == len(text):
        return _take(_rows_of_document(first, name), columns)
    return _take(_sequence(text, start, name), columns)


def _take(values: Iterable[Any], columns: Columns) -> int:
    """Objects become rows; returns how many values were none."""
    bad = 0
    for value in values:
        if isinstance(value, dict) and value:
            columns.add({whole(key): as_cell(part) for key, part in value.items()})
            continue
        bad += 1
        if bad > _MANY and bad > 10 * columns.rows:  # whatever it is, its values are no rows
            raise DataError("data.json_shape", name=columns.file)
    return bad


# -- values one after another ------------------------------------------------------------------------------


def _skip(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _begins_with_lines(text: str, start: int) -> bool:
    """Whether the first line holds a whole object, and more lines follow."""
    end = text.find("\n", start)
    return end >= 0 and _skip(text, end) < len(text) and isinstance(_line(text[start:end]), dict)


def _lines(text: str, name: str) -> Iterator[Any]:
    # Not splitlines: it also breaks at characters that stand inside texts.
    for found in re.finditer(r"[^\n]+", text):
        if not found[0].isspace():
            if len(found[0]) > _LONG_LINE:
                _check_size(found[0], name)
            yield _line(found[0])


def _line(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _value(text: str, place: int, name: str) -> tuple[Any, int]:
    """The value that begins here and where it ends. Raises `DataError`."""
    try:
        return _decode(text, place)
    except RecursionError as error:
        raise DataError("data.json_deep", name=name) from error
    except ValueError as error:
        raise DataError("data.unreadable_file", path=name, detail=what_is_broken(error)) from error


def _sequence(text: str, place: int, name: str) -> Iterator[Any]:
    while place < len(text):
        value, place = _value(text, place, name)
        yield value
        place = _skip(text, place)


def _elements(text: str, place: int, name: str) -> Iterator[Any]:
    """The entries of a list, each parsed when its turn comes."""
    place = _skip(text, place + 1)
    while not text.startswith("]", place):
        value, place = _value(text, place, name)
        yield value
        place = _skip(text, place)
        if text.startswith(",", place):
            place = _skip(text, place + 1)
        elif not text.startswith("]", place):
            raise DataError("data.json_list_broken", name=name, place=place)


# -- one document ------------------------------------------------------------------------------------------


def _rows_of_document(whole: Any, name: str) -> Iterable[Any]:
    """The rows of one object that is a whole table. Raises `DataError` where it is none."""
    for shape in _SHAPES:
        rows = shape(whole)
        if rows is not None:
            return rows
    raise DataError("data.json_shape", name=name)


def _split_and_data(whole: Mapping[str, Any]) -> Iterable[Any] | None:
    """pandas' orient="split": names and rows of cells."""
    names, data = whole.get("columns"), whole.get("data")
    if not _is_of(names, str) or not _is_of(data, list):
        return None
    return (dict(zip(names, row, strict=False)) for row in data)  # type: ignore[arg-type, union-attr]


def _by_split(whole: Mapping[str, Any]) -> Iterable[Any] | None:
    """A list of objects for each split: the rows say which they are of."""
    if len(whole) < 2 or not all(split_of(key) and _is_of(rows, dict) for key, rows in whole.items()):
        return None
    return ({"split": key, **row} for key, rows in whole.items() for row in rows)


def _only_list(whole: Mapping[str, Any]) -> Iterable[Any] | None:
    """The only list of objects among whatever else there is: pandas' orient="table", answers of servers."""
    lists = [part for part in whole.values() if _is_of(part, dict)]
    return lists[0] if len(lists) == 1 else None


def _lists_of_cells(whole: Mapping[str, Any]) -> Iterable[Any] | None:
    """A list of cells for each column, all of one length."""
    if len(whole) < 2 or not all(isinstance(part, list) for part in whole.values()):
        return None
    if len({len(part) for part in whole.values()}) != 1:
        return None
    return (dict(zip(whole, cells, strict=True)) for cells in zip(*whole.values(), strict=True))


def _cells_by_row(whole: Mapping[str, Any]) -> Iterable[Any] | None:
    """pandas' default: for each column its cells by the row's name; or the other way round, orient="index"."""
    if not whole or not all(isinstance(part, dict) for part in whole.values()):
        return None
    inner = dict.fromkeys(key for part in whole.values() for key in part)
    if not inner or any(isinstance(cell, dict) for part in whole.values() for cell in part.values()):
        return None
    outer_counts, inner_counts = (all(key.isdecimal() for key in keys) for keys in (whole, inner))
    if outer_counts == inner_counts:  # rows are more than columns
        outer_counts = len(whole) > len(inner)
    if outer_counts:
        return whole.values()
    return ({name: cells.get(key) for name, cells in whole.items()} for key in inner)


def _one_row(whole: Mapping[str, Any]) -> Iterable[Any] | None:
    """A single row."""
    cells = [cell for part in whole.values() for cell in (part if isinstance(part, list) else [part])]
    is_row = any(isinstance(part, str) and part for part in whole.values())
    return [whole] if is_row and not any(isinstance(cell, dict | list) for cell in cells) else None


def _is_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], kind)


_SHAPES: tuple[Callable[[Mapping[str, Any]], Iterable[Any] | None], ...] = (
    _split_and_data, _by_split, _only_list, _lists_of_cells, _cells_by_row, _one_row,
)  # fmt: skip
