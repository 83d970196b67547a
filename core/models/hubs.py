"""The hubs that weights come from: addresses, mirrors, and what speaks against fetching from them here.

There are two, and nothing is fetched from anywhere else: the Hugging Face hub (`HF_ENDPOINT` names a mirror) and
the server of torchvision's files (`GRAFT_TORCH_MIRROR`).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from core import settings
from core.errors import GraftError, NotFoundError
from core.models.card import ModelCard
from core.models.catalog import get_model
from core.models.weight_files import find_weights
from core.problems import Problem

HUB = "https://huggingface.co"
TORCH = "https://download.pytorch.org"
_PART = r"[A-Za-z0-9][\w.-]*"
_REPOSITORY = re.compile(rf"{_PART}/{_PART}")


def hub_endpoint() -> str:
    """The address of the Hugging Face hub, or of the mirror that stands for it."""
    return (settings.get("HF_ENDPOINT") or HUB).rstrip("/")


def torch_endpoint() -> str:
    """The address of torchvision's files, or of the mirror that stands for it."""
    return (settings.get("GRAFT_TORCH_MIRROR") or TORCH).rstrip("/")


def host_of(url: str) -> str:
    """The server's name in an address, as sentences tell it."""
    return urlsplit(url).netloc.rpartition("@")[2] or url


def server_of(url: str, setting: str) -> str:
    """The server's name, with the setting that puts it in another's place where there is one."""
    return f"{host_of(url)} ({setting})" if settings.get(setting) else host_of(url)


def ways_to(url: str) -> list[Problem]:
    """What a failed request is to be told with: the proxy that it went by."""
    proxy = settings.proxy_of(url)
    if proxy is None:
        return []
    return [Problem("download.by_proxy", values={"host": host_of(url), "variable": proxy[0], "proxy": proxy[1]})]


def repository_of(model_id: str) -> str:
    """ORG/NAME on the Hugging Face hub of a model id, in the catalogue or not; empty for what lies elsewhere."""
    try:
        url = get_model(model_id).url
    except GraftError:
        url = ""
    source, _, name = model_id.partition("/")
    if url.startswith(f"{HUB}/") and source in ("hub", "timm"):
        repository = url.removeprefix(f"{HUB}/")
    else:
        repository = "" if url and source != "hub" else {"hub": name, "timm": model_id}.get(source, "")
    return repository if _REPOSITORY.fullmatch(repository) else ""


def torch_address(card: ModelCard) -> str:
    """Where a file of torchvision's lies, on the mirror where one is named; empty for what lies elsewhere."""
    if not card.url.startswith(f"{TORCH}/"):
        return ""
    return torch_endpoint() + card.url.removeprefix(TORCH)


def offline_switch(*, is_hub: bool) -> str:
    """The environment variable that forbids the network; empty when none does."""
    if settings.is_offline():
        return "GRAFT_OFFLINE"
    return "HF_HUB_OFFLINE" if is_hub and settings.is_hub_offline() else ""


def check_download(model_id: str) -> list[Problem]:
    """What speaks against fetching a model's weights: unknown, not to be had from a hub, offline, here already."""
    repository = repository_of(model_id)
    try:
        card: ModelCard | None = get_model(model_id)
    except NotFoundError as error:  # any repository of the hub may be fetched, whether the catalogue knows it or not
        if not repository or model_id.startswith("run/"):
            return [Problem(problem.code, field="model", values=problem.values) for problem in error.problems]
        card = None
    if card is not None and card.source == "run":
        return [Problem("download.made_here", field="model", values={"id": model_id})]
    if card is not None and card.source == "bundled":
        return [Problem("download.comes_along", field="model", values={"id": model_id})]
    if not repository and (card is None or not torch_address(card)):
        known = ", ".join(host_of(url) for url in (HUB, TORCH))
        return [Problem("download.no_address", field="model", values={"id": model_id, "hubs": known})]
    switch = offline_switch(is_hub=bool(repository))
    if switch:
        return [Problem("download.offline", field="model", values={"id": model_id, "switch": switch})]
    path = find_weights(card) if card is not None else None
    if path is not None:
        return [Problem("download.already_here", "warning", "model", {"id": model_id, "folder": str(path.parent)})]
    return []
