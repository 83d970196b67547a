"""Texts as the tokens of a model: encoded once per run, put into batches of their own length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        self._ids: dict[int, NDArray[np.int32]] = {}
        self.lengths = np.zeros(len(texts), dtype=np.int64)
        self.num_cut = self.num_unknown = self.num_tokens = 0
        unknown = tokenizer.unk_token_id
        for start in range(0, len(rows), _CHUNK):
            if clock is not None:
                clock.raise_if_stopped()
            part = rows[start : start + _CHUNK].tolist()
            encoded = _encode(tokenizer, [texts[row] for row in part], max_length)
            for row, (ids, is_cut) in zip(part, encoded, strict=True):
                kept = np.asarray(ids or [self.pad], dtype=np.int32)
                self._ids[row], self.lengths[row] = kept, len(kept)
                self.num_cut += is_cut
                self.num_tokens += len(kept)
                self.num_unknown += 0 if unknown is None else int((kept == unknown).sum())

    def __call__(self, rows: Ints, device: torch.device | None = None) -> TokenBatch:
        """Rows as one batch, padded to the longest of them; on a GPU to a multiple of eight."""
        pad_to = 1 if device is None or device.type == "cpu" else _PAD_TO
        width = min(self.max_length, -(-int(self.lengths[rows].max()) // pad_to) * pad_to)
        ids = np.full((len(rows), width), self.pad, dtype=np.int64)
        for place, row in enumerate(rows.tolist()):
            ids[place, : self.lengths[row]] = self._ids[row]
        mask = (np.arange(width) < self.lengths[rows][:, None]).astype(np.int64)
        return TokenBatch(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))

    @property
    def used(self) -> Ints:
        """The ids that occur, padding among them, each once."""
        return np.unique(np.concatenate([np.array([self.pad], dtype=np.int32), *self._ids.values()])).astype(np.int64)

    @property
    def share_cut(self) -> float:
        """The share of texts that are longer than `max_length`."""
        return self.num_cut / max(1, len(self._ids))

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
    found = tokenizer(texts, truncation=True, max_length=max_length)
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
