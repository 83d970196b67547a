"""Texts as the tokens of a model: encoded once per run, put into batches of their own length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.data.token_lengths import MOST_READ, SAMPLE
from core.networks.text import TokenBatch
from core.progress import PhaseClock

Ints = NDArray[np.int64]
# Batches on a GPU are padded to a multiple of this, as its matrix units like it. A processor gains nothing by it: of
# short texts a quarter of its work would be padding.
_PAD_TO = 8
_CHUNK = 1000
# Whatever the language, so many letters are more tokens than are ever read where nothing is said.
_LOOKED_AT_CHARS = 40 * MOST_READ
# As many batches are sorted by length together: batches stay mixed and are hardly padded.
_POOL_BATCHES = 50


class Tokens:
    """The tokens of some rows of a data set, cut to `max_length`."""

    def __init__(self, texts: list[str], rows: Ints, tokenizer: Any, max_length: int, clock: PhaseClock | None) -> None:
        self.max_length, self.pad = max_length, int(tokenizer.pad_token_id or 0)
        # The ids of all rows one behind the other, and where each row's begin: of many short texts an array for each
        # would take ten times as much.
        parts: list[NDArray[np.int32]] = []
        self._starts = np.zeros(len(texts), dtype=np.int64)
        self.lengths = np.zeros(len(texts), dtype=np.int64)
        self.num_cut = self.num_unknown = self.num_tokens = 0
        unknown = tokenizer.unk_token_id
        for start in range(0, len(rows), _CHUNK):
            if clock is not None:
                clock.raise_if_stopped()
            part = rows[start : start + _CHUNK].tolist()
            encoded = list(_encode(tokenizer, [texts[row] for row in part], max_length))
            kept = [ids or [self.pad] for ids, _ in encoded]
            lengths = np.fromiter(map(len, kept), dtype=np.int64, count=len(kept))
            flat = np.fromiter(chain.from_iterable(kept), dtype=np.int32, count=int(lengths.sum()))
            self._starts[part] = self.num_tokens + np.cumsum(lengths) - lengths
            self.lengths[part] = lengths
            parts.append(flat)
            self.num_cut += sum(is_cut for _, is_cut in encoded)
            self.num_tokens += len(flat)
            self.num_unknown += 0 if unknown is None else int((flat == unknown).sum())
        self._ids = np.concatenate([np.zeros(0, dtype=np.int32), *parts])

    def __call__(self, rows: Ints, device: torch.device | None = None) -> TokenBatch:
        """Rows as one batch, padded to the longest of them; on a GPU to a multiple of eight."""
        pad_to = 1 if device is None or device.type == "cpu" else _PAD_TO
        width = min(self.max_length, -(-int(self.lengths[rows].max()) // pad_to) * pad_to)
        ids = np.full((len(rows), width), self.pad, dtype=np.int64)
        is_there = np.arange(width) < self.lengths[rows][:, None]
        ids[is_there] = self._ids[(self._starts[rows][:, None] + np.arange(width))[is_there]]
        mask = is_there.astype(np.int64)
        return TokenBatch(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))

    @property
    def used(self) -> Ints:
        """The ids that occur, padding among them, each once."""
        return np.union1d(self._ids, np.array([self.pad], dtype=np.int32)).astype(np.int64)

    @property
    def share_cut(self) -> float:
        """The share of texts that are longer than `max_length`."""
        return self.num_cut / max(1, int((self.lengths > 0).sum()))

    @property
    def share_unknown(self) -> float:
        """The share of tokens that the model does not know."""
        return self.num_unknown / max(1, self.num_tokens)


def measure_lengths(texts: Sequence[str], tokenizer: Any) -> list[int]:
    """How many tokens each text has for this tokenizer, as far as that decides how much is read.

    Of many texts every so manieth is looked at, of a very long one the beginning.
    """
    some = [text[:_LOOKED_AT_CHARS] for text in texts[:: max(1, len(texts) // SAMPLE)]]
    return [len(ids) for ids in tokenizer(some, truncation=False, verbose=False)["input_ids"]] if some else []


def _encode(tokenizer: Any, texts: list[str], max_length: int) -> Iterator[tuple[list[int], bool]]:
    """The tokens of each text, at most `max_length`, and whether it has more than these."""
    found = tokenizer(
        texts, truncation=True, max_length=max_length, return_attention_mask=False, return_token_type_ids=False
    )
    if found.encodings is not None:
        for encoding in found.encodings:
            yield encoding.ids, bool(encoding.overflowing)
        return
    # Written in Python: these do not say what they cut, but one token more tells.
    longer = tokenizer(texts, truncation=True, max_length=max_length + 1)["input_ids"]
    for ids, more in zip(found["input_ids"], longer, strict=True):
        yield ids, len(more) > max_length


class LengthGrouped(torch.utils.data.Sampler[int]):
    """Places of a split in an order whose batches hold texts of about one length.

    The order depends on seed and epoch alone, so that a resumed run goes on exactly where it was.
    """

    def __init__(self, lengths: Ints, batch_size: int, seed: int) -> None:
        self._lengths, self._batch_size, self._seed, self._epoch = lengths, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self._seed, self._epoch))
        order = random.permutation(len(self._lengths))
        size = self._batch_size
        # What fills no batch comes last, and may be dropped: drawn anew in each epoch, whatever its length.
        order, rest = np.split(order, [len(order) - len(order) % size])
        pools = [order[i : i + size * _POOL_BATCHES] for i in range(0, len(order), size * _POOL_BATCHES)]
        ordered = np.concatenate([rest[:0], *(pool[np.argsort(-self._lengths[pool], kind="stable")] for pool in pools)])
        batches = [ordered[i : i + size] for i in range(0, len(ordered), size)]
        yield from np.concatenate([rest[:0], *(batches[i] for i in random.permutation(len(batches))), rest]).tolist()
