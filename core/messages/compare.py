"""The sentences of comparing: runs that were started together, and starts over data-set sizes.

Each sentence stands in one row with the kinds of the values that it tells.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.i18n import N_, Translator
from core.messages.speed import AS_FAST
from core.registry.methods import METHODS
from core.values import (
    Count,
    Each,
    Finding,
    Gap,
    Joint,
    Kind,
    Plain,
    Points,
    PValue,
    Seconds,
    Sentence,
    Share,
    Text,
    Value,
    Within,
)


@dataclass(frozen=True)
class Family(Value):
    """What a curve is called within a sentence: head only, from scratch, LoRA."""

    name: str

    def said(self, _: Translator) -> str:
        word = _(N_("From scratch") if self.name == "scratch" else METHODS[self.name].word)
        return word if word[1:] != word[1:].lower() else word[:1].lower() + word[1:]


@dataclass(frozen=True)
class Reason(Value):
    """A finding within a finding: why something cannot be told."""

    finding: Finding

    def said(self, _: Translator) -> str:
        words = COMPARE_SENTENCES[self.finding["code"]].fill(self.finding["values"], _)
        return words[:1].upper() + words[1:]


class _Examples(Joint):
    """A number of examples: a size that was measured as it is, an estimate no finer than it is known."""

    def read(self, name: str, plain: Plain) -> Value:
        return Count(plain[name], None if plain.get("is_measured", True) else 2)


def _points(share: float) -> Points:
    return Points(100 * share)


_GAP: dict[str, Kind] = {name: Within(Gap, "low", "high") for name in ("difference", "low", "high")}
_LEAST: dict[str, Kind] = {f"least_{name}": Within(Gap, "least_low", "least_high") for name in _GAP}
_ACCURACY = Within(Share, "accuracy_low", "accuracy_high")
_REACHED: dict[str, Kind] = {"family": Family, "size": Count, "accuracy": _ACCURACY}
_SCRATCH_ACCURACY = Within(Share, "scratch_accuracy_low", "scratch_accuracy_high")
_EXAMPLES = _Examples()
_ALIKE: dict[str, Kind] = {
    "best": Text,
    "second": Text,
    "best_accuracy": Share,
    "second_accuracy": Share,
    "n": Text,  # without grouping: so these have always told it
    "p": PValue,
}
_BETTER: dict[str, Kind] = {**_ALIKE, "difference": _points, "low": _points, "high": _points}

COMPARE_SENTENCES: dict[str, Sentence] = {
    "compare.without_leaks": Sentence(
        N_(
            "Without the test examples that stand among the training examples too, {n} remain: {family} with {size} "
            "training examples tells {accuracy} of them rightly (95%: {low} to {high})."
        ),
        {"n": Count, "family": Family, "size": Count, "accuracy": Share, "low": Share, "high": Share},
    ),
    # -- comparing siblings ------------------------------------------------------------------------
    "compare.better": Sentence(
        N_(
            "{best} is better than {second}: {best_accuracy} against {second_accuracy} on the same {n} test examples, "
            "{difference} points apart (95%: {low} to {high}; p {p})."
        ),
        _BETTER,
    ),
    "compare.better_without_leaks": Sentence(
        N_(
            "{best} is better than {second}: {best_accuracy} against {second_accuracy} on the {n} test examples that "
            "neither is trained on, {difference} points apart (95%: {low} to {high}; p {p}). {left_out} others are "
            "left out."
        ),
        {**_BETTER, "n": Count, "left_out": Count},
    ),
    "compare.no_difference": Sentence(
        N_(
            "No difference shown between {best} and {second}: {best_accuracy} and {second_accuracy} on {n} test "
            "examples could be chance (p {p})."
        ),
        _ALIKE,
    ),
    "compare.no_difference_without_leaks": Sentence(
        N_(
            "No difference shown between {best} and {second}: {best_accuracy} and {second_accuracy} on the {n} test "
            "examples that neither is trained on could be chance (p {p}). {left_out} others are left out."
        ),
        {**_ALIKE, "n": Count, "left_out": Count},
    ),
    "compare.not_comparable": Sentence(
        N_("{best} and {second} were not tested on the same examples: their numbers say nothing about each other."),
        {"best": Text, "second": Text},
    ),
    "compare.nothing_new": Sentence(
        N_(
            "{best} or {second} is trained on every example that both were tested on: which of them is better on new "
            "examples is not known."
        ),
        {"best": Text, "second": Text},
    ),
    # -- comparing starts over sizes ---------------------------------------------------------------
    "compare.no_sizes": Sentence(N_("No size is given: name at least one number of training examples.")),
    "compare.needs_pretrained": Sentence(
        N_("A comparison starts from the pretrained weights of {id}, not from random ones."), {"id": Text}
    ),
    "compare.few_steps": Sentence(
        N_(
            "{steps} steps are few: training from scratch has hardly begun by then, and the gap to pretrained "
            "weights looks larger than it is. Take at least {fair}."
        ),
        {"steps": Count, "fair": Count},
    ),
    "compare.one_seed": Sentence(
        N_("With one repeat, nothing is told of chance between trainings. Two or three show it.")
    ),
    "compare.size_too_large": Sentence(
        N_("{sizes}: more training examples than there are. {n} can be trained on; some are kept for validation."),
        {"sizes": Text, "n": Text},
    ),
    "compare.cells_failed": Sentence(
        N_("{n} of {total} trainings failed; what the others found is kept. Why the first one did follows."),
        {"n": Count, "total": Count},
    ),
    "compare.cell_died": Sentence(N_("Its process ended without a word (status {code})."), {"code": Text}),
    "compare.waiting": Sentence(N_("{n} of these runs are still at work; the comparison follows."), {"n": Count}),
    "compare.ahead_once": Sentence(
        N_(
            "With {size} examples, pretrained weights ({family}) are {difference} points more accurate than training "
            "from scratch (95%: {low} to {high})."
        ),
        {"size": Count, "family": Family, **_GAP},
    ),
    "compare.ahead_everywhere": Sentence(
        N_(
            "Pretrained weights ({family}) are ahead of training from scratch at every size: by {difference} points "
            "at {size} examples (95%: {low} to {high}), by {least_difference} at {least_size} ({least_low} to "
            "{least_high})."
        ),
        {"family": Family, "size": Count, "least_size": Count, **_GAP, **_LEAST},
    ),
    "compare.ahead_at": Sentence(
        N_(
            "Pretrained weights ({family}) are ahead of training from scratch at {sizes} examples: by {difference} "
            "points at {size} (95%: {low} to {high}), by {least_difference} at {least_size} ({least_low} to "
            "{least_high})."
        ),
        {"family": Family, "sizes": Each(Count), "size": Count, "least_size": Count, **_GAP, **_LEAST},
    ),
    "compare.scratch_ahead": Sentence(
        N_(
            "Training from scratch is ahead of pretrained weights ({family}) at {sizes} examples; most at {size}, by "
            "{difference} points (95%: {low} to {high})."
        ),
        {"family": Family, "sizes": Each(Count), "size": Count, **_GAP},
    ),
    "compare.scratch_ahead_once": Sentence(
        N_(
            "With {size} examples, training from scratch is {difference} points more accurate than pretrained "
            "weights ({family}; 95%: {low} to {high})."
        ),
        {"size": Count, "family": Family, **_GAP},
    ),
    "compare.none_shown": Sentence(
        N_(
            "No difference shown between pretrained weights ({family}) and training from scratch at any of {n} "
            "sizes: the largest, {difference} points at {size} examples (95%: {low} to {high}), could be chance."
        ),
        {"family": Family, "n": Count, "size": Count, **_GAP},
    ),
    "compare.none_shown_once": Sentence(
        N_(
            "No difference shown between pretrained weights ({family}) and training from scratch with {size} "
            "examples: {difference} points (95%: {low} to {high}) could be chance."
        ),
        {"family": Family, "size": Count, **_GAP},
    ),
    "compare.even_from": Sentence(
        N_(
            "From {size} examples on, no difference is shown: the {difference} points between them at {largest} "
            "(95%: {low} to {high}) could be chance."
        ),
        {"size": Count, "largest": Count, **_GAP},
    ),
    "compare.even_at_last": Sentence(
        N_(
            "With {largest} examples, the most that were tried, no difference is shown any more: the {difference} "
            "points between them (95%: {low} to {high}) could be chance."
        ),
        {"largest": Count, **_GAP},
    ),
    "compare.gap_remains": Sentence(
        N_(
            "Up to {largest} examples, training from scratch does not catch up: there it is still {difference} "
            "points behind (95%: {low} to {high})."
        ),
        {"largest": Count, **_GAP},
    ),
    "compare.time_faster": Sentence(
        N_(
            "With {size} examples, training from scratch took {times} times as long: {scratch_seconds} against "
            "{seconds} ({family})."
        ),
        {"size": Count, "times": AS_FAST, "scratch_seconds": Seconds, "seconds": Seconds, "family": Family},
    ),
    "compare.time_slower": Sentence(
        N_(
            "With {size} examples, training from scratch was faster: {scratch_seconds}. Pretrained weights "
            "({family}) took {times} times as long, {seconds}."
        ),
        {"size": Count, "scratch_seconds": Seconds, "family": Family, "times": AS_FAST, "seconds": Seconds},
    ),
    "compare.time_alike": Sentence(
        N_(
            "With {size} examples, both trained about as long: {scratch_seconds} from scratch, {seconds} with "
            "pretrained weights ({family})."
        ),
        {"size": Count, "scratch_seconds": Seconds, "seconds": Seconds, "family": Family},
    ),
    "compare.labels_about": Sentence(
        N_(
            "Pretrained weights ({family}) reach {accuracy} with {size} examples; from scratch, that takes about "
            "{scratch_size} (95%: {fewest} to {most})."
        ),
        {"scratch_size": _EXAMPLES, "fewest": _EXAMPLES, "most": _EXAMPLES, **_REACHED},
    ),
    "compare.labels_about_open": Sentence(
        N_(
            "Pretrained weights ({family}) reach {accuracy} with {size} examples; from scratch, that takes about "
            "{scratch_size}, at least {fewest}. How many at most, these sizes do not tell."
        ),
        {"scratch_size": _EXAMPLES, "fewest": _EXAMPLES, **_REACHED},
    ),
    "compare.labels_beyond": Sentence(
        N_(
            "Pretrained weights ({family}) reach {accuracy} with {size} examples; from scratch, that takes about "
            "{scratch_size} (at least {fewest}), as the curve goes on beyond the {largest} that were tried."
        ),
        {"scratch_size": _EXAMPLES, "fewest": _EXAMPLES, "largest": Count, **_REACHED},
    ),
    "compare.labels_at_most": Sentence(
        N_(
            "Pretrained weights ({family}) reach {accuracy} with {size} examples; from scratch, that takes about "
            "{scratch_size} at most: trained longer, fewer might do."
        ),
        {"scratch_size": _EXAMPLES, **_REACHED},
    ),
    "compare.labels_between": Sentence(
        N_(
            "Pretrained weights ({family}) reach {accuracy} with {size} examples; from scratch, that takes between "
            "{fewest} and {most}."
        ),
        {"fewest": _EXAMPLES, "most": _EXAMPLES, **_REACHED},
    ),
    "compare.labels_more_than": Sentence(
        N_(
            "Pretrained weights ({family}) reach {accuracy} with {size} examples; from scratch, {scratch_size} are "
            "not enough: they reach {scratch_accuracy}."
        ),
        {"scratch_size": _EXAMPLES, "scratch_accuracy": _SCRATCH_ACCURACY, **_REACHED},
    ),
    "compare.labels_still_learning": Sentence(
        N_(
            "Pretrained weights ({family}) reach {accuracy} with {size} examples; from scratch, {scratch_size} reach "
            "{scratch_accuracy} and were still improving: trained longer, they might get there."
        ),
        {"scratch_size": _EXAMPLES, "scratch_accuracy": _SCRATCH_ACCURACY, **_REACHED},
    ),
    "compare.no_labels_saved": Sentence(
        N_(
            "Pretraining saved no labels here: from scratch, {scratch_size} examples reach {scratch_accuracy}; "
            "pretrained weights ({family}) reach {accuracy} with {size}."
        ),
        {"scratch_size": _EXAMPLES, "scratch_accuracy": _SCRATCH_ACCURACY, **_REACHED},
    ),
    "compare.labels_unknown": Sentence(
        N_("How many examples from scratch equal {size} with pretrained weights ({family}) cannot be told. {reason}"),
        {"size": Count, "family": Family, "reason": Reason},
    ),
    "compare.labels_unclear": Sentence(
        N_("From scratch, {scratch_size} examples reach {scratch_accuracy}: too close to {accuracy} to tell."),
        {"scratch_size": _EXAMPLES, "scratch_accuracy": _SCRATCH_ACCURACY, "accuracy": _ACCURACY},
    ),
    "compare.law_few_sizes": Sentence(
        N_("A curve over sizes needs {needed} of them; done: {n}."), {"needed": Count, "n": Count}
    ),
    "compare.law_flat": Sentence(
        N_(
            "Accuracy does not rise with the number of examples beyond chance: {first_accuracy} at {smallest}, "
            "{last_accuracy} at {largest}."
        ),
        {"first_accuracy": Share, "smallest": Count, "last_accuracy": Share, "largest": Count},
    ),
    "compare.law_misses": Sentence(
        N_(
            "The points follow no simple curve: the best one misses {missed_size} examples by {missed} points, more "
            "than chance explains."
        ),
        {"missed_size": Count, "missed": Gap},
    ),
    "compare.scratch_unconverged": Sentence(
        N_(
            "Still improving when their steps were used up: {n} of {of} trainings from scratch. Their accuracy is a "
            "lower bound."
        ),
        {"n": Count, "of": Count},
    ),
    "compare.method_best": Sentence(
        N_(
            "With {size} examples, {best} adapts the pretrained weights best: {difference} points ahead of {second} "
            "(95%: {low} to {high})."
        ),
        {"size": Count, "best": Family, "second": Family, **_GAP},
    ),
    "compare.methods_alike": Sentence(
        N_(
            "With {size} examples, no difference is shown between {best} and {second}: {difference} points (95%: "
            "{low} to {high}) could be chance."
        ),
        {"size": Count, "best": Family, "second": Family, **_GAP},
    ),
    "compare.dominated": Sentence(
        N_("At {sizes} examples, {family} is not worth it: {by} is at least as accurate there and trains no longer."),
        {"sizes": Each(Count), "family": Family, "by": Family},
    ),
    "compare.corrected": Sentence(
        N_(
            "{of} differences were tested together. Among so many, {n} that would count alone could be chance (Holm's "
            "correction)."
        ),
        {"n": Count, "of": Count},
    ),
    "compare.nothing_yet": Sentence(
        N_("Nothing can be compared yet: no two ways of training are done with the same number of examples.")
    ),
    "compare.still_missing": Sentence(
        N_("{missing} of {planned} trainings are not done: what is said here may change."),
        {"missing": Count, "planned": Count},
    ),
}
