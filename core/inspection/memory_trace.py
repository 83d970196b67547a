"""Every tensor that a step makes and frees, in order, and the heap they need."""

from __future__ import annotations

import bisect
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from core.inspection.shape_rules import SHAPED

PROBE = 10_007
_DEVICE_OF = torch.ops.prim.device.default
# Bytes for each value of its input that an operation takes inside, unseen: random numbers are drawn as integers, and
# the softmax of attention looks for rows that are masked whole.
_HIDDEN: dict[Any, tuple[int, ...]] = {
    torch.ops.aten.bernoulli_: (4,),
    torch.ops.aten._safe_softmax: (4, 1),
}
# torch asks for addresses that are multiples of 64: a chunk goes only into a hole that is larger by that, and so not
# into the one that a chunk of its own size left.
_ALIGNED = 96
Event = tuple[int, int, int]  # number (negative: given back), bytes, bytes for each example of the batch


@dataclass(frozen=True)
class Trace:
    """What a pass allocated and gave back, in order; behind the event `turn` it goes backward."""

    events: list[Event]
    turn: int | None = None

    def without_gradients(self) -> Trace:
        """The same pass where no weight learns: what grows with the batch stays, gradients of weights do not."""
        fixed = {number for number, size, _ in self.events[self.turn :] if size}
        kept = [event for event in self.events if abs(event[0]) not in fixed]
        return Trace(kept, self.turn)

    def live_bytes(self, batch: int) -> int:
        """The most bytes alive at once."""
        sizes: dict[int, int] = {}
        alive = most = 0
        for number, fixed, each in self.events:
            if number > 0:
                sizes[number] = fixed + batch * each
                alive += sizes[number]
                most = max(most, alive)
            else:
                alive -= sizes[-number]
        return most

    def heap_bytes(self, batch: int, moments: Iterable[int] = ()) -> int:
        """How far a heap grows that gives nothing back to the system, where a chunk goes into the tightest hole.

        With `moments` the pass is a training step and repeated: what the optimizer keeps is allocated behind the
        first one, in the holes it left.
        """
        heap = _Heap()
        for repeat in (0, 1) if moments else (0,):
            alive: set[int] = set()
            for number, fixed, each in self.events:
                if number > 0:
                    heap.take((repeat, number), fixed + batch * each)
                    alive.add(number)
                else:
                    heap.give((repeat, -number))
                    alive.discard(-number)
            for place, size in enumerate(moments if repeat == 0 else ()):
                heap.take((-1, place), size)
            for number in sorted(alive):
                heap.give((repeat, number))
        return heap.most


class _Heap:
    """glibc's way with large chunks: the tightest hole, neighbours joined, the top moved only where nothing fits."""

    def __init__(self) -> None:
        self.top = self.most = 0
        self._holes: list[tuple[int, int]] = []  # address, size; by address
        self._taken: dict[tuple[int, int], tuple[int, int]] = {}

    def take(self, key: tuple[int, int], size: int) -> None:
        fitting = [(hole[1], place) for place, hole in enumerate(self._holes) if hole[1] >= size + _ALIGNED]
        if fitting:
            found, place = min(fitting)
            address = self._holes.pop(place)[0]
            if found > size:
                self._holes.insert(place, (address + size, found - size))
        else:
            address, self.top = self.top, self.top + size
            self.most = max(self.most, self.top)
        self._taken[key] = (address, size)

    def give(self, key: tuple[int, int]) -> None:
        address, size = self._taken.pop(key)
        place = bisect.bisect(self._holes, (address, 0))
        if place < len(self._holes) and self._holes[place][0] == address + size:
            size += self._holes.pop(place)[1]
        if place and sum(self._holes[place - 1]) == address:
            place -= 1
            before = self._holes.pop(place)
            address, size = before[0], before[1] + size
        if address + size == self.top:
            self.top = address
        else:
            self._holes.insert(place, (address, size))


class Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down the storages that operations make, from their first use until nothing holds them any more."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.events: list[Event] = []
        self.turn: int | None = None
        self._count = 0
        self._known = [tensor.untyped_storage() for tensor in (*net.parameters(), *net.buffers())]
        self._seen = {storage._cdata for storage in self._known}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else each operation passes through torch's compiler, which doubles its time

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _DEVICE_OF:  # asked some ten times for each operation
            return args[0].fake_device if hasattr(args[0], "fake_device") else args[0].device
        hidden = [self._passing(args[0].numel() * size) for size in _HIDDEN.get(func._overloadpacket, ())]
        shaped = SHAPED.get(func._overloadpacket)
        out = func(*args, **(kwargs or {})) if shaped is None else shaped(*args)
        for tensor in (out,) if isinstance(out, Tensor) else tree_leaves(out):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._seen:
                    self._add(storage)
        self.events += [(-number, 0, 0) for number in reversed(hidden)]
        return out

    def _passing(self, size: int) -> int:
        """What an operation takes for itself alone."""
        self._count += 1
        grows = size % PROBE == 0
        self.events.append((self._count, 0, size // PROBE) if grows else (self._count, size, 0))
        return self._count

    def _add(self, storage: Any) -> None:
        key = storage._cdata
        self._seen.add(key)
        weakref.finalize(storage, self._gone, key, self._passing(int(storage.nbytes())))

    def _gone(self, key: int, number: int) -> None:
        self._seen.discard(key)
        self.events.append((-number, 0, 0))

    def trace(self) -> Trace:
        return Trace(list(self.events), self.turn)
