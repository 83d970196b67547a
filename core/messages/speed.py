"""How a speed that was timed here is told: with its interval, and with what disturbed it."""

from __future__ import annotations

from dataclasses import dataclass

from core.i18n import N_, Translator
from core.values import Joint, Plain, Times, Value

# An interval whose ends are this many times apart supports no number but its lower end.
_WIDE = 1.5


@dataclass(frozen=True)
class Speed(Value):
    """How many times faster, with the 95% interval; where that is wide or the machine was busy, what it is at least.

    Reports of earlier versions kept no interval.
    """

    ratio: float
    low: float | None
    high: float | None
    is_busy: bool
    words: tuple[str, str, str]  # with the interval, at least, without an interval

    def said(self, _: Translator) -> str:
        told, at_least, alone = self.words
        if self.low is None or self.high is None:
            return _(alone, ratio=Times(self.ratio).said(_))
        ends = {"low": Times(self.low).said(_), "high": Times(self.high).said(_)}
        if self.is_busy or self.high > _WIDE * self.low:
            return _(at_least, **ends)
        return _(told, ratio=Times(self.ratio).said(_), **ends)


@dataclass(frozen=True)
class _Timed(Joint):
    words: tuple[str, str, str]

    def read(self, name: str, plain: Plain) -> Value:
        ends = plain.get(f"{name}_low"), plain.get(f"{name}_high")
        return Speed(plain[name], *ends, plain.get("others") is not None, self.words)


@dataclass(frozen=True)
class Busy(Value):
    """What is said of other work that disturbed the timing, after a sentence; nothing where there was none."""

    processors: float | None

    def said(self, _: Translator) -> str:
        return "" if self.processors is None else _(_DISTURBED, processors=_.number(self.processors, 2))


class _Disturbed(Joint):
    def read(self, name: str, plain: Plain) -> Value:
        return Busy(plain.get("others"))


FASTER = _Timed(
    (
        N_("{ratio} times faster here (95%: {low} to {high})"),
        N_("at least {low} times faster here (95%: {low} to {high})"),
        N_("{ratio} times faster here"),
    )
)
AS_FAST = _Timed((N_("{ratio} (95%: {low} to {high})"), N_("{low} to {high}"), "{ratio}"))
BUSY = _Disturbed()
_DISTURBED = N_(
    " Other work kept {processors} processors busy while this was timed, so it may not hold: repeat it when the "
    "machine is idle."
)
