"""`python -m core …`: the command line of `core.cli`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    try:
        from core.cli.app import main
    except KeyboardInterrupt:  # while everything is still being loaded
        sys.exit(130)
    main()
