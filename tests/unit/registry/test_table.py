"""A table of rows refuses what is doubled or half-filled when it is built, and names the row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from core.registry.table import build_table


@dataclass(frozen=True)
class _Plant:
    id: str
    word: str
    height_cm: float
    is_bush: bool
    names: tuple[str, ...]
    enemies: tuple[str, ...] = ()


def _rose(**change: Any) -> _Plant:
    return replace(_Plant("rose", "Rose", 90.0, True, ("rosa",)), **change)


def test_rows_are_found_by_id_in_the_order_given() -> None:
    table = build_table([_rose(), _rose(id="elder", names=("sambucus",))], unique=["names"])
    assert list(table) == ["rose", "elder"]
    assert table["elder"].names == ("sambucus",)


def test_nothing_is_added_to_a_table_once_it_is_built() -> None:
    assert not hasattr(build_table([_rose()]), "__setitem__")


def test_zero_and_false_are_values_and_a_default_may_stay_empty() -> None:
    assert build_table([_rose(height_cm=0.0, is_bush=False)])["rose"].enemies == ()


@pytest.mark.parametrize(("field", "empty"), [("id", ""), ("word", ""), ("names", ()), ("height_cm", None)])
def test_a_half_filled_row_is_refused_with_its_id_and_field(field: str, empty: object) -> None:
    with pytest.raises(ValueError, match=rf"^{'_Plant' if field == 'id' else 'rose'}: {field} is not filled$"):
        build_table([_rose(**{field: empty})])


def test_a_doubled_id_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^rose: the id stands in two rows$"):
        build_table([_rose(), _rose(word="Another")])


def test_a_member_of_a_unique_field_belongs_to_one_row() -> None:
    with pytest.raises(ValueError, match=r"^elder: names 'rosa' belongs to rose$"):
        build_table([_rose(), _rose(id="elder", names=("sambucus", "rosa"))], unique=["names"])
