"""The data set that a typed name means: an id as it stands, a path, a bare name where only one data set has it."""

from __future__ import annotations

from urllib.parse import urlsplit

from core.data.library import list_data
from core.errors import InputError
from core.paths import check_readable, lies_there, meant_path, plain, shown
from core.problems import Problem
from core.spec import LONGEST_ID

_SOURCES = ("builtin", "torchvision", "hub", "upload")


def meant_data(given: str) -> str:
    """The id of the data set that was meant. Raises `InputError` which says what to write where it is not certain."""
    if given.startswith("path:") and given[5:].strip() and lies_there(meant_path(given[5:])):
        return given
    name = _of_address(plain(given))
    source, slash, rest = name.partition("/")
    if slash and source.lower() in _SOURCES and rest.strip():
        return f"{source.lower()}/{rest.strip()}"
    if name[:5].lower() == "path:" and name[5:].strip():
        if len(name) > LONGEST_ID:
            raise InputError(check_readable(meant_path(name[5:]), "data"))
        return f"path:{name[5:].strip()}"
    called = _called(name)
    is_path = bool(name) and lies_there(meant_path(name))
    if is_path and not called:
        return f"path:{meant_path(name)}"
    if len(called) == 1 and not is_path:
        return called[0]
    if called:
        known = [*called, f"path:{name}"] if is_path else called
        raise InputError([Problem("data.which", field="data", values={"name": shown(name), "known": ", ".join(known)})])
    if name and any(sign in name for sign in "/\\.~\0"):
        raise InputError(check_readable(meant_path(name), "data"))
    raise InputError([Problem("data.write", field="data", values={"id": shown(name), "known": ", ".join(_known())})])


def _of_address(text: str) -> str:
    """A data set's page on the hub as its id."""
    address = urlsplit(text) if text.startswith(("http://", "https://")) else None
    path = address.path.strip("/").split("/") if address and address.hostname in ("huggingface.co", "hf.co") else []
    return f"hub/{path[1]}/{path[2]}" if path[:1] == ["datasets"] and len(path) > 2 else text


def _known() -> list[str]:
    return [row.id for row in list_data()]


def _called(name: str) -> list[str]:
    """The ids of the data sets that are called so, an upload also with the ending it came with."""
    wanted = name.lower()
    return [one for one in _known() if one.lower().partition("/")[2] in (wanted, wanted.rpartition(".")[0])]
