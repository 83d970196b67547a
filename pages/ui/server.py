"""`python app.py`: Streamlit's server, started so that the first visitor may open any page."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import click
from streamlit import config
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import bootstrap, cli

from core.errors import InputError, first_line
from core.sharing import spin_less, watch
from core.store import ACTIVE, open_store
from core.unforeseen import door
from pages.ui import reach

# Why no server can listen at an address: taken, not of this machine, for administrators alone.
_NOT_HERE = {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}


def serve(script: str, options: list[str]) -> None:
    """Serve until Ctrl-C, then say which runs go on without the page, and how to stop them.

    `streamlit run app.py` does the same, but takes the folder `pages` for its own kind of pages until the
    first visit is over: whoever opens another address than / first is told that there is no such page.
    """
    door(partial(_serve, script, options))


def _serve(script: str, options: list[str]) -> None:
    os.environ.update(spin_less(os.environ))
    watch()
    PagesManager.uses_pages_directory = False
    start = bootstrap.run
    bootstrap.run = _preparing(start)
    try:
        cli.main(["run", script, *options], standalone_mode=False)
    except click.ClickException as error:  # of what was typed
        raise InputError("cli.usage", detail=error.format_message().rstrip("."), help="streamlit run --help") from None
    finally:
        bootstrap.run = start


def _preparing(run: Callable[..., None]) -> Callable[..., None]:
    """Streamlit's start, once its settings are read from wherever they came."""

    def prepared(script: str, is_hello: bool, args: list[str], flags: dict[str, Any]) -> None:
        open_store()  # a home that cannot be used is told before anybody comes
        reach.prepare(flags)
        try:
            run(script, is_hello, args, flags)
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno not in _NOT_HERE and not isinstance(error, socket.gaierror):
                raise
            address, port = (config.get_option(f"server.{name}") for name in ("address", "port"))
            raise InputError(
                "reach.cannot_listen", address=address, port=port, detail=first_line(error).rstrip(".")
            ) from error
        except KeyboardInterrupt:
            pass
        _say_goodbye()

    return prepared


def _say_goodbye() -> None:
    active = open_store().list_runs(statuses=ACTIVE)
    print("\nThe page is closed.", file=sys.stderr)
    if active:
        print("These runs go on; stop one with: python -m core run ID stop", file=sys.stderr)
    for run in active:
        print(f"  {run.id}  {run.status}  {run.name}", file=sys.stderr)
