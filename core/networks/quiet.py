"""What libraries print by themselves, turned off where work with them begins: a page and a log have their own words."""

from __future__ import annotations

import warnings

import transformers


def quiet_transformers() -> None:
    """No progress bars for a terminal, no advice that nobody here can follow. For the whole process; again is free."""
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    # Marian's tokenizer recommends another for the signs of old texts; nothing else needs it.
    warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
