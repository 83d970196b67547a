"""What an optimization found, answer first: words, numbers, the picture, the table, files, details, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core import store
from core.i18n import Translator
from core.messages import explain, explain_finding
from core.optimize.figures import pareto_chart, score_of, variant_word
from core.optimize.rows import MeasuredRow, OptimizeReport, OriginalRow, Ratio, VariantRow
from core.store import Run
from pages.ui import live, parts, state
from pages.ui.cached import machine as cached_machine
from pages.ui.charts import draw_chart
from pages.ui.optimize import try_variant as optimize_try_variant
from pages.ui.optimize.downloads import show_downloads
from pages.ui.optimize.tables import curves_of, draw_variant_curves, show_detail, show_variants
from pages.ui.told import show_told


def read_report(run: Run) -> OptimizeReport | None:
    """What an optimization has found so far; None before anything."""
    kept = store.read_report(run.id)
    return OptimizeReport.from_dict(kept) if kept else None


def show_found(run: Run) -> None:
    """Everything an optimization has found: all of it when done, what there is when it ended before."""
    _ = state.words()
    report = read_report(run)
    live.show_ending(run, _, is_empty=report is None)
    if report is None:
        return
    _show_answer(run, report, _)
    show_chart(run, report, _)
    show_variants(run, report, _)
    show_downloads(run, report, _)
    if any(row.offered for row in report.variants):
        st.header(_("Try it"), anchor=False)
        st.fragment(optimize_try_variant.ask)(run, report)
    show_detail(run, report, _)
    show_refused(report, _)
    _show_conditions(report, _)
    show_told(run, _)
    live.show_command(run, _)


def show_so_far(run: Run) -> None:
    """An optimization at work: what is known of the variants that are done, and how one learns."""
    _ = state.words()
    report = read_report(run)
    if report is None:
        st.caption(_("The original is measured first; then the variants arrive one by one."))
        return
    sentences = [explain_finding(row, _) for row in report.conclusions]
    if sentences:
        st.markdown(f"**{_('So far')}**\n" + "".join(f"\n- {sentence}" for sentence in sentences))
    _show_learning(run, report, _)
    show_chart(run, report, _)
    show_variants(run, report, _, is_live=True)
    show_refused(report, _)


def _show_learning(run: Run, report: OptimizeReport, _: Translator) -> None:
    """The curves of the variant that is being trained."""
    for row in (row for row in report.variants if row.status == "running"):
        curves = curves_of(cached_machine.fresh_curves(run.id), row)
        if curves:
            planned = int(run.spec.get("epochs") or 0)
            st.markdown(f"### {_('{name} learns', name=variant_word(row, _))}", anchors=False)
            draw_variant_curves(run, row, curves, "learning", _, planned=planned)
            return


# -- the answer --------------------------------------------------------------------------------------------


def _show_answer(run: Run, report: OptimizeReport, _: Translator) -> None:
    sentences = [explain_finding(row, _) for row in report.conclusions]
    if run.status != "done":
        done = sum(row.is_over for row in report.variants)
        words = _("{done} of {n} variants are dealt with.", done=_.number(done), n=_.number(len(report.variants)))
        st.markdown(f"**{words}**")
    if not sentences:
        if run.status == "done":
            st.markdown(f"## {_('Nothing can be concluded: no variant was measured.')}", anchors=False)
        parts.show_problems(report.problems)
        return
    st.markdown(f"## {sentences[0]}", anchors=False)
    if sentences[1:]:
        st.markdown("\n".join(f"- {sentence}" for sentence in sentences[1:]))
    parts.show_problems(report.problems)
    _show_numbers(report, _)


def _show_numbers(report: OptimizeReport, _: Translator) -> None:
    """The recommended variant beside the original: at most four numbers."""
    best, original = report.row(report.recommended), report.original
    if best is None or original is None or best.ratios is None:
        return
    ratios = best.ratios

    numbers: list[tuple[str, str, str | None, str | None]] = [
        (
            _("Smaller"),
            f"{_.number(ratios['size'], 2)}×",
            " → ".join(_.size((row.size_mb or 0) * 1e6) for row in (original, best)),
            _("The size of the file."),
        ),
        (
            _("Faster answers"),
            f"{_.number(ratios['latency'][0], 2)}×",
            " → ".join(ms(row.latency_p50_ms or 0, _) for row in (original, best)),
            _("One at a time, the median (p50). 95%: {span}.", span=_span(ratios["latency"], _)),
        ),
        (
            _("More at once"),
            f"{_.number(ratios['throughput'][0], 2)}×",
            " → ".join(_("{n}/s", n=_.number(row.throughput or 0, 3)) for row in (original, best)),
            _("Answers a second in batches. 95%: {span}.", span=_span(ratios["throughput"], _)),
        ),
        _lost(best, original, _),
    ]
    st.caption(_("{name}, beside the original:", name=variant_word(best, _)))
    parts.numbers(numbers, key="optimize_numbers")


def _span(ratio: Ratio, _: Translator) -> str:
    return f"{_.number(ratio[1], 2)}–{_.number(ratio[2], 2)}×"


def ms(value: float, _: Translator) -> str:
    """A latency: 0.91 ms, 8.8 ms."""
    return _("{n} ms", n=_.number(value, 2))


def _lost(best: VariantRow, original: OriginalRow, _: Translator) -> tuple[str, str, str, str]:
    """What is lost of the accuracy, or how often the answers are the same where no accuracy is known."""
    loss, _ratios = best.result
    if best.accuracy is None:
        label, value = _("Same answers"), _.percent(best.agreement or 0.0)
        against = _("on {n} examples", n=_.number(best.n or 0))
    else:
        label, value = _("Accuracy (points)"), signed(-loss["points"], _)
        against = " → ".join(_.percent(row.accuracy or 0.0) for row in (original, best))
    span = _(
        "95%: {low} to {high} points lost, on the same test examples.",
        low=_.number(round(loss["low"], 1) + 0.0),
        high=_.number(round(loss["high"], 1) + 0.0),
    )
    return label, value, against, span


def signed(points: float, _: Translator) -> str:
    """A difference in points with its sign."""
    value = round(points, 1) + 0.0
    return f"{'−' if value < 0 else '+' if value > 0 else '±'}{_.number(abs(value))}"


# -- the picture -------------------------------------------------------------------------------------------


def show_chart(run: Run, report: OptimizeReport, _: Translator) -> None:
    """Accuracy against latency, once something beside the original is measured."""
    if not report.measured:
        if run.is_active:
            st.caption(_("The picture appears when the first variant is measured."))
        return
    what = _("Accuracy and latency") if report.is_labelled else _("Agreement and latency")
    st.markdown(f"**{what}**", help=_("Up and to the left is better. The larger a mark, the larger the file."))
    draw_chart(pareto_chart(report, _, keep=run.id), f"pareto_{run.id}", _alt(report, _))


def _alt(report: OptimizeReport, _: Translator) -> str:
    """The picture in a sentence, for those who do not see it."""
    rows: list[MeasuredRow] = [*([report.original] if report.original else []), *report.measured]
    scores = [(row, score_of(row, report.is_labelled)) for row in rows]
    points = [
        f"{variant_word(row, _)}: {_.percent(score)}, {ms(row.latency_p50_ms, _)}"
        for row, score in scores
        if score is not None and row.latency_p50_ms
    ]
    title = _("Accuracy and latency") if report.is_labelled else _("Agreement and latency")
    return f"{title}. {'; '.join(points)}"


# -- what was not made, and how it was measured ------------------------------------------------------------


def show_refused(report: OptimizeReport, _: Translator) -> None:
    """Ways that were refused or failed, each with its reasons."""
    words = {
        "refused": _("Refused"),
        "failed": _("Failed"),
        "broken": _("Does not agree with its network, so it is not offered"),
    }
    sentences = []
    for row in report.variants:
        if row.status in words:
            reasons = " ".join(explain(problem, _) for problem in row.problems)
            line = _(
                "**{name}**: {status}. {reasons}",
                name=variant_word(row, _),
                status=words[row.status],
                reasons=reasons,
            )
            sentences.append(f"- {line}")
    if sentences:
        st.header(_("What was not made"), anchor=False)
        st.markdown("\n".join(sentences))


def _show_conditions(report: OptimizeReport, _: Translator) -> None:
    conditions = report.conditions
    if not conditions:
        return
    st.header(_("How it was measured"), anchor=False)
    test, every = conditions.get("test") or 0, conditions.get("test_all") or 0
    tested = _("{n} test examples, each shown to the original and to every variant", n=_.number(test))
    if every > test:
        tested = _("{n} of {all} test examples, the same for the original and every variant", n=_.number(test),
                   all=_.number(every))  # fmt: skip
    labelled = _("Accuracy by the labels of the data, and agreement with the original")
    unlabelled = _("Agreement with the original alone: the classes of the data are not those of the model")
    made = [*([report.original] if report.original else []), *report.variants]
    runtimes = [row.runtime for row in made if row.runtime]
    data: Mapping[str, Any] = {**conditions.get("data", {})}
    rows = [
        (_("Tested on"), tested),
        (_("What counts"), labelled if report.is_labelled else unlabelled),
        (_("Other examples"), _("{train} training, {validation} validation",
                                train=_.number(conditions.get("train") or 0),
                                validation=_.number(conditions.get("validation") or 0))),
        (_("Time"), _("Original and variants take turns, round by round: what else the machine did meets all alike. "
                      "Intervals come from the rounds.")),
        (_("Latency"), _("one example at a time")),
        (_("Throughput"), _("{n} at once", n=conditions["batch"]) if conditions.get("batch") else ""),
        (_("Threads"), _.number(conditions["threads"]) if conditions.get("threads") else ""),
        (_("Processor"), str(conditions.get("processor") or "")),
        (_("Cores"), _.number(conditions["cores"]) if conditions.get("cores") else ""),
        (_("Picture size"), f"{conditions['image_size']} px" if conditions.get("image_size") else ""),
        (_("Length of the texts"), _("{n} tokens (median)", n=_.number(conditions["median_tokens"]))
         if conditions.get("median_tokens") else ""),
        (_("Original"), _("PyTorch as it comes: fp32, no compiling, the default memory allocation")),
        (_("Runtimes"), ", ".join(dict.fromkeys(runtimes))),
        (_("Data"), " · ".join(str(data[name]) for name in ("id", "fingerprint") if data.get(name))),
    ]  # fmt: skip
    parts.facts(rows, key="optimize_conditions")
