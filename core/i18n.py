"""Words and numbers in the reader's language.

English is the source text: `_("Start training")`. Translations live in
`core/locales/<language>/LC_MESSAGES/graft.po`, compiled in memory by Babel at first use, so that no
generated file can be stale. Numbers, sizes and durations follow the same language.
"""

from __future__ import annotations

import gettext
import io
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from babel import Locale
from babel.dates import format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

LANGUAGES = {"en": "English", "zh_CN": "简体中文"}
LOCALES = Path(__file__).parent / "locales"


def N_(text: str) -> str:
    """Mark a text for translation where it is defined; it is translated where it is shown."""
    return text


class Translator:
    """One language: call it with an English text and the values of its placeholders."""

    def __init__(self, language: str, catalog: gettext.NullTranslations) -> None:
        self.language = language
        self._locale = Locale.parse(language)  # by its name, each number would look it up anew: twenty times as long
        self._catalog = catalog

    def __call__(self, text: str, /, **values: object) -> str:
        translated = self._catalog.gettext(text) if text else ""
        return translated.format(**values) if values else translated

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The form that `n` asks for; `{n}` is filled with the grouped number."""
        return self._catalog.ngettext(one, many, n).format(n=self.number(n), **values)

    def number(self, value: float, digits: int | None = None) -> str:
        """A number with grouped thousands; `digits` significant digits if given."""
        if digits is not None and value:
            value = float(f"{value:.{digits}g}")
        return str(format_decimal(value, locale=self._locale))

    def percent(self, fraction: float, decimals: int = 1) -> str:
        """0.756 → 75.6%."""
        pattern = "#,##0%" if decimals == 0 else "#,##0." + "0" * decimals + "%"
        return str(format_percent(fraction, format=pattern, locale=self._locale))

    def count(self, value: float) -> str:
        """11,689,512 → 11.7 M, 1170 万."""
        chinese = self.language.startswith("zh")
        steps = [(1e8, " 亿"), (1e4, " 万")] if chinese else [(1e9, " B"), (1e6, " M"), (1e3, " k")]
        for size, unit in steps:
            # Rounded first: 999,999 is 1 M, not 1000 k; below the smallest unit the number is told in full.
            if abs(_rounded(value / size)) >= 1 and abs(value) >= steps[-1][0]:
                return self.number(value / size, 3).replace(",", "") + unit
        return self.number(round(value, 2) if value != int(value) else int(value))

    def size(self, num_bytes: float) -> str:
        """44,700,000 → 44.7 MB (decimal units)."""
        for step, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if _rounded(num_bytes / step) >= 1 and num_bytes >= 1e3:
                return f"{self.number(num_bytes / step, 3)} {unit}"
        return f"{self.number(int(num_bytes))} B"

    def duration(self, seconds: float) -> str:
        """130 → 2 min 10 s, 2 分 10 秒."""
        units = ("天", "小时", "分", "秒", "毫秒") if self.language.startswith("zh") else ("d", "h", "min", "s", "ms")
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
        pattern = "M月d日 HH:mm" if self.language.startswith("zh") else "d MMM, HH:mm"
        return str(format_datetime(datetime.fromtimestamp(timestamp), pattern, locale=self._locale))


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def pick_language(wanted: str | None) -> str:
    """The language to speak for a browser's or a user's wish ("zh-Hans-CN" → "zh_CN")."""
    return "zh_CN" if (wanted or "").replace("-", "_").lower().startswith("zh") else "en"


@lru_cache(maxsize=len(LANGUAGES))
def translator(language: str) -> Translator:
    """The translator of a language of `LANGUAGES`; English for the source text itself."""
    source = LOCALES / language / "LC_MESSAGES" / "graft.po"
    if language == "en" or not source.exists():
        return Translator(language, gettext.NullTranslations())
    with source.open("rb") as file:
        messages = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return Translator(language, gettext.GNUTranslations(compiled))
