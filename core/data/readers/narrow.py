"""A large text with some emoji in half of its memory, while its rows are looked for.

Python keeps four bytes for every character of a text in which one lies beyond the first 65,536, as emoji do, and two
where none does. So characters that stand for nothing and that the text does not use stand in for them, until the text
has become cells: most of these hold no emoji, and take one byte a character.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace

from core.data.table_rows import Held, Table
from core.problems import Problem

_LEAST_CHARS = 5_000_000  # of less the memory does not matter
_WIDE = re.compile("[\U00010000-\U0010ffff]+")
_OF_NO_MEANING = re.compile("[\ue000-\uf8ff]+")
_RARE = re.compile("[\ue000-\uf8ff\U00010000-\U0010ffff]+")


@dataclass(frozen=True)
class StandIns:
    """Which characters stand in for which; none in most texts."""

    named: dict[str, str]

    def undo_in(self, table: Table, problems: list[Problem], file: str) -> tuple[Table, list[Problem]]:
        """A table as it was meant, and what is told of it. Raises `DataError` where its cells take too much memory."""
        if not self.named:
            return table, problems
        held = Held(file)
        for column in table.values():
            for place, cell in enumerate(column):
                if isinstance(cell, str) and not cell.isascii():
                    column[place] = self._undo(cell)
            held.add_column(column)
        meant = {self._undo(name): column for name, column in table.items()}
        return meant, [replace(problem, values=self._plain(problem)) for problem in problems]

    def _undo(self, text: str) -> str:
        return _OF_NO_MEANING.sub(lambda found: "".join([self.named.get(one, one) for one in found[0]]), text)

    def _plain(self, problem: Problem) -> dict[str, object]:
        values = problem.values.items()
        return {name: self._undo(value) if isinstance(value, str) else value for name, value in values}


def narrow(text: str) -> tuple[str, StandIns]:
    """The text in two bytes a character, where it is large and takes four, and what stands in for what."""
    if len(text) < _LEAST_CHARS or sys.getsizeof(text) < 4 * len(text):
        return text, StandIns({})
    rare = set().union(*{found[0] for found in _RARE.finditer(text)})
    wide = {one for one in rare if one > "\uffff"}
    # One is left over: the reader marks quotes with it.
    free = [one for one in map(chr, range(0xE000, 0xF8FF)) if one not in rare]
    if len(wide) > len(free):
        return text, StandIns({})
    of = dict(zip(sorted(wide), free, strict=False))
    narrowed = _WIDE.sub(lambda found: "".join([of[one] for one in found[0]]), text)
    return narrowed, StandIns({one: char for char, one in of.items()})
