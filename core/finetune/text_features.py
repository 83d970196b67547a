"""The frozen part of a text network: computed once per text, kept, shared between runs.

Below a head that is one vector of each text, kept exactly; below the last layers it is a state of each token,
kept in bf16 one after another without padding.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch

from core.cache import RowStore, cache_folder
from core.finetune.autotune import ComputeChoice, Timing, autocast
from core.networks.text import TextClassifier, TokenBatch
from core.networks.tokens import Ints, Tokens
from core.progress import PhaseClock

_ROWS_AT_ONCE = 10_000  # texts whose tokens are looked for together


class FrozenEncoder:
    """What the first `cut` blocks give for any rows of a data set, computed at most once."""

    def __init__(
        self,
        model: TextClassifier,
        cut: int,
        tokens: Tokens,
        engine: ComputeChoice,
        content: str,
        device: torch.device,
        clock: PhaseClock,
    ) -> None:
        """`content` tells network, weights and texts from all others (`core.networks.identity`)."""
        self.model, self.cut, self.tokens, self.device, self.clock = model, cut, tokens, device, clock
        self.engine = engine.replace(prefix="eager")
        self._content = content
        self.timings: list[Timing] = []
        self.rows_computed = self.rows_expected = 0
        self._is_pooled = cut == model.num_blocks
        width = int(getattr(model.config, "hidden_size", 0) or model.config.d_model)
        # Where a text's tokens begin among all tokens; of pooled features there is one row for each text.
        sizes = np.minimum(tokens.lengths, 1) if self._is_pooled else tokens.lengths
        self._starts = np.concatenate([[0], np.cumsum(sizes)]) if not self._is_pooled else np.arange(len(sizes) + 1)
        facts = f"{content}|{cut}|{engine.prefix_precision}"
        if not self._is_pooled:  # the places depend on which rows were encoded
            facts += hashlib.sha256(np.ascontiguousarray(tokens.lengths).tobytes()).hexdigest()
        self.key = hashlib.sha256(facts.encode()).hexdigest()[:24]
        kind: Any = np.float32 if self._is_pooled else np.uint16
        self._store = RowStore(cache_folder("features", self.key), int(self._starts[-1]), (width,), kind)

    @property
    def row_bytes(self) -> int:
        """Bytes of a text, on average."""
        tokens = 1 if self._is_pooled else float(self.tokens.lengths[self.tokens.lengths > 0].mean())
        return int(self._store.row_bytes * tokens)

    def missing(self, rows: Ints) -> int:
        """How many of these rows are still to be computed."""
        return len(self._missing(rows))

    def exact(self) -> FrozenEncoder | None:
        """The same as a saved model computes it, in fp32; None where what is kept is rounded."""
        if not self._is_pooled:
            return None
        if self.engine.prefix_precision == "fp32":
            return self
        engine = self.engine.exact()
        return FrozenEncoder(self.model, self.cut, self.tokens, engine, self._content, self.device, self.clock)

    def _missing(self, rows: Ints) -> Ints:
        if self._is_pooled:
            return self._store.missing(rows)
        parts = np.split(rows, range(_ROWS_AT_ONCE, len(rows), _ROWS_AT_ONCE))
        return np.concatenate([rows[:0], *(self._incomplete(part) for part in parts if len(part))])

    def _incomplete(self, rows: Ints) -> Ints:
        """Of a text that a killed writer began, or whose rows were damaged, only some tokens may be there."""
        owners = np.repeat(np.arange(len(rows)), self._starts[rows + 1] - self._starts[rows])
        places = self._places(rows)
        incomplete = owners[np.isin(places, self._store.missing(places))]
        return rows[np.unique(incomplete)]

    def read(self, rows: Ints) -> TokenBatch:
        """The rows' tokens with what the frozen part gives for them; what is missing is computed and kept."""
        missing = np.unique(self._missing(rows))
        if len(missing):
            self._compute(missing)
        batch = self.tokens(rows, self.device)
        if self._is_pooled:
            return batch.with_hidden(torch.from_numpy(self._store.read(rows)).to(self.device))
        places = self._places(rows)
        kept = torch.from_numpy(self._store.read(places)).view(torch.bfloat16).float()
        hidden = torch.zeros(*batch.ids.shape, kept.shape[-1])
        hidden[batch.mask.cpu().bool()] = kept
        return batch.with_hidden(hidden.to(self.device))

    def _places(self, rows: Ints) -> Ints:
        """Where the tokens of rows lie, one text behind the other."""
        sizes = self._starts[rows + 1] - self._starts[rows]
        before = np.cumsum(sizes) - sizes
        places: Ints = np.arange(int(sizes.sum())) + np.repeat(self._starts[rows] - before, sizes)
        return places

    def _compute(self, rows: Ints) -> None:
        batch = self.tokens(rows, self.device)
        was_training = self.model.training
        self.model.eval()
        precision = self.engine.replace(precision=self.engine.prefix_precision)
        with torch.inference_mode(), autocast(precision, self.device):
            hidden = self.model.run_prefix(batch, self.cut).float().cpu()
        self.model.train(was_training)
        if self._is_pooled:
            self._store.write(rows, hidden.numpy())
        else:
            kept = hidden[batch.mask.cpu().bool()].to(torch.bfloat16).view(torch.uint16).numpy()
            self._store.write(self._places(rows), kept)
        self.rows_computed += len(rows)
        self.clock.work("prefix", len(rows))
