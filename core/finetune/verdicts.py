"""What a training says beside its test: how well held-out rows were told, and whether more than a head paid."""

from __future__ import annotations

from core.finetune.records import CrossValidated, ProbeReport
from core.i18n import Translator


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


def probe_words(probe: ProbeReport, accuracy: float, _: Translator) -> str:
    """Whether the training beats the fitted head that it began from, on the same test rows; `accuracy` is its own."""
    low, high = (_.number(100 * bound, 2) for bound in probe["difference_interval"])
    values = {
        "head": _.percent(probe["accuracy"]),
        "model": _.percent(accuracy),
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
