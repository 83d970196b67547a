"""What may be said of a comparison over data-set sizes: each conclusion a code and its values, and its sentence.

Conclusions (a) to (d) speak of one pretrained family, the most accurate; of the others only what tells them apart.
A difference is spoken of only when the paired test of the same size shows it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from core.grid import SCRATCH

Found = dict[str, Any]

# A tenth more or less time is what the machine does by itself.
ALIKE_TIME = 1.1


def conclude(found: Found, done: int, planned: int | None = None) -> list[Found]:
    """The conclusions in reading order, from the parts families, pairs and equivalents; `done` trainings are in."""
    rows = {family["family"]: {size["size"]: size for size in family["sizes"]} for family in found["families"]}
    main = _main(rows)
    said: list[Found] = []
    if main is not None and SCRATCH in rows:
        gaps = _gaps(found["pairs"], main, SCRATCH)
        said += _ahead(main, gaps)
        said += _to_the_end(main, gaps)
        said += _time(main, rows)
        said += _labels(main, rows, found["equivalents"])
    methods = _methods(rows, found["pairs"])
    if not said and not methods:
        said.append(_say("compare.nothing_yet", n=done))
    said += _unconverged(rows.get(SCRATCH, {}))
    said += methods
    if planned is not None and done < planned:
        said.append(_say("compare.still_missing", missing=planned - done, planned=planned))
    return said


def _say(code: str, **values: Any) -> Found:
    return {"code": code, "values": values}


def _main(rows: dict[str, dict[int, Found]]) -> str | None:
    """The pretrained family that is most accurate on average over the sizes all of them have."""
    pretrained = [family for family in rows if family != SCRATCH]
    if not pretrained:
        return None
    common = set.intersection(*(set(rows[family]) for family in pretrained))

    def rank(family: str) -> tuple[int, float]:
        sizes = common or set(rows[family])
        return len(sizes), float(np.mean([rows[family][size]["accuracy"] for size in sizes]))

    return max(pretrained, key=rank)


def _gaps(pairs: list[Found], family: str, other: str) -> dict[int, Found]:
    """How far a family is ahead of another, by size: difference, low, high, and whose the difference is."""
    gaps = {}
    for pair in pairs:
        if {pair["a"], pair["b"]} == {family, other}:
            low, high = pair["interval"]
            gap = {"difference": pair["difference"], "low": low, "high": high}
            gaps[pair["size"]] = {**(gap if pair["a"] == family else _turned(gap)), "better": pair["better"]}
    return dict(sorted(gaps.items()))


def _turned(gap: Found) -> Found:
    return {"difference": -gap["difference"], "low": -gap["high"], "high": -gap["low"]}


def _points(gap: Found) -> Found:
    return {name: gap[name] for name in ("difference", "low", "high")}


def _without_sign(gap: Found) -> Found:
    """A gap whoever it favours, where none is shown to be ahead."""
    return _points(gap if gap["difference"] >= 0 else _turned(gap))


def _ahead(main: str, gaps: dict[int, Found]) -> list[Found]:
    """At which sizes pretrained weights are ahead, and at which training from scratch."""
    wins = [size for size, gap in gaps.items() if gap["better"] == main]
    losses = [size for size, gap in gaps.items() if gap["better"] == SCRATCH]
    said = []
    if len(wins) == 1:
        said.append(_say("compare.ahead_once", family=main, size=wins[0], **_points(gaps[wins[0]])))
    elif wins:
        most, least = (pick(wins, key=lambda size: gaps[size]["difference"]) for pick in (max, min))
        values = {"family": main, "size": most, **_points(gaps[most]), "least_size": least}
        values |= {f"least_{name}": value for name, value in _points(gaps[least]).items()}
        code = "compare.ahead_at" if len(wins) < len(gaps) else "compare.ahead_everywhere"
        said.append(_say(code, **values, sizes=wins))
    if losses:
        size = min(losses, key=lambda size: gaps[size]["difference"])
        code = "compare.scratch_ahead" if len(losses) > 1 else "compare.scratch_ahead_once"
        said.append(_say(code, family=main, size=size, sizes=losses, **_points(_turned(gaps[size]))))
    if gaps and not said:
        size = max(gaps, key=lambda size: abs(gaps[size]["difference"]))
        code = "compare.none_shown" if len(gaps) > 1 else "compare.none_shown_once"
        said.append(_say(code, family=main, size=size, n=len(gaps), **_without_sign(gaps[size])))
    return said


def _to_the_end(main: str, gaps: dict[int, Found]) -> list[Found]:
    """From which size on no difference is shown, or that the largest size still shows it."""
    if len(gaps) < 2 or all(gap["better"] != main for gap in gaps.values()):
        return []
    sizes = list(gaps)
    last = max(i for i, size in enumerate(sizes) if gaps[size]["better"] is not None)
    values, end = {"family": main, "largest": sizes[-1]}, gaps[sizes[-1]]
    if last < len(sizes) - 1:
        code = "compare.even_from" if last < len(sizes) - 2 else "compare.even_at_last"
        return [_say(code, size=sizes[last + 1], **values, **_without_sign(end))]
    return [_say("compare.gap_remains", **values, **_points(end))] if end["better"] == main else []


def _time(main: str, rows: dict[str, dict[int, Found]]) -> list[Found]:
    """How long both trained at the largest size both have."""
    common = set(rows[main]) & set(rows[SCRATCH])
    if not common:
        return []
    size = max(common)
    seconds, scratch_seconds = rows[main][size]["seconds"], rows[SCRATCH][size]["seconds"]
    if min(seconds, scratch_seconds) <= 0:
        return []
    values = {"family": main, "size": size, "seconds": seconds, "scratch_seconds": scratch_seconds}
    times = scratch_seconds / seconds
    if max(times, 1 / times) < ALIKE_TIME:
        return [_say("compare.time_alike", times=times, **values)]
    code = "compare.time_faster" if times > 1 else "compare.time_slower"
    return [_say(code, times=max(times, 1 / times), **values)]


def _labels(main: str, rows: dict[str, dict[int, Found]], equivalents: list[Found]) -> list[Found]:
    """How many examples from scratch are as good as the smallest size with pretrained weights."""
    row = next((row for row in equivalents if row["family"] == main), None)
    if row is None:
        return []
    size, largest, reason = rows[main][row["size"]], max(rows[SCRATCH]), row["reason"]
    values = {name: row[name] for name in ("family", "size", "accuracy", "scratch_size")}
    values |= {"accuracy_low": size["low"], "accuracy_high": size["high"]}
    values |= {"fewest": row["low"], "most": row["high"], "largest": largest}
    values["is_measured"] = row["kind"] == "between"
    against = row["scratch_size"] if reason is None else reason["values"].get("scratch_size")
    if against in rows[SCRATCH]:
        there = rows[SCRATCH][against]
        values |= {"scratch_size": against, "scratch_accuracy": there["accuracy"], "is_measured": True}
        values |= {"scratch_accuracy_low": there["low"], "scratch_accuracy_high": there["high"]}
    match row["kind"]:
        case "about" if row["scratch_size"] > largest:
            return [_say("compare.labels_beyond", **values)]
        case "about":
            return [_say("compare.labels_about" if row["high"] else "compare.labels_about_open", **values)]
        case "at_most":
            return [_say("compare.labels_at_most", **values)]
        case "between":
            return [_say("compare.labels_between", **values)]
        case "more_than":
            return [_say("compare.labels_more_than" if reason is None else reason["code"], **values)]
    if reason["code"] == "compare.no_labels_saved":
        return [_say(reason["code"], **values)]
    return [_say("compare.labels_unknown", **values, reason=reason)]


def _unconverged(scratch: dict[int, Found]) -> list[Found]:
    n, of = (sum(size[name] for size in scratch.values()) for name in ("unconverged", "seeds"))
    return [_say("compare.scratch_unconverged", n=n, of=of)] if n else []


def _methods(rows: dict[str, dict[int, Found]], pairs: list[Found]) -> list[Found]:
    """Which of several pretrained families is best at the smallest and the largest size, and which are not worth it."""
    pretrained = [family for family in rows if family != SCRATCH]
    counts = Counter(size for family in pretrained for size in rows[family])
    shared = sorted(size for size, count in counts.items() if count > 1)
    if not shared:
        return []
    said = []
    for size in dict.fromkeys((shared[0], shared[-1])):
        there = [family for family in pretrained if size in rows[family]]
        best, second = sorted(there, key=lambda family: -rows[family][size]["accuracy"])[:2]
        gap = _gaps(pairs, best, second).get(size)
        if gap is not None:
            code = "compare.method_best" if gap["better"] == best else "compare.methods_alike"
            said.append(_say(code, best=best, second=second, size=size, **_points(gap)))
    for family in pretrained:
        by = Counter(row["dominated_by"] for row in rows[family].values() if row["dominated_by"])
        if by and sum(by.values()) * 2 >= len(rows[family]):
            ((other, _),) = by.most_common(1)
            sizes = [size for size, row in rows[family].items() if row["dominated_by"] == other]
            said.append(_say("compare.dominated", family=family, by=other, sizes=sizes))
    return said
