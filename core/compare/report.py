"""A comparison in words and tables to carry away: all cells as csv, the whole as Markdown.

What was held equal and what was not is said here once, for the page and for the report.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from core import spec as core_spec
from core.compare.figure_words import family_word
from core.compare.grid import SCRATCH, cell_spec, families, family_cell, steps_for
from core.compare.records import CellRow, ComparedSize, CompareReport, FamilyRow, PairRow
from core.compare.spec import CompareSpec
from core.errors import NotFoundError
from core.finetune.recipe import learning_rate, span_words
from core.i18n import Translator
from core.markdown import as_text, plain_cell
from core.messages import explain, explain_finding
from core.problems import Problem
from core.spec import parse_spec
from core.store import Run

COLUMNS = (
    "id", "family", "start", "method", "size", "seed", "status", "accuracy", "low", "high", "n",
    "accuracy_without_leaks", "n_without_leaks", "val_accuracy",
    "seconds", "train_seconds", "steps", "epochs_done", "best_epoch", "converged", "learning_rate",
    "trainable_parameters", "parameters", "peak_memory_mb", "error",
)  # fmt: skip


_CLEAN_AT = 4  # the column of the table in Markdown, behind accuracy and interval


def cells_csv(report: CompareReport) -> bytes:
    """Every training as a row; with a byte-order mark, so that spreadsheets read it as UTF-8."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for cell in report.get("cells") or []:
        low, high = cell.get("interval") or (None, None)
        codes = ";".join(problem["code"] for problem in cell.get("error") or [])
        clean = cell.get("without_leaks")
        beside = {"accuracy_without_leaks": clean["accuracy"], "n_without_leaks": clean["n"]} if clean else {}
        row = {**cell, **beside, "low": low, "high": high, "error": codes}
        writer.writerow({name: plain_cell(value) if isinstance(value, str) else value for name, value in row.items()})
    return text.getvalue().encode("utf-8-sig")


def size_rows(report: CompareReport) -> list[ComparedSize]:
    """One row for each size and family, the smallest size first, with its difference to training from scratch."""
    pairs = {(pair["a"], pair["size"]): pair for pair in report.get("pairs") or [] if pair["b"] == SCRATCH}
    clean = report.get("without_leaks")
    beside = {(one["family"], row["size"]): row for one in (clean["families"] if clean else []) for row in one["sizes"]}
    rows: list[ComparedSize] = []
    for rank, family in enumerate(report.get("families") or []):
        name = family["family"]
        for row in family["sizes"]:
            place = name, row["size"]
            versus = pairs.get(place)
            rows.append({**row, "family": name, "rank": rank, "versus": versus, "clean": beside.get(place)})
    return sorted(rows, key=lambda row: (row["size"], row["rank"]))


def failed_cells(report: CompareReport, _: Translator) -> list[str]:
    """The trainings that failed, each with its reason."""
    return [
        f"{cell_word(cell, _)}: "
        + " ".join(explain(Problem.from_dict(problem), _) for problem in cell.get("error") or [])
        for cell in report.get("cells") or []
        if cell["status"] == "failed"
    ]


def cell_word(cell: CellRow, _: Translator) -> str:
    """One training in words: its family, size and seed."""
    size = _("{n} training examples", n=_.number(cell["size"]))
    return f"{family_word(cell['family'], _)} · {size} · {_('seed {seed}', seed=cell['seed'])}"


def conclusions(report: CompareReport, _: Translator) -> list[str]:
    """What came out, in sentences."""
    return [explain_finding(conclusion, _) for conclusion in report.get("conclusions") or []]


def beside(report: CompareReport, _: Translator) -> list[str]:
    """What is to be known beside the numbers, in sentences."""
    return [explain(Problem.from_dict(problem), _) for problem in report.get("problems") or []]


def clean_conclusions(report: CompareReport, _: Translator) -> list[str]:
    """What comes out of the test examples alone that stand nowhere among the training examples."""
    clean = report.get("without_leaks")
    return [explain_finding(conclusion, _) for conclusion in clean["conclusions"]] if clean else []


def points_words(versus: PairRow | None, _: Translator) -> str:
    """A difference in points with its interval: +25.0 (20.1 to 30.2)."""
    if not versus:
        return ""
    shares = (versus["difference"], *versus["interval"])
    value, low, high = (f"{100 * share:+.1f}".replace("-", "−") for share in shares)
    return _("{value} ({low} to {high})", value=value, low=low, high=high)


def p_words(versus: PairRow | None, _: Translator) -> str:
    """A p value as far as it is worth telling."""
    if not versus:
        return ""
    p = versus.get("corrected_p", versus["p"])
    return "< 0.001" if p < 0.001 else _.number(p, 2)


def interval_words(low: float, high: float, _: Translator) -> str:
    """38.2% to 44.1%."""
    return _("{low} to {high}", low=_.percent(low), high=_.percent(high))


def clean_words(row: ComparedSize, _: Translator) -> str:
    """A point on the test examples alone that no training could see: 38.2% (35.1% to 41.0%)."""
    clean = row["clean"]
    if clean is None:
        return ""
    span = interval_words(clean["low"], clean["high"], _)
    return _("{value} ({span})", value=_.percent(clean["accuracy"]), span=span)


def law_words(family: FamilyRow, _: Translator) -> str:
    """The law that was fitted to a family and how well it fits, or why there is none."""
    name, law, refused = family_word(family["family"], _), family.get("law"), family.get("law_refused")
    if law:
        return _(
            "{family}: share of errors ≈ {a} + {b} · n^−{c}. Ten times the examples leave {left} of the errors that "
            "more examples can remove. The points lie {misfit} times as far from the curve as chance alone puts them.",
            family=name,
            a=_.number(law["a"], 2),
            b=_.number(law["b"], 3),
            c=_.number(law["c"], 2),
            left=_.percent(10 ** -law["c"], 0),
            misfit=_.number(max(0.1, law["misfit"] ** 0.5), 2),
        )
    if refused:
        return _("{family}: no law is drawn. {reason}", family=name, reason=explain_finding(refused, _))
    return ""


# -- what was held equal -----------------------------------------------------------------------------------


def held_equal(spec: CompareSpec, report: CompareReport, _: Translator) -> list[str]:
    """What all trainings have in common."""
    lines = []
    tested = next((cell["n"] for cell in report.get("cells") or [] if cell.get("n")), None)
    if tested:
        lines.append(
            _("All are tested on the same {n} examples, once, after every choice was made.", n=_.number(tested))
        )
    lines.append(
        _(
            "All starts of a repeat see the same training examples, and a smaller set of them lies within every "
            "larger one."
        )
    )
    steps = _.listed(
        _("{steps} at {size}", steps=_.number(steps_for(spec, size)), size=_.number(size)) for size in spec.sizes
    )
    lines.append(
        _(
            "All starts may take equally many steps of {batch} examples, by training examples: {steps}.",
            batch=spec.batch_size,
            steps=steps,
        )
    )
    if spec.patience is not None:
        lines.append(
            _(
                "Beyond {steps} steps, a training stops when {patience} of its looks at the validation examples in a "
                "row brought nothing. The best of all looks is what is tested.",
                steps=_.number(spec.steps),
                patience=spec.patience,
            )
        )
    else:
        lines.append(_("No training stops early. The best of its looks at the validation examples is what is tested."))
    lines.append(_("Network, optimizer, batch size and input size are the same; no example is varied (augmented)."))
    return lines


def not_held_equal(spec: CompareSpec, report: CompareReport, summary: Mapping[str, Any], _: Translator) -> list[str]:
    """What differs between the trainings, or limits what they show."""
    lines = [
        _(
            "Learning rates come from a table by start, method and number of examples and are not tuned to this "
            "data: {rates}. Others could move the curves.",
            rates=_.listed(
                f"{family_word(name, _)} {span_words(rates)}" for name, rates in _rates(spec, report).items()
            ),
        )
    ]
    held = (summary.get("data") or {}).get("validation") or {}
    ordered = sorted(held.items(), key=lambda pair: int(pair[0]))
    rows = _.listed([_("{n} at {size}", n=_.number(n), size=_.number(int(size))) for size, n in ordered])
    lines.append(
        _("Labelled validation examples come on top of the training examples: {rows}.", rows=rows)
        if rows
        else _("Labelled validation examples come on top of the training examples.")
    )
    lines.append(_("Equal steps are not equal time: a step that trains all layers takes longer than one of the head."))
    if summary.get("lanes"):
        lines.append(
            _.plural(
                "Times are those of this machine, with {n} training at a time.",
                "Times are those of this machine, with {n} trainings side by side.",
                summary["lanes"],
            )
        )
    lines.append(_band_words(spec, _))
    return lines


def _rates(spec: CompareSpec, report: CompareReport) -> dict[str, list[float]]:
    """The learning rates of each family: those that were used, else those of the table."""
    rates = {}
    for name in families(spec):
        cells = [cell for cell in report.get("cells") or [] if cell["family"] == name]
        used = [cell["learning_rate"] for cell in cells if cell.get("learning_rate")]
        with suppress(NotFoundError):  # a model that is gone: the rates of what was trained are known all the same
            rates[name] = used or [
                learning_rate(cell_spec(spec, family_cell(name, size, spec.seed)), size) for size in spec.sizes
            ]
    return rates


def _band_words(spec: CompareSpec, _: Translator) -> str:
    if spec.seeds == 1:
        return _(
            "One repeat: intervals tell the chance of the test examples alone, not that of the start and of which "
            "examples were drawn."
        )
    return _(
        "{n} repeats, each with other training examples and another start: a 95% interval is where the mean of "
        "such trainings lies.",
        n=spec.seeds,
    )


# -- Markdown ----------------------------------------------------------------------------------------------


def markdown_report(run: Run, report: CompareReport, _: Translator) -> str:
    """The comparison as a document: what came out, the table, the laws, the conditions, how to repeat it."""
    spec = parse_spec(CompareSpec, run.spec)
    done = sum(cell["status"] == "done" for cell in report.get("cells") or [])
    facts = _("{done} of {n} trainings are done.", done=_.number(done), n=_.number(len(report.get("cells") or [])))
    laws = [law_words(family, _) for family in report.get("families") or []]
    sections: list[tuple[str, Sequence[str]]] = [
        (_("What came out"), _bullets(conclusions(report, _))),
        (_("To be known beside the numbers"), _bullets(beside(report, _))),
        (_("Without what is trained on too"), _bullets(clean_conclusions(report, _))),
        (_("By size and start"), _table(report, _)),
        (_("How accuracy grows with examples"), _bullets(filter(None, laws))),
        (_("What was held equal"), _bullets(held_equal(spec, report, _))),
        (_("What was not"), _bullets(not_held_equal(spec, report, run.summary, _))),
        (_("Trainings that failed"), _bullets(failed_cells(report, _))),
        (
            _("The same on the command line"),
            ["```", core_spec.command(["compare", *core_spec.spec_options(spec)]), "```"],
        ),
    ]
    begun = _.time(run.started_at or run.created_at)
    asked = f"{_('Model')}: {as_text(spec.model.id)} · {_('Data')}: {as_text(spec.data.id)} · {begun}"
    lines = [f"# {as_text(run.name)}", "", asked, "", facts]
    for title, body in sections:
        if body:
            lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def _bullets(sentences: Iterable[str]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences]


def _table(report: CompareReport, _: Translator) -> list[str]:
    rows = size_rows(report)
    if not rows:
        return []
    head = [
        _("Training examples"), _("Start"), _("Accuracy"), _("95% interval"), _("Points over scratch"), "p",
        _("Training time"), _("Parameters that learned"), _("Peak memory"), _("Dominated by"),
    ]  # fmt: skip
    lines = [head, ["---:", "---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---"]]
    has_clean = any(row["clean"] for row in rows)
    if has_clean:
        head.insert(_CLEAN_AT, _("Without what is trained on too"))
        lines[1].insert(_CLEAN_AT, "---:")
    for row in rows:
        by, memory, learned = row.get("dominated_by"), row.get("peak_memory_mb"), row.get("trainable_parameters")
        accuracy = _.percent(row["accuracy"])
        lines.append(
            [
                _.number(row["size"]),
                family_word(row["family"], _),
                f"≥ {accuracy}" if row.get("unconverged") else accuracy,
                interval_words(row["low"], row["high"], _),
                points_words(row["versus"], _),
                p_words(row["versus"], _),
                _.duration(row["seconds"]),
                "" if learned is None else _.count(learned),
                "" if memory is None else _.size(memory * 1e6),
                family_word(by, _) if by else "",
            ]
        )
        if has_clean:
            lines[-1].insert(_CLEAN_AT, clean_words(row, _))
    return ["| " + " | ".join(line) + " |" for line in lines]
