"""`python app.py`: Streamlit's server, started so that the first visitor may open any page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import bootstrap, cli

from core.errors import GraftError
from core.store import ACTIVE, open_store
from pages.ui import reach


def serve(script: str, options: list[str]) -> None:
    """Serve until Ctrl-C, then say which runs go on without the page, and how to stop them.

    `streamlit run app.py` does the same, but takes the folder `pages` for its own kind of pages until the
    first visit is over: whoever opens another address than / first is told that there is no such page.
    """
    PagesManager.uses_pages_directory = False
    bootstrap.run = _preparing(bootstrap.run)
    try:
        cli.main(["run", script, *options], standalone_mode=False)
    except GraftError as error:  # it does not listen where everybody could come
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        pass
    except BaseException:
        _say_goodbye()
        raise
    _say_goodbye()


def _preparing(run: Callable[..., None]) -> Callable[..., None]:
    """Streamlit's start, once its settings are read from wherever they came."""

    def prepared(script: str, is_hello: bool, args: list[str], flags: dict[str, Any]) -> None:
        reach.prepare(flags)
        run(script, is_hello, args, flags)

    return prepared


def _say_goodbye() -> None:
    active = open_store().list_runs(statuses=ACTIVE)
    print("\nThe page is closed.", file=sys.stderr)
    if active:
        print("These runs go on; stop one with: python -m core run ID stop", file=sys.stderr)
    for run in active:
        print(f"  {run.id}  {run.status}  {run.name}", file=sys.stderr)
