"""`python -m core …`: the command line of `core.cli`."""

from __future__ import annotations

from core.cli.app import main

if __name__ == "__main__":
    main()
