"""The variants an optimization plans: passes and chains of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.registry.passes import PASSES, KindId


@dataclass(frozen=True)
class Variant:
    """A chain of passes: those that learn, then the one that writes the file."""

    passes: tuple[str, ...]

    @property
    def name(self) -> str:
        """`prune_magnitude+static_int8`; the plain file of a network that learned goes by that pass's name."""
        if len(self.passes) > 1 and self.passes[-1] == "onnx":
            return "+".join(self.passes[:-1])
        return "+".join(self.passes)

    @property
    def parent(self) -> str:
        """The variant it is made from; `original` for the first in a chain."""
        learned = self.learned if self.passes[-1] != "onnx" else self.learned[:-1]
        return "+".join(learned) or "original"

    @property
    def learned(self) -> tuple[str, ...]:
        """The passes of it that learn."""
        return tuple(name for name in self.passes if PASSES[name].learns)

    @property
    def chains(self) -> list[str]:
        """The networks on the way to its file, by the chains of passes that made them, the first learned first."""
        return ["+".join(self.learned[:count]) for count in range(1, len(self.learned) + 1)]

    @property
    def kind(self) -> KindId:
        """What a chart marks it by: the last pass that says something of the network."""
        telling = [name for name in self.passes if name != "onnx"] or list(self.passes)
        return PASSES[telling[-1]].kind


def variants_of(passes: Sequence[str], *, combine: bool) -> list[Variant]:
    """Every variant that is asked for, each once, those without training first.

    With `combine`, networks that learned are quantized too, and all passes that learn make one chain.

    >>> [one.name for one in variants_of(["prune_magnitude", "static_int8"], combine=True)]
    ['static_int8', 'prune_magnitude', 'prune_magnitude+static_int8']
    """
    chosen = [row for row in PASSES.values() if row.id in passes]
    files = [row.id for row in chosen if not row.learns]
    learn = [row.id for row in chosen if row.learns]
    quantized = [row.id for row in chosen if row.quantizes]
    chains: list[tuple[str, ...]] = [(name,) for name in learn]
    if combine and len(learn) > 1:
        chains += [tuple(learn[:count]) for count in range(2, len(learn) + 1)]
    combinations: list[tuple[str, ...]] = [(name,) for name in files]
    for chain in chains:
        combinations.append((*chain, PASSES[chain[-1]].file_pass))
        combinations += [(*chain, name) for name in quantized] if combine else []
    return [Variant(names) for names in dict.fromkeys(combinations)]
