"""Words and numbers in the reader's language.

A language is one row of `LANGUAGES`. English is the source text: `_("Start training")`. Translations live in
`core/locales/<language>/LC_MESSAGES/graft.po`, compiled in memory by Babel at first use, so that no
generated file can be stale. Numbers, sizes, durations and lists follow the same language.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale

LOCALES = Path(__file__).parent / "locales"


@dataclass(frozen=True)
class Language:
    """What is known of a language beside its texts; every field has to be filled."""

    id: str  # of Babel's locale and of the folder under `locales`
    code: str  # ISO 639-1: browsers' tags begin with it, models and examples are marked with it
    name: str  # as its own readers call it
    word: str  # what "language" is called in it
    list_sign: str  # between the words of a list
    colon: str  # between a name and what it is
    label_signs: str  # what people type between labels, beside the line's end
    counts: tuple[tuple[float, str], ...]  # large numbers: from where on, and what stands behind; the largest first
    durations: tuple[str, str, str, str, str]  # day, hour, minute, second, millisecond
    moment: str  # day and time of day, in Unicode's pattern

    def __post_init__(self) -> None:
        empty = [field.name for field in fields(self) if not getattr(self, field.name)]
        if empty or not all(self.durations) or not all(unit for _, unit in self.counts):
            raise ValueError(f"language {self.id or '?'} is half-filled: {', '.join(empty) or 'units'}")

    @property
    def tag(self) -> str:
        """As HTML names it: zh-CN."""
        return self.id.replace("_", "-")


def build_languages(rows: Iterable[Language]) -> Mapping[str, Language]:
    """The rows by id. Raises `ValueError` for an id or a code that stands there twice."""
    table: dict[str, Language] = {}
    for row in rows:
        if row.id in table or row.code in {other.code for other in table.values()}:
            raise ValueError(f"language {row.id} ({row.code}) stands in two rows")
        table[row.id] = row
    return table


# English, the source of all texts, is the first: what no other row answers for is told in it.
LANGUAGES = build_languages(
    (
        Language(
            id="en",
            code="en",
            name="English",
            word="Language",
            list_sign=", ",
            colon=": ",
            label_signs=",;",
            counts=((1e9, " B"), (1e6, " M"), (1e3, " k")),
            durations=("d", "h", "min", "s", "ms"),
            moment="d MMM, HH:mm",
        ),
        Language(
            id="zh_CN",
            code="zh",
            name="简体中文",
            word="语言",
            list_sign="、",
            colon="：",
            label_signs="，、；",
            counts=((1e8, " 亿"), (1e4, " 万")),
            durations=("天", "小时", "分", "秒", "毫秒"),
            moment="M月d日 HH:mm",
        ),
    )
)
SOURCE = next(iter(LANGUAGES.values()))


def N_(text: str) -> str:
    """Mark a text for translation where it is defined; it is translated where it is shown."""
    return text


class Translator:
    """One language: call it with an English text and the values of its placeholders."""

    def __init__(self, language: Language, catalog: gettext.NullTranslations) -> None:
        self.language = language
        self.catalog = catalog

    # Babel is imported where it first says something: many commands say no number, and it is a tenth of their start.

    @cached_property
    def _locale(self) -> Locale:
        """Kept: by its name, each number would look it up anew, which takes twenty times as long."""
        from babel import Locale

        return Locale.parse(self.language.id)

    def __call__(self, text: str, /, **values: object) -> str:
        translated = self.catalog.gettext(text) if text else ""
        return self.fill(translated, values)

    def fill(self, template: str, values: Mapping[str, object]) -> str:
        """A sentence with its values."""
        return template.format(**values) if values else template

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The form that `n` asks for; `{n}` is filled with the grouped number."""
        return self.fill(self.catalog.ngettext(one, many, n), {"n": self.number(n), **values})

    def number(self, value: float, digits: int | None = None) -> str:
        """A number with grouped thousands; `digits` significant digits if given."""
        from babel.numbers import format_decimal

        if digits is not None and value:
            value = float(f"{value:.{digits}g}")
        return str(format_decimal(value, locale=self._locale))

    def percent(self, fraction: float, decimals: int = 1) -> str:
        """A share of a whole, of a hundred.

        >>> translator("en").percent(0.756)
        '75.6%'
        """
        from babel.numbers import format_percent

        pattern = "#,##0%" if decimals == 0 else "#,##0." + "0" * decimals + "%"
        return str(format_percent(fraction, format=pattern, locale=self._locale))

    def count(self, value: float) -> str:
        """A large number in a few letters.

        >>> translator("en").count(11_689_512), translator("zh_CN").count(11_689_512)
        ('11.7 M', '1170 万')
        """
        steps = self.language.counts
        for size, unit in steps:
            # Rounded first: 999,999 is 1 M, not 1000 k; below the smallest unit the number is told in full.
            if abs(_rounded(value / size)) >= 1 and abs(value) >= steps[-1][0]:
                return self.number(value / size, 3).replace(",", "") + unit
        return self.number(round(value, 2) if value != int(value) else int(value))

    def size(self, num_bytes: float) -> str:
        """So many bytes, in decimal units.

        >>> translator("en").size(44_700_000)
        '44.7 MB'
        """
        for step, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if _rounded(num_bytes / step) >= 1 and num_bytes >= 1e3:
                return f"{self.number(num_bytes / step, 3)} {unit}"
        return f"{self.number(int(num_bytes))} B"

    def duration(self, seconds: float) -> str:
        """A time in its two largest units.

        >>> translator("en").duration(130), translator("zh_CN").duration(130)
        ('2 min 10 s', '2 分 10 秒')
        """
        units = self.language.durations
        if seconds < 0.995:
            return f"{self.number(seconds * 1000, 2)} {units[4]}"
        if seconds < 9.95:
            return f"{self.number(seconds, 2)} {units[3]}"
        whole = round(seconds)
        parts = [(whole // 86400, units[0]), (whole // 3600 % 24, units[1]), (whole // 60 % 60, units[2])]
        parts.append((whole % 60, units[3]))
        first = next((i for i, (n, _) in enumerate(parts) if n), 3)
        return " ".join(f"{n} {unit}" for n, unit in parts[first : first + 2] if n)

    def time(self, timestamp: float) -> str:
        """A moment, in this machine's time zone."""
        from babel.dates import format_datetime

        moment = datetime.fromtimestamp(timestamp)
        return str(format_datetime(moment, self.language.moment, locale=self._locale))

    def listed(self, words: Iterable[str]) -> str:
        """Words one after another: red, blue; 红、蓝."""
        return self.language.list_sign.join(words)

    def either(self, words: Sequence[str]) -> str:
        """Words to choose from: red, blue or green; 红、蓝或绿."""
        if len(words) < 2:
            return self.listed(words)
        return self(N_("{words} or {last}"), words=self.listed(words[:-1]), last=words[-1])

    def pair(self, name: str, text: str) -> str:
        """A name and what it is: size: 3 MB; 大小：3 MB."""
        return f"{name}{self.language.colon}{text}"


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def pick_language(wanted: str | None) -> str:
    """The language to speak for a browser's or a user's wish.

    >>> pick_language("zh-Hans-CN"), pick_language("de"), pick_language(None)
    ('zh_CN', 'en', 'en')
    """
    code = (wanted or "").replace("-", "_").lower().partition("_")[0]
    return next((row.id for row in LANGUAGES.values() if row.code == code), SOURCE.id)


@lru_cache(maxsize=len(LANGUAGES))
def translator(language: str) -> Translator:
    """The translator of a language of `LANGUAGES`; English for the source text itself."""
    row = LANGUAGES[language]
    source = LOCALES / language / "LC_MESSAGES" / "graft.po"
    if row is SOURCE or not source.exists():
        return Translator(row, gettext.NullTranslations())
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with source.open("rb") as file:
        messages = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return Translator(row, gettext.GNUTranslations(compiled))
