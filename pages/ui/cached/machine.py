"""The only caches of the pages: this machine, its reach and its speed. The other files here hold the other rooms'
caches.
"""

from __future__ import annotations

import os
import time

import streamlit as st

from core import settings
from core.charts.curve_data import CurveBuffer
from core.hardware import MachineCard, describe_machine, free_disk_mb
from core.runs import queue
from core.store import open_store

# What several pages ask for in the same moment is read once.
_SHARED_S = 0.3
# A refresh takes some 15 ms of a core, and training waits for its slowest thread: with so long a rest for each
# further viewer and core, many viewers slow it by a few percent.
_REST_S, _LEAST_REST_S = 1.0, 0.4
_VIEWER_GONE_S = 30.0


@st.cache_data(ttl=10, show_spinner=False)
def machine() -> MachineCard:
    """This machine, its free memory at most ten seconds old."""
    return describe_machine()


@st.cache_data(ttl=10, show_spinner=False)
def free_disk() -> float:
    """Free space where Graft keeps its files, in MB."""
    return free_disk_mb(settings.home())


@st.cache_resource(max_entries=64, show_spinner=False)
def curves(run_id: str) -> CurveBuffer:
    """The curves of a run, shared by all its viewers; `refresh` reads what is new."""
    return CurveBuffer(run_id)


@st.cache_data(ttl=_SHARED_S, max_entries=64, show_spinner=False)
def _refresh(run_id: str) -> None:
    curves(run_id).refresh(open_store())


def fresh_curves(run_id: str) -> CurveBuffer:
    """The curves of a run with what was measured until now, read once for all its viewers."""
    _refresh(run_id)
    buffer: CurveBuffer = curves(run_id)
    return buffer


@st.cache_data(ttl=_SHARED_S, show_spinner=False)
def pump() -> None:
    """Keep the queue moving: of many open pages one is enough."""
    queue.pump()


@st.cache_resource(show_spinner=False)
def _viewers() -> dict[str, float]:
    return {}


def tick_s(session: str) -> float:
    """Seconds a live page rests between two looks: more when many watch, so that training has its cores."""
    seen, now = _viewers(), time.monotonic()
    seen[session] = now
    for other, moment in list(seen.items()):
        if now - moment > _VIEWER_GONE_S:
            seen.pop(other, None)
    return max(_LEAST_REST_S, round((len(seen) - 1) * _REST_S / (os.cpu_count() or 1), 1))
