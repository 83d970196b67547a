"""Sentences of codes, in both languages."""

from __future__ import annotations

import re
import string

import pytest

from core.errors import DataError, GraftError, InputError, NotFoundError, StoppedError
from core.i18n import LANGUAGES, translator
from core.messages import PHASES, SENTENCES, WITH_KINDS, explain, explain_phase
from core.problems import Problem


def _placeholders(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]


@pytest.mark.parametrize("code", sorted(SENTENCES.keys() - WITH_KINDS.keys()))
def test_sentence_is_filled_in_every_language(code: str) -> None:
    values = {name: f"<{name}>" for name in _placeholders(SENTENCES[code])}
    for language in LANGUAGES:
        told = explain(Problem(code, values=values), translator(language))
        assert all(value in told for value in values.values())
        assert not re.search(r"[{}!]|Please|please", told)
    assert explain(Problem(code, values=values)) != explain(Problem(code, values=values), translator("zh_CN"))


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_sentence_ends_like_one(code: str) -> None:
    assert SENTENCES[code].endswith((".", "?", "{rule}", "{reason}", ".{busy}"))  # these are sentences of their own


@pytest.mark.parametrize("code", sorted(PHASES))
def test_phase_is_told_in_every_language(code: str) -> None:
    values: dict[str, object] = dict.fromkeys(_placeholders(PHASES[code]), 3)
    told = [explain_phase(code, values, translator(language)) for language in LANGUAGES]
    assert len(set(told)) == len(LANGUAGES)
    assert "{" not in "".join(told)


def test_explaining_shows_code_and_values_when_there_is_no_sentence() -> None:
    assert explain(Problem("some.code", values={"a": 1, "b": "x"})) == "some.code (a=1, b=x)"
    assert explain(Problem("some.code")) == "some.code"
    assert explain_phase("some_phase", {}) == "some_phase"


def test_detail_is_told_in_the_readers_language_where_graft_said_it() -> None:
    problem = Problem("run.archive_unreadable", values={"name": "a.zip", "detail": "manifest.json is missing"})
    assert "manifest.json is missing" in explain(problem)
    assert "is missing" not in explain(problem, translator("zh_CN"))
    assert "manifest.json" in explain(problem, translator("zh_CN"))
    of_library = Problem("run.archive_unreadable", values={"name": "a.zip", "detail": "bad {header} *CRC*"})
    assert "bad {header} *CRC*" in explain(of_library, translator("zh_CN"))


def test_error_tells_all_its_problems_in_words() -> None:
    problems = [
        Problem("spec.patience_never", "warning", "patience", {"patience": 5, "epochs": 3}),
        Problem("spec.few_steps", "warning", "batch_size", {"steps": 9, "batch_size": 128, "rows": 1150}),
        Problem("data.path_missing", field="data", values={"path": "/nowhere"}),
    ]
    error = InputError(problems)
    assert error.problems == tuple(problems)
    assert error.code == "data.path_missing", "the first that blocks names the error"
    assert "/nowhere" in str(error)
    assert "within 3 epochs" in str(error)
    assert InputError("run.name_empty").problems == (Problem("run.name_empty"),)
    assert DataError(problems).exit_code == 2


def test_problem_becomes_plain_values() -> None:
    problem = Problem("data.path_missing", field="data", values={"path": "/x"})
    wanted = {"code": "data.path_missing", "severity": "error", "field": "data", "values": {"path": "/x"}}
    assert problem.as_dict() == wanted


def test_exit_codes_follow_the_kind_of_error() -> None:
    assert (GraftError("x").exit_code, NotFoundError("x").exit_code, StoppedError().exit_code) == (1, 2, 130)
    assert "kept" in str(StoppedError())
