"""Text tables separated by commas and the like, read as they are really written.

What keeps to the rules (cells in quotes where they hold a separator, a quote or a line break; quotes doubled) is read
by them. What does not is read as it must have been meant: a quote that opens nothing, an inch mark, a quote within
quotes. A table's own pattern decides, which is how many cells a row has and which classes there are: where the lines
that a quote would swallow are whole rows by themselves, it was only a character. Every search goes on from what an
earlier one found, so that the time grows with the length alone.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from core.data.table_names import is_known_name
from core.data.table_rows import Held

# Stands between no cells at all: a table of one column.
ONE_COLUMN = "\x1f"
_SIGNS = (",", "\t", ";", "|")
# A carriage return by itself ends lines only where it ends the first one: elsewhere it is one of a text's characters.
# Repetitions take what they can and give nothing back (`*+`): else each would be remembered, for gigabytes.
_ANY_END, _USUAL_END = r"[\r\n]++", r"(?:\r*+\n)++"
_ODD_RUN = re.compile(r'(?<!")(?:"")*+"(?!")')
_SAMPLE_CHARS, _SAMPLE_ROWS = 200_000, 200
_STRETCH_CHARS, _BLOCK_CHARS = 100_000, 50_000
_FEWEST_ROWS, _MOST_CLASSES = 4, 500
Row = list[str]


@dataclass(frozen=True)
class Layout:
    """How the rows of a table are written."""

    delimiter: str
    width: int
    share: float = 1.0  # of the rows looked at that have this width
    line_end: str = _USUAL_END  # as a regular expression


@dataclass
class Rows:
    """All rows of a table, blank ones left out, and what was odd about how they are written."""

    cells: list[Row]
    layout: Layout
    lines: dict[int, str] = field(default_factory=dict)  # of rows with too many cells: the line as it stands
    stray: int = 0  # quotes that opened nothing
    swallowed: int = 0  # cells with line breaks whose lines look like rows


def read_rows(text: str, file: str, delimiter: str | None = None, *, is_lines: bool = False) -> Rows:
    """Rows of a text table; `is_lines`: each row is one cell. Raises `DataError` for more than is held."""
    said, text = _skip_separator_line(text)
    text, escaped = _hide_escaped(text)
    csv.field_size_limit(2**31 - 1)
    layout = find_layout(text, ONE_COLUMN if is_lines else said or delimiter)
    rows = _Parser(text, layout).read(Held(file))
    if escaped:
        rows.cells = [[cell.replace(escaped, '"') for cell in row] for row in rows.cells]
        rows.lines = {place: line.replace(escaped, '"') for place, line in rows.lines.items()}
    return rows


def _skip_separator_line(text: str) -> tuple[str | None, str]:
    """What a first line `sep=;` says (spreadsheets write and ask for it), and the text behind it."""
    found = re.match(r'"?sep=(.)"?[ \t]*(?:\r\n|\r|\n)', text[:20], re.IGNORECASE)
    return (found[1], text[found.end() :]) if found else (None, text)


def _hide_escaped(text: str) -> tuple[str, str]:
    r"""Quotes written as \" behind a character of no text, where a table is written so; else nothing is changed.

    Where quotes are doubled instead, none behind a backslash is followed by anything but a quote, a separator or the
    line's end.
    """
    if '\\"' not in text or not re.search(r'(?:^|[,;|\t\r\n])"[^"\r\n]*\\"[^",;|\t\r\n]', text):
        return text, ""
    mark = next(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in text)
    return re.sub(r'\\(\\|")', lambda found: mark if found[1] == '"' else found[0], text), mark


# -- how a table is written --------------------------------------------------------------------------------


def find_layout(text: str, delimiter: str | None = None) -> Layout:
    """What separates the cells, and how many a row has; a single column where nothing gives the rows the same width."""
    line_end = _line_end(text)
    best, points = Layout(ONE_COLUMN, 1, line_end=line_end), 0.0
    lines = _first_lines(text, line_end)
    for sign in _SIGNS if delimiter is None else () if delimiter == ONE_COLUMN else (delimiter,):
        # By the rules, where cells hold line breaks; line by line, where a quote opens nothing and swallows the rest.
        for rows in (_by_rules(lines, sign), [plain_cells(line, sign) or line.split(sign) for line in lines]):
            layout, own = _judge([row for row in rows if any(cell.strip() for cell in row)][:_SAMPLE_ROWS], sign)
            if layout is not None and own > points + 0.01:
                best, points = replace(layout, line_end=line_end), own
    return best


def _line_end(text: str) -> str:
    """What ends the lines, by how the first ends: a line break within quotes is none."""
    quotes = at = 0
    for found in re.finditer(_ANY_END, text[:_SAMPLE_CHARS]):
        quotes += text.count('"', at, found.start())
        at = found.end()
        if quotes % 2 == 0:
            return _USUAL_END if "\n" in found[0] else _ANY_END
    return _ANY_END


def _first_lines(text: str, line_end: str) -> list[str]:
    part = text[:_SAMPLE_CHARS]
    lines = re.split(line_end, part)
    if len(part) < len(text):
        lines.pop()
    return [line for line in lines if line]


def _by_rules(lines: Sequence[str], sign: str) -> list[Row]:
    rows: list[Row] = []
    with suppress(csv.Error):
        rows.extend(csv.reader((f"{line}\n" for line in lines), delimiter=sign))
    return rows


def plain_cells(line: str, sign: str) -> Row | None:
    """The cells of a line that keeps to the rules by itself."""
    if '"' not in line:
        return line.split(sign)
    try:
        return next(csv.reader([line], delimiter=sign, strict=True))
    except csv.Error:
        return None


def _judge(rows: Sequence[Row], sign: str) -> tuple[Layout | None, float]:
    """The layout of rows separated so, and how well it fits them."""
    if not rows:
        return None, 0.0
    counted = Counter(map(len, rows[1:] or rows))
    first = len(rows[0])
    width, often = counted.most_common(1)[0]
    has_names = first > 1 and sum(map(is_known_name, rows[0])) > 0
    if has_names and counted[first + 1] < 0.95 * counted.total():  # the others hold separators of their own
        width, often = first, counted[first]
    if width < 2:
        return None, 0.0
    share = often / counted.total()
    bonus = 1.0 if has_names else 0.5 if first == width else 0.25 if first == width - 1 else 0.0
    return Layout(sign, width, share), share + bonus


# -- reading -----------------------------------------------------------------------------------------------


class _Finder:
    """Where the next of something stands. What was found before is not looked for again.

    It does not hold what looks: a parser that held itself would keep its text when it is done.
    """

    def __init__(self) -> None:
        self._from, self._found = -1, -1

    def after(self, place: int, find: Callable[[int], int]) -> int:
        if not self._from <= place <= self._found:
            self._from, self._found = place, find(place)
        return self._found


class _Parser:
    """One pass over a text."""

    def __init__(self, text: str, layout: Layout) -> None:
        sign = re.escape(layout.delimiter)
        self._text, self._layout, self._sign = text, layout, layout.delimiter
        self._line_end = re.compile(layout.line_end)
        self._closing = re.compile(rf'"++(?= *+(?:{sign}|{layout.line_end}|\Z))')
        self._next_closing = re.compile(rf'(?<!"){self._closing.pattern}')
        self._spaced = re.compile(rf'(?:^|{sign}|[\r\n]) +"|" +(?:{sign}|[\r\n]|$)')
        self._closers, self._odd, self._broken = _Finder(), _Finder(), _Finder()
        self._known: dict[int, set[str]] | None = None
        quoted = rf'(?:^|{sign}|[\r\n])"(?:[^"\r\n]++|"")*+"(?:{sign}|[\r\n]|\Z)'
        self._uses_quotes = '"' in text and bool(re.search(quoted, text))
        self.rows = Rows([], layout)

    def read(self, held: Held) -> Rows:
        for row, line in self._records():
            first = row[0]
            if (not first or first.isspace()) and not any(cell and not cell.isspace() for cell in row):
                held.add_blank()
                continue
            if len(row) > self._layout.width:
                self.rows.lines[len(self.rows.cells)] = line
                held.take(len(line))
            self.rows.cells.append(held.hold(row, is_kept=True))
        return self.rows

    def _records(self) -> Iterator[tuple[Row, str]]:
        """Each row with its line."""
        at, text, quote = 0, self._text, -1
        tried = 0  # up to here lines with quotes are read one by one
        while at < len(text):
            if quote < at:
                quote = text.find('"', at)
                quote = len(text) if quote < 0 else quote
            stop = self._stretch(at, quote)
            if stop > at:  # no quote stands in these lines, and most tables hold nothing else
                for line in self._lines(text[at:stop]):
                    yield line.split(self._sign), line
                at = stop
                continue
            if at >= tried:
                tried = self._line(at + _BLOCK_CHARS)[1]  # where some thousand lines from here end
                lines = self._lines(text[at:tried])
                rows = self._plain_all(lines, text[at:tried])
                if rows is not None:
                    yield from zip(rows, lines, strict=True)
                    at = tried
                    continue
            end, after = self._line(at)
            line = text[at:end]
            row = self._plain(line)
            if row is None:
                row, end, after = self._tolerant(at, end, after)
            yield row, line
            at = after

    def _plain_all(self, lines: list[str], block: str) -> list[Row] | None:
        """The cells of lines that keep to the rules, each by itself; None where one may not."""
        if self._spaced.search(block):
            return None
        try:
            rows = list(csv.reader(lines, delimiter=self._sign, strict=True))
        except csv.Error:
            return None
        return rows if len(rows) == len(lines) else None  # a cell that holds a line break joins several

    def _lines(self, part: str) -> list[str]:
        """The lines of a part that ends with one; by the quickest way that gives the same."""
        if "\r" not in part and "\n\n" not in part:
            lines = part.split("\n")
        elif part.count("\r\n") == part.count("\n") == part.count("\r") and "\n\r" not in part:
            lines = part.split("\r\n")
        else:
            lines = self._line_end.split(part)
        return lines if lines[-1] else lines[:-1]  # nothing stands behind the last line end

    def _stretch(self, at: int, quote: int) -> int:
        """Where whole lines that stand before a quote end, some thousands of them at a time; `at` where none does."""
        text = self._text
        if quote - at > _STRETCH_CHARS and (found := self._line_end.search(text, at + _STRETCH_CHARS, quote)):
            return found.end()
        if quote == len(text):
            return quote
        last = text.rfind("\n", at, quote)
        if self._layout.line_end == _ANY_END:
            last = max(last, text.rfind("\r", at, quote))
        return max(at, last + 1)

    def _line(self, at: int) -> tuple[int, int]:
        """Where the line ends, and where the next begins that is not empty."""
        found = self._line_end.search(self._text, at)
        return (found.start(), found.end()) if found else (len(self._text), len(self._text))

    def _plain(self, line: str) -> Row | None:
        """The cells of a line that keeps to the rules by itself."""
        if '"' in line and self._spaced.search(line):
            return None
        return plain_cells(line, self._sign)

    def _tolerant(self, start: int, end: int, after: int) -> tuple[Row, int, int]:
        """The cells from here on, where the row ends, and where the next begins."""
        text, at, row, has_breaks = self._text, start, Row(), False
        while True:
            opening = at
            while text.startswith(" ", opening):
                opening += 1
            close = self._closer(opening + 1) if text.startswith('"', opening) else len(text)
            if close < len(text) and (close < end or has_breaks or not self._is_stray(start, opening, end, close)):
                row.append(text[opening + 1 : close].replace('""', '"'))
                if close >= end:
                    (end, after), has_breaks = self._line(close), True
                at = close + 1
                while text.startswith(" ", at):
                    at += 1
            else:
                stop = text.find(self._sign, at, end)
                stop = end if stop < 0 else stop
                cell = text[at:stop]
                if text.startswith('"', opening):
                    cell = self._without_pair(cell)
                row.append(cell)
                at = stop
            if at >= end:
                return row, end, after
            at += len(self._sign)

    def _without_pair(self, cell: str) -> str:
        """A cell whose quotes do not follow the rules: the pair around it goes, a single one stays."""
        bare = cell.strip()
        if len(bare) > 1 and bare.endswith('"'):
            return bare[1:-1]
        self.rows.stray += 1
        return cell

    # -- what a quote is -----------------------------------------------------------------------------------

    def _closer(self, at: int) -> int:
        """The quote that ends a cell which began before `at`; the text's end where there is none."""
        end = at
        while self._text.startswith('"', end):
            end += 1
        if (end - at) % 2 and self._closing.match(self._text, at):
            return end - 1
        return self._closers.after(end, self._find_closer)

    def _find_closer(self, at: int) -> int:
        for found in self._next_closing.finditer(self._text, at):
            if len(found[0]) % 2:
                return found.end() - 1
        return len(self._text)

    def _is_stray(self, start: int, opening: int, end: int, close: int) -> bool:
        """Whether a quote opens nothing, though one that could close it stands on a later line."""
        line = self._text[start:end]
        is_strict = not self._has_odd_quote(opening + 1, close)
        own = self._text[opening:end].split(self._sign, 1)[0].rstrip()
        if not is_strict and own.endswith('"') and line.count(self._sign) == self._layout.width - 1:
            return True  # quotes within quotes, on one line
        classes = self._classes()
        if not is_strict and classes and self._is_whole(line):
            return True
        if self._broken.after(start, self._find_broken) <= close:
            return False
        if not is_strict:
            return True
        lines = len(self._line_end.findall(self._text, opening, close)) + 1
        is_likely = bool(classes) or self._sign == "\t" or lines > 2
        if self._layout.width > 1 and is_likely and not self._uses_quotes:
            return True
        self.rows.swallowed += self._layout.width > 1
        return False

    def _has_odd_quote(self, at: int, close: int) -> bool:
        """Whether quotes between here and there are not all doubled."""
        end = at
        while self._text.startswith('"', end):
            end += 1
        return (end - at) % 2 == 1 or self._odd.after(end, self._find_odd) < close

    def _find_odd(self, at: int) -> int:
        """The last of the next run of quotes that are not all doubled."""
        found = _ODD_RUN.search(self._text, at)
        return found.end() - 1 if found else len(self._text)

    def _find_broken(self, at: int) -> int:
        """The first line from here on that is no whole row by itself."""
        while at < len(self._text):
            end, after = self._line(at)
            if end > at and not self._is_whole(self._text[at:end]):
                return at
            at = after
        return len(self._text) + 1

    def _is_whole(self, line: str) -> bool:
        row = self._plain(line) or line.split(self._sign)
        if len(row) != self._layout.width:
            return False
        return all(row[place].strip() in known for place, known in self._classes().items())

    def _classes(self) -> dict[int, set[str]]:
        """What stands in the columns that hold few different things, by lines that are rows without a doubt."""
        if self._known is None:
            columns: list[Counter[str]] = [Counter() for _ in range(self._layout.width)]
            at = 0
            while at < len(self._text):
                end, after = self._line(at)
                row = self._plain(self._text[at:end])
                if row is not None and len(row) == self._layout.width:
                    for column, cell in zip(columns, row, strict=True):
                        column[cell.strip()] += 1
                at = after
            self._known = {
                place: {cell for cell, n in column.items() if n > 1}
                for place, column in enumerate(columns)
                if is_class_like(column)
            }
        return self._known


def is_class_like(column: Counter[str]) -> bool:
    """Whether cells hold few different things, each several times, as classes do."""
    rows, several = column.total(), sum(n > 1 for n in column.values())
    return rows >= _FEWEST_ROWS and 2 <= several <= _MOST_CLASSES and 2 * len(column) <= rows + 1
