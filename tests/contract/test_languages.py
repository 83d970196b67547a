"""Every language of the table: its catalogue, its signs and units, its examples; and what the table refuses."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import datetime

import pytest

from core.i18n import LANGUAGES, LOCALES, SOURCE, Language, build_languages, pick_language, translator
from core.locales import texts as locales_texts
from core.predict.tasks.checks import split_labels
from core.registry.tasks import TASKS

EVERY = pytest.mark.parametrize("row", LANGUAGES.values(), ids=list(LANGUAGES))


@EVERY
def test_catalogue_compiles_and_lacks_nothing(row: Language) -> None:
    if row is SOURCE:
        assert not (LOCALES / row.id).exists(), "the texts of the code are its catalogue"
        return
    path = LOCALES / row.id / "LC_MESSAGES" / "graft.po"
    assert locales_texts.update(path, locales_texts.find_texts(), check=True) == []
    translator.cache_clear()
    assert translator(row.id)("Saving") != "Saving"


def test_every_catalogue_belongs_to_a_language() -> None:
    assert {path.name for path in LOCALES.iterdir() if path.is_dir() and path.name[0] != "_"} == {
        name for name in LANGUAGES if name != SOURCE.id
    }


@EVERY
def test_numbers_lists_and_times_are_told_in_its_own_units(row: Language) -> None:
    _ = translator(row.id)
    assert _.listed(["a", "b", "c"]) == f"a{row.list_sign}b{row.list_sign}c"
    assert _.pair("a", "b") == f"a{row.colon}b"
    assert [size for size, _unit in row.counts] == sorted({size for size, _unit in row.counts}, reverse=True)
    for size, unit in row.counts:
        assert _.count(3 * size) == f"3{unit}"
    spans = (86_400, 3600, 60, 1, 0.001)
    assert [_.duration(span) for span in spans] == [f"1 {unit}" for unit in row.durations]
    told = _.time(datetime(2026, 3, 5, 14, 7).timestamp())
    assert re.findall(r"\d+", told)[-2:] == ["14", "07"]
    assert "5" in told.removesuffix("14:07")
    assert _.number(1234567) != "1234567", "thousands are grouped"


@EVERY
def test_a_browser_that_asks_for_it_gets_it(row: Language) -> None:
    assert pick_language(row.tag) == row.id
    assert pick_language(row.code) == row.id
    assert pick_language(f"{row.code}-XX") == row.id


@EVERY
def test_labels_may_be_separated_as_the_language_does(row: Language) -> None:
    for sign in row.label_signs:
        assert split_labels(f"a{sign}b") == ["a", "b"]


@EVERY
def test_every_example_is_there(row: Language) -> None:
    given = [
        (task.id, entry.name, entry.examples) for task in TASKS.values() for entry in task.inputs if entry.examples
    ]
    assert given
    assert [(task, name) for task, name, examples in given if not examples.get(row.code)] == []


def test_a_half_filled_row_is_refused() -> None:
    for field in fields(Language):
        empty = "" if isinstance(getattr(SOURCE, field.name), str) else ()
        with pytest.raises(ValueError, match="half-filled"):
            replace(SOURCE, **{field.name: empty})
    with pytest.raises(ValueError, match="half-filled"):
        replace(SOURCE, durations=("d", "h", "min", "s", ""))
    with pytest.raises(ValueError, match="half-filled"):
        replace(SOURCE, counts=((1e3, ""),))


def test_a_language_stands_in_one_row() -> None:
    with pytest.raises(ValueError, match="two rows"):
        build_languages([SOURCE, SOURCE])
    with pytest.raises(ValueError, match="two rows"):
        build_languages([SOURCE, replace(SOURCE, id="en_GB")])


def test_no_code_asks_for_a_language_by_name() -> None:
    """Whoever needs a fact of the reader's language asks its row."""
    for path in [
        *locales_texts.ROOT.joinpath("core").rglob("*.py"),
        *locales_texts.ROOT.joinpath("pages").rglob("*.py"),
    ]:
        asked = re.search(r"\b_?\w*\.language(\.\w+)?(\.startswith\(| [!=]= )", path.read_text(encoding="utf-8"))
        assert asked is None, f"{path}: {asked}"
