"""What can be set from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core import settings


def test_setting_is_its_default_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.get("GRAFT_SLOTS") == "1"
    monkeypatch.setenv("GRAFT_SLOTS", "3")
    assert settings.get("GRAFT_SLOTS") == "3"
    monkeypatch.setenv("GRAFT_SLOTS", "")
    assert settings.get("GRAFT_SLOTS") == "1"


def test_setting_is_refused_when_nobody_declared_it() -> None:
    with pytest.raises(KeyError):
        settings.get("GRAFT_COLOUR")


def test_home_and_its_folders_are_made_when_asked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_HOME", str(home / "a" / "b"))
    assert settings.home() == home / "a" / "b"
    assert settings.folder("runs").is_dir()
    assert settings.folder("runs").parent == settings.home()


def test_home_is_the_users_data_folder_when_nothing_is_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFT_HOME")
    monkeypatch.setattr(settings.platformdirs, "user_data_dir", lambda name, appauthor: str(home / name))
    assert settings.home() == home / "graft"


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("TRUE", True), ("yes", True), ("0", False), ("", False)])
def test_offline_is_read_from_a_word(value: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_OFFLINE", value)
    assert settings.is_offline() is wanted


def test_data_roots_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.data_roots() == ()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("GRAFT_DATA_ROOTS", os.pathsep.join([str(tmp_path / "link"), "", str(tmp_path)]))
    assert settings.data_roots() == (tmp_path / "real", tmp_path)


def test_every_setting_says_what_it_does() -> None:
    for name, setting in settings.SETTINGS.items():
        assert name == setting.name
        assert name.startswith(("GRAFT_", "HF_"))
        assert setting.help.endswith(".")
