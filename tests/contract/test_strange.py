"""Strange files, ten of each kind: read, or refused in sentences of both languages, never in Python's words.

`python -m bench strange` asks the command line and its workers about the same files.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.strange_files import KINDS
from core.data.open import open_collection
from core.errors import DataError
from core.i18n import LANGUAGES, translator
from core.messages import explain
from core.predict.picture_files import open_album
from core.predict.text_files import read_questions
from core.problems import Problem
from core.spec import DataRef

_OF_PYTHON = re.compile(r"Error\b|Exception|object has|recursion|codec|NoneType|out of range|<class|set_int_max", re.I)
_OF_PICTURES = ("zip", "folder", "pictures")


def _problems(kind: str, path: Path) -> list[Problem]:
    """What a data check and Predict say of a file."""
    said: list[Problem] = []
    try:
        said += open_collection(DataRef(id=f"path:{path}")).problems
    except DataError as error:
        said += error.problems
        assert said, "a refusal says why"
    try:
        if kind not in _OF_PICTURES:
            said += read_questions(path).problems
        elif kind != "pictures":
            open_album(path)
    except DataError as error:
        said += error.problems
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_strange_file_is_read_or_refused_in_sentences(kind: str, tmp_path: Path) -> None:
    paths = sorted(KINDS[kind](tmp_path))
    assert len(paths) == 10
    for path in paths:
        for problem in _problems(kind, path):
            for language in LANGUAGES:
                sentence = explain(problem, translator(language))
                assert not _OF_PYTHON.search(sentence), (path.name, sentence)
                assert sentence.endswith((".", "。")), (path.name, sentence)
                assert len(sentence) < 1000, path.name
                sentence.encode()
