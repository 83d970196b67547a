"""What is known of a pretrained model without its weights: one record, the same for every source."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.errors import InputError
from core.registry.tasks import HUB_TASKS, IMAGE_CLASSIFICATION, TEXT_CLASSIFICATION

# A picture this small shows nothing to a network that halves it five times.
SMALLEST_PX = 32
HUB = "https://huggingface.co/"
# Licences, in small letters, that let anybody use the weights for anything; and the words of those that do not.
# What has terms of its own (OpenRAIL, Gemma, DINOv3 …) is neither: it has to be read.
_FREE = {"apache-2.0", "mit", "bsd-3-clause", "bsd-2-clause", "cc-by-4.0", "cc0-1.0", "unlicense"}
_NOT_FOR_TRADE = re.compile(r"\bnc\b|non-?commercial|research|\bamlr\b|\bswag\b")


def _known_task(name: str) -> str:
    if name not in HUB_TASKS:
        raise ValueError(f"{name!r} is none of {', '.join(HUB_TASKS)}")
    return name


TaskName = Annotated[str, AfterValidator(_known_task)]  # an id of `HUB_TASKS`


class Preprocessing(BaseModel):
    """What a network was trained to see: RGB, resized, cropped to a square, normalised."""

    model_config = ConfigDict(frozen=True)

    image_size: int  # px, the edge of the square that the network gets
    resize_size: int  # px, before the crop: of the shorter edge, of both (squash) or of the longer one (border)
    interpolation: Literal["bilinear", "bicubic"]
    mean: tuple[float, float, float]  # of pixels in 0 … 1
    std: tuple[float, float, float]
    # As timm names it. Models that earlier versions of Graft made do not say it: they cut at fractions of pixels.
    crop_mode: Literal["center", "squash", "border", "fraction"] = "fraction"

    def at(self, size: int) -> Preprocessing:
        """The same for a network that is shown squares of another size, in px."""
        resized = self.resize_size if size == self.image_size else round(self.resize_size * size / self.image_size)
        return self.model_copy(update={"image_size": size, "resize_size": resized})

    def whole(self) -> Preprocessing:
        """The same with nothing cut off: of squares, which are all alike then."""
        return self.model_copy(update={"resize_size": self.image_size})


class TextInput(BaseModel):
    """What a text network reads: how much at once, in which tokens and languages, through how many layers."""

    model_config = ConfigDict(frozen=True)

    max_length: int  # tokens it can take in at once
    vocabulary: int  # tokens it knows
    layers: int
    hidden: int  # values of a token between the layers
    languages: tuple[str, ...]  # "en", "zh", "multilingual"; empty: not stated
    # Every layer has weights of its own and can be cut off from those below: not so in ALBERT and T5.
    has_own_layers: bool = True


class ModelCard(BaseModel):
    """One set of weights, with what is published about it. Accuracies are in percent."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    family: str
    task: TaskName = IMAGE_CLASSIFICATION
    tasks: tuple[TaskName, ...] = ()  # what it can do beside its first task
    source: Literal["bundled", "torchvision", "timm", "hub", "run"]
    architecture: str
    tag: str
    is_default: bool = True  # of several published weights of an architecture, the recommended ones
    parameters: int  # 0: not counted
    gmacs: float  # billions of multiply-adds for one picture of the model's own size, or a text of 128 tokens
    metrics: dict[str, float] = Field(default_factory=dict)
    metrics_on: str = ""
    size_mb: float  # of 2**20 bytes, as torchvision counts
    num_classes: int  # 0: these weights hold no classifier of their own
    labels: tuple[str, ...] = ()  # of a text classifier; pictures' labels stand in the snapshot, once
    min_size: int = 1  # px
    size_multiple: int = 1  # the network takes only multiples of this, in px
    is_fixed_size: bool = False  # it takes pictures of exactly its own size
    has_attention_layers: bool = False  # as counted when the snapshot was made; of timm's networks
    preprocessing: Preprocessing | None = None  # of pictures
    text: TextInput | None = None
    licence: str = ""
    recipe: str = ""
    notes: str = ""
    file_name: str
    sha256: str = ""  # the whole sum, or its beginning as torchvision's file names carry it
    url: str = ""
    base: str = ""  # for run/…: the published model whose network this is
    # Of the hub's: how its configuration differs from what transformers takes for this architecture.
    config: dict[str, Any] = Field(default_factory=dict)
    extra: str = ""  # the optional package without which it cannot be used, and is not shown

    @property
    def is_text(self) -> bool:
        """Whether it reads texts and nothing else. What reads texts beside pictures (CLIP) counts with pictures."""
        return self.text is not None and self.preprocessing is None

    @property
    def is_trainable(self) -> bool:
        """Whether it can be fine-tuned here: any classifier of pictures but the hub's, any text encoder."""
        if self.is_text:
            return self.task == TEXT_CLASSIFICATION
        return self.task == IMAGE_CLASSIFICATION and self.source != "hub"

    @property
    def has_attention(self) -> bool:
        """Whether it has attention layers, which is what adapters (LoRA) are put beside."""
        if self.source == "timm" or self.base.startswith("timm/"):
            return self.has_attention_layers
        return self.is_text or self.architecture.startswith(("vit", "swin", "maxvit"))

    def can(self, task: str) -> bool:
        """Whether it does this task, as its first or beside it."""
        return task == self.task or task in self.tasks

    @property
    def allows_commerce(self) -> bool | None:
        """Whether its licence lets anybody earn money with it; None: not stated, or on terms of its own."""
        licence = self.licence.lower()
        if licence in _FREE:
            return True
        return False if _NOT_FOR_TRADE.search(licence) else None

    @property
    def repository(self) -> str:
        """ORG/NAME on the Hugging Face hub; empty for what lies elsewhere."""
        return self.url.removeprefix(HUB) if self.url.startswith(HUB) else ""

    @property
    def vision(self) -> Preprocessing:
        """What a network for pictures was trained to see. Raises `InputError` for one that reads texts."""
        if self.preprocessing is None:
            raise InputError("model.not_for_pictures", id=self.id)
        return self.preprocessing

    @property
    def reading(self) -> TextInput:
        """What a network for texts reads. Raises `InputError` for one that sees pictures."""
        if self.text is None:
            raise InputError("model.not_for_texts", id=self.id)
        return self.text
