"""The sheets of a workbook (xlsx), cell by cell from its XML: what is empty takes neither time nor memory.

A library would fill the space before a cell far out, believe what a sheet says of its own size, and keep every element
it met. Formulas are never computed, nothing outside the file is looked up, no entity is expanded.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any
from xml.parsers import expat

from core.data.table_rows import Held

_CHUNK = 1 << 16
_MOST_MERGED = 100_000
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
# The ids of formats that come with every spreadsheet and show a number as a date or a time.
_DATES = frozenset([*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)])
Attributes = Mapping[str, str]
Cells = dict[int, Any]  # a row's, by their column, the first being 1
Begins = Callable[[str, Attributes], None]
Ends = Callable[[str, str], None]


class Enough(Exception):
    """A reader has what it wants."""


@dataclass
class Sheet:
    """What a sheet holds, as far as it was read."""

    rows: dict[int, Cells] = field(default_factory=dict)  # by their number, the first being 1
    uncomputed: int = 0  # formulas that stand there without a result
    merged: list[str] = field(default_factory=list)  # places like A2:A21


@dataclass(frozen=True)
class Place:
    """A sheet's name, and the entry of the zip that holds it."""

    name: str
    entry: str


class Workbook:
    """A workbook's sheets in order, and what their cells refer to.

    Raises what a damaged one makes its readers raise.
    """

    def __init__(self, archive: zipfile.ZipFile, file: str) -> None:
        self._archive, self._file = archive, file
        self._targets: dict[str, str] = {}  # by the id and by the kind of a relation
        self._sheets: list[tuple[str, str, bool]] = []
        self._epoch_1904 = False
        _parse(archive, "xl/_rels/workbook.xml.rels", self._on_relation)
        _parse(archive, "xl/workbook.xml", self._on_book)
        visible = any(is_visible for _, _, is_visible in self._sheets)
        self.places = [
            Place(name, self._targets[relation])
            for name, relation, is_visible in self._sheets
            if (is_visible or not visible) and "worksheets/" in self._targets.get(relation, "")
        ]
        self._strings: list[str] | None = None
        self._dates: frozenset[int] | None = None

    def size(self, place: Place) -> int:
        """Bytes of XML that reading a sheet takes."""
        entries = (place.entry, self._targets.get("sharedStrings"), self._targets.get("styles"))
        return sum(self._archive.getinfo(entry).file_size for entry in entries if entry)

    def read(self, place: Place, most_rows: int | None = None) -> Sheet:
        """The cells of a sheet, or of its first rows that hold any. Raises `DataError` for what unfolds too far."""
        if self._strings is None:
            strings = _Strings(self._file)
            if "sharedStrings" in self._targets:
                _parse(self._archive, self._targets["sharedStrings"], strings.begin, strings.end)
            self._strings = strings.texts
            styles = _Styles()
            if "styles" in self._targets:
                _parse(self._archive, self._targets["styles"], styles.begin)
            self._dates = styles.dates()
        reader = _Cells(self._file, self._strings, self._dates or frozenset(), self._epoch_1904, most_rows)
        with suppress(Enough):
            _parse(self._archive, place.entry, reader.begin, reader.end)
        return reader.sheet

    def _on_relation(self, name: str, attributes: Attributes) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/xl", attributes["Target"])).lstrip("/")
            self._targets[attributes["Id"]] = target
            self._targets.setdefault(attributes["Type"].rpartition("/")[2], target)

    def _on_book(self, name: str, attributes: Attributes) -> None:
        if name == "sheet":
            relation = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), "")
            self._sheets.append((attributes.get("name", ""), relation, attributes.get("state", "visible") == "visible"))
        elif name == "workbookPr":
            self._epoch_1904 = attributes.get("date1904") in ("1", "true")


# -- XML ---------------------------------------------------------------------------------------------------


def _parse(archive: zipfile.ZipFile, entry: str, begin: Begins, end: Ends | None = None) -> None:
    """Call for every element as it begins and ends, with its name and the characters that stand directly before."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    text: list[str] = []

    def begins(name: str, attributes: dict[str, str]) -> None:
        text.clear()
        begin(name.rpartition(":")[2], attributes)

    def ends(name: str) -> None:
        if end is not None:
            end(name.rpartition(":")[2], "".join(text))
        text.clear()

    parser.StartElementHandler, parser.EndElementHandler = begins, ends
    if end is not None:
        parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = _refuse_doctype
    with archive.open(entry) as file:
        _feed(parser, file)


def _feed(parser: expat.XMLParserType, file: IO[bytes]) -> None:
    while chunk := file.read(_CHUNK):
        parser.Parse(chunk, False)
    parser.Parse(b"", True)


def _refuse_doctype(*_declared: object) -> None:
    raise ValueError("it declares entities, which no spreadsheet does")


def _plain(text: str) -> str:
    """A text as it was typed: spreadsheets write control characters as _x000D_."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


class _Strings:
    """The texts that cells refer to by number."""

    def __init__(self, file: str) -> None:
        self.texts: list[str] = []
        self._parts: list[str] = []
        self._is_sound, self._held = False, Held(file)

    def begin(self, name: str, _attributes: Attributes) -> None:
        if name == "si":
            self._parts.clear()
        elif name == "rPh":  # how a text is pronounced
            self._is_sound = True

    def end(self, name: str, text: str) -> None:
        if name == "t" and not self._is_sound:
            self._parts.append(text)
        elif name == "rPh":
            self._is_sound = False
        elif name == "si":
            whole = _plain("".join(self._parts))
            self._held.add((whole,))
            self.texts.append(whole)


class _Styles:
    """Which styles of cells show a number as a date."""

    def __init__(self) -> None:
        self._own: dict[str, str] = {}
        self._formats: list[str] = []
        self._is_of_cells = False

    def begin(self, name: str, attributes: Attributes) -> None:
        if name == "numFmt":
            self._own[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif name in ("cellXfs", "cellStyleXfs", "cellStyles", "dxfs"):
            self._is_of_cells = name == "cellXfs"
        elif name == "xf" and self._is_of_cells:
            self._formats.append(attributes.get("numFmtId", "0"))

    def dates(self) -> frozenset[int]:
        """The numbers of these styles."""
        from openpyxl.styles.numbers import is_date_format

        def is_date(number: str) -> bool:
            own = self._own.get(number)
            return bool(is_date_format(own)) if own else number.isdecimal() and int(number) in _DATES

        return frozenset(place for place, number in enumerate(self._formats) if is_date(number))


class _Cells:
    """Collects the cells of a sheet that hold something."""

    def __init__(
        self, file: str, strings: Sequence[str], dates: frozenset[int], epoch_1904: bool, most_rows: int | None
    ) -> None:
        self.sheet = Sheet()
        self._strings, self._dates, self._epoch_1904, self._most = strings, dates, epoch_1904, most_rows
        self._held = Held(file)
        self._row, self._column, self._kind, self._style = 0, 0, "n", 0
        self._cells: Cells = {}
        self._value, self._parts, self._has_formula, self._is_sound = "", [""], False, False

    def begin(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            place = attributes.get("r")
            self._column = column_number(place) if place else self._column + 1
            self._kind, style = attributes.get("t", "n"), attributes.get("s", "")
            self._style = int(style) if style.isdecimal() else 0
            self._value, self._has_formula = "", False
            self._parts.clear()
        elif name == "f":
            self._has_formula = True
        elif name == "row":
            number = attributes.get("r", "")
            self._row = int(float(number)) if number else self._row + 1
            self._column, self._cells = 0, {}
        elif name == "rPh":
            self._is_sound = True
        elif name == "mergeCell" and len(self.sheet.merged) < _MOST_MERGED:
            self.sheet.merged.append(attributes.get("ref", ""))

    def end(self, name: str, text: str) -> None:
        if name == "v":
            self._value = text
        elif name == "t" and not self._is_sound:
            self._parts.append(text)
        elif name == "rPh":
            self._is_sound = False
        elif name == "c":
            value = self._meaning()
            if value not in (None, ""):
                self._cells[self._column] = value
            elif self._has_formula:
                self.sheet.uncomputed += 1
        elif name == "row" and self._cells:
            self._held.add([*self._cells.values(), self._cells])
            self.sheet.rows[self._row] = self._cells
            if self._most is not None and len(self.sheet.rows) >= self._most:
                raise Enough

    def _meaning(self) -> Any:
        value, kind = self._value, self._kind
        if kind == "inlineStr":
            return _plain("".join(self._parts))
        if not value or kind in ("str", "e", "d"):
            return _plain(value)
        if kind == "s":
            return self._strings[int(value)]
        if kind == "b":
            return value.strip() in ("1", "true")
        number = float(value) if set(value) & set(".eE") else int(value)
        return self._date(number) if self._style in self._dates else number

    def _date(self, number: float) -> Any:
        from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel

        try:
            return from_excel(number, MAC_EPOCH if self._epoch_1904 else WINDOWS_EPOCH)
        except (OverflowError, ValueError):
            return number


def column_number(place: str) -> int:
    """The number of a cell's column.

    >>> column_number("A1"), column_number("AB12")
    (1, 28)
    """
    number = 0
    for letter in place:
        if not letter.isalpha():
            break
        number = 26 * number + ord(letter.upper()) - 64
    return number
