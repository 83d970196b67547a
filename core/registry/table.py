"""How a table of rows is built: each id once, every field filled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar


class Row(Protocol):
    """A frozen dataclass with an id."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Row)


def build_table(rows: Iterable[R], *, unique: Iterable[str] = ()) -> Mapping[str, R]:
    """The rows by their ids, in the order given; nothing can be added later.

    A field without a default has to be filled: None, an empty text and an empty collection are refused, 0 and False
    are values. `unique` names further fields that no two rows may share; of a tuple, each member counts.
    Raises `ValueError` that names the row.
    """
    table: dict[str, R] = {}
    taken: dict[tuple[str, Any], str] = {}
    for row in rows:
        _check_filled(row)
        if row.id in table:
            raise ValueError(f"{row.id}: the id stands in two rows")
        for name in unique:
            for value in _members(getattr(row, name)):
                other = taken.setdefault((name, value), row.id)
                if other != row.id:
                    raise ValueError(f"{row.id}: {name} {value!r} belongs to {other}")
        table[row.id] = row
    return MappingProxyType(table)


def _check_filled(row: Row) -> None:
    for field in fields(row):
        if field.default is not MISSING or field.default_factory is not MISSING:
            continue
        value = getattr(row, field.name)
        if value is None or (hasattr(value, "__len__") and not len(value)):
            raise ValueError(f"{row.id or type(row).__name__}: {field.name} is not filled")


def _members(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple | frozenset) else (value,)
