"""The only caches of the pages: models, cards and weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from core import settings
from core.files import disk_bytes
from core.measurement.report import Measurement, list_measurements
from core.models import card as models_card
from core.models import catalog
from core.models.search import find_local
from core.store import open_store

if TYPE_CHECKING:
    from core.models.weight_cache import StoredWeights
    from core.predict.sentiment.model import SentimentCard


@st.cache_resource(ttl=20, show_spinner=False)  # cards are frozen: two thousand need not be copied at every look
def models() -> list[tuple[models_card.ModelCard, bool]]:
    """Every model with whether its weights are here: what runs made first, then local ones, then the rest."""
    here = find_local()
    published = [(card, card.id in here) for card in catalog.list_models()]
    made = [(card, True) for card in catalog.list_run_models()]
    return made + sorted(published, key=lambda pair: not pair[1])


@st.cache_resource(ttl=3, show_spinner=False)
def measurements() -> dict[str, Measurement]:
    """What was measured of models on this machine, by model id."""
    return list_measurements(open_store())


def hub_endpoint() -> str:
    """The address of the hub that is searched, as it may be shown."""
    from core.models.hub_search import hub_endpoint

    return settings.without_login(hub_endpoint())


@st.cache_data(ttl=300, max_entries=64, show_spinner=False)
def search_hub(text: str) -> list[Mapping[str, Any]]:
    """Models of the hub that fit some words. Raises `GraftError` where the hub gives no answer."""
    from core.models.hub_search import search_hub

    return list(search_hub(text))


@st.cache_data(ttl=10, show_spinner=False)
def folder_bytes(path: str) -> int:
    """What a folder really takes on the disk."""
    return disk_bytes(Path(path))


@st.cache_data(ttl=10, show_spinner=False)
def hub_cards() -> list[models_card.ModelCard]:
    """Every model in the Hugging Face cache of this machine."""
    from core.models.catalog import list_hub_cards

    return list_hub_cards()


def sentiment_card() -> SentimentCard:
    """How the sentiment model was made and what it scores."""
    from core.predict.sentiment.model import read_card

    return read_card()


@st.cache_data(ttl=10, show_spinner=False)
def stored_weights() -> list[StoredWeights]:
    """The weights in the caches of this machine, the largest first."""
    from core.models.weight_cache import list_weights

    return list_weights()
