"""The model that a typed name means: an id as it stands, a bare name where only one model has it, a hub's address."""

from __future__ import annotations

import difflib
import re
from urllib.parse import urlsplit

from core.errors import GraftError, InputError
from core.models.catalog import get_model, known_ids
from core.paths import lies_there, meant_path, plain, shown
from core.store import open_store

_SOURCES = ("bundled", "torchvision", "timm", "hub", "run")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NAMED = 5  # models that a sentence names
SENTIMENT = "sentiment"


def meant_model(given: str, *, takes_folders: bool = False) -> str:
    """The id of the model that was meant; with `takes_folders` also path: and a folder.

    Raises `InputError` which says what to write where that is not certain.
    """
    name = _of_address(plain(given))
    source, slash, rest = name.partition("/")
    if name == SENTIMENT or (takes_folders and name.startswith("path:")):
        return name
    if slash and source.lower() in _SOURCES and rest:
        return f"{source.lower()}/{rest.strip()}"
    if not slash and _is_run(name):
        return f"run/{name}"
    found = _called(name)
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError("model.which", name=shown(name), known=", ".join(found[:_NAMED]))
    if name and lies_there(meant_path(name.removeprefix("path:"))):
        raise InputError("model.is_path", path=shown(name))
    if _REPOSITORY.fullmatch(name):
        raise InputError("model.write_hub", name=shown(name), id=f"hub/{name}")
    raise InputError("model.unknown", id=shown(name), near=", ".join(_near(name)))


def _of_address(text: str) -> str:
    """A model's page on the hub as its id."""
    address = urlsplit(text) if text.startswith(("http://", "https://")) else None
    if address is None or address.hostname not in ("huggingface.co", "www.huggingface.co", "hf.co", "hf-mirror.com"):
        return text
    repository = "/".join(address.path.strip("/").split("/")[:2])
    return repository if repository.startswith("timm/") else f"hub/{repository}"


def _is_run(name: str) -> bool:
    try:
        return bool(re.fullmatch(r"[a-z]{2}-[\w-]+", name)) and open_store().get_run(name).id == name
    except GraftError:
        return False


def _called(name: str) -> list[str]:
    """The ids that end in a name, without a source or a publisher, as they are or in other letters."""
    wanted = name.lower()
    exact, loose = [], []
    for one in known_ids():
        rest = one.partition("/")[2]
        if name in (rest, rest.rpartition("/")[2]):
            exact.append(one)
        elif wanted in (rest.lower(), rest.rpartition("/")[2].lower()):
            loose.append(one)
    return _without_tags(exact or loose)


def _without_tags(found: list[str]) -> list[str]:
    """An architecture's recommended weights have two ids: one with its tag, and one without. One is enough."""
    cards: dict[str, str] = {}
    for one in found:
        cards.setdefault(get_model(one).id, one)
    return list(cards.values())


def _near(name: str) -> list[str]:
    by_name = {one.partition("/")[2].lower(): one for one in known_ids()}
    near = difflib.get_close_matches(name.lower()[:100], by_name, n=3, cutoff=0.5)
    return [by_name[one] for one in near] or [known_ids()[0]]
