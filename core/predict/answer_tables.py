"""Answers as rows of a table that a spreadsheet can open without harm."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from core.predict.answers import Cell, Ranking

# A cell that begins so is computed by spreadsheets: an apostrophe before it makes it a text (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def plain_cell(value: Cell) -> Cell:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if not isinstance(value, str):
        return "" if value is None else value
    value = value.replace("\x00", "")
    is_number = value[:1] in "+-" and value[1:].replace(".", "", 1).isdigit()
    return f"'{value}" if value.startswith(_FORMULA) and not is_number else value


TOP = 5  # answers of a picture that are kept


def picture_row(name: str, answers: Ranking) -> dict[str, Cell]:
    """A picture in a table: its file, the likeliest classes with their probabilities; empty where it has no answer."""
    row: dict[str, Cell] = {"file": name}
    for place in range(TOP):
        label, share = answers[place] if place < len(answers) else ("", None)
        more = "" if place == 0 else f" {place + 1}"
        row |= {f"label{more}": label, f"confidence{more}": None if share is None else round(share, 4)}
    return row


def answers_csv(rows: Sequence[Mapping[str, Cell]]) -> bytes:
    """Answers that are shown on a page as a csv, made safe in the same way; what a row lacks is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow([plain_cell(name) for name in names])
    writer.writerows([plain_cell(row.get(name)) for name in names] for row in rows)
    return text.getvalue().encode("utf-8-sig")
