"""What a row of the tables of tasks holds: records only, the rows themselves stand in `core.registry.tasks`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Reads = Literal["texts", "pictures", "sounds"]
Group = Literal["texts", "pictures", "sounds", "making"]
Output = Literal["labels", "text", "spans", "boxes", "masks", "picture"]


@dataclass(frozen=True)
class HubTask:
    """A task under the name that the hub and the cards give it.

    A configuration tells it by the end of a class's name, or by its type (`kinds`) where classes are called alike.
    """

    id: str
    words: str  # as a filter shows it
    reads: tuple[Reads, ...]
    classes: tuple[str, ...]  # that build its network, in the order in which they are tried for a configuration
    endings: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    # A network that does it encodes texts, which is trained here: as its first task, or behind this one.
    trains: Literal["no", "first", "second"] = "no"
    library: str = "transformers"


@dataclass(frozen=True)
class InputField:
    """Something a task is asked with. `kind` says what it is; `most` bounds it (characters, MB); examples by language.

    A picture comes as a decoded PIL image, a sound as `core.data.sound.Sound`, labels as a list of texts.
    """

    name: str
    kind: Literal["text", "long_text", "labels", "picture", "sound"]
    label: str
    most: int = 5000
    least: int = 2  # labels at least
    examples: Mapping[str, str] = field(default_factory=dict)
    flag: str = ""  # on the command line, where it is not --name

    @property
    def option(self) -> str:
        """Its option on the command line."""
        return self.flag or f"--{self.name}"


@dataclass(frozen=True)
class Option:
    """A number or switch for those who know: its range and default. A default of True or False makes a switch."""

    name: str
    label: str
    help: str
    default: float | bool
    least: float = 0
    most: float = 1
    step: float = 1


@dataclass(frozen=True)
class Recommended:
    """A model that does a task well for its size. `size_mb` (2**20 bytes) is what fetching it takes, as published."""

    id: str
    languages: tuple[str, ...]
    size_mb: float
    extra: str = ""  # a package it needs beside Graft's own


@dataclass(frozen=True)
class Task:
    """One thing to ask. `hub` is the name in `HUB_TASKS`; `id` differs from it where one name is asked in two ways."""

    id: str
    hub: str
    group: Group
    name: str
    does: str
    inputs: tuple[InputField, ...]
    output: Output
    models: tuple[Recommended, ...]
    options: tuple[Option, ...] = ()
    direction: str = ""  # of a translation: "zh-en"
    is_cosine: bool = False  # its labels come with a cosine from −1 to 1, not with a share
