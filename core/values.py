"""Values of sentences, each with its kind: a count, a share, points, a time. A value knows how it is said.

Runs, reports and `--json` keep plain numbers and texts. What kind each of them is stands once, in the row of its
sentence (`core.messages`); there a plain value becomes a value with a kind, and there it is put into words.
"""

from __future__ import annotations

import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import TypedDict

from core.i18n import Translator

Plain = Mapping[str, Any]  # the values of a code as they are kept: numbers, texts and lists by name


class Finding(TypedDict):
    """What a report says, as it keeps it: a code of `core.messages` and the plain values of its sentence."""

    code: str
    values: dict[str, object]


class Value(ABC):
    """Something a sentence tells."""

    @abstractmethod
    def said(self, _: Translator) -> str:
        """The value in words."""


# -- kinds -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Text(Value):
    """What is said as it is: an id, a path, what a library answered."""

    text: object

    def said(self, _: Translator) -> str:
        return str(self.text)


@dataclass(frozen=True)
class Unknown(Value):
    """What was not found out."""

    def said(self, _: Translator) -> str:
        return "–"


@dataclass(frozen=True)
class Count(Value):
    """How many: 1,200."""

    number: float
    digits: int | None = None  # significant ones, where it is an estimate

    def said(self, _: Translator) -> str:
        return _.number(self.number, self.digits)


@dataclass(frozen=True)
class Times(Value):
    """A ratio, no finer than measuring it twice would give.

    >>> from core.i18n import translator
    >>> Times(6.8421).said(translator("en"))
    '6.8'
    """

    ratio: float

    def said(self, _: Translator) -> str:
        return _.number(self.ratio, 2)


@dataclass(frozen=True)
class Share(Value):
    """A part of a whole: 0.756 is 75.6%."""

    share: float
    decimals: int = 1

    def said(self, _: Translator) -> str:
        return _.percent(self.share, self.decimals)


@dataclass(frozen=True)
class Points(Value):
    """Points of a hundred, no finer than a tenth.

    >>> from core.i18n import translator
    >>> Points(0.349).said(translator("en"))
    '0.3'
    """

    points: float

    def said(self, _: Translator) -> str:
        return _.number(_unsigned_zero(round(self.points, 1)))


@dataclass(frozen=True)
class Gap(Value):
    """How far two shares are apart, in points: 0.25 is 25.0. An interval's ends have as many decimals as its middle."""

    share: float
    decimals: int = 1

    def said(self, _: Translator) -> str:
        return _.percent(_unsigned_zero(round(self.share, 2 + self.decimals)), self.decimals).removesuffix("%")


@dataclass(frozen=True)
class Seconds(Value):
    """How long something took: 2 min 10 s."""

    seconds: float

    def said(self, _: Translator) -> str:
        return _.duration(self.seconds)


@dataclass(frozen=True)
class PValue(Value):
    """A p value as far as it is worth telling, with its sign.

    >>> from core.i18n import translator
    >>> PValue(0.0213).said(translator("en")), PValue(0.00002).said(translator("en"))
    ('= 0.021', '< 0.001')
    """

    p: float

    def said(self, _: Translator) -> str:
        return "< 0.001" if self.p < 0.001 else f"= {_.number(self.p, 2)}"


@dataclass(frozen=True)
class Listed(Value):
    """Several values, with the list sign of the language."""

    values: tuple[Value, ...]

    def said(self, _: Translator) -> str:
        return _.listed([value.said(_) for value in self.values])


def _unsigned_zero(value: float) -> float:
    return value + 0.0  # -0 + 0 is 0


# -- from plain values -------------------------------------------------------------------------------------


class Joint(ABC):
    """A kind that several of the plain values decide together."""

    @abstractmethod
    def read(self, name: str, plain: Plain) -> Value:
        """The value that stands for `name` in the sentence."""


Kind = Callable[[Any], Value] | Joint


@dataclass(frozen=True)
class Each:
    """A list whose members are of one kind."""

    kind: Callable[[Any], Value]

    def __call__(self, members: Iterable[Any]) -> Value:
        return Listed(tuple(self.kind(member) for member in members))


@dataclass(frozen=True)
class Within(Joint):
    """A share or a gap told as finely as its 95% interval supports; `low` and `high` name its ends.

    >>> from core.i18n import translator
    >>> accuracy = Within(Share, "low", "high")
    >>> accuracy.read("share", {"share": 0.787, "low": 0.76, "high": 0.81}).said(translator("en"))
    '78.7%'
    >>> accuracy.read("share", {"share": 0.787, "low": 0.6, "high": 0.9}).said(translator("en"))
    '79%'
    """

    kind: type[Share] | type[Gap]
    low: str
    high: str

    def read(self, name: str, plain: Plain) -> Value:
        low, high = plain.get(self.low), plain.get(self.high)
        # An interval of ten points and more supports no decimal of a point.
        is_narrow = low is None or high is None or high - low < 0.1
        return self.kind(plain[name], 1 if is_narrow else 0)


@dataclass(frozen=True)
class Sentence:
    """The sentence of a code and the kind of each value that it tells. Refused when one of them has no kind."""

    text: str
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = {name for _, name, _, _ in string.Formatter().parse(self.text) if name is not None}
        if named != set(self.kinds):
            raise ValueError(
                f"the sentence tells {sorted(named)}, kinds are given for {sorted(self.kinds)}: {self.text}"
            )

    def fill(self, plain: Plain, translate: Translator) -> str:
        """The sentence in the translator's language, with its values in words."""
        return translate(self.text, **{name: self.value(name, plain).said(translate) for name in self.kinds})

    def value(self, name: str, plain: Plain) -> Value:
        """What stands for `name` in the sentence."""
        if name in plain and plain[name] is None:
            return Unknown()
        kind = self.kinds[name]
        return kind.read(name, plain) if isinstance(kind, Joint) else kind(plain[name])
