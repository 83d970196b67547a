"""What the measurements of a variant say, in a code and its numbers: take it, leave it, or not shown.

A variant is worth taking only where the upper end of the 95% interval of what it loses, paired with the original on
the same rows, keeps the limit, and where it is shown to be faster or smaller. Which one is recommended is chosen on
validation rows; the test confirms that one, or it is not recommended. No torch here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from core.evaluate import Bools, paired_test
from core.optimize.rows import Loss, Ratios, Search, VariantRow
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
    apart = right_original.astype(float) - right_variant
    error = 100 * float(np.std(apart)) / math.sqrt(len(apart))
    return {"points": points, "low": low, "high": high, "n": test["n"], "needed": needed, "error": error}


def no_loss(n: int) -> Loss:
    """Of a file that rounds nothing and gave every one of `n` answers as the original did: nothing, by proof."""
    return {"points": 0.0, "low": 0.0, "high": 0.0, "n": n, "needed": None, "error": 0.0, "exact": True}


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
        "exact": loss.get("exact", False),
        "limit": limit,
        "latency": latency[0],
        "latency_low": latency[1],
        "latency_high": latency[2],
        "throughput": throughput[0],
        "throughput_low": throughput[1],
        "throughput_high": throughput[2],
        "others": ratios.get("busy"),
        "size": ratios["size"],
    }
    return {"code": _code(loss, ratios, limit), "values": values}


def _code(loss: Loss, ratios: Ratios, limit: float) -> str:
    if loss["low"] > limit:
        return "optimize.loses_too_much"
    if loss["high"] > limit:
        return "optimize.not_shown" if loss["needed"] else "optimize.not_shown_at_limit"
    return _code_of_gain(ratios)


def _code_of_gain(ratios: Ratios) -> str:
    """What there is to gain, whatever is lost: by the lower ends of what was timed."""
    latency, throughput, size = ratios["latency"], ratios["throughput"], float(ratios["size"])
    is_slower = latency[2] < 1 or throughput[2] < 1
    is_faster = latency[1] > _WORTH or throughput[1] > _WORTH
    if is_slower and not (is_faster and latency[1] * throughput[1] > 1):
        return "optimize.smaller_but_slower" if size > _WORTH else "optimize.slower"
    if is_faster:
        return "optimize.take_batches" if latency[1] <= _WORTH else "optimize.take"
    return "optimize.take_smaller" if size > _WORTH else "optimize.no_gain"


TAKEN = ("optimize.take", "optimize.take_batches", "optimize.take_smaller")


def choose(variants: Iterable[VariantRow], limit: float) -> VariantRow | None:
    """Of the variants that gain something and keep the limit on the validation rows the one that gains most."""
    return max((row for row in variants if _may_be_chosen(row, limit)), key=_gain, default=None)


def _may_be_chosen(row: VariantRow, limit: float) -> bool:
    """Within the limit by a standard error: a loss just below it is seldom confirmed."""
    loss = row.validation_loss
    if not row.offered or row.ratios is None or loss is None:
        return False
    return loss["points"] + loss.get("error", 0.0) <= limit and _code_of_gain(row.ratios) in TAKEN


def recommend(variants: Iterable[VariantRow], limit: float) -> str | None:
    """The name of the variant to take: the one chosen on validation, where the test rows confirm it.

    Where they do not, no other is tried on them; only what loses nothing by proof may still be taken.
    """
    rows = list(variants)
    chosen = choose(rows, limit)
    if chosen is not None and not _is_confirmed(chosen):
        chosen = choose([row for row in rows if row.loss and row.loss.get("exact")], limit)
    return chosen.name if chosen is not None and _is_confirmed(chosen) else None


def _is_confirmed(row: VariantRow) -> bool:
    return row.verdict is not None and row.verdict["code"] in TAKEN


def _gain(row: VariantRow) -> float:
    """How much better it is at least."""
    _loss, ratios = row.result
    gain: float = ratios["latency"][1] * ratios["throughput"][1] * ratios["size"] ** 0.25
    return gain


def conclude(variants: Sequence[VariantRow], recommended: str | None, limit: float) -> list[Finding]:
    """What follows from all variants, the answer first."""
    done = [row for row in variants if row.status == "done"]
    chosen = choose(variants, limit)
    conclusions = [row.verdict for row in variants if row.name == recommended and row.verdict]
    if recommended is None and done:
        conclusions.append({"code": "optimize.none_to_take", "values": {"n": len(done), "limit": limit}})
    if chosen is not None and chosen.name != recommended:
        conclusions.append({"code": "optimize.not_confirmed", "values": {"name": chosen.name}})
        conclusions += [chosen.verdict] if chosen.verdict else []
    elif recommended is None:
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
