"""What a training says beside its test: how well held-out rows were told, and whether it paid beside simpler ways."""

from __future__ import annotations

from core.evaluate import CleanScores
from core.finetune.records import BaselineReport, CrossValidated, ProbeReport, RivalScores, Scores
from core.i18n import Translator
from core.problems import Problem


def cross_validation_words(found: CrossValidated, num_test: int, _: Translator) -> str:
    """The cross-validated accuracy with its interval; where the test is smaller, that it says more than the test."""
    low, high = (_.percent(share) for share in found["interval"])
    values = {"accuracy": _.percent(found["accuracy"]), "n": _.number(found["n"]), "low": low, "high": high}
    told = _(
        "Cross-validation: {accuracy} of {n} examples are told rightly by a head that did not learn from them "
        "(95%: {low} to {high}).",
        **values,
    )
    if num_test >= found["n"]:
        return told
    fewer = _("The test has only {n}, so its own accuracy is known less well.", n=_.number(num_test))
    return f"{told} {fewer}"


def share_words(scores: Scores | RivalScores, _: Translator) -> str:
    """An accuracy; where test rows are trained on too, with that of the others beside."""
    share = _.percent(scores["accuracy"])
    clean = scores.get("without_leaks")
    return (
        _("{share} ({clean} without what is trained on too)", share=share, clean=_.percent(clean["accuracy"]))
        if clean
        else share
    )


def tested_words(rival: BaselineReport | ProbeReport, _: Translator) -> str:
    """On which test rows it was asked which is better, where that are not all of them; else nothing."""
    if "without_leaks" not in rival:
        return ""
    return " " + _.plural(
        "Which is better was asked on the {n} test example alone that is not trained on too.",
        "Which is better was asked on the {n} test examples alone that are not trained on too.",
        rival["tested_on"],
    )


def nothing_new_words(name: str, rival: BaselineReport | ProbeReport, test: Scores, _: Translator) -> str:
    """Where every test row is trained on too: both numbers, and that they do not tell which is better."""
    return _(
        "{name}: {rival}, the network: {model}. Every test example is trained on too, so which is better is not known.",
        name=name,
        rival=_.percent(rival["accuracy"]),
        model=_.percent(test["accuracy"]),
    )


def baseline_words(rival: BaselineReport, test: Scores, _: Translator) -> str:
    """Whether a text model beats word counts, with the numbers of both."""
    if "p" not in rival:
        return nothing_new_words(_("Word counts with a linear classifier"), rival, test, _)
    values = {"rival": share_words(rival, _), "model": share_words(test, _), "time": _.duration(rival["seconds"])}
    if rival["better"] == "model":
        told = _(
            "The simple rival, word counts with a linear classifier, reaches {rival} in {time}: "
            "the network is worth it.",
            **values,
        )
    elif rival["better"] == "baseline":
        told = _(
            "Word counts with a linear classifier do better: {rival} in {time}, the network {model}. "
            "Train more of it, or take the simple one.",
            **values,
        )
    else:
        told = _(
            "Word counts with a linear classifier reach {rival} in {time}: no difference to the network's "
            "{model} is shown.",
            **values,
        )
    return told + tested_words(rival, _)


def probe_words(probe: ProbeReport, test: Scores, _: Translator) -> str:
    """Whether the training beats the fitted head that it began from, on the same test rows; `test` is its own."""
    if "p" not in probe:
        return nothing_new_words(_("The fitted head that it began from"), probe, test, _)
    return _probe_words(probe, test, _) + tested_words(probe, _)


def _probe_words(probe: ProbeReport, test: Scores, _: Translator) -> str:
    low, high = (_.number(100 * bound, 2) for bound in probe["difference_interval"])
    values = {
        "head": share_words(probe, _),
        "model": share_words(test, _),
        "time": _.duration(probe["seconds"]),
        "low": low,
        "high": high,
    }
    if probe["better"] == "model":
        return _(
            "It began from a fitted head, which alone reaches {head} in {time}: training more of the network is "
            "worth it.",
            **values,
        )
    if probe["better"] == "probe":
        return _(
            "The fitted head that it began from does better: {head} in {time}, the training {model}. Take only the "
            "head, or bring more examples.",
            **values,
        )
    return _(
        "The fitted head that it began from reaches {head} in {time}: no difference to {model} is shown "
        "({low} to {high} points). The head alone does as well, as far as these test examples can tell.",
        **values,
    )


def without_leaks(clean: CleanScores | None, total: int) -> Problem:
    """What the test says without the rows that are trained on too."""
    if clean is None:
        return Problem("data.nothing_new_tested", "warning", "data", {"n": total})
    low, high = clean["interval"]
    values = {"accuracy": clean["accuracy"], "n": clean["n"], "low": low, "high": high}
    return Problem("data.without_leaks", "warning", "data", values)
