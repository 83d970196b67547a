"""Large texts with emoji are read in half of the memory, and come out as they went in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.data.readers import narrow as narrowing
from core.data.readers.narrow import narrow
from core.data.readers.table import read_table
from core.errors import DataError

# Emoji in texts, classes and a name; a character of no meaning of the table's own; a quote behind a backslash.
CSV = "a title with 🎉\ntext 🎉,label\n" + "".join(
    f'"good {i} 🙂🎉 \ue000 said \\"so\\"",🙂\nplain {i},𠮷\n日本,🙂\n' for i in range(30)
)


def test_a_narrowed_text_takes_half_and_its_table_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV, encoding="utf-8")
    wanted = read_table(path)
    assert narrow(CSV) == (CSV, narrowing.StandIns({})), "a small text stays as it is"
    monkeypatch.setattr(narrowing, "_LEAST_CHARS", 10)
    text, stand_ins = narrow(CSV)
    assert sys.getsizeof(text) < 0.6 * sys.getsizeof(CSV)
    assert len(text) == len(CSV)
    assert set(stand_ins.named.values()) == {"🎉", "🙂", "𠮷"}
    assert "\ue000" not in stand_ins.named
    assert read_table(path) == wanted
    assert "text 🎉" in wanted[0]
    assert "🎉" in str(wanted[1][0].values)


def test_a_text_without_emoji_and_one_with_too_many_kinds_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing, "_LEAST_CHARS", 10)
    for text in ("plain text and 日本語", "".join(map(chr, range(0x20000, 0x20000 + 7000)))):
        assert narrow(text) == (text, narrowing.StandIns({}))


def test_cells_that_unfold_to_too_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV, encoding="utf-8")
    monkeypatch.setattr(narrowing, "_LEAST_CHARS", 10)
    monkeypatch.setattr(narrowing.Held, "add_column", lambda held, cells: held.take(10**9))
    with pytest.raises(DataError, match="300 MB"):
        read_table(path)
