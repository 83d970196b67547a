"""Bytes of a text file to text, in the encoding that they are in."""

from __future__ import annotations

import re
from itertools import islice

from core.errors import DataError
from core.problems import Problem

# Bytes that are no UTF-8, as Python marks them, and what they are in a Western file.
_WESTERN = {0xDC00 + byte: bytes([byte]).decode("cp1252", errors="replace") for byte in range(0x80, 0x100)}

# -- encodings ---------------------------------------------------------------------------------------------


def decode_text(raw: bytes, name: str) -> tuple[str, list[Problem]]:
    """Bytes as text: by its mark, else UTF-8, else what Korean, Chinese or Western Windows writes.

    Of UTF-8 with a few bytes of a Western file pasted in, each is read as what it is.

    Raises `DataError` when none fits.
    """
    marks = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
    for encoding in [known for mark, known in marks if raw.startswith(mark)] + ["utf-8"]:
        try:
            return raw.decode(encoding), []
        except UnicodeDecodeError:
            continue
    mixed = _mixed(raw, name)
    if mixed is not None:
        return mixed
    for encoding, fits in (("cp949", _is_korean), ("gb18030", _is_chinese), ("cp1252", _is_western)):
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


def _mixed(raw: bytes, name: str) -> tuple[str, list[Problem]] | None:
    """UTF-8 among which single bytes are Western; None where that is not what a text is."""
    escaped = raw.decode("utf-8-sig", errors="surrogateescape")
    odd = len(escaped) - len(escaped.encode(errors="ignore").decode())
    if 3 * odd > len(escaped) - len(escaped.encode("ascii", errors="ignore")):  # told without a list of them all
        return None
    text = escaped.translate(_WESTERN)
    foreign = _foreign(text)
    # Letters with marks, quotes and dashes; among Chinese a stray byte is a character cut apart.
    if len(foreign) - odd < 2 * odd or sum(character > "\u2fff" for character in foreign) > len(foreign) / 10:
        return None
    return text, [Problem("data.encoding_mixed", "warning", "data", {"name": name, "n": odd})]


def _foreign(text: str) -> str:
    """The first characters of a text that are not ASCII."""
    return "".join(found[0] for found in islice(re.finditer(r"[^\x00-\x7f]+", text), 20_000))


def _is_chinese(text: str) -> bool:
    """Whether what is not ASCII is everyday Chinese: GB18030 decodes nearly anything, but to rare characters."""
    foreign = _foreign(text)
    return len(foreign.encode("gb2312", errors="ignore")) > 1.9 * len(foreign)


def _is_korean(text: str) -> bool:
    """Whether nearly all that is not ASCII is Hangul, with the syllables that Korean cannot do without."""
    hangul = re.findall("[\uac00-\ud7a3]", _foreign(text))
    common = sum(syllable in "이다는을를가고에의하요지" for syllable in hangul)
    return len(hangul) >= 20 and len(hangul) > 0.95 * len(_foreign(text)) and common > 0.1 * len(hangul)


def _is_western(text: str) -> bool:
    """Whether most letters are ASCII: in other scripts read as a Western one hardly any are."""
    return len(_foreign(text)) < 0.3 * sum(map(str.isalpha, text[:200_000])) + 1
