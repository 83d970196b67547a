"""Narrowing the catalogue down: by words, size, accuracy, licence, place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from core.i18n import LANGUAGES, translator
from core.models.card import ModelCard
from core.models.catalog import list_models
from core.models.families import get_family
from core.models.weight_files import file_names, find_weights
from core.registry.tasks import HUB_TASKS, READS
from core.settings import hub_folder, torch_folder


def search_models(
    cards: Iterable[ModelCard],
    local: Collection[str],
    *,
    text: str = "",
    task: str = "",
    group: str = "",
    families: Collection[str] = (),
    sources: Collection[str] = (),
    commercial: bool = False,
    max_parameters_m: float | None = None,
    min_accuracy: float | None = None,
    only_local: bool = False,
) -> list[ModelCard]:
    """The cards that fit everything asked for, in their order.

    `text`: words in any order, all of which must be found (`_haystack` says where); `local`: ids of the models whose
    weights are here (`find_local`); `commercial`: only what a licence lets anybody earn money with;
    `min_accuracy`: published top-1 accuracy on ImageNet-1K, percent. Cards without a figure fail a limit on it.
    """
    words = text.lower().split()
    most = None if max_parameters_m is None else max_parameters_m * 1e6
    return [
        card
        for card in cards
        if (not task or card.can(task))
        and (not families or card.family in families)
        and (not sources or card.source in sources)
        and (not only_local or card.id in local)
        and (most is None or 0 < card.parameters <= most)
        and (min_accuracy is None or _imagenet_accuracy(card) >= min_accuracy)
        and (not group or group_of(card) == group)
        and (not commercial or card.allows_commerce)
        and (not words or _fits(words, card))
    ]


def _imagenet_accuracy(card: ModelCard) -> float:
    return card.metrics.get("acc@1", -1.0) if card.source != "run" else -1.0


def _fits(words: list[str], card: ModelCard) -> bool:
    haystack = _haystack(card)
    return all(word in haystack for word in words)


def _haystack(card: ModelCard) -> str:
    """Where words are looked for: id, name, family, tasks and languages, these two in every language of the pages."""
    languages = card.text.languages if card.text else ()
    said = " ".join(_in_words(*card_tasks(card), *languages))
    return f"{card.id} {card.name} {card.family} {said}".lower()


def group_of(card: ModelCard) -> str:
    """The group of a card's family: vision, nlp or multimodal; of an unknown family, by what the card takes in."""
    family = get_family(card.family)
    if family is not None:
        return family.group
    if card.is_text:
        return "nlp"
    return "vision" if card.preprocessing is not None and card.text is None else "multimodal"


def card_tasks(card: ModelCard) -> tuple[str, ...]:
    """Everything a model does, its first task first."""
    return (card.task, *card.tasks)


@lru_cache(maxsize=256)
def _in_words(*codes: str) -> tuple[str, ...]:
    """Codes of tasks and languages, and what they are called in each language."""
    names = [HUB_TASKS[code].words if code in HUB_TASKS else READS.get(code, code) for code in codes]
    return (*codes, *(translator(language)(name) for language in LANGUAGES for name in names))


def line_of(card: ModelCard, is_here: bool) -> str:
    """A model in one line of a terminal; a dash for what nobody published or counted."""
    accuracy = f"{card.metrics['acc@1']:.1f}%" if "acc@1" in card.metrics else "–"
    counted = f"{card.parameters / 1e6:8.1f} M {card.gmacs:9.2f} GMACs" if card.parameters else f"{'–':>26}"
    return f"{card.id:60} {counted} {accuracy:>7} {card.size_mb:9.1f} MB{'  local' if is_here else ''}"


# -- what is here ------------------------------------------------------------------------------------------


def find_local(cards: Iterable[ModelCard] | None = None) -> set[str]:
    """The ids of the models whose weights are on this machine: what `is_local` says of each, by one listing."""
    checkpoints = _files(torch_folder() / "hub" / "checkpoints")
    repositories: dict[str, set[str]] = {}
    for folder in _folders(hub_folder()):
        if folder.name.startswith("models--"):
            files = {name for snapshot in _folders(folder / "snapshots") for name in _files(snapshot)}
            repositories[folder.name.removeprefix("models--").replace("--", "/")] = files
    anywhere = checkpoints.union(*repositories.values())
    ids = set()
    for card in list_models() if cards is None else cards:
        if card.source in ("run", "bundled"):
            is_here = find_weights(card) is not None
        elif card.repository:
            names = repositories.get(card.repository, set())
            is_here = not names.isdisjoint(file_names(card))
            if not is_here and any("index.json" in name for name in names):  # weights in several files
                is_here = find_weights(card) is not None
        else:
            is_here = card.file_name in anywhere
        if is_here:
            ids.add(card.id)
    return ids


def _folders(path: Path) -> Iterator[Path]:
    try:
        yield from (entry for entry in path.iterdir() if entry.is_dir())
    except OSError:  # nothing was ever kept there, or it is removed this moment
        return


def _files(path: Path) -> set[str]:
    try:
        return {entry.name for entry in path.iterdir() if entry.is_file()}
    except OSError:
        return set()
