"""The report of an optimization while it is at work: the rows as they stand, and what follows from them, in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import RunError
from core.files import to_json, write_atomically
from core.optimize.rows import Conditions, OptimizeReport, OptimizeSummary, OriginalRow, VariantRow
from core.optimize.variants import Variant
from core.optimize.verdicts import conclude, recommend
from core.problems import Problem
from core.values import Finding

# What of the original and of the recommended variant stands in the summary of a run.
_OF_ORIGINAL = ("accuracy", "interval", "n", "latency_p50_ms", "throughput", "size_mb")
_OF_BEST = ("name", "ratios", "loss", "accuracy", "size_mb")


class ReportWriter:
    """Keeps the newest row of each variant; every change is written."""

    def __init__(self, path: Path, rows: Iterable[VariantRow], limit: float) -> None:
        self._path, self._limit = path, limit
        self._rows = {row.name: row for row in rows}
        self._always: tuple[Finding, ...] = ()
        self.report = OptimizeReport()
        self._write()

    def row(self, name: str) -> VariantRow:
        """The newest row of a variant."""
        return self._rows[name]

    @property
    def rows(self) -> list[VariantRow]:
        """All rows, in the order of the plan."""
        return list(self._rows.values())

    def put(self, row: VariantRow) -> VariantRow:
        """Take the newer row of a variant; returns it."""
        self._rows[row.name] = row
        self._write()
        return row

    def begin(self, conditions: Conditions, always: Iterable[Finding], problems: Iterable[Problem]) -> None:
        """What holds from now on: how everything is measured, and what is to be said whatever comes out."""
        self._always = tuple(always)
        self.report = replace(self.report, conditions=conditions, problems=tuple(problems))

    def put_original(self, row: OriginalRow) -> OriginalRow:
        """Take the newer row of the original; returns it."""
        self.report = replace(self.report, original=row)
        self._write()
        return row

    def note_memory(self, peak_mb: float | None) -> None:
        """The peak of the original's process is known when it has ended."""
        if self.report.original is not None:
            self.report = replace(self.report, original=replace(self.report.original, memory_mb=peak_mb))
        for row in self.rows:
            if row.memory_mb and peak_mb and row.ratios:
                self._rows[row.name] = replace(row, ratios={**row.ratios, "memory": peak_mb / row.memory_mb})
        self._write()

    def _write(self) -> None:
        name = recommend(self.rows, self._limit)
        conclusions = (*conclude(self.rows, name, self._limit), *self._always)
        self.report = replace(self.report, variants=tuple(self.rows), recommended=name, conclusions=conclusions)
        write_atomically(self._path, to_json(self.report.as_dict()))


def read_done(path: Path, plan: Sequence[Variant]) -> dict[str, VariantRow]:
    """The rows of the variants that an earlier attempt finished, as far as they were asked about all the same rows."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    rows = OptimizeReport.from_dict(kept).variants
    names = {variant.name for variant in plan}
    finished = [row for row in rows if row.status == "broken" or (row.status == "done" and row.validation_loss)]
    return {row.name: row for row in finished if row.name in names}


def raise_if_nothing_worked(rows: Sequence[VariantRow]) -> None:
    """Raises `RunError` with the reason of the first that failed."""
    failed = [row for row in rows if row.status == "failed"]
    if failed and not any(row.status in ("done", "broken") for row in rows):
        first = [problem for problem in failed[0].problems if problem.severity == "error"]
        raise RunError([Problem("optimize.all_failed", values={"n": len(failed)}), *first])


def summary_of(report: OptimizeReport, seconds: dict[str, float]) -> OptimizeSummary:
    """What a run keeps in the store of a finished report."""
    row = report.row(report.recommended)
    best = row.as_dict() if row else None
    conditions = report.conditions
    return {
        "task": conditions["task"],
        "variants": len(report.variants),
        "done": len(report.measured),
        "recommended": report.recommended,
        "conclusions": list(report.conclusions),
        "original": {name: getattr(report.original, name, None) for name in _OF_ORIGINAL},
        "best": {name: best[name] for name in _OF_BEST} if best else None,
        "data": {**conditions["data"], "test": conditions["test"]},
        "phases": seconds,
        "problems": [problem.as_dict() for problem in report.problems],
    }
