"""Finds a Chromium; run as a script it prints the path and fails when there is none. Standard library only."""

from __future__ import annotations

import os
import shutil
import sys

# The shell is the same browser without its own window: a journey takes little more than half of the processor.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The browser of `GRAFT_CHROMIUM`, else the first one on the path."""
    wanted = os.environ.get("GRAFT_CHROMIUM")
    if wanted:
        return wanted if os.access(wanted, os.X_OK) else None
    return next((path for name in NAMES if (path := shutil.which(name))), None)


if __name__ == "__main__":
    found = find_chromium()
    print(found or "no Chromium found")
    sys.exit(found is None)
