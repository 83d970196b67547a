"""Words and headlines of a comparison's charts and tables."""

from __future__ import annotations

from core.charts.theme import LOOKS
from core.compare.grid import SCRATCH
from core.compare.records import CompareReport, EquivalentRow, FamilyRow
from core.i18n import Translator
from core.registry.methods import METHODS


def family_word(family: str, _: Translator) -> str:
    """What a family is called on charts and in tables."""
    return _(LOOKS["random"].word if family == SCRATCH else METHODS[family].pretrained_word)


def families_of(report: CompareReport) -> list[FamilyRow]:
    return [family for family in report.get("families") or [] if family["sizes"]]


def main_family(report: CompareReport) -> str | None:
    """The pretrained family that the answer speaks of: that of the conclusions, else the most accurate."""
    for conclusion in report.get("conclusions") or []:
        if (conclusion.get("values") or {}).get("family") not in (None, SCRATCH):
            return str(conclusion["values"]["family"])
    pretrained = [family for family in families_of(report) if family["family"] != SCRATCH]
    return max(pretrained, key=_mean_accuracy)["family"] if pretrained else None


def _mean_accuracy(family: FamilyRow) -> float:
    return float(sum(row["accuracy"] for row in family["sizes"]) / len(family["sizes"]))


def headline(report: CompareReport) -> EquivalentRow | None:
    """What pretraining is worth in labels, at the smallest size where that is known.

    "More than" with a reason against it (from scratch was still improving) is no number to stand alone.
    """
    main = main_family(report)
    known = [
        row
        for row in report.get("equivalents") or []
        if row["family"] == main and row["kind"] != "refused" and not (row["kind"] == "more_than" and row.get("reason"))
    ]
    return min(known, key=lambda row: row["size"], default=None)


def worth_words(worth: EquivalentRow, _: Translator) -> str:
    """How many examples from scratch are as good: ≈ 2,400, no finer than it is known; measured sizes as they are."""
    size, low, high = worth.get("scratch_size"), worth.get("low"), worth.get("high")
    if worth["kind"] == "between":
        return f"{_.number(low or 0)} – {_.number(high or 0)}"
    if worth["kind"] == "more_than":
        return f"> {_.number(size or 0)}"
    is_measured = low is None and high is None
    about = _.number(size or 0, None if is_measured and worth["kind"] == "at_most" else 2)
    return f"{'≤' if worth['kind'] == 'at_most' else '≈'} {about}"
