"""`python app.py`: Streamlit's server, started so that the first visitor may open any page."""

from __future__ import annotations

import sys

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from core.store import ACTIVE, open_store


def serve(script: str, options: list[str]) -> None:
    """Serve until Ctrl-C, then say which runs go on without the page, and how to stop them.

    `streamlit run app.py` does the same, but takes the folder `pages` for its own kind of pages until the
    first visit is over: whoever opens another address than / first is told that there is no such page.
    """
    PagesManager.uses_pages_directory = False
    try:
        cli.main(["run", script, *options], standalone_mode=False)
    except KeyboardInterrupt:
        pass
    finally:
        _say_goodbye()


def _say_goodbye() -> None:
    active = open_store().list_runs(statuses=ACTIVE)
    print("\nThe page is closed.", file=sys.stderr)
    if active:
        print("These runs go on; stop one with: python -m core run ID stop", file=sys.stderr)
    for run in active:
        print(f"  {run.id}  {run.status}  {run.name}", file=sys.stderr)
