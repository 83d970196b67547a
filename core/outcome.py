"""What a run found out, as plain values with their sentences: what the command line prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core import runs
from core.errors import Problem
from core.findings import explain_finding
from core.messages import explain
from core.store import Run
from core.verdicts import explain_verdict

_SUMMARY = (
    "test", "val", "train_seconds", "best_epoch", "epochs_done", "images_per_s", "engine", "phases", "data",
    "rows", "column", "answered_by", "counts", "texts_per_s",
)  # fmt: skip


def results(run: Run) -> dict[str, Any]:
    """What a run found out, for the top level of the JSON."""
    seconds = None if run.started_at is None or run.ended_at is None else run.ended_at - run.started_at
    found = {**{name: run.summary[name] for name in _SUMMARY if name in run.summary}, "seconds": seconds}
    if run.kind == "compare":
        found |= _compared(run)
    if run.kind == "optimize":
        found |= _optimized(run)
    return found


def sentence(problem: Mapping[str, Any]) -> str:
    """The sentence of a problem as a run or a report keeps it."""
    return explain(Problem.from_dict(problem))


def _compared(run: Run) -> dict[str, Any]:
    """What a comparison found so far: its cells, and its conclusions with their sentences."""
    report = runs.read_report(run.id) or {}
    told = [{**finding, "sentence": explain_finding(finding)} for finding in report.get("conclusions", [])]
    parts: dict[str, Any] = {
        name: report[name] for name in ("cells", "families", "pairs", "equivalents") if name in report
    }
    return {**parts, "conclusions": told}


def _optimized(run: Run) -> dict[str, Any]:
    """What an optimization found so far: the original, every variant, and what is to be said of them."""
    report = runs.read_report(run.id) or {}
    variants = []
    for row in report.get("variants", []):
        told = [{**problem, "sentence": sentence(problem)} for problem in row.get("problems") or []]
        verdict = row.get("verdict")
        variants.append(
            {
                **row,
                "problems": told,
                "verdict": {**verdict, "sentence": explain_verdict(verdict)} if verdict else None,
            }
        )
    conclusions = [{**row, "sentence": explain_verdict(row)} for row in report.get("conclusions", [])]
    parts = {name: report.get(name) for name in ("original", "recommended", "conditions")}
    return {**parts, "variants": variants, "conclusions": conclusions}


def variant_lines(found: Mapping[str, Any]) -> list[str]:
    """An optimization's variants for a terminal: a line of numbers each, its verdict or reason below."""
    rows = [found["original"]] if found.get("original") else []
    lines = []
    for row in [*rows, *found.get("variants", [])]:
        numbers = [f"{row['size_mb']:8.1f} MB"] if row.get("size_mb") is not None else []
        numbers += [f"{row['latency_p50_ms']:8.2f} ms"] if row.get("latency_p50_ms") is not None else []
        numbers += [f"{row['accuracy']:7.1%}"] if row.get("accuracy") is not None else []
        mark = "*" if row["name"] == found.get("recommended") else " "
        lines.append(f"{mark} {row['name']:32} {row['status']:8}" + "".join(numbers))
        told = [row["verdict"]["sentence"]] if row.get("verdict") else []
        told += [problem["sentence"] for problem in row.get("problems") or [] if not told]
        lines += [f"      {words}" for words in told]
    return lines
