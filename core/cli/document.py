"""What a verb says on stdout: one JSON document, or lines for people."""

from __future__ import annotations

from core.unforeseen import print_document


def show(value: object, as_json: bool, text: str) -> None:
    """Print the value as JSON where that is asked for, else its text."""
    if as_json:
        print_document(value)
    else:
        print(text)
