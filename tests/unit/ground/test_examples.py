"""The examples in the docstrings of pure functions are true."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

EXPLAINED = (
    "core.charts.curve_data",
    "core.data.splits",
    "core.data.table_rows",
    "core.data.text_cleaning",
    "core.errors",
    "core.evaluate",
    "core.finetune.early_stopping",
    "core.i18n",
    "core.optimize.variants",
    "core.problems",
    "core.registry.formats",
    "core.runs.names",
    "core.values",
)


@pytest.mark.parametrize("name", EXPLAINED)
def test_examples_are_there_and_true(name: str) -> None:
    found = doctest.testmod(import_module(name))
    assert found.attempted, f"{name} is listed and shows no example"
    assert not found.failed
