"""The app in a folder of its own: a server writes `static/` beside its script, and tests write into no source tree."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def link_app(folder: Path) -> Path:
    """Fill an empty folder with links to what a server is started from; returns its app.py."""
    for name in ("app.py", "pages", ".streamlit"):
        (folder / name).symlink_to(ROOT / name)
    return folder / "app.py"
