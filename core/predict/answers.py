"""What a model answers about a text: its label and probabilities, who answered, and which words spoke for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from core.problems import Problem, ProblemRow

# What a cell of a table of answers holds.
Cell = str | float | None
# The classes of a picture with their probabilities, the likeliest first.
Ranking = Sequence[tuple[str, float]]
# More pieces than this are too many to leave out one by one: neighbours are left out together.
MAX_PIECES = 64

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a]")
# A word with what belongs to it (don't, 3.5), a run of a script without blanks, or whatever stands between.
_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_PIECE = re.compile(
    rf"(?P<word>[^\W_{_UNSPACED}]+(?:['’.-][^\W_{_UNSPACED}]+)*)|(?P<run>[{_UNSPACED}]+)|(?P<rest>.)", re.DOTALL
)


@dataclass(frozen=True)
class TextAnswer:
    """One text's answer. `label` is a class, `unsure`, `declined`, or empty where there was nothing to read."""

    label: str
    probabilities: dict[str, float] = field(default_factory=dict)  # of every class, the likeliest first
    model: str = ""  # what answered: an id
    reason: str = ""  # a code of core.messages where no model could answer

    @property
    def confidence(self) -> float | None:
        """The probability of the likeliest class."""
        return max(self.probabilities.values(), default=None)


@dataclass(frozen=True)
class Piece:
    """A part of a text and how much it spoke for a class, in log-odds: negative against it, 0 not at all."""

    text: str
    weight: float = 0.0


class AnswersSummary(TypedDict):
    """What a run that answered a file keeps beside its table, as JSON."""

    kind: NotRequired[Literal["texts", "pictures"]]  # texts where an old run does not say
    rows: int
    answered_by: list[str]
    counts: dict[str, int]  # how often each answer was given, the commonest first
    seconds: float
    problems: list[ProblemRow]
    column: NotRequired[str]  # of the texts
    texts_per_s: NotRequired[float | None]
    pictures_per_s: NotRequired[float | None]


class AnsweredRow(TypedDict):
    """A row of `report.json`: a text, or a picture by its file, with its answer."""

    label: str
    confidence: float | None
    text: NotRequired[str]
    model: NotRequired[str]
    reason: NotRequired[str]  # a code where no model could answer; in a table for people its sentence
    file: NotRequired[str]


# What is told of several texts that were not answered for one reason.
_OF_SEVERAL = {
    "predict.other_language": "predict.other_languages",
    "predict.no_letters": "predict.without_letters",
    "predict.nothing_to_read": "predict.nothing_to_read_in_several",
}


def not_answered(reasons: Mapping[str, int], total: int) -> list[Problem]:
    """What is told of texts that no model could answer, by how many there are of each reason."""
    return [
        Problem(_OF_SEVERAL[reason], "warning", "file", {"n": n, "total": total})
        for reason, n in reasons.items()
        if reason in _OF_SEVERAL
    ]


def count_letters(text: str) -> tuple[int, int]:
    """How many Chinese and how many Latin letters a text has."""
    return len(_HAN.findall(text)), len(_LATIN.findall(text))


def language_of(text: str) -> str | None:
    """`zh` or `en` (any Latin script) by a text's letters; None when it has neither."""
    han, latin = count_letters(text)
    if not han and not latin:
        return None
    return "zh" if 3 * han >= latin else "en"  # a Chinese word has about a third of an English one's letters


def split_pieces(text: str) -> list[tuple[str, bool]]:
    """A text cut into words (True) and what stands between (False); joined they are the text again.

    Chinese is cut into words by jieba. Long texts are cut into at most `MAX_PIECES` groups of neighbouring words.
    """
    import rjieba

    parts: list[tuple[str, bool]] = []
    for match in _PIECE.finditer(text):
        if match.lastgroup == "run":
            parts += [(word, True) for word in rjieba.cut(match[0])]
        elif match.lastgroup == "rest" and parts and not parts[-1][1]:
            parts[-1] = (parts[-1][0] + match[0], False)
        else:
            parts.append((match[0], match.lastgroup == "word"))
    words = sum(is_word for _, is_word in parts)
    if words <= MAX_PIECES:
        return parts
    size = -(-words // MAX_PIECES)
    grouped: list[tuple[str, bool]] = []
    count = size
    for part, is_word in parts:
        count += is_word
        if is_word and count > size:
            grouped.append((part, True))
            count = 1
        elif grouped:
            grouped[-1] = (grouped[-1][0] + part, grouped[-1][1])
        else:
            grouped.append((part, False))
    return grouped
