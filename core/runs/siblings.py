"""Runs that were started together, compared: a table, and whether the best one is really better.

Two runs are compared on the same test rows only, by their predictions of every row: the difference of two
accuracies says little where the same pictures are easy for both.
"""

from __future__ import annotations

from itertools import combinations
from typing import NotRequired, TypedDict

from core.evaluate import CleanScores
from core.problems import ProblemRow
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
    without_leaks: NotRequired[CleanScores | None]
    problems: list[ProblemRow]  # what is to be known beside the accuracy
    seconds: float | None
    train_seconds: float | None
    trainable_parameters: int | None
    peak_memory_mb: float | None
    size_mb: float | None


class SiblingPair(TypedDict):
    """Two done runs and, where they were tested on the same rows, the paired test of them.

    Test rows that one of them is trained on are left out: they tell what is remembered.
    """

    a: str
    b: str
    comparable: bool
    nothing_new: NotRequired[bool]  # every shared test row is trained on by one of them
    left_out: NotRequired[int]  # test rows that one of them is trained on
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

    Codes: `compare.better`, `compare.no_difference`, `compare.not_comparable`, `compare.nothing_new`,
    `compare.waiting` while a run is active, None when fewer than two runs are done. The first two end in
    `_without_leaks` where test rows are left out that are trained on too.
    """
    store = store or open_store()
    runs = store.list_runs(sibling_group=group)
    rows = sorted((_row(run, store) for run in runs), key=_rank)
    done = {run.id: run for run in runs if run.status == "done"}
    ranked = [done[row["run"]] for row in rows if row["run"] in done and row["accuracy"] is not None]
    pairs = [_pair(a, b) for a, b in combinations(ranked, 2)]
    return {"group": group, "rows": rows, "pairs": pairs, "conclusion": _conclude(runs, ranked, pairs)}


def _rank(row: SiblingRow) -> tuple[bool, float]:
    """The most accurate first, on what is not trained on too as far as there is any; those not done last."""
    accuracy = (row.get("without_leaks") or row)["accuracy"]
    return accuracy is None, -(accuracy or 0)


def _row(run: Run, store: Store) -> SiblingRow:
    summary, test = run.summary, run.summary.get("test") or {}
    model = [artifact.bytes for artifact in store.list_artifacts(run.id) if artifact.kind == "model"]
    row: SiblingRow = {
        "run": run.id,
        "name": run.name,
        "status": run.status,
        "method": run.spec.get("method"),
        "weights": (run.spec.get("model") or {}).get("weights"),
        "last_blocks": run.spec.get("last_blocks"),
        "accuracy": test.get("accuracy"),
        "interval": test.get("interval"),
        "n": test.get("n"),
        "problems": summary.get("problems") or [],
        "seconds": _seconds(run),
        "train_seconds": summary.get("train_seconds"),
        "trainable_parameters": summary.get("trainable_parameters"),
        "peak_memory_mb": summary.get("peak_memory_mb"),
        "size_mb": sum(model) / 1e6 if model else None,
    }
    if "without_leaks" in test:
        row["without_leaks"] = test["without_leaks"]
    return row


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
    if tested is None:
        return {**pair, "nothing_new": True}
    return {
        "a": a.id,
        "b": b.id,
        "comparable": True,
        "n": tested["n"],
        "left_out": tested["left_out"],
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
        code = "compare.nothing_new" if pair.get("nothing_new") else "compare.not_comparable"
        return {"code": code, "values": names}
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
    is_better = pair["better"] == best.id
    if not pair["left_out"]:
        return {"code": "compare.better" if is_better else "compare.no_difference", "values": values}
    code = "compare.better_without_leaks" if is_better else "compare.no_difference_without_leaks"
    return {"code": code, "values": {**values, "left_out": pair["left_out"]}}
