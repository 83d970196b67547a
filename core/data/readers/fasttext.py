"""Lines of fastText: `__label__CLASS a text`, or several such labels."""

from __future__ import annotations

import json
import re

from core.data.table_rows import Held, Several, Table

_MARK = "__label__"
_LABEL = re.compile(r"(?<!\S)__label__(\S+)")
_LOOKED_AT = 100


def is_fasttext(text: str) -> bool:
    """Whether nearly all of the first lines hold a label as fastText marks them."""
    if _MARK not in text[:10_000]:
        return False
    lines = [line for line in re.split(r"[\r\n]+", text[:200_000], maxsplit=_LOOKED_AT)[:_LOOKED_AT] if line.strip()]
    return sum(_LABEL.search(line) is not None for line in lines) >= 0.9 * len(lines)


def read_fasttext(text: str, name: str) -> Table:
    """Columns text and label. Raises `DataError` for more than is held."""
    texts: list[str] = []
    labels: list[str | None] = []
    held = Held(name)
    for found in re.finditer(r"[^\r\n]+", text):
        line = found[0]
        if line.isspace():
            continue
        own = _LABEL.findall(line)
        label = Several(json.dumps(own, ensure_ascii=False)) if len(own) > 1 else own[0] if own else None
        row = (" ".join(_LABEL.sub(" ", line).split()), label)
        held.add(row)
        texts.append(row[0])
        labels.append(label)
    return {"text": list(texts), "label": list(labels)}
