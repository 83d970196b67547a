"""Int8 with a guard: where plain int8 loses too much, which layers to leave in float is searched on validation rows.

Each group of nodes is left in float alone, to see how much nearer the answers come to the network's own (its gain);
then the groups are left in float together, the greatest gain first, until the limit is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from scipy.special import softmax

from core.measurement.runtimes import open_file
from core.optimize.passes.base import FileResult, PassContext
from core.optimize.rows import GroupGain, Reason, Search, SearchEnd
from core.optimize.trained_model import Ints

# Nodes that int8 is about; everything else follows them.
HEAVY_OPS = ("Conv", "Gemm", "MatMul")
_MOST_GROUPS = 20
_SENSITIVITY_ROWS = 256
# Without a choice that keeps the limit, one that halves the root mean square error is good enough.
_GOOD_ENOUGH = 0.25
_MOST_IN_FLOAT = 0.6

Floats = NDArray[np.float32]
Quantize = Callable[[list[str], Path], None]  # (nodes that stay in float, target)


def groups_of(model: onnx.ModelProto) -> dict[str, list[str]]:
    """Nodes by the part of the network they belong to: the finest parts of which there are at most twenty."""
    nodes = [node for node in model.graph.node if node.op_type in HEAVY_OPS]
    layers = {node.name: node.name.rpartition("/")[0].split(".") for node in nodes}
    best: dict[str, list[str]] = {}
    for depth in range(1, 1 + max((len(parts) for parts in layers.values()), default=1)):
        groups: dict[str, list[str]] = {}
        for node in nodes:
            groups.setdefault(".".join(layers[node.name][:depth]), []).append(node.name)
        if len(groups) > _MOST_GROUPS and best:
            break
        best = groups
    return best


@dataclass
class _Look:
    """How one file answers on the validation rows, beside the network in float."""

    logits: Floats
    float_logits: Floats
    targets: Ints | None

    @property
    def error(self) -> float:
        """Mean squared distance of the logits, each row's mean taken out as softmax does not see it."""
        apart = self.logits - self.float_logits
        return float(((apart - apart.mean(1, keepdims=True)) ** 2).mean())

    @property
    def agreement(self) -> float:
        return float((self.logits.argmax(1) == self.float_logits.argmax(1)).mean())

    def loss(self) -> tuple[float, float]:
        """Points lost, and the upper end of the 95% interval: of the probability given to the right class.

        Right or wrong is too coarse for some hundred rows: a label that flips counts a whole row. The probability of
        the right class (of the network's own answer, where the classes are others) moves by what rounding did.
        """
        targets = self.float_logits.argmax(1) if self.targets is None else self.targets
        rows = np.arange(len(targets))
        mine, floats = (softmax(one.astype(np.float64), axis=1) for one in (self.logits, self.float_logits))
        apart = floats[rows, targets] - mine[rows, targets]
        spread = 1.96 * float(apart.std(ddof=1)) / math.sqrt(len(apart))
        return 100 * float(apart.mean()), 100 * (float(apart.mean()) + spread)

    def facts(self) -> SearchEnd:
        points, high = self.loss()
        return {"points": points, "high": high, "agreement": self.agreement}


class GuardedInt8:
    """Quantize one ONNX file, in full or with what the search left out."""

    def __init__(self, context: PassContext, source: Path, quantize: Quantize) -> None:
        self.context, self.source, self.quantize = context, source, quantize
        self.target = context.folder / "model.onnx"
        self.rows = context.trained.data.validation
        self.groups = groups_of(onnx.load(source))

    def run(self) -> FileResult:
        """The file, with what was left in float and why."""
        self.quantize([], self.target)
        search: Search | None = None
        gains: list[GroupGain] | None = None
        if self.context.spec.search and len(self.groups) > 1:
            self.float_logits = self._answers(self.source, self.rows)
            full = self._look(self.target, self.rows)
            if full.loss()[1] <= self.context.spec.max_drop:
                search = self._found(full, full, "not_needed")
            else:
                search, gains = self._search(full)
        nodes = {node.name for node in onnx.load(self.source).graph.node if node.op_type in HEAVY_OPS}
        out = sum(len(self.groups[row["group"]]) for row in gains or [] if row["in_float"])
        return FileResult(self.target, {"quantized": len(nodes) - out, "in_float": out}, search, gains)

    def _found(self, full: _Look, kept: _Look, reason: Reason) -> Search:
        return {
            "full": full.facts(),
            "kept": kept.facts(),
            "groups": len(self.groups),
            "rows": len(self.rows),
            "reason": reason,
        }

    # -- the search --------------------------------------------------------------------------------------
    def _search(self, full: _Look) -> tuple[Search, list[GroupGain]]:
        gains = self._sensitivity()
        order = [name for name, gain in sorted(gains.items(), key=lambda item: -item[1]) if gain > 0]
        tried: list[tuple[int, _Look]] = [(0, full)]
        best = (0, full)
        reason: Reason = "best_found"
        total = sum(map(len, self.groups.values()))
        for count in range(1, len(order) + 1):
            left = [node for name in order[:count] for node in self.groups[name]]
            if len(left) > _MOST_IN_FLOAT * total:
                break
            self.context.clock.raise_if_stopped()
            self.context.clock.phase("search", done=count, total=len(order))
            self.quantize(left, self.target)
            look = self._look(self.target, self.rows)
            tried.append((count, look))
            if look.loss()[1] <= self.context.spec.max_drop:
                best, reason = (count, look), "within_limit"
                break
        if reason == "best_found":
            best = next(
                ((count, look) for count, look in tried if look.error <= _GOOD_ENOUGH * full.error),
                min(tried, key=lambda pair: pair[1].error),
            )
        chosen = order[: best[0]]
        if best[0] != tried[-1][0]:  # what lies there is what was tried last
            self.quantize([node for name in chosen for node in self.groups[name]], self.target)
        search = self._found(full, best[1], reason)
        search["error_left"] = best[1].error / max(full.error, 1e-12)
        rows: list[GroupGain] = [
            {"group": name, "gain": gain, "in_float": name in chosen} for name, gain in gains.items()
        ]
        return search, sorted(rows, key=lambda row: -row["gain"])

    def _sensitivity(self) -> dict[str, float]:
        """For each group, the share of the squared error that goes when it alone stays in float."""
        rows = self.rows[:: max(1, len(self.rows) // _SENSITIVITY_ROWS)][:_SENSITIVITY_ROWS]
        wanted = np.searchsorted(self.rows, rows)
        trial = self.context.folder / "trial.onnx"
        before = self._look(self.target, rows, wanted).error
        gains = {}
        for number, (name, nodes) in enumerate(self.groups.items()):
            self.context.clock.raise_if_stopped()
            self.context.clock.phase("sensitivity", done=number, total=len(self.groups))
            self.quantize(nodes, trial)
            gains[name] = 1 - self._look(trial, rows, wanted).error / max(before, 1e-12)
        trial.unlink(missing_ok=True)
        return gains

    def _look(self, path: Path, rows: Ints, places: Ints | None = None) -> _Look:
        trained = self.context.trained
        targets = trained.data.targets[rows] if trained.is_labelled else None
        of_float = self.float_logits if places is None else self.float_logits[places]
        return _Look(self._answers(path, rows), of_float, targets)

    def _answers(self, path: Path, rows: Ints) -> Floats:
        return answers(self.context, path, "onnx", rows)


def answers(context: PassContext, path: Path, format: str, rows: Ints) -> Floats:
    """Logits [n, C] of rows by a file. Raises `StoppedError` between batches."""
    session = open_file(str(path), format, threads=context.threads, device=context.spec.device)
    logits: Floats = np.zeros((len(rows), len(context.trained.labels)), dtype=np.float32)
    for places, inputs in context.trained.batches(rows, 32):
        context.clock.raise_if_stopped()
        logits[places] = session.run(inputs)
    return logits
