"""What the measurements of a variant say, in a code and its numbers: take it, leave it, or not shown.

A variant is worth taking only where the upper end of the 95% interval of what it loses, paired with the original on
the same rows, keeps the limit, and where it is shown to be faster or smaller. No torch here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from core.evaluate import Bools, paired_test
from core.optimize.rows import Loss, Ratio, Search, VariantRow
from core.values import Finding

# A ratio this near to 1 is no reason to take another file.
_WORTH = 1.05
# More rows than this nobody has: then the difference is as good as none, or lies at the limit.
_MOST_NEEDED = 10_000_000


def measure_loss(right_original: Bools, right_variant: Bools, limit: float) -> Loss:
    """Points of accuracy that a variant loses, with the paired 95% interval, from what each gets right [N].

    `needed`: about how many rows would tell whether it keeps the limit, where these do not.
    """
    test = paired_test(right_original, right_variant)
    low, high = (100 * edge for edge in test["interval"])
    points = 100 * test["difference"]
    needed = None
    if low <= limit < high:
        room, spread = abs(limit - points), (high - low) / 2
        wanted = test["n"] * (spread / room) ** 2 if room else math.inf
        needed = int(float(f"{wanted:.1g}")) if wanted <= _MOST_NEEDED else None
    return {"points": points, "low": low, "high": high, "n": test["n"], "needed": needed}


def judge(row: VariantRow, limit: float) -> Finding:
    """The verdict on a measured variant."""
    loss, ratios = row.result
    latency, throughput = ratios["latency"], ratios["throughput"]
    values = {
        "name": row.name,
        "points": loss["points"],
        "low": loss["low"],
        "high": loss["high"],
        "n": loss["n"],
        "needed": loss["needed"],
        "of": loss["of"],
        "limit": limit,
        "latency": latency[0],
        "throughput": throughput[0],
        "size": ratios["size"],
    }
    return {"code": _code(loss, latency, throughput, float(ratios["size"]), limit), "values": values}


def _code(loss: Loss, latency: Ratio, throughput: Ratio, size: float, limit: float) -> str:
    if loss["low"] > limit:
        return "optimize.loses_too_much"
    if loss["high"] > limit:
        return "optimize.not_shown" if loss["needed"] else "optimize.not_shown_at_limit"
    is_slower = latency[2] < 1 or throughput[2] < 1
    is_faster = latency[1] > _WORTH or throughput[1] > _WORTH
    if is_slower and not (is_faster and latency[0] * throughput[0] > 1):
        return "optimize.smaller_but_slower" if size > _WORTH else "optimize.slower"
    if is_faster:
        return "optimize.take_batches" if latency[1] <= _WORTH else "optimize.take"
    return "optimize.take_smaller" if size > _WORTH else "optimize.no_gain"


TAKEN = ("optimize.take", "optimize.take_batches", "optimize.take_smaller")


def recommend(variants: Iterable[VariantRow]) -> str | None:
    """The name of the variant to take: of those that keep the limit for sure, the fastest; None when none does."""
    taken = [row for row in variants if row.offered and row.verdict and row.verdict["code"] in TAKEN]
    best = max(taken, key=_gain, default=None)
    return best.name if best else None


def _gain(row: VariantRow) -> float:
    _loss, ratios = row.result
    gain: float = ratios["latency"][0] * ratios["throughput"][0] * ratios["size"] ** 0.25
    return gain


def conclude(variants: Sequence[VariantRow], recommended: str | None, limit: float) -> list[Finding]:
    """What follows from all variants, the answer first."""
    done = [row for row in variants if row.status == "done"]
    conclusions: list[Finding] = []
    if recommended is not None:
        conclusions += [row.verdict for row in variants if row.name == recommended and row.verdict]
    elif done:
        conclusions.append({"code": "optimize.none_to_take", "values": {"n": len(done), "limit": limit}})
        unsure = [row for row in done if row.verdict and row.verdict["code"] == "optimize.not_shown"]
        nearest = max(unsure, key=_gain, default=None)
        conclusions += [nearest.verdict] if nearest and nearest.verdict else []
    for row in done:
        if row.search and row.search["reason"] != "not_needed":
            is_kept = row.search["reason"] == "within_limit"
            code = "optimize.search_within_limit" if is_kept else "optimize.search_best_found"
            conclusions.append({"code": code, "values": _searched(row, row.search)})
    broken = [row.name for row in variants if row.status == "broken"]
    if broken:
        conclusions.append({"code": "optimize.some_broken", "values": {"names": broken}})
    return conclusions


def _searched(row: VariantRow, search: Search) -> dict[str, object]:
    facts = row.facts or {}
    return {
        "name": row.name,
        "in_float": facts.get("in_float", 0),
        "nodes": facts.get("in_float", 0) + facts.get("quantized", 0),
        "full_points": search["full"]["points"],
        "kept_points": search["kept"]["points"],
        "full_agreement": search["full"]["agreement"],
        "kept_agreement": search["kept"]["agreement"],
    }
