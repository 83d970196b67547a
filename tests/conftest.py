"""Every test has a home of its own, no network, and the same random numbers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tests.fixtures.homes import living_in

# The same examples every time, however slow the machine is.
settings.register_profile("graft", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("graft")

_WORTH_FREEZING = 50  # modules
_frozen = 0


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what is made once a file run on one worker; all others on whichever is free."""
    for item in items:
        shared = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ()
        if any(definition.scope == "module" for definitions in shared for definition in definitions):
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}-{item.path.stem}"))


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fresh `GRAFT_HOME`; nothing of the developer's own leaks in."""
    _spare_the_collector()
    with living_in(tmp_path_factory.mktemp("home")) as folder:
        np.random.seed(0)
        yield folder


def _spare_the_collector() -> None:
    """What is imported stays: a full collection, of which a training asks for one, need not walk it each time."""
    global _frozen
    if len(sys.modules) - _frozen > _WORTH_FREEZING:
        gc.collect()
        gc.freeze()
        _frozen = len(sys.modules)
