"""What is wrong, as a code with values: the sentence stands in `core.messages`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

_SHOWN = 3


def shown(name: str) -> str:
    """A name from a file as it may be shown: short, without control characters.

    >>> shown("cat\\x07.png")
    'cat�.png'
    """
    return "".join(c if c.isprintable() else "�" for c in name)[:80]


def told(code: str, names: list[str]) -> list[Problem]:
    """A warning that names the first few of what is odd; nothing where nothing is."""
    if not names:
        return []
    listed = ", ".join(shown(name) for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return [Problem(code, "warning", "data", {"n": len(names), "names": listed})]


Severity = Literal["error", "warning"]


class ProblemRow(TypedDict):
    """A problem as runs and reports keep it; told to people, it has its sentence beside."""

    code: str
    severity: Severity
    field: str | None
    values: dict[str, object]  # whatever the code's sentence names
    sentence: NotRequired[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: an error blocks, a warning asks.

    `field` names the spec's field it belongs to, so that a form can show it there.
    """

    code: str
    severity: Severity = "error"
    field: str | None = None
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def as_dict(self) -> ProblemRow:
        return {
            "code": self.code,
            "severity": self.severity,
            "field": self.field,
            "values": dict(self.values),
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Problem:
        """A problem as a run or a report keeps it."""
        return cls(kept["code"], kept.get("severity", "error"), kept.get("field"), kept.get("values") or {})
