"""The table of tasks refuses a row that is doubled, half-filled or of no task of the hub."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.registry.table import build_table
from core.registry.tasks import HUB_TASKS, TASKS, build_tasks


def test_row_of_no_task_of_the_hub_is_refused() -> None:
    with pytest.raises(ValueError, match="fill-mask: 'fortune-telling' is no task"):
        build_tasks([replace(TASKS["fill-mask"], hub="fortune-telling")])


@pytest.mark.parametrize("field", ["name", "inputs", "models"])
def test_half_filled_row_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        build_tasks([replace(TASKS["fill-mask"], **{field: type(getattr(TASKS["fill-mask"], field))()})])


def test_doubled_row_is_refused() -> None:
    with pytest.raises(ValueError, match="fill-mask"):
        build_tasks([*TASKS.values(), TASKS["fill-mask"]])
    with pytest.raises(ValueError, match="translation"):
        build_table([*HUB_TASKS.values(), HUB_TASKS["translation"]])
