"""A classifier as the Hugging Face Trainer wants it: rows go in, `{"loss", "logits"}` comes out.

Rows are numbers into the data set, so that a batch can be read from the cache of the frozen part, from the
stored pictures or tokens, or be varied anew, all in one place and on whole batches.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from core.data.images import ImageData
from core.data.texts import TextData
from core.data.token_lengths import split_by_length
from core.finetune.autotune import ComputeChoice
from core.finetune.image_features import FrozenPrefix
from core.finetune.text_features import FrozenEncoder
from core.networks import folding, text_learning
from core.networks.image import ImageClassifier
from core.networks.text import TextClassifier
from core.networks.tokens import LengthGrouped, Tokens
from core.networks.transforms import Augment, Batcher


def seed_everything(seed: int) -> None:
    """Let Python, numpy and torch (all its devices) draw the same random numbers from now on."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class LabelledRows(Protocol):
    """What training needs to know of any data set."""

    labels: list[str]
    targets: NDArray[np.int64]
    alike: NDArray[np.int64]  # for every row the first of the same content
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


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

    model: ImageClassifier | TextClassifier
    data: LabelledRows
    prefix: FrozenPrefix | FrozenEncoder | None

    def __init__(self, cut: int, device: torch.device, class_weights: Tensor | None) -> None:
        super().__init__()
        self.cut, self.device = cut, device
        self._class_weights = None if class_weights is None else class_weights.to(device)
        self.last_loss = torch.zeros(())
        self.last_right = torch.zeros(())
        self._teacher: Tensor | None = None
        self._teacher_weight, self._heat = 0.0, 1.0

    def learn_from(self, teacher: Tensor | None, weight: float, heat: float) -> None:
        """Learn from a teacher's logits [rows of the data, C] too (Hinton et al. 2015).

        The loss becomes (1 - weight) cross-entropy + weight heat² KL(teacher || student), both softened by `heat`.
        """
        self._teacher, self._teacher_weight, self._heat = teacher, weight, heat

    def logits(self, rows: NDArray[np.int64]) -> Tensor:
        """Logits [n, C] of rows of the data set."""
        found: Tensor = self.model.head(self.features(rows))
        return found

    def features(self, rows: NDArray[np.int64]) -> Tensor:
        """What the head answers from, of rows of the data set."""
        raise NotImplementedError

    def use(self, engine: ComputeChoice) -> None:
        """Lie in memory as this engine says."""

    def forgo_prefix(self) -> None:
        """Compute the frozen part anew for every batch."""
        self.prefix = None

    @contextmanager
    def exactly(self) -> Iterator[None]:
        """Within: read nothing that was kept in fewer digits than a saved model computes with."""
        kept, cut, exact = self.prefix, self.cut, self.prefix.exact() if self.prefix else None
        if exact is None:
            self.forgo_prefix()
        else:
            self.prefix = exact
        try:
            yield
        finally:
            if kept is not None and exact is not None and exact is not kept:
                kept.rows_computed += exact.rows_computed
            self.prefix, self.cut = kept, cut

    def learning(self, recipe: int) -> AbstractContextManager[None]:
        """Within: as it is while it learns by that recipe, which may take less time and memory than to be whole."""
        return nullcontext()

    def candidates(self, engine: ComputeChoice) -> list[ComputeChoice]:
        """Other ways to compute a training step that are worth timing."""
        return []

    def sampler(self, batch_size: int, seed: int) -> torch.utils.data.Sampler[int] | None:
        """The order of the training rows; None for the Trainer's own random one."""
        return None

    def batches(self, rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
        """Places of `rows`, each once, in the batches in which answering them is quickest; `size` where it is alike."""
        return np.array_split(np.arange(len(rows)), range(size, len(rows), size))

    def forward(self, rows: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """rows int64 [n], labels int64 [n] → logits [n, C] and, with labels, the mean cross-entropy."""
        logits = self.logits(rows.cpu().numpy()).float()
        if labels is None:
            return {"logits": logits}
        loss = F.cross_entropy(logits, labels, weight=self._class_weights)
        if self._teacher is not None:
            soft = F.log_softmax(self._teacher[rows.cpu()].to(logits.device) / self._heat, 1)
            apart = F.kl_div(F.log_softmax(logits / self._heat, 1), soft, log_target=True, reduction="batchmean")
            loss = (1 - self._teacher_weight) * loss + self._teacher_weight * self._heat**2 * apart
        if self.training:
            self.last_loss = loss.detach()
            self.last_right = (logits.detach().argmax(1) == labels).sum()
        return {"loss": loss, "logits": logits}

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


def balanced_weights(data: LabelledRows) -> Tensor:
    """Weights [C] that let every class count as much in the loss, however few its training rows are."""
    counts = np.bincount(data.targets[data.train], minlength=len(data.labels)).astype(np.float64)
    present = counts > 0
    weights = np.where(present, counts.sum() / (present.sum() * np.maximum(counts, 1)), 0.0)
    return torch.from_numpy(weights).float()


class ImageLearner(Learner):
    """Pictures: from the cache of the frozen part, or from the stored squares."""

    def __init__(
        self,
        model: ImageClassifier,
        cut: int,
        batcher: Batcher,
        data: ImageData,
        prefix: FrozenPrefix | None,
        augment: Augment = "none",
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__(cut, batcher.device, class_weights)
        self.model: ImageClassifier = model
        self.data: ImageData = data
        self.prefix: FrozenPrefix | None = prefix
        self.batcher, self.augment = batcher, augment

    def features(self, rows: NDArray[np.int64]) -> Tensor:
        return self.model.run(self._hidden(rows), self.cut)

    def _hidden(self, rows: NDArray[np.int64]) -> Tensor:
        if self.prefix is not None:
            return self.prefix.read(rows)
        x = self.batcher(self.data.pixels.read(rows), self.augment if self.training else "none")
        if self.cut == 0:
            return x
        with torch.no_grad():
            return self.model.run(x, 0, self.cut)

    def learning(self, recipe: int) -> AbstractContextManager[None]:
        return folding.learning_quickly(self.model) if recipe >= 4 else nullcontext()

    def use(self, engine: ComputeChoice) -> None:
        channels_last = engine.layout == "channels_last"
        if channels_last != self.batcher.channels_last:
            self.model.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
            self.batcher = dataclasses.replace(self.batcher, channels_last=channels_last)
            if self.prefix is not None:
                self.prefix.batcher = self.batcher

    def candidates(self, engine: ComputeChoice) -> list[ComputeChoice]:
        return [engine.replace(layout="contiguous")]


class TextLearner(Learner):
    """Texts: as tokens, or with what the frozen part gave for them."""

    def __init__(
        self,
        model: TextClassifier,
        cut: int,
        tokens: Tokens,
        data: TextData,
        prefix: FrozenEncoder | None,
        device: torch.device,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__(cut, device, class_weights)
        self.model: TextClassifier = model
        self.data: TextData = data
        self.prefix: FrozenEncoder | None = prefix
        self.tokens = tokens

    def forgo_prefix(self) -> None:
        super().forgo_prefix()
        self.cut = 0  # the whole network runs; what is frozen keeps no graph

    def features(self, rows: NDArray[np.int64]) -> Tensor:
        batch: Any = self.tokens(rows, self.device) if self.prefix is None else self.prefix.read(rows)
        return self.model.run(batch, self.cut)

    def learning(self, recipe: int) -> AbstractContextManager[None]:
        return text_learning.learning_quickly(self.model.net, self.tokens.used) if recipe >= 3 else nullcontext()

    def sampler(self, batch_size: int, seed: int) -> torch.utils.data.Sampler[int] | None:
        return LengthGrouped(self.tokens.lengths[self.data.train], batch_size, seed)

    def batches(self, rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
        lengths = self.tokens.lengths[rows]
        if self.device.type == "cpu":
            return split_by_length(lengths)
        order = np.argsort(lengths, kind="stable")
        return [order[places] for places in super().batches(rows, size)]
