"""Chinese sentiment from characters: hashed n-grams, one weight each, a sum.

Runs of one to three characters are hashed into buckets (Weinberger et al. 2009), weighted by their rarity and
scaled to length one (TF-IDF, Spärck Jones 1972), and summed with the weights of a logistic regression. The
sum can be taken apart again: what a character contributed is exact, not estimated.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LONGEST = 3  # characters of an n-gram
BITS = 18
MAX_CHARS = 2000
_START, _END = "\x02", "\x03"


def plain_characters(text: str) -> list[tuple[str, int]]:
    """Each character that counts, in its compatible lower form, with its place in the text; blanks are passed."""
    kept = []
    for place, character in enumerate(text[:MAX_CHARS]):
        for plain in unicodedata.normalize("NFKC", character).casefold():
            if not plain.isspace():
                kept.append((plain, place))
    return kept


def find_buckets(characters: Sequence[str]) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """(the bucket of every n-gram, the first and last character each covers); the ends count as characters."""
    line = _START + "".join(characters) + _END
    buckets, spans = [], []
    mask = (1 << BITS) - 1
    for size in range(1, LONGEST + 1):
        for start in range(len(line) - size + 1):
            buckets.append(zlib.crc32(line[start : start + size].encode()) & mask)
            spans.append((start, start + size))
    return np.array(buckets, dtype=np.int64), spans


class CharacterModel:
    """Texts → log-odds of the second class. `idf` and `weight` have a value for each bucket."""

    def __init__(self, idf: Floats, weight: Floats, bias: float) -> None:
        self.idf, self.weight, self.bias = idf, weight, bias

    def logit(self, text: str) -> float:
        """The log-odds of one text."""
        buckets = np.unique(find_buckets([c for c, _ in plain_characters(text)])[0])
        idf = self.idf[buckets]
        return float(self.weight[buckets] @ idf / np.linalg.norm(idf)) + self.bias

    def logits(self, texts: Sequence[str]) -> Floats:
        """The log-odds [N]."""
        return np.array([self.logit(text) for text in texts])

    def contributions(self, text: str) -> Floats:
        """What each character of a text adds to its log-odds [len(text)]: an n-gram's share goes to its characters.

        Their sum, the marks of beginning and end and the bias together are the log-odds.
        """
        characters = plain_characters(text)
        buckets, spans = find_buckets([c for c, _ in characters])
        unique, counts = np.unique(buckets, return_counts=True)
        norm = float(np.linalg.norm(self.idf[unique]))
        times = dict(zip(unique.tolist(), counts.tolist(), strict=True))
        shares = np.zeros(len(text))
        for bucket, (first, last) in zip(buckets.tolist(), spans, strict=True):
            # A repeated n-gram counts once: each place gets its share.
            share = self.weight[bucket] * self.idf[bucket] / norm / times[bucket] / (last - first)
            for place in range(first, last):
                if 0 < place <= len(characters):
                    shares[characters[place - 1][1]] += share
        return shares


def load_characters(path: Path) -> CharacterModel:
    """The model that `save_characters` wrote."""
    from safetensors.numpy import load_file

    tensors = load_file(path)
    return CharacterModel(
        tensors["idf"].astype(np.float64), tensors["weight"].astype(np.float64), float(tensors["bias"][0])
    )


def save_characters(model: CharacterModel, path: Path) -> None:
    """Write a model in half precision."""
    from safetensors.numpy import save_file

    tensors = {"idf": model.idf, "weight": model.weight, "bias": np.array([model.bias])}
    save_file({name: value.astype(np.float16) for name, value in tensors.items()}, path)
