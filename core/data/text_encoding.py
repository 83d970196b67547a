"""Bytes of a text file to text, in the encoding that they are in."""

from __future__ import annotations

import re
from itertools import islice

from core.errors import DataError
from core.problems import Problem

# -- encodings ---------------------------------------------------------------------------------------------


def decode_text(raw: bytes, name: str) -> tuple[str, list[Problem]]:
    """Bytes as text: by its mark, else UTF-8, else GB18030 (what Chinese Windows writes), else Western.

    Raises `DataError` when none fits.
    """
    marks = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
    for encoding in [known for mark, known in marks if raw.startswith(mark)] + ["utf-8"]:
        try:
            return raw.decode(encoding), []
        except UnicodeDecodeError:
            continue
    for encoding, fits in (("gb18030", _is_chinese), ("cp1252", _is_western)):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if fits(text):
            return text, [Problem("data.encoding_guessed", "warning", "data", {"name": name, "encoding": encoding})]
    # UTF-8 with a few damaged bytes: the rest is worth reading.
    text = raw.decode("utf-8-sig", errors="replace")
    damaged = text.count("\ufffd")
    if damaged * 20 <= len(_foreign(text)):
        return text, [Problem("data.damaged_characters", "warning", "data", {"name": name, "n": damaged})]
    raise DataError("data.encoding_unknown", name=name)


def _foreign(text: str) -> str:
    """The first characters of a text that are not ASCII."""
    return "".join(found[0] for found in islice(re.finditer(r"[^\x00-\x7f]+", text), 20_000))


def _is_chinese(text: str) -> bool:
    """Whether what is not ASCII is everyday Chinese: GB18030 decodes nearly anything, but to rare characters."""
    foreign = _foreign(text)
    return len(foreign.encode("gb2312", errors="ignore")) > 1.9 * len(foreign)


def _is_western(text: str) -> bool:
    """Whether most letters are ASCII: in other scripts read as a Western one hardly any are."""
    return len(_foreign(text)) < 0.3 * sum(map(str.isalpha, text[:200_000])) + 1
