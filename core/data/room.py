"""Room for pictures that are being decoded: small ones beside each other, of large ones one after another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from core.data.showing import MOST_MEMORY

_free = MOST_MEMORY
_changed = threading.Condition()


@contextmanager
def room_for(num_bytes: int) -> Iterator[None]:
    """Wait until so much of what decoding may take together is free; more than all of it waits for all."""
    global _free
    wanted = min(num_bytes, MOST_MEMORY)
    with _changed:
        _changed.wait_for(lambda: _free >= wanted)
        _free -= wanted
    try:
        yield
    finally:
        with _changed:
            _free += wanted
            _changed.notify_all()
