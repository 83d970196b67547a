"""What may be said of a comparison over data-set sizes: each conclusion a code and its values.

Conclusions (a) to (d) speak of one pretrained family, the most accurate; of the others only what tells them apart.
A difference is spoken of only when the paired test of the same size shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.compare.grid import SCRATCH
from core.compare.records import EquivalentRow, FamilyRow, PairRow, SizeRow, times_as_long
from core.values import Finding

# A tenth more or less time is what the machine does by itself.
ALIKE_TIME = 1.1

Rows = dict[str, dict[int, SizeRow]]  # by family and size


@dataclass(frozen=True)
class Lead:
    """How far a family is ahead of another at a size, with the 95% interval, and whose the difference is."""

    difference: float
    low: float
    high: float
    better: str | None

    def turned(self) -> Lead:
        """The same, seen from the other one."""
        return replace(self, difference=-self.difference, low=-self.high, high=-self.low)

    def without_sign(self) -> Lead:
        """Whoever it favours, where none is shown to be ahead."""
        return self if self.difference >= 0 else self.turned()

    def values(self, before: str = "") -> dict[str, float]:
        """As the values of a sentence."""
        return {f"{before}{name}": getattr(self, name) for name in ("difference", "low", "high")}


def conclude(
    families: Sequence[FamilyRow],
    pairs: Sequence[PairRow],
    equivalents: Sequence[EquivalentRow],
    done: int,
    planned: int | None = None,
) -> list[Finding]:
    """The conclusions in reading order; `done` trainings are in."""
    rows = {family["family"]: {size["size"]: size for size in family["sizes"]} for family in families}
    main = _main(rows)
    conclusions: list[Finding] = []
    if main is not None and SCRATCH in rows:
        leads = _leads(pairs, main, SCRATCH)
        conclusions += _ahead(main, leads)
        conclusions += _to_the_end(main, leads)
        conclusions += _time(main, rows, pairs)
        conclusions += _labels(main, rows, equivalents)
    methods = _methods(rows, pairs)
    if not conclusions and not methods:
        conclusions.append(_say("compare.nothing_yet", n=done))
    conclusions += _unconverged(rows.get(SCRATCH, {}))
    conclusions += methods
    conclusions += _corrected(pairs)
    if planned is not None and done < planned:
        conclusions.append(_say("compare.still_missing", missing=planned - done, planned=planned))
    return conclusions


def _say(code: str, **values: Any) -> Finding:
    return {"code": code, "values": values}


def _main(rows: Rows) -> str | None:
    """The pretrained family that is most accurate on average over the sizes all of them have."""
    pretrained = [family for family in rows if family != SCRATCH]
    if not pretrained:
        return None
    common = set.intersection(*(set(rows[family]) for family in pretrained))

    def rank(family: str) -> tuple[int, float]:
        sizes = common or set(rows[family])
        return len(sizes), float(np.mean([rows[family][size]["accuracy"] for size in sizes]))

    return max(pretrained, key=rank)


def _leads(pairs: Sequence[PairRow], family: str, other: str) -> dict[int, Lead]:
    """How far a family is ahead of another, by size."""
    leads = {}
    for pair in pairs:
        if {pair["a"], pair["b"]} == {family, other}:
            low, high = pair["interval"]
            lead = Lead(pair["difference"], low, high, pair["better"])
            leads[pair["size"]] = lead if pair["a"] == family else lead.turned()
    return dict(sorted(leads.items()))


def _ahead(main: str, leads: dict[int, Lead]) -> list[Finding]:
    """At which sizes pretrained weights are ahead, and at which training from scratch."""
    wins = [size for size, lead in leads.items() if lead.better == main]
    losses = [size for size, lead in leads.items() if lead.better == SCRATCH]
    conclusions = []
    if len(wins) == 1:
        conclusions.append(_say("compare.ahead_once", family=main, size=wins[0], **leads[wins[0]].values()))
    elif wins:
        most, least = (pick(wins, key=lambda size: leads[size].difference) for pick in (max, min))
        values = {"family": main, "size": most, **leads[most].values(), "least_size": least}
        code = "compare.ahead_at" if len(wins) < len(leads) else "compare.ahead_everywhere"
        conclusions.append(_say(code, **values, **leads[least].values("least_"), sizes=wins))
    if losses:
        size = min(losses, key=lambda size: leads[size].difference)
        code = "compare.scratch_ahead" if len(losses) > 1 else "compare.scratch_ahead_once"
        conclusions.append(_say(code, family=main, size=size, sizes=losses, **leads[size].turned().values()))
    if leads and not conclusions:
        size = max(leads, key=lambda size: abs(leads[size].difference))
        code = "compare.none_shown" if len(leads) > 1 else "compare.none_shown_once"
        conclusions.append(_say(code, family=main, size=size, n=len(leads), **leads[size].without_sign().values()))
    return conclusions


def _to_the_end(main: str, leads: dict[int, Lead]) -> list[Finding]:
    """From which size on no difference is shown, or that the largest size still shows it."""
    if len(leads) < 2 or all(lead.better != main for lead in leads.values()):
        return []
    sizes = list(leads)
    last = max(i for i, size in enumerate(sizes) if leads[size].better is not None)
    values, end = {"family": main, "largest": sizes[-1]}, leads[sizes[-1]]
    if last < len(sizes) - 1:
        code = "compare.even_from" if last < len(sizes) - 2 else "compare.even_at_last"
        return [_say(code, size=sizes[last + 1], **values, **end.without_sign().values())]
    return [_say("compare.gap_remains", **values, **end.values())] if end.better == main else []


def _time(main: str, rows: Rows, pairs: Sequence[PairRow]) -> list[Finding]:
    """How long both trained at the largest size both have, where the seeds show that one took longer."""
    timed = [pair for pair in pairs if {pair["a"], pair["b"]} == {main, SCRATCH} and pair.get("times")]
    if not timed:
        return []
    pair = max(timed, key=lambda pair: pair["size"])
    size, times = pair["size"], times_as_long(pair, SCRATCH, main)
    seconds, scratch_seconds = rows[main][size]["seconds"], rows[SCRATCH][size]["seconds"]
    values = {"family": main, "size": size, "seconds": seconds, "scratch_seconds": scratch_seconds}
    is_open = len(times) > 1 and times[1] <= 1 <= times[2]
    if is_open or max(times[0], 1 / times[0]) < ALIKE_TIME:
        return [_say("compare.time_alike", times=times[0], **values)]
    code = "compare.time_faster" if times[0] > 1 else "compare.time_slower"
    times = times if times[0] > 1 else times_as_long(pair, main, SCRATCH)
    ends = {"times_low": times[1], "times_high": times[2]} if len(times) > 1 else {}
    return [_say(code, times=times[0], **ends, **values)]


def _corrected(pairs: Sequence[PairRow]) -> list[Finding]:
    """That differences which alone would count do not, among so many."""
    alone = [pair for pair in pairs if pair["p"] < 0.05 and pair["better"] is None]
    return [_say("compare.corrected", n=len(alone), of=alone[0].get("of", len(pairs)))] if alone else []


def _labels(main: str, rows: Rows, equivalents: Sequence[EquivalentRow]) -> list[Finding]:
    """How many examples from scratch are as good as the smallest size with pretrained weights."""
    row = next((row for row in equivalents if row["family"] == main), None)
    if row is None:
        return []
    values, reason, largest = _label_values(row, rows), row["reason"], max(rows[SCRATCH])
    match row["kind"]:
        case "about" if (row["scratch_size"] or 0) > largest:
            return [_say("compare.labels_beyond", **values)]
        case "about":
            return [_say("compare.labels_about" if row["high"] else "compare.labels_about_open", **values)]
        case "at_most":
            return [_say("compare.labels_at_most", **values)]
        case "between":
            return [_say("compare.labels_between", **values)]
        case "more_than":
            return [_say("compare.labels_more_than" if reason is None else reason["code"], **values)]
    if reason is not None and reason["code"] == "compare.no_labels_saved":
        return [_say(reason["code"], **values)]
    return [_say("compare.labels_unknown", **values, reason=reason)]


def _label_values(row: EquivalentRow, rows: Rows) -> dict[str, object]:
    """What the sentences on saved labels may tell; where a measured size is told, what it reached."""
    size, scratch, reason = rows[row["family"]][row["size"]], rows[SCRATCH], row["reason"]
    values: dict[str, object] = {
        "family": row["family"],
        "size": row["size"],
        "accuracy": row["accuracy"],
        "scratch_size": row["scratch_size"],
        "accuracy_low": size["low"],
        "accuracy_high": size["high"],
        "fewest": row["low"],
        "most": row["high"],
        "largest": max(scratch),
        "is_measured": row["kind"] == "between",
    }
    against = row["scratch_size"] if reason is None else reason["values"].get("scratch_size")
    if against in scratch:
        there = scratch[against]
        values |= {"scratch_size": against, "scratch_accuracy": there["accuracy"], "is_measured": True}
        values |= {"scratch_accuracy_low": there["low"], "scratch_accuracy_high": there["high"]}
    return values


def _unconverged(scratch: dict[int, SizeRow]) -> list[Finding]:
    n, of = sum(row["unconverged"] for row in scratch.values()), sum(row["seeds"] for row in scratch.values())
    return [_say("compare.scratch_unconverged", n=n, of=of)] if n else []


def _methods(rows: Rows, pairs: Sequence[PairRow]) -> list[Finding]:
    """Which of several pretrained families is best at the smallest and the largest size, and which are not worth it."""
    pretrained = [family for family in rows if family != SCRATCH]
    counts = Counter(size for family in pretrained for size in rows[family])
    shared = sorted(size for size, count in counts.items() if count > 1)
    if not shared:
        return []
    conclusions = []
    for size in dict.fromkeys((shared[0], shared[-1])):
        there = [family for family in pretrained if size in rows[family]]
        best, second = sorted(there, key=lambda family: -rows[family][size]["accuracy"])[:2]
        lead = _leads(pairs, best, second).get(size)
        if lead is not None:
            code = "compare.method_best" if lead.better == best else "compare.methods_alike"
            conclusions.append(_say(code, best=best, second=second, size=size, **lead.values()))
    for family in pretrained:
        by = Counter(row["dominated_by"] for row in rows[family].values() if row["dominated_by"])
        if by and sum(by.values()) * 2 >= len(rows[family]):
            ((other, _),) = by.most_common(1)
            sizes = [size for size, row in rows[family].items() if row["dominated_by"] == other]
            conclusions.append(_say("compare.dominated", family=family, by=other, sizes=sizes))
    return conclusions
