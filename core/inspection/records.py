"""What an inspection finds: the whole network, every module of it, memory by batch, and what each way of tuning trains.

`InspectionReport` is the run's `report.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from core.registry.methods import METHODS

Part = Literal["backbone", "head", "auxiliary"]


class Shown(TypedDict):
    """What a network is shown: `kind` is "image", "text", "sound" or a pair; px, tokens or seconds by that."""

    kind: str
    size: NotRequired[int]
    tokens: NotRequired[int]
    seconds: NotRequired[int]


class LayerRow(TypedDict):
    """One module: shapes for one example, parameters and multiply-adds with all that lies in it; `own` without."""

    path: str
    kind: str
    depth: int
    input: list[int] | None
    output: list[int] | None
    own: int
    parameters: int
    parameter_share: float
    macs: int
    mac_share: float
    part: Part
    block: int | None
    is_leaf: bool


class BlockRow(TypedDict):
    """One of the stages that "the last k blocks" counts, or the head."""

    name: str
    parameters: int
    macs: int
    output: list[int] | None


class Trained(TypedDict):
    """How many parameters a way of tuning trains, and their share of all."""

    parameters: int
    share: float


@dataclass(frozen=True)
class Tuning:
    """What each way of tuning trains, by its id in the registry, with a new head for `classes` classes.

    `whole`: None for a network without a place for what the way puts in. `by_blocks`: of a way that is told how many
    blocks learn, for every number of them. Adapters have the rank `rank`.
    """

    classes: int
    blocks: int
    rank: int
    whole: Mapping[str, Trained | None]
    by_blocks: Mapping[str, Mapping[str, Trained]]

    def trained(self, method: str, last_blocks: int) -> Trained | None:
        """What a way trains; None where the network has no such way, or an older version did not count it."""
        by_number = self.by_blocks.get(method)
        return self.whole.get(method) if by_number is None else by_number.get(str(last_blocks))

    def as_dict(self) -> dict[str, object]:
        """As the report keeps it: the ways beside the numbers."""
        return {
            "classes": self.classes,
            "blocks": self.blocks,
            "rank": self.rank,
            **self.whole,
            **self.by_blocks,
        }


def tuning_of(report: InspectionReport) -> Tuning | None:
    """The ways of tuning that a report tells of; None for a network that is not tuned here."""
    kept = report["tuning"]
    if not kept:
        return None
    ways = {name: row for name, row in METHODS.items() if name in kept}
    return Tuning(
        kept["classes"],
        kept["blocks"],
        kept["rank"],
        {name: kept[name] for name, row in ways.items() if "last_blocks" not in row.fields},
        {name: kept[name] for name, row in ways.items() if "last_blocks" in row.fields},
    )


class Baseline(TypedDict):
    """MB of a process with its libraries loaded and nothing computed yet, and where that for training comes from."""

    inference_mb: float
    training_mb: float
    training_from: Literal["a fresh process", "this process"]


MegabytesByBatch = dict[str, float]


class Memory(TypedDict):
    """Megabytes of a whole process by batch size, by precision, and when it learns by way of tuning."""

    baseline: Baseline
    batches: list[int]
    inference: dict[str, MegabytesByBatch]
    training: dict[str, dict[str, MegabytesByBatch]]


class Published(TypedDict):
    """What the card says of the network."""

    parameters: int
    gmacs: float
    metrics: dict[str, float]


class InspectionReport(TypedDict):
    """Everything an inspection tells."""

    id: str
    name: str
    input: Shown
    parameters: int
    gmacs: float
    published: Published
    versions: dict[str, str]
    layers: list[LayerRow]
    blocks: list[BlockRow]
    structure: str
    tuning: dict[str, Any]  # see `tuning_of`; empty for a network that is not tuned here
    memory: NotRequired[Memory]


class InspectionSummary(TypedDict):
    """What stands in the row of a run."""

    id: str
    parameters: int
    gmacs: float
    versions: dict[str, str]
