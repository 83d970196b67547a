"""What a run found out, as plain values with their sentences: what the command line prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from core import store
from core.finetune.records import HeadReport, cross_validation_of
from core.finetune.verdicts import baseline_words, cross_validation_words, probe_words
from core.i18n import translator
from core.inspection.records import InspectionReport, tuning_of
from core.messages import explain, explain_finding
from core.problems import Problem
from core.registry.methods import METHODS, MethodSettings
from core.store import Run

_SUMMARY = (
    "test", "val", "fit", "probe", "baseline", "train_seconds", "best_epoch", "epochs_done", "images_per_s", "engine",
    "phases", "data", "max_length", "tokens",
    "kind", "rows", "column", "answered_by", "counts", "texts_per_s", "pictures_per_s", "problems",
    "bytes", "fetched_bytes", "folder", "repository", "revision",
)  # fmt: skip


def results(run: Run) -> dict[str, Any]:
    """What a run found out, for the top level of the JSON."""
    seconds = None if run.started_at is None or run.ended_at is None else run.ended_at - run.started_at
    values = {**{name: run.summary[name] for name in _SUMMARY if name in run.summary}, "seconds": seconds}
    if run.kind == "compare":
        values |= _compared(run)
    if run.kind == "optimize":
        values |= _optimized(run)
    if run.kind == "measure":
        values |= store.read_report(run.id) or {}
    if values.get("problems") or run.kind in ("measure", "predict"):
        values["problems"] = [{**problem, "sentence": sentence(problem)} for problem in values.get("problems", [])]
    return values


def sentence(problem: Mapping[str, Any]) -> str:
    """The sentence of a problem as a run or a report keeps it."""
    return explain(Problem.from_dict(problem))


_LISTED_CLASSES = 20


def data_lines(report: Mapping[str, Any]) -> list[str]:
    """What a data set holds: rows of each split by class, the columns they were found in, and the classes by name."""
    counts: Mapping[str, list[int]] = report.get("counts", {})
    lines = [f"  {split:11} {sum(numbers):7}  {numbers}" for split, numbers in counts.items()]
    columns = report.get("columns", [])
    if len(columns) == 2:
        lines.append(f"  columns     texts from {columns[0]!r}, labels from {columns[1]!r}")
    totals = [sum(numbers) for numbers in zip(*counts.values(), strict=True)]
    named = [f"{label!r} {n}" for label, n in zip(report["labels"], totals, strict=False)]
    more = f", and {len(named) - _LISTED_CLASSES} more" if len(named) > _LISTED_CLASSES else ""
    return [*lines, f"  classes     {', '.join(named[:_LISTED_CLASSES])}{more}"]


def _compared(run: Run) -> dict[str, Any]:
    """What a comparison found so far: its cells, and its conclusions with their sentences."""
    report = store.read_report(run.id) or {}
    conclusions = [{**finding, "sentence": explain_finding(finding)} for finding in report.get("conclusions", [])]
    parts: dict[str, Any] = {
        name: report[name] for name in ("cells", "families", "pairs", "equivalents") if name in report
    }
    return {**parts, "conclusions": conclusions}


def _optimized(run: Run) -> dict[str, Any]:
    """What an optimization found so far: the original, every variant, and what is to be said of them."""
    report = store.read_report(run.id) or {}
    variants = []
    for row in report.get("variants", []):
        problems = [{**problem, "sentence": sentence(problem)} for problem in row.get("problems") or []]
        verdict = row.get("verdict")
        variants.append(
            {
                **row,
                "problems": problems,
                "verdict": {**verdict, "sentence": explain_finding(verdict)} if verdict else None,
            }
        )
    conclusions = [{**row, "sentence": explain_finding(row)} for row in report.get("conclusions", [])]
    parts = {name: report.get(name) for name in ("original", "recommended", "conditions")}
    return {**parts, "variants": variants, "conclusions": conclusions}


def lines(values: Mapping[str, Any]) -> list[str]:
    """What `results` gave for a terminal, where it is more than a line: variants, measured numbers, what was odd."""
    head = [f"  {words}" for words in _head_words(values)] if values.keys() & {"fit", "probe", "baseline"} else []
    more = _measured_lines(values) if "latency_p50_ms" in values else _variant_lines(values)
    return [f"  {problem['sentence']}" for problem in values.get("problems", [])] + head + more


def _head_words(values: Mapping[str, Any]) -> list[str]:
    """How held-out rows were told by the fitted head, and what learning more than simpler ways brought."""
    english, test, probe = translator("en"), values["test"], values.get("probe")
    found = cross_validation_of(cast(HeadReport, values))
    told = [cross_validation_words(found, test["n"], english)] if found else []
    told += [probe_words(probe, test, english)] if probe else []
    return told + ([baseline_words(values["baseline"], test, english)] if "baseline" in values else [])


def _measured_lines(values: Mapping[str, Any]) -> list[str]:
    """The numbers of a measurement, what they hold for, and where the time goes."""
    memory = "" if values["memory_mb"] is None else f", {values['memory_mb']:.0f} MB at most"
    shown = f"texts of {values['tokens']} tokens" if "tokens" in values else f"pictures of {values['image_size']} px"
    random = ", random weights" if values["is_random"] else ""
    numbers = [
        f"  {values['latency_p50_ms']:.2f} ms p50, {values['latency_p95_ms']:.2f} ms p95, one at a time",
        f"  {values['throughput']:.1f} a second, {values['batch_size']} at once",
        f"  {values['load_s']:.1f} s to load{memory}",
        f"  {shown}, {values['runtime']}, {values['precision']}, {values['threads']} threads{random}",
    ]
    return numbers + [f"  {row['ms']:9.2f} ms {row['share']:6.1%}  {row['name']}" for row in values["blocks"]]


def download_words(run: Run) -> str:
    """What a download brought, for a terminal; empty for other runs."""
    if run.kind != "download" or run.status != "done":
        return ""
    return f": {run.summary['bytes'] / 1e6:.1f} MB in {run.summary['folder']}"


def _variant_lines(values: Mapping[str, Any]) -> list[str]:
    """An optimization's variants: a line of numbers each, its verdict or reason below."""
    rows = [values["original"]] if values.get("original") else []
    told_lines = []
    for row in [*rows, *values.get("variants", [])]:
        numbers = [f"{row['size_mb']:8.1f} MB"] if row.get("size_mb") is not None else []
        numbers += [f"{row['latency_p50_ms']:8.2f} ms"] if row.get("latency_p50_ms") is not None else []
        numbers += [f"{row['accuracy']:7.1%}"] if row.get("accuracy") is not None else []
        mark = "*" if row["name"] == values.get("recommended") else " "
        told_lines.append(f"{mark} {row['name']:32} {row['status']:8}" + "".join(numbers))
        sentences = [row["verdict"]["sentence"]] if row.get("verdict") else []
        sentences += [problem["sentence"] for problem in row.get("problems") or [] if not sentences]
        told_lines += [f"      {words}" for words in sentences]
    return told_lines


def inspection_lines(report: InspectionReport) -> list[str]:
    """An inspection for a terminal: its totals, blocks, what each way of tuning trains, and its memory."""
    lines = [f"{report['parameters']:,} parameters, {report['gmacs']:.3f} GMACs, {len(report['layers'])} modules"]
    lines += ["", f"{'block':32} {'parameters':>14} {'MACs':>16}  output"]
    for row in report["blocks"]:
        shape = " × ".join(map(str, (row["output"] or [])[1:]))
        lines.append(f"{row['name']:32} {row['parameters']:14,} {row['macs']:16,}  {shape}")
    tuning = tuning_of(report)
    if tuning is not None:
        lines += ["", f"what tuning trains, with a new head for {tuning.classes} classes"]
        last = MethodSettings.last_blocks
        for name, method in METHODS.items():
            trained = tuning.trained(name, last)
            way = f"{name} {last}" if "last_blocks" in method.fields else name
            lines += [f"{way:32} {trained['parameters']:14,} {trained['share']:16.2%}"] if trained else []
    memory = report.get("memory")
    if memory:
        lines += ["", f"{'memory in MB, by batch size':32} " + " ".join(f"{batch:>8}" for batch in memory["batches"])]
        for way, table in {"inference": memory["inference"], **memory["training"]}.items():
            for precision, by_batch in table.items():
                lines.append(f"{f'{way}, {precision}':32} " + " ".join(f"{mb:8.0f}" for mb in by_batch.values()))
    return lines
