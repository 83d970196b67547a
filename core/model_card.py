"""The model card of an optimized model: where it comes from, what was measured, what was not.

The raw facts come first, without anything that tells of the machine's folders; the pages in words are made of them
alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.catalog import get_model
from core.errors import NotFoundError, Problem
from core.i18n import Translator
from core.messages import explain, explain_finding
from core.registry.passes import KINDS, PASSES
from core.store import Run

Facts = dict[str, Any]
_MEASURED = (
    "size_mb", "gzip_mb", "parameters", "gmacs", "latency_p50_ms", "latency_p95_ms", "throughput", "memory_mb",
    "load_ms", "accuracy", "interval", "agreement", "n",
)  # fmt: skip
_CONDITIONS = (
    "test", "test_all", "validation", "train", "is_labelled", "threads", "batch", "limit", "image_size",
    "median_tokens", "processor", "cores", "keeps_memory",
)  # fmt: skip
_COUNTED = ("parameters", "gmacs", "accuracy")  # not measured by the clock, or told apart
# A path from the root on, Unix's or Windows', up to its last name; not the middle of an id or an address.
_PATH = re.compile(r"(?<![\w.:/\\-])(?:/|[A-Za-z]:[/\\])(?:[^\s/\\'\",;]+[/\\])+")


def card_facts(
    run: Run,
    report: Mapping[str, Any],
    variant: Mapping[str, Any],
    how: Mapping[str, Any],
    sums: Mapping[str, str],
    packages: Sequence[str],
) -> Facts:
    """Everything the card tells, as plain values. Paths are told by their last name only."""
    conditions, model = report["conditions"], run.spec["model"]["id"]
    data = conditions.get("data") or run.spec["data"]
    changed = variant.get("facts") or {}
    roles = [role for name in variant["passes"] if name in PASSES for role in PASSES[name].models]
    named = {role: changed.get(role) or run.spec.get(role) for role in roles}
    facts = {
        "name": variant["name"],
        "run": run.name,
        "made": datetime.fromtimestamp(run.started_at or run.created_at, UTC).date().isoformat(),
        "task": how["task"],
        "num_classes": len(how["labels"]),
        "model": _origin(model),
        "distilled": {role: _origin(id) for role, id in named.items() if isinstance(id, str) and id},
        "passes": list(variant["passes"]),
        "parents": _parents(report, variant),
        "data": {"id": data["id"], "fingerprint": data.get("fingerprint")},
        "conditions": {name: conditions[name] for name in _CONDITIONS if name in conditions},
        "original": {name: (report["original"] or {}).get(name) for name in _MEASURED} | _runs_on(report["original"]),
        "variant": {name: variant.get(name, changed.get(name)) for name in _MEASURED} | _runs_on(variant),
        "kind": variant["kind"],
        **{name: variant.get(name) for name in ("ratios", "loss", "gate", "verdict", "search", "facts")},
        "remarks": [problem for problem in variant.get("problems") or [] if problem["severity"] == "warning"],
        "sha256": dict(sums),
        "requirements": list(packages),
    }
    cleaned: Facts = _without_paths(facts, str(data["id"]))
    return cleaned


def _runs_on(row: Mapping[str, Any] | None) -> Facts:
    return {name: (row or {}).get(name) for name in ("format", "runtime")}


def _origin(model_id: str) -> Facts:
    """A model with the licence of the published one whose network it is; None where that is not known here."""
    try:
        card = get_model(model_id)
        base = get_model(card.base) if card.base else card
    except NotFoundError:
        return {"id": model_id, "name": model_id, "base": None, "licence": None}
    return {"id": model_id, "name": card.name, "base": base.id, "licence": base.licence}


def _parents(report: Mapping[str, Any], variant: Mapping[str, Any]) -> list[str]:
    """The variants that this one is made from, the nearest first, and `original`."""
    known = {one["name"]: one["parent"] for one in report["variants"]}
    chain = [str(variant["parent"])]
    while chain[-1] in known and len(chain) <= len(known):
        chain.append(known[chain[-1]])
    return chain


def _without_paths(value: Any, data_id: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_paths(one, data_id) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_paths(one, data_id) for one in value]
    if not isinstance(value, str):
        return value
    path = data_id.removeprefix("path:")
    if path != data_id:
        value = value.replace(path, re.split(r"[/\\]", path.rstrip("/\\"))[-1])
    value = value.replace(str(Path.home()), "")  # its last name is the user's
    return "path:" + _PATH.sub("", value[5:]) if value.startswith("path:") else _PATH.sub("", value)


# -- in words ----------------------------------------------------------------------------------------------


def markdown_card(facts: Facts, _: Translator) -> str:
    """The card as a page to read."""
    labels = [_(PASSES[name].label) if name in PASSES else name for name in facts["passes"]]
    passes = " + ".join(labels)
    sections: list[tuple[str, Sequence[str]]] = [
        (_("What came out"), [explain_finding(facts["verdict"], _)] if facts["verdict"] else []),
        (_("How to use it"), _usage(facts, _)),
        (_("What was measured"), [*_table(facts, _), "", *_bullets(_conditions(facts, _))]),
        (_("Where it comes from"), _bullets(_origins(facts, _))),
        (_("Limits"), _bullets(_limits(facts, _))),
        (_("What lies here"), _bullets(_contents(facts, _))),
    ]
    lines = [f"# {facts['model']['name']} · {passes}", "", _about(facts, _)]
    for title, body in sections:
        if body:
            lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def _about(facts: Facts, _: Translator) -> str:
    values = {"model": facts["model"]["name"], "n": _.number(facts["num_classes"]), "date": facts["made"]}
    if facts["task"] == "text-classification":
        return _("{model} tells {n} classes of texts apart. Made smaller or faster with Graft on {date}.", **values)
    return _("{model} tells {n} classes of pictures apart. Made smaller or faster with Graft on {date}.", **values)


def _usage(facts: Facts, _: Translator) -> list[str]:
    asked = '"some text"' if facts["task"] == "text-classification" else "picture.jpg"
    lines = ["```", "pip install -r requirements.txt", "python predict.py sample", f"python predict.py {asked}", "```"]
    told = _(
        "`predict.py sample` asks about the samples that lie here and tells whether the model answers as it did when "
        "it was measured. With `--json` the answers come as JSON. Nothing is downloaded."
    )
    if any(line.startswith("torch") for line in facts["requirements"]):
        told += " " + _("A torch for the processor alone is enough.")
    return [*lines, "", told]


def _bullets(sentences: Sequence[str]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences if sentence]


def _rows(_: Translator) -> list[tuple[str, str, Callable[[float], str]]]:
    """What is compared: name, word, how its numbers are told."""

    def ms(value: float) -> str:
        return _.duration(value / 1000)

    def mb(value: float) -> str:
        return _.size(value * 1e6)

    def rate(value: float) -> str:
        return _("{n} per second", n=_.number(value, 3))

    return [
        ("size_mb", _("Size of the file"), mb),
        ("gzip_mb", _("Size, compressed"), mb),
        ("parameters", _("Parameters"), _.count),
        ("gmacs", _("GMACs"), lambda value: _.number(value, 3)),
        ("latency_p50_ms", _("Time for one example, median"), ms),
        ("latency_p95_ms", _("Time for one example, 95 of 100"), ms),
        ("throughput", _("In batches"), rate),
        ("memory_mb", _("Peak memory"), mb),
        ("load_ms", _("Time to load"), ms),
        ("accuracy", _("Accuracy"), _.percent),
        ("agreement", _("Answers as the original"), _.percent),
    ]


def _table(facts: Facts, _: Translator) -> list[str]:
    lines = [["", _("Original"), _("This model"), _("Better by")], ["---", "---:", "---:", "---:"]]
    for name, word, tell in _rows(_):
        cells = [facts[side][name] for side in ("original", "variant")]
        if any(cell is not None for cell in cells):
            told = ["–" if cell is None else tell(cell) for cell in cells]
            if name == "accuracy":
                told = [
                    _with_interval(facts[side], text, _)
                    for side, text in zip(("original", "variant"), told, strict=True)
                ]
            lines.append([word, *told, _better(facts, name, _)])
    return ["| " + " | ".join(line) + " |" for line in lines]


def _with_interval(row: Facts, told: str, _: Translator) -> str:
    if row["accuracy"] is None or not row["interval"]:
        return told
    low, high = (_.percent(edge) for edge in row["interval"])
    return _("{value} ({low} to {high})", value=told, low=low, high=high)


def _better(facts: Facts, name: str, _: Translator) -> str:
    """The ratio or the loss that belongs to a row, with its interval."""
    ratios, loss = facts["ratios"] or {}, facts["loss"] or {}
    if name == loss.get("of") == "accuracy":
        value, low, high = (f"{-loss[edge]:+.1f}".replace("-", "−") for edge in ("points", "high", "low"))
        return _("{value} ({low} to {high})", value=_("{n} points", n=value), low=low, high=high)
    found = {"size_mb": "size", "latency_p50_ms": "latency", "throughput": "throughput"}.get(name, "")
    ratio = ratios.get(found)
    if ratio is None:
        return ""
    if isinstance(ratio, int | float):
        return f"{_.number(ratio, 2)}×"
    value, low, high = (_.number(edge, 2) for edge in ratio)
    return _("{value} ({low} to {high})", value=f"{value}×", low=low, high=high)


def _conditions(facts: Facts, _: Translator) -> list[str]:
    how = facts["conditions"]
    told = []
    if facts["variant"]["n"]:
        told.append(
            _(
                "Measured on {n} test examples that no choice was made on; intervals are those of 95%.",
                n=_.number(facts["variant"]["n"]),
            )
        )
    told.append(
        _(
            "Timed on {processor} with {threads} threads, original and variants in turns; batches hold {batch}.",
            processor=how.get("processor") or "–",
            threads=how.get("threads", "–"),
            batch=how.get("batch", "–"),
        )
    )
    told.append(
        _("Original: {original}. This model: {variant}.", original=facts["original"]["runtime"] or "–",
          variant=facts["variant"]["runtime"])
    )  # fmt: skip
    gate = facts["gate"] or {}
    if gate.get("passed"):
        told.append(
            _("The file was opened again and asked about {n} samples before it was measured.", n=gate["samples"])
        )
    return told


def _origins(facts: Facts, _: Translator) -> list[str]:
    model, data = facts["model"], facts["data"]
    told = [_("Model: {name} (`{id}`)", name=model["name"], id=model["id"])]
    if model["base"] and model["base"] != model["id"]:
        told.append(_("Its network and first weights: `{id}`", id=model["base"]))
    told.append(_licence(_("Licence of the base model"), model, _))
    for role, origin in facts["distilled"].items():
        word = _("Student") if role == "student" else _("Teacher")
        told.append(_.pair(word, f"{origin['name']} (`{origin['id']}`)"))
        told.append(_licence(_("Licence of that model"), origin, _))
    for name in facts["passes"]:
        told.append(_.pair(_(PASSES[name].label), _(PASSES[name].help)) if name in PASSES else name)
    parents = " ← ".join(_("the original") if one == "original" else f"`{one}`" for one in facts["parents"])
    told.append(_("Made from: {parents}", parents=parents))
    told.append(_("Data: `{id}`, fingerprint `{sum}`", id=data["id"], sum=data["fingerprint"] or "–"))
    return [*told, _("Run: {name}", name=facts["run"])]


def _licence(word: str, origin: Facts, _: Translator) -> str:
    if origin["licence"] is None:
        return _.pair(word, _("not known, as the model is not in the catalogue any more"))
    return _.pair(word, _(origin["licence"]) if origin["licence"] else _("not stated by the publisher"))


def _limits(facts: Facts, _: Translator) -> list[str]:
    told = [explain(Problem(one["code"], values=one.get("values") or {}), _) for one in facts["remarks"]]
    if facts["variant"]["accuracy"] is None:
        told.append(
            _(
                "Accuracy was not measured: the classes of the data are not those of the model. What was measured is "
                "how often it answers as the original."
            )
        )
    missing = [word for name, word, _tell in _rows(_) if name not in _COUNTED and facts["variant"][name] is None]
    if missing:
        told.append(_("Not measured: {names}.", names=_.listed(missing)))
    told.append(_("On other data, and on examples of another kind, it may be less accurate: that was not measured."))
    told.append(_("On another machine, times and memory differ: only the one named above was measured."))
    told.append(_("Whether its probabilities are as often right as they say (calibration) was not measured."))
    if KINDS[facts["kind"]].is_rounded:
        told.append(
            _("It computes with rounded numbers, which differ between processors: answers near a border may change.")
        )
    return told


def _contents(facts: Facts, _: Translator) -> list[str]:
    is_text = facts["task"] == "text-classification"
    rows = [
        *((name, f"sha256 `{value}`") for name, value in facts["sha256"].items()),
        ("preprocessing.json" + (", tokenizer.json" if is_text else ""), _("how an input is prepared")),
        ("labels.json", _("the classes in the order of the logits")),
        ("predict.py, requirements.txt", _("a script to use it, or to read how it is used")),
        ("sample/", _("samples and what the model answered to them")),
        ("MODEL_CARD.json", _("the facts of this page as raw numbers")),
    ]
    return [_.pair(name, text) for name, text in rows]
