"""The model card of an optimized model: where it comes from, what was measured, what was not.

The raw facts come first, without anything that tells of the machine's folders; the pages in words are made of them
alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

from core.errors import NotFoundError
from core.i18n import Translator
from core.markdown import as_text
from core.messages import explain, explain_finding
from core.models.catalog import get_model
from core.optimize.rows import DataFacts, Gate, Loss, OptimizeReport, PassFacts, Ratios, Search, VariantRow
from core.problems import Problem, ProblemRow
from core.registry.passes import KINDS, PASSES
from core.store import Run
from core.values import Finding


class Origin(TypedDict):
    """A model with the licence of the published one whose network it is; None where that is not known here."""

    id: str
    name: str
    base: str | None
    licence: str | None


class CardFacts(TypedDict):
    """Everything the card tells, as plain values: MODEL_CARD.json."""

    name: str
    run: str
    made: str
    task: str
    num_classes: int
    model: Origin
    distilled: dict[str, Origin]  # by role: student, teacher
    passes: list[str]
    parents: list[str]
    data: DataFacts
    conditions: dict[str, Any]
    original: dict[str, Any]
    variant: dict[str, Any]
    kind: str
    ratios: Ratios | None
    loss: Loss | None
    gate: Gate | None
    verdict: Finding | None
    search: Search | None
    facts: PassFacts | None
    remarks: list[ProblemRow]
    sha256: dict[str, str]
    requirements: list[str]


_MEASURED = (
    "size_mb", "gzip_mb", "parameters", "gmacs", "latency_p50_ms", "latency_p95_ms", "throughput", "memory_mb",
    "load_ms", "accuracy", "interval", "agreement", "n",
)  # fmt: skip
_CONDITIONS = (
    "test", "test_all", "validation", "train", "is_labelled", "threads", "batch", "limit", "image_size",
    "median_tokens", "processor", "cores", "keeps_memory",
)  # fmt: skip
_RUNS_ON = ("format", "runtime")
_COUNTED = ("parameters", "gmacs", "accuracy")  # not measured by the clock, or told apart
# A path from the root on, Unix's or Windows', up to its last name; not the middle of an id or an address.
_PATH = re.compile(r"(?<![\w.:/\\-])(?:/|[A-Za-z]:[/\\])(?:[^\s/\\'\",;]+[/\\])+")


def card_facts(
    run: Run,
    report: OptimizeReport,
    row: VariantRow,
    how: Mapping[str, Any],
    sums: Mapping[str, str],
    packages: Sequence[str],
) -> CardFacts:
    """Everything the card tells, as plain values. Paths are told by their last name only."""
    conditions: Mapping[str, Any] = {**report.conditions}
    data = conditions.get("data") or run.spec["data"]
    original = report.original.as_dict() if report.original else {}
    variant, changed = row.as_dict(), row.facts or {}
    roles = [role for name in row.passes if name in PASSES for role in PASSES[name].models]
    named = {role: changed.get(role) or run.spec.get(role) for role in roles}
    facts: CardFacts = {
        "name": row.name,
        "run": run.name,
        "made": datetime.fromtimestamp(run.started_at or run.created_at, UTC).date().isoformat(),
        "task": how["task"],
        "num_classes": len(how["labels"]),
        "model": _origin(run.spec["model"]["id"]),
        "distilled": {role: _origin(id) for role, id in named.items() if isinstance(id, str) and id},
        "passes": list(row.passes),
        "parents": _parents(report, row),
        "data": {"id": data["id"], "fingerprint": data.get("fingerprint")},
        "conditions": {name: conditions[name] for name in _CONDITIONS if name in conditions},
        "original": {name: original.get(name) for name in (*_MEASURED, *_RUNS_ON)},
        "variant": {name: variant.get(name, changed.get(name)) for name in (*_MEASURED, *_RUNS_ON)},
        "kind": row.kind,
        "ratios": row.ratios,
        "loss": row.loss,
        "gate": row.gate,
        "verdict": row.verdict,
        "search": row.search,
        "facts": row.facts,
        "remarks": [p.as_dict() for p in (*row.problems, *report.problems) if p.severity == "warning"],
        "sha256": dict(sums),
        "requirements": list(packages),
    }
    cleaned: CardFacts = _without_paths(facts, str(data["id"]))
    return cleaned


def _origin(model_id: str) -> Origin:
    try:
        card = get_model(model_id)
        base = get_model(card.base) if card.base else card
    except NotFoundError:
        return {"id": model_id, "name": model_id, "base": None, "licence": None}
    return {"id": model_id, "name": card.name, "base": base.id, "licence": base.licence}


def _parents(report: OptimizeReport, row: VariantRow) -> list[str]:
    """The variants that this one is made from, the nearest first, and `original`."""
    known = {one.name: one.parent for one in report.variants}
    chain = [row.parent]
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


def markdown_card(facts: CardFacts, _: Translator) -> str:
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
    lines = [f"# {as_text(facts['model']['name'])} · {passes}", "", _about(facts, _)]
    for title, body in sections:
        if body:
            lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def _about(facts: CardFacts, _: Translator) -> str:
    values = {"model": facts["model"]["name"], "n": _.number(facts["num_classes"]), "date": facts["made"]}
    if facts["task"] == "text-classification":
        return _("{model} tells {n} classes of texts apart. Made smaller or faster with Graft on {date}.", **values)
    return _("{model} tells {n} classes of pictures apart. Made smaller or faster with Graft on {date}.", **values)


def _usage(facts: CardFacts, _: Translator) -> list[str]:
    asked = '"some text"' if facts["task"] == "text-classification" else "picture.jpg"
    lines = ["```", "pip install -r requirements.txt", "python predict.py sample", f"python predict.py {asked}", "```"]
    check = _(
        "`predict.py sample` asks about the samples that lie here and tells whether the model answers as it did when "
        "it was measured. With `--json` the answers come as JSON. Nothing is downloaded."
    )
    if any(line.startswith("torch") for line in facts["requirements"]):
        check += " " + _("A torch for the processor alone is enough.")
    return [*lines, "", check]


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


def _table(facts: CardFacts, _: Translator) -> list[str]:
    lines = [["", _("Original"), _("This model"), _("Better by")], ["---", "---:", "---:", "---:"]]
    sides = facts["original"], facts["variant"]
    for name, word, tell in _rows(_):
        cells = [side[name] for side in sides]
        if any(cell is not None for cell in cells):
            values = ["–" if cell is None else tell(cell) for cell in cells]
            if name == "accuracy":
                values = [_with_interval(side, text, _) for side, text in zip(sides, values, strict=True)]
            lines.append([word, *values, _better(facts, name, _)])
    return ["| " + " | ".join(line) + " |" for line in lines]


def _with_interval(row: Mapping[str, Any], value: str, _: Translator) -> str:
    if row["accuracy"] is None or not row["interval"]:
        return value
    low, high = (_.percent(edge) for edge in row["interval"])
    return _("{value} ({low} to {high})", value=value, low=low, high=high)


def _better(facts: CardFacts, name: str, _: Translator) -> str:
    """The ratio or the loss that belongs to a row, with its interval."""
    ratios, loss = facts["ratios"], facts["loss"]
    if loss and name == loss["of"] == "accuracy":
        edges = (loss["points"], loss["high"], loss["low"])
        value, low, high = (f"{-edge:+.1f}".replace("-", "−") for edge in edges)
        return _("{value} ({low} to {high})", value=_("{n} points", n=value), low=low, high=high)
    if ratios and name == "size_mb":
        return f"{_.number(ratios['size'], 2)}×"
    if ratios and name in ("latency_p50_ms", "throughput"):
        ratio = ratios["throughput"] if name == "throughput" else ratios["latency"]
        value, low, high = (_.number(edge, 2) for edge in ratio)
        return _("{value} ({low} to {high})", value=f"{value}×", low=low, high=high)
    return ""


def _conditions(facts: CardFacts, _: Translator) -> list[str]:
    how = facts["conditions"]
    sentences = []
    if facts["variant"]["n"]:
        sentences.append(
            _(
                "Measured on {n} test examples that no choice was made on; intervals are those of 95%.",
                n=_.number(facts["variant"]["n"]),
            )
        )
    sentences.append(
        _(
            "Timed on {processor} with {threads} threads, original and variants in turns; batches hold {batch}.",
            processor=how.get("processor") or "–",
            threads=how.get("threads", "–"),
            batch=how.get("batch", "–"),
        )
    )
    sentences.append(
        _("Original: {original}. This model: {variant}.", original=facts["original"]["runtime"] or "–",
          variant=facts["variant"]["runtime"])
    )  # fmt: skip
    gate = facts["gate"]
    if gate and gate["passed"]:
        sentences.append(
            _("The file was opened again and asked about {n} samples before it was measured.", n=gate["samples"])
        )
    return sentences


def _origins(facts: CardFacts, _: Translator) -> list[str]:
    model, data = facts["model"], facts["data"]
    sentences = [_("Model: {name} (`{id}`)", name=model["name"], id=model["id"])]
    if model["base"] and model["base"] != model["id"]:
        sentences.append(_("Its network and first weights: `{id}`", id=model["base"]))
    sentences.append(_licence(_("Licence of the base model"), model, _))
    for role, origin in facts["distilled"].items():
        word = _("Student") if role == "student" else _("Teacher")
        sentences.append(_.pair(word, f"{origin['name']} (`{origin['id']}`)"))
        sentences.append(_licence(_("Licence of that model"), origin, _))
    for name in facts["passes"]:
        sentences.append(_.pair(_(PASSES[name].label), _(PASSES[name].help)) if name in PASSES else name)
    parents = " ← ".join(_("the original") if one == "original" else f"`{one}`" for one in facts["parents"])
    sentences.append(_("Made from: {parents}", parents=parents))
    sentences.append(_("Data: `{id}`, fingerprint `{sum}`", id=data["id"], sum=data["fingerprint"] or "–"))
    return [*sentences, _("Run: {name}", name=facts["run"])]


def _licence(word: str, origin: Origin, _: Translator) -> str:
    if origin["licence"] is None:
        return _.pair(word, _("not known, as the model is not in the catalogue any more"))
    return _.pair(word, _(origin["licence"]) if origin["licence"] else _("not stated by the publisher"))


def _limits(facts: CardFacts, _: Translator) -> list[str]:
    sentences = [explain(Problem(one["code"], values=one.get("values") or {}), _) for one in facts["remarks"]]
    if facts["variant"]["accuracy"] is None:
        sentences.append(
            _(
                "Accuracy was not measured: the classes of the data are not those of the model. What was measured is "
                "how often it answers as the original."
            )
        )
    missing = [word for name, word, _tell in _rows(_) if name not in _COUNTED and facts["variant"][name] is None]
    if missing:
        sentences.append(_("Not measured: {names}.", names=_.listed(missing)))
    sentences.append(
        _("On other data, and on examples of another kind, it may be less accurate: that was not measured.")
    )
    sentences.append(_("On another machine, times and memory differ: only the one named above was measured."))
    sentences.append(_("Whether its probabilities are as often right as they say (calibration) was not measured."))
    if KINDS[facts["kind"]].is_rounded:
        sentences.append(
            _("It computes with rounded numbers, which differ between processors: answers near a border may change.")
        )
    return sentences


def _contents(facts: CardFacts, _: Translator) -> list[str]:
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
