"""Every test has a home of its own, no network, and the same random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core import store

_FOREIGN = ("GRAFT_DATA_ROOTS", "GRAFT_CACHE_GB", "GRAFT_SLOTS", "HF_HUB_CACHE", "XDG_CACHE_HOME", "LANGUAGE")
_FOREIGN += ("HF_ENDPOINT", "HF_HUB_DISABLE_XET", "HF_TOKEN", "GRAFT_TORCH_MIRROR")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh `GRAFT_HOME`; nothing of the developer's own leaks in."""
    folder = tmp_path_factory.mktemp("home")
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRAFT_HOME", str(folder))
    monkeypatch.setenv("GRAFT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(folder / "huggingface"))
    monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
    store._open.cache_clear()
    np.random.seed(0)
    yield folder
    store._open.cache_clear()
