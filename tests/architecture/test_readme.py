"""What the README promises: settings as they are, commands that exist, files that lie where it says."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from core.cli.app import app
from core.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_settings_table_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| `([A-Z]\w+)` \| (.*?) \| (.*?) \|$", README, flags=re.MULTILINE)
    assert [(name, default.strip("` "), text) for name, default, text in rows] == [
        (setting.name, setting.default, setting.help) for setting in SETTINGS.values()
    ]


def test_every_command_of_the_readme_exists() -> None:
    verbs = set(re.findall(r"python -m core (\w+)", README))
    assert {"models", "model", "data", "finetune", "runs", "run", "predict", "doctor"} <= verbs
    for verb in sorted(verbs):
        assert CliRunner().invoke(app, [verb, "--help"]).exit_code == 0, verb
    for path in re.findall(r"\]\((docs/[\w./-]+)\)", README):
        assert (ROOT / path).is_file(), path
