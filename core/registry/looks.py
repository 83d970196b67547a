"""Names and texts as they are seen: what looks the same is the same, and what nobody sees is nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Nothing is seen of them between most letters, and they keep names apart that look the same.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)


def look(name: str) -> str:
    """What is seen of a name: composed letters, single blanks, no marks without a width.

    >>> look("cafe\u0301\u200b ") == look("caf\u00e9")
    True
    """
    if name.isascii():
        return " ".join(name.split())
    return " ".join(_UNSEEN.sub("", unicodedata.normalize("NFC", name)).split())


def one_for_each_look(names: Iterable[str]) -> dict[str, str]:
    """For every name the one that stands for all that look like it: as it looks, where one of them is written so.

    >>> one_for_each_look(["cafe\u0301", "caf\u00e9", "bar"])["cafe\u0301"] == "caf\u00e9"
    True
    """
    by_look: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        by_look.setdefault(look(name) or name, []).append(name)
    return {name: seen if seen in group else group[0] for seen, group in by_look.items() for name in group}
