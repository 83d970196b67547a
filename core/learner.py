"""A classifier as the Hugging Face Trainer wants it: rows go in, `{"loss", "logits"}` comes out.

Rows are numbers into the data set, so that a batch can be read from the cache of the frozen part, from the
stored pictures, or be varied anew, all in one place and on whole batches.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from core.batches import Augment, Batcher
from core.data import ImageData
from core.models import ImageClassifier
from core.prefix import FrozenPrefix


class Rows(torch.utils.data.Dataset[int]):
    """The row numbers of a split; what they stand for is read later, by the batch."""

    def __init__(self, rows: NDArray[np.int64], targets: NDArray[np.int64]) -> None:
        self.rows, self.targets = rows, targets

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> int:
        return int(self.rows[index])

    def collate(self, rows: list[int]) -> dict[str, Tensor]:
        index = np.asarray(rows, dtype=np.int64)
        return {"rows": torch.from_numpy(index), "labels": torch.from_numpy(self.targets[index])}


class Learner(nn.Module):
    """The network, its frozen part and its data, as one module that the Trainer can train."""

    def __init__(
        self,
        model: ImageClassifier,
        cut: int,
        batcher: Batcher,
        data: ImageData,
        prefix: FrozenPrefix | None,
        augment: Augment = "none",
    ) -> None:
        super().__init__()
        self.model, self.cut, self.augment = model, cut, augment
        self.batcher, self.data, self.prefix = batcher, data, prefix
        self.last_loss = torch.zeros(())
        self.last_right = torch.zeros(())

    def forward(self, rows: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """rows int64 [n], labels int64 [n] → logits [n, C] and, with labels, the mean cross-entropy."""
        logits = self.model.head(self.model.run(self._hidden(rows), self.cut)).float()
        if labels is None:
            return {"logits": logits}
        loss = F.cross_entropy(logits, labels)
        if self.training:
            self.last_loss = loss.detach()
            self.last_right = (logits.detach().argmax(1) == labels).sum()
        return {"loss": loss, "logits": logits}

    def _hidden(self, rows: Tensor) -> Tensor:
        index = rows.cpu().numpy()
        if self.prefix is not None:
            return self.prefix.read(index)
        x = self.batcher(self.data.pixels.read(index), self.augment if self.training else "none")
        if self.cut == 0:
            return x
        with torch.no_grad():
            return self.model.run(x, 0, self.cut)

    # -- what learns, apart from what does not -------------------------------------------------------
    def learned_state(self) -> dict[str, Tensor]:
        """Copies of all that training changes: trainable parameters and the buffers of their modules."""
        return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in self._learned().items()}

    def load_learned_state(self, state: dict[str, Tensor]) -> None:
        """Put back what `learned_state` gave. Raises KeyError when it belongs to another network or method."""
        own = self._learned()
        if own.keys() != state.keys():
            raise KeyError(f"the checkpoint holds {len(state)} tensors, this run learns {len(own)}")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(state[name])

    def _learned(self) -> dict[str, Tensor]:
        learned: dict[str, Tensor] = {}
        for prefix, module in self.model.named_modules():
            own = dict(module.named_parameters(prefix, recurse=False))
            learned |= {name: p for name, p in own.items() if p.requires_grad}
            # Buffers change with their module's parameters, and in modules that have none (the head's norm).
            if not own or any(p.requires_grad for p in own.values()):
                learned |= dict(module.named_buffers(prefix, recurse=False))
        return learned
