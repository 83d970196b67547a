"""The tables of an optimization: every variant with its numbers, and one variant in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.curve_data import Curve, CurveBuffer
from core.charts.curves import CURVES, RunCurves, curve_chart
from core.i18n import N_, Translator
from core.messages import explain, explain_finding
from core.optimize.figures import look_of_kind, sensitivity_chart, variant_word
from core.optimize.rows import Gate, OptimizeReport, OriginalRow, Ratio, Search, Status, Step, VariantRow
from core.optimize.spec import OptimizeSpec
from core.optimize.variants import Variant
from core.registry.passes import PASSES
from core.runs.marks import words_of
from core.spec import metadata
from core.store import Run
from pages.ui import parts, state
from pages.ui.cached import machine as cached_machine
from pages.ui.charts import curves_alt, draw_chart

# status -> glyph for tables, word
STATUSES: dict[Status, tuple[str, str]] = {
    "waiting": ("○", N_("Waiting")),
    "running": ("●", N_("At work")),
    "done": ("✓", N_("Measured")),
    "refused": ("⊘", N_("Refused")),
    "failed": ("✕", N_("Failed")),
    "broken": ("≠", N_("Does not agree")),
}
_DOING: dict[Step, str] = {
    "make": N_("being made"),
    "gate": N_("being checked"),
    "test": N_("being tested"),
    "time": N_("being timed"),
}
_ORDER: tuple[Status, ...] = ("done", "running", "waiting", "broken", "failed", "refused")


# -- all variants ------------------------------------------------------------------------------------------


def ordered(report: OptimizeReport) -> list[OriginalRow | VariantRow]:
    """The original, the recommended variant, the others by latency, then what is not measured."""
    rows = sorted(
        report.variants,
        key=lambda row: (row.name != report.recommended, _ORDER.index(row.status), row.latency_p50_ms or 0.0),
    )
    return [*([report.original] if report.original else []), *rows]


def show_variants(run: Run, report: OptimizeReport, _: Translator, *, is_live: bool = False) -> None:
    """Every variant: how it stands, its numbers, and what to make of it."""
    rows = ordered(report)
    st.header(
        _("Variants so far") if is_live else _("All variants"),
        anchor=False,
        help=None if is_live else _("Choose a row to see what changed in it."),
    )
    table, chosen = f"variants_{run.id}", f"variant_{run.id}"

    def take_row() -> None:
        places = state.recall(table)["selection"]["rows"]
        if places and places[0] < len(rows) and isinstance(rows[places[0]], VariantRow):
            state.remember(chosen, rows[places[0]].name)

    more: dict[str, Any] = {} if is_live else {"on_select": take_row, "selection_mode": "single-row"}
    table_rows = [variant_row(row, report, _) for row in rows]
    shown = [name for name in table_rows[0] if any(row[name] is not None for row in table_rows)] if rows else []
    st.dataframe(
        pd.DataFrame(table_rows),
        hide_index=True,
        key=f"live_{table}" if is_live else table,
        placeholder="–",
        column_order=shown,
        column_config=_columns(_),
        **more,
    )
    if report.is_labelled and report.problems:
        st.caption(words_of([problem.as_dict() for problem in report.problems], _))
    if report.recommended:
        st.caption(_("★ recommended. Size, latency and throughput × say how many times better than the original."))


def variant_row(row: OriginalRow | VariantRow, report: OptimizeReport, _: Translator) -> dict[str, Any]:
    """The original or a variant in the table."""
    variant = row if isinstance(row, VariantRow) else None
    agreement, ratios, verdict = (variant.agreement, variant.ratios, variant.verdict) if variant else (None,) * 3
    star = "★ " if row.name == report.recommended else ""
    return {
        "name": star + variant_word(row, _),
        "status": status_words(row, _),
        "size": row.size_mb,
        "p50": row.latency_p50_ms,
        "p95": row.latency_p95_ms,
        "throughput": row.throughput,
        "accuracy": None if row.accuracy is None else 100 * row.accuracy,
        "interval": " – ".join(_.percent(edge) for edge in row.interval) if row.interval else None,
        "agreement": None if agreement is None else 100 * agreement,
        "times_size": ratios["size"] if ratios else None,
        "times_latency": ratios["latency"][0] if ratios else None,
        "latency_interval": _interval(ratios["latency"], _) if ratios else None,
        "times_throughput": ratios["throughput"][0] if ratios else None,
        "throughput_interval": _interval(ratios["throughput"], _) if ratios else None,
        "verdict": explain_finding(verdict, _) if verdict else None,
    }


def _interval(ratio: Ratio, _: Translator) -> str:
    return " – ".join(_.number(edge, 2) for edge in ratio[1:])


def status_words(row: OriginalRow | VariantRow, _: Translator) -> str:
    """How a variant stands, as a glyph and a word; at work: what is being done."""
    glyph, word = STATUSES[row.status]
    if isinstance(row, VariantRow) and row.status == "running" and row.doing:
        word = _DOING[row.doing]
    return f"{glyph} {_(word)}"


def _columns(_: Translator) -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "name": text(_("Variant"), pinned=True, width=185),
        "status": text(_("Status"), width=110),
        "size": number(_("Size (MB)"), format="%.1f", help=_("Of the file.")),
        "p50": number("p50 (ms)", format="%.2f", help=_("Half of the answers, one at a time, are faster.")),
        "p95": number("p95 (ms)", format="%.2f", help=_("95 of 100 answers are faster.")),
        "throughput": number(_("Answers/s"), format="%.0f", help=_("In batches.")),
        "accuracy": st.column_config.ProgressColumn(
            _("Accuracy"), format="%.1f%%", min_value=0, max_value=100, width=105
        ),
        "interval": text(_("95% interval")),
        "agreement": number(
            _("Agreement"), format="%.1f%%", help=_("How often the answer is the same as that of the original.")
        ),
        "times_size": number(_("Size ×"), format="%.1f", help=_("So many times smaller.")),
        "times_latency": number(_("Latency ×"), format="%.1f", help=_("So many times faster, one at a time.")),
        "latency_interval": text(_("Latency ×, 95%")),
        "times_throughput": number(_("Throughput ×"), format="%.1f", help=_("So many times more answers a second.")),
        "throughput_interval": text(_("Throughput ×, 95%")),
        "verdict": text(_("Verdict"), width="large"),
    }


# -- one variant -------------------------------------------------------------------------------------------


def show_detail(run: Run, report: OptimizeReport, _: Translator) -> None:
    """One variant in full: the row that is chosen in the table, or in the list."""
    variants = {row.name: row for row in report.variants if row.status in ("done", "broken")}
    if not variants:
        return
    chosen = f"variant_{run.id}"
    if state.recall(chosen) not in variants:
        state.forget(chosen)
    st.header(_("One variant"), anchor=False, help=_("Choose a row of the table, or a line of the list."))
    best = report.recommended
    names = list(variants)
    picked = st.selectbox(
        _("What changed in"),
        names,
        index=names.index(best) if best in names else 0,
        format_func=lambda name: variant_word(variants[name], _),
        key=chosen,
    )
    row = variants[picked]
    if row.verdict:
        st.markdown(explain_finding(row.verdict, _))
    for problem in row.problems:
        st.caption(f":material/warning: {explain(problem, _)}")
    left, right = st.columns([2, 3], gap="large")
    with left:
        parts.facts(detail_facts(run, report, row, _), key=f"facts_{run.id}")
    with right:
        _show_sensitivity(run, row, _)
        curves = curves_of(cached_machine.fresh_curves(run.id), row)
        if curves:
            draw_variant_curves(run, row, curves, "kept", _)


def detail_facts(run: Run, report: OptimizeReport, row: VariantRow, _: Translator) -> list[tuple[str, str]]:
    """What is known of a variant: where it comes from, what changed, how it was checked."""
    written = " · ".join(one for one in (row.format, row.runtime) if one)
    facts = [(_("Made from"), lineage(run, report, row, _)), (_("Format"), written)]
    facts += [(_fact_word(name, _), _value(name, value, _)) for name, value in (row.facts or {}).items()]
    for size_mb, label in ((row.memory_mb, _("Memory")), (row.gzip_mb, _("Compressed (gzip)"))):
        if size_mb is not None:
            facts.append((label, _.size(size_mb * 1e6)))
    if row.load_ms is not None:
        facts.append((_("Time to load"), _.duration(row.load_ms / 1000)))
    facts += [(_("Check of the reopened file"), _gate(row.gate, _)), (_("Search"), _search(row.search, _))]
    if row.seconds is not None:
        facts.append((_("Time it took"), _.duration(row.seconds)))
    return [*facts, ("sha256", row.sha256 or "")]


def lineage(run: Run, report: OptimizeReport, row: VariantRow, _: Translator) -> str:
    """From the model and its data to this variant, step by step."""
    by_name = {other.name: other for other in report.variants}
    chain = [variant_word(row, _)]
    parent, seen = row.parent, {row.name}
    while parent and parent not in seen and parent in by_name:
        seen.add(parent)
        chain.append(variant_word(by_name[parent], _))
        parent = by_name[parent].parent
    spec = run.spec
    chain.append(f"{spec['model']['id']} ({spec['data']['id']})")
    return " → ".join(reversed(chain))


_FACTS = {
    "parameters": N_("Parameters"),
    "parameters_before": N_("Parameters before"),
    "weights": N_("Weights that may become zero"),
    "zeros": N_("Zeros"),
    "gmacs": N_("GMACs"),
    "gmacs_before": N_("GMACs before"),
    "layers": N_("Layers"),
    "layers_before": N_("Layers before"),
    "layers_kept": N_("Layers kept"),
    "student_weights": N_("Weights"),
    "layers_quantized": N_("Layers trained for 8 bits"),
    "numbers": N_("Numbers"),
    "batch": N_("Examples at once"),
    "best_epoch": N_("Best epoch"),
    "validation": N_("Validation accuracy"),
    "teacher_validation": N_("Validation accuracy of the teacher"),
    "train_rows": N_("Trained on"),
    "learning_rate": N_("Learning rate"),
    "quantized": N_("Layers in 8 bits"),
    "in_float": N_("Layers left in float"),
    "train_seconds": N_("Training"),
}


def _fact_word(name: str, _: Translator) -> str:
    """What a fact is called: a setting goes by its title in the form."""
    setting = OptimizeSpec.model_fields.get(name)
    return _(str(setting.title)) if setting is not None else _(_FACTS.get(name, name))


def _value(name: str, value: Any, _: Translator) -> str:
    if value is None or value == []:
        return ""
    if name == "layers" and isinstance(value, list):
        shares = [layer["sparsity"] for layer in value]
        few, many = _.percent(min(shares)), _.percent(max(shares))
        return _("{n}, of each {few} to {many} zeros", n=_.number(len(shares)), few=few, many=many)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if not isinstance(value, int | float):
        choices = metadata(OptimizeSpec.model_fields[name])["choices"] if name in OptimizeSpec.model_fields else None
        return _((choices or {}).get(value, str(value)))
    if name in ("sparsity", "channel_ratio", "validation", "teacher_validation"):
        return _.percent(value)
    if name.endswith("seconds"):
        return _.duration(value)
    return (
        _.count(value)
        if name in ("parameters", "parameters_before", "weights", "zeros")
        else _.number(value, None if value >= 1000 else 3)
    )


def _gate(gate: Gate | None, _: Translator) -> str:
    """Whether the reopened file answers as the network it was made from."""
    if not gate:
        return ""
    words = _(
        "{equal} of {n} answers equal, largest difference {difference} (limit {tolerance})",
        equal=_.number(gate["labels_equal"]),
        n=_.number(gate["samples"]),
        difference=f"{gate['max_difference']:.2g}",
        tolerance=f"{gate['tolerance']:.2g}",
    )
    return f"{'✓' if gate['passed'] else '✕'} {words}"


def _search(search: Search | None, _: Translator) -> str:
    """Whether layers were left in float, and what it brought on the validation examples."""
    if not search:
        return ""
    full, kept = search["full"], search["kept"]
    before = _("all in 8 bits: {n} points lost", n=_.number(full["points"], 2))
    if search["reason"] == "not_needed":
        return _("not needed ({before})", before=before)
    after = _("with layers in float: {n}", n=_.number(kept["points"], 2))
    ends = {"within_limit": _("within the limit"), "best_found": _("the best that was found")}
    groups = _.plural("{n} group of layers tried", "{n} groups of layers tried", search["groups"])
    return "; ".join([groups, before, after, ends[search["reason"]]])


def _show_sensitivity(run: Run, row: VariantRow, _: Translator) -> None:
    """Which layers int8 costs most, as bars; those left in float are marked."""
    groups = row.sensitivity or []
    if not groups:
        return
    help_ = _("How much nearer the answers come to the original when these layers alone stay in float.")
    st.markdown(f"**{_('What 8 bits cost, layer by layer')}**", help=help_)
    figure = sensitivity_chart(groups, _, state.theme())
    strongest = sorted(groups, key=lambda group: -group["gain"])[:5]
    alt = "; ".join(f"{group['group']}: {_.percent(group['gain'])}" for group in strongest)
    config = {"displaylogo": False, "modeBarButtons": [["toImage"]]}
    st.plotly_chart(figure, theme=None, key=f"sensitivity_{run.id}", config=config, alt=alt)
    kept = [group["group"] for group in groups if group["in_float"]]
    if kept:
        st.caption(_("Left in float: {names}.", names=_(", ").join(kept)))


# -- curves ------------------------------------------------------------------------------------------------


def curves_of(buffer: CurveBuffer, row: VariantRow) -> dict[str, Curve]:
    """The curves of a variant that learned, by `train/loss` and so on; empty where it did not."""
    name, learned = row.name, Variant(row.passes).learned
    if buffer.curve(f"{name}/train/loss").last is None and learned and row.passes[-1] == PASSES[learned[-1]].file_pass:
        name = "+".join(learned)  # the chain that learned, without the file it is written to
    curves = {
        f"{part}/{what}": buffer.curve(f"{name}/{part}/{what}")
        for part in ("train", "val")
        for what in ("loss", "accuracy")
    }
    return curves if any(curve.last is not None for curve in curves.values()) else {}


def draw_variant_curves(
    run: Run, row: VariantRow, curves: Mapping[str, Curve], key: str, _: Translator, *, planned: int | None = None
) -> None:
    """Loss and accuracy while a variant learns or learned, side by side."""
    columns: Sequence[Any] = st.columns(2, gap="medium")
    for column, what in zip(columns, CURVES, strict=True):
        drawn = RunCurves(
            name=variant_word(row, _),
            look=look_of_kind(row.kind),
            train=curves[f"train/{what}"],
            validation=curves[f"val/{what}"],
            planned=planned,
        )
        title = _("Loss") if what == "loss" else _("Accuracy")
        chart = curve_chart([drawn], what, _, keep=f"{run.id}-{row.name}-{key}")
        with column:
            st.markdown(f"**{title}**")
            draw_chart(chart, f"{key}_{what}_{run.id}", curves_alt(title, [drawn], what, _))
