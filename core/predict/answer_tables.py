"""Answers as rows of a table that a spreadsheet can open without harm."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.markdown import plain_cell
from core.predict.answers import Cell, Ranking

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


def made_safe(path: Path) -> bytes:
    """A csv that came from elsewhere, with no cell that a spreadsheet takes for a formula."""
    text = io.StringIO()
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        csv.writer(text).writerows([plain_cell(cell) for cell in row] for row in csv.reader(file))
    return text.getvalue().encode("utf-8-sig")
