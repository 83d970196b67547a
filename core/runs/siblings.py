"""Runs that were started together, compared: a table, and whether the best one is really better.

Two runs are compared on the same test rows only, by their predictions of every row: the difference of two
accuracies says little where the same pictures are easy for both.
"""

from __future__ import annotations

from itertools import combinations
from typing import NotRequired, TypedDict

from core.store import Run, Store, open_store
from core.values import Finding


class SiblingRow(TypedDict):
    """A run of the group: what it tried, what it reached on the test and what it cost, as far as it got."""

    run: str
    name: str
    status: str
    method: str | None
    weights: str | None
    last_blocks: int | None
    accuracy: float | None
    interval: list[float] | None
    n: int | None
    seconds: float | None
    train_seconds: float | None
    trainable_parameters: int | None
    peak_memory_mb: float | None
    size_mb: float | None


class SiblingPair(TypedDict):
    """Two done runs and, where they were tested on the same rows, the paired test of them."""

    a: str
    b: str
    comparable: bool
    n: NotRequired[int]
    a_accuracy: NotRequired[float]
    b_accuracy: NotRequired[float]
    difference: NotRequired[float]
    interval: NotRequired[list[float]]
    p: NotRequired[float]
    better: NotRequired[str | None]


class SiblingComparison(TypedDict):
    """The runs of a group, the most accurate first, every two of those that are done, and what follows."""

    group: str
    rows: list[SiblingRow]
    pairs: list[SiblingPair]
    conclusion: Finding | None


def compare_siblings(group: str, store: Store | None = None) -> SiblingComparison:
    """The runs of a group with what they reached and cost, and a conclusion.

    Codes: `compare.better`, `compare.no_difference`, `compare.not_comparable`, `compare.waiting` while a run
    is active, None when fewer than two runs are done.
    """
    store = store or open_store()
    runs = store.list_runs(sibling_group=group)
    rows = sorted(
        (_row(run, store) for run in runs), key=lambda row: (row["accuracy"] is None, -(row["accuracy"] or 0))
    )
    done = {run.id: run for run in runs if run.status == "done"}
    ranked = [done[row["run"]] for row in rows if row["run"] in done and row["accuracy"] is not None]
    pairs = [_pair(a, b) for a, b in combinations(ranked, 2)]
    return {"group": group, "rows": rows, "pairs": pairs, "conclusion": _conclude(runs, ranked, pairs)}


def _row(run: Run, store: Store) -> SiblingRow:
    summary, test = run.summary, run.summary.get("test") or {}
    model = [artifact.bytes for artifact in store.list_artifacts(run.id) if artifact.kind == "model"]
    return {
        "run": run.id,
        "name": run.name,
        "status": run.status,
        "method": run.spec.get("method"),
        "weights": (run.spec.get("model") or {}).get("weights"),
        "last_blocks": run.spec.get("last_blocks"),
        "accuracy": test.get("accuracy"),
        "interval": test.get("interval"),
        "n": test.get("n"),
        "seconds": _seconds(run),
        "train_seconds": summary.get("train_seconds"),
        "trainable_parameters": summary.get("trainable_parameters"),
        "peak_memory_mb": summary.get("peak_memory_mb"),
        "size_mb": sum(model) / 1e6 if model else None,
    }


def _seconds(run: Run) -> float | None:
    return None if run.started_at is None or run.ended_at is None else run.ended_at - run.started_at


def _pair(a: Run, b: Run) -> SiblingPair:
    """The paired test of two done runs; `comparable` is False when their tests were not the same."""
    pair: SiblingPair = {"a": a.id, "b": b.id, "comparable": False}
    mine, other = (run.summary.get("data") or {} for run in (a, b))
    # Row numbers mean the same pictures only within the same data.
    if mine.get("fingerprint") != other.get("fingerprint") or mine.get("labels") != other.get("labels"):
        return pair
    from core.evaluate import compare_paired

    try:
        tested = compare_paired(*(run.folder / "artifacts" / "predictions.parquet" for run in (a, b)))
    except (OSError, ValueError):  # predictions were removed, or the rows differ
        return pair
    return {
        "a": a.id,
        "b": b.id,
        "comparable": True,
        "n": tested["n"],
        "a_accuracy": tested["a_accuracy"],
        "b_accuracy": tested["b_accuracy"],
        "difference": tested["difference"],
        "interval": tested["interval"],
        "p": tested["p"],
        "better": {"a": a.id, "b": b.id}.get(tested["better"] or ""),
    }


def _conclude(runs: list[Run], ranked: list[Run], pairs: list[SiblingPair]) -> Finding | None:
    """The best against the runner-up, in a code and the values of its sentence."""
    waiting = sum(run.is_active for run in runs)
    if waiting and len(runs) > 1:
        return {"code": "compare.waiting", "values": {"n": waiting}}
    if len(ranked) < 2:
        return None
    best, second = ranked[:2]
    pair = pairs[0]  # combinations() begins with the first two
    names: dict[str, object] = {"best": best.name, "second": second.name, "best_run": best.id, "second_run": second.id}
    if not pair["comparable"]:
        return {"code": "compare.not_comparable", "values": names}
    low, high = pair["interval"]
    values: dict[str, object] = {
        **names,
        "best_accuracy": pair["a_accuracy"],
        "second_accuracy": pair["b_accuracy"],
        "difference": pair["difference"],
        "low": low,
        "high": high,
        "p": pair["p"],
        "n": pair["n"],
    }
    code = "compare.better" if pair["better"] == best.id else "compare.no_difference"
    return {"code": code, "values": values}
