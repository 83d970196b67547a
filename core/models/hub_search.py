"""Search a hub for models while there is a network: names and facts as the hub tells them; nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from core import settings
from core.errors import GraftError, RunError, first_line
from core.models.card import HUB
from core.models.hubs import ways_to
from core.problems import Problem

# A page waits for this: a hub that takes longer is told as out of reach.
_TIMEOUT_S = 5.0
_FACTS = ("downloads", "gated", "likes", "pipeline_tag", "tags")
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


class HubRow(TypedDict):
    """One model of the hub. `task` and `licence` are empty where its publisher states none."""

    id: str  # hub/ORG/NAME or timm/NAME.TAG, as everywhere here
    task: str
    downloads: int  # of the last month
    likes: int
    licence: str
    is_gated: bool  # its page asks for consent before anything is fetched
    url: str


def hub_endpoint() -> str:
    """The address of the hub that is asked: `HF_ENDPOINT`, or the public one."""
    return (settings.get("HF_ENDPOINT") or HUB).rstrip("/")


def search_hub(text: str, task: str = "", limit: int = 20) -> list[HubRow]:
    """The models of the hub that fit a text, the most downloaded first; `task` as the hub names it, empty: all.

    The hub is that of `HF_ENDPOINT`. Raises `GraftError` when offline, and when it gives no answer that can be read
    within some seconds.
    """
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import get_session, hf_raise_for_status  # type: ignore[attr-defined]

    if settings.is_offline() or constants.is_offline_mode():
        raise GraftError("hub.offline")
    endpoint = hub_endpoint()
    asked: dict[str, Any] = {"search": text, "pipeline_tag": task, "sort": "downloads", "limit": limit}
    asked["expand"] = list(_FACTS)
    token = get_token()
    broken: tuple[Any, ...] = (OSError, ValueError, TypeError, KeyError, *HfHubHTTPError.__bases__)
    # HfApi.list_models asks the same, but waits without end, tries again for minutes, and asks for more beside.
    try:
        answer = get_session().get(
            f"{endpoint}/api/models",
            params={name: value for name, value in asked.items() if value},
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT_S,
        )
        hf_raise_for_status(answer)
        return list(_rows(answer.json(), limit))
    except broken as error:  # those of the network, and an answer that is not the hub's
        detail = first_line(error, 160)
        told = {"endpoint": settings.without_login(endpoint), "detail": detail.rstrip(".")}
        raise RunError([Problem("hub.unreachable", values=told), *ways_to(endpoint)]) from error


def _rows(answer: Iterable[Mapping[str, Any]], limit: int) -> Iterable[HubRow]:
    for row in list(answer)[:limit]:
        repository = str(row["id"])
        if not _REPOSITORY.fullmatch(repository):  # old models without an owner cannot be named here
            continue
        tags = [str(tag) for tag in row.get("tags") or ()]
        yield HubRow(
            id=repository if repository.startswith("timm/") else f"hub/{repository}",
            task=str(row.get("pipeline_tag") or ""),
            downloads=int(row.get("downloads") or 0),
            likes=int(row.get("likes") or 0),
            licence=next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), ""),
            is_gated=bool(row.get("gated")),
            url=HUB + repository,
        )
