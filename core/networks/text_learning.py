"""What makes a text network learn in less time, to the same end: fewer embeddings to move, and quicker dropout.

A data set holds a part of the tokens that a network knows. The embeddings of all others never get a gradient, but the
optimizer would keep two more numbers for each of theirs, and walk all of them at each step: of MiniLM-L6 they are half
of all parameters, of multilingual networks most. So only those learn that occur; the rest does not even decay.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_WORTH_IT = 0.8  # where more of the tokens occur, all are left as they are
_LOOKED_AT = 8  # tokens that the network is asked about both ways
_DRAWN_AT_ONCE = 4  # places that a random number of 64 bits decides about, by 16 bits each


@contextmanager
def learning_quickly(net: nn.Module, used: NDArray[np.int64]) -> Iterator[None]:
    """Within: of the embeddings of tokens only the `used` ones learn, and dropout on a CPU takes less time.

    The network is whole again behind it, with what was learned. `used`: ids of tokens [n], each once.
    """
    with ExitStack() as stack:
        stack.enter_context(_only_used(net, used))
        stack.enter_context(_quick_dropout(net))
        yield


# -- embeddings ------------------------------------------------------------------------------------------


class UsedEmbedding(nn.Embedding):
    """The rows of an embedding that are used [n, H], asked for by the ids that they have in the whole one."""

    def __init__(self, whole: nn.Embedding, used: NDArray[np.int64]) -> None:
        device, rows = whole.weight.device, torch.from_numpy(used)
        places = torch.full((whole.num_embeddings,), -1, dtype=torch.int64)
        places[rows] = torch.arange(len(rows))
        padding = None if whole.padding_idx is None else int(places[whole.padding_idx])
        kept = whole.weight.detach()[rows.to(device)].clone()
        super().__init__(len(rows), whole.embedding_dim, None if padding == -1 else padding, _weight=kept)
        self._rows, self._places = (rows.to(device),), (places.to(device),)  # in tuples, as they are no buffers

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(self._places[0][ids])

    def put_back(self, whole: nn.Embedding) -> None:
        """What was learned, into the whole one."""
        with torch.no_grad():
            whole.weight[self._rows[0].to(whole.weight.device)] = self.weight.to(whole.weight.device)


@contextmanager
def _only_used(net: Any, used: NDArray[np.int64]) -> Iterator[None]:
    whole = _embedding_of(net)
    if whole is None or not whole.weight.requires_grad or len(used) >= _WORTH_IT * whole.num_embeddings:
        yield
        return
    homes, part = _homes_of(net, whole.weight), UsedEmbedding(whole, used)
    before = _answer(net, used)
    for name in homes:
        net.set_submodule(name, part)
    try:  # a network may read its table in another way than by asking it
        is_same = torch.equal(_answer(net, used), before)
    except (IndexError, RuntimeError):
        is_same = False
    if not is_same:
        _put_back(net, homes)
    try:
        yield
    finally:
        if is_same:
            part.put_back(whole)
            _put_back(net, homes)


def _embedding_of(net: Any) -> nn.Embedding | None:
    """The table of tokens, where it is a plain one whose weight serves nothing else."""
    try:
        whole = net.get_input_embeddings()
    except (AttributeError, NotImplementedError):  # letters that are hashed, and the like
        return None
    if type(whole) is not nn.Embedding:
        return None
    return whole if all(type(home) is nn.Embedding for home in _homes_of(net, whole.weight).values()) else None


def _answer(net: nn.Module, used: NDArray[np.int64]) -> Tensor:
    """What the network makes of some of these tokens; it is left in the mode that it was in."""
    learning = [module for module in net.modules() if module.training]
    ids = torch.from_numpy(used[-_LOOKED_AT:])[None].to(next(net.parameters()).device)
    with torch.no_grad():
        found: Tensor = net.eval()(input_ids=ids, attention_mask=torch.ones_like(ids))[0]
    for module in learning:
        module.training = True
    return found


def _put_back(net: nn.Module, homes: dict[str, nn.Module]) -> None:
    for name, module in homes.items():
        net.set_submodule(name, module)


def _homes_of(net: nn.Module, weight: Tensor) -> dict[str, nn.Module]:
    """The modules that have this weight, by their dotted names: T5 has two for one."""
    named = net.named_parameters(remove_duplicate=False)
    names = [name.rpartition(".")[0] for name, other in named if other is weight]
    return {name: net.get_submodule(name) for name in names}


# -- dropout ---------------------------------------------------------------------------------------------


class QuickDropout(nn.Dropout):
    """Dropout (Srivastava et al. 2014) whose mask takes a quarter of the random numbers: a CPU draws them in turn."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0 or x.device.type != "cpu":
            return super().forward(x)
        return x * dropout_mask(x.shape, self.p, x.dtype)


def dropout_mask(shape: torch.Size, p: float, dtype: torch.dtype) -> Tensor:
    """Zeros with probability `p` (to 16 bits), else what keeps the mean; drawn from torch's own generator."""
    n = shape.numel()
    bits = torch.empty(-(-n // _DRAWN_AT_ONCE), dtype=torch.int64).random_(-(2**63), None)
    limit = round(p * 2**16)
    kept = bits.view(torch.int16)[:n].view(shape) >= limit - 2**15
    return kept.to(dtype).mul_(2**16 / (2**16 - limit) if limit < 2**16 else 0.0)


@contextmanager
def _quick_dropout(net: nn.Module) -> Iterator[None]:
    found = [module for module in net.modules() if type(module) is nn.Dropout and not module.inplace]
    for module in found:
        module.__class__ = QuickDropout
    try:
        yield
    finally:
        for module in found:
            module.__class__ = nn.Dropout
