"""A network as steps in order, so that it can be cut anywhere: what lies below runs once and is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Step = nn.Module | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Stage:
    """Some consecutive steps of a network; `own` are parameters that belong to no module of these."""

    name: str
    steps: tuple[Step, ...]
    own: tuple[nn.Parameter, ...] = ()

    @property
    def modules(self) -> list[nn.Module]:
        return [step for step in self.steps if isinstance(step, nn.Module)]

    def parameters(self) -> Iterator[nn.Parameter]:
        yield from self.own
        for module in self.modules:
            yield from module.parameters()

    def run(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x)
        return x


@dataclass
class Stages:
    """A network in stages, its published head taken out."""

    net: nn.Module
    stages: list[Stage]
    head: nn.Module
    num_features: int
    is_map: bool = False
    head_name: str = ""  # where the head sat


@dataclass
class Plan:
    """What a family's function returns: stages in order, and where the published head sits."""

    stages: list[Stage]
    head: str  # dotted name of the module that is taken out; "": there is none
    tail: list[Step] = field(default_factory=list)  # joined to the last stage
    is_map: bool = False
    num_features: int = 0  # 0: as the head, or the last convolution, says


class Calls(nn.Module):
    """A function that runs some modules, as a module, so that freezing finds them."""

    def __init__(self, function: Callable[[Tensor], Tensor], *modules: nn.Module) -> None:
        super().__init__()
        self._function = function
        self._inner = nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        return self._function(x)


class NothingDrawn(TorchFunctionMode):
    """Leaves tensors as they are where random values would be drawn, which takes seconds in a large network."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        is_drawing = function in (Tensor.normal_, Tensor.uniform_, Tensor.erfinv_)
        return args[0] if is_drawing else function(*args, **(kwargs or {}))
