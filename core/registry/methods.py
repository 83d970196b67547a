"""The ways of tuning a network, one row each, from what learns least to what learns most.

A form, the command line, a check, an estimate, a chart and a page ask the row. What a way does to a network stands
in `core.networks.tuning`, whose table is held equal to this one by a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Literal

from core.i18n import N_, Translator
from core.registry.table import build_table


@dataclass(frozen=True)
class MethodSettings:
    """What a way of tuning can be told, under the names that the fields of a spec have."""

    last_blocks: int = 2
    lora_rank: int = 8
    lora_alpha: int = 16
    seed: int = 0

    @classmethod
    def of(cls, spec: object) -> MethodSettings:
        """Those of a spec that has them all."""
        return cls(**{field.name: getattr(spec, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class Rates:
    """Learning rates of AdamW where the user gives none; from random weights the same where nothing else is said.

    With fewer than `many` pictures the rate falls with them down to `few_pictures`: what they say is soon learned, and
    the rest of the way only leads away from what the network knew (docs/decisions/0011-fitted-heads.md).
    """

    pictures: float
    texts: float
    random_pictures: float | None = None
    random_texts: float | None = None
    few_pictures: float | None = None
    many: int = 1

    def at(self, rows: int, *, is_text: bool, is_random: bool) -> float:
        rate = (self.random_texts if is_text else self.random_pictures) if is_random else None
        if rate or is_text:
            return rate or self.texts
        return min(self.pictures, max(self.few_pictures or self.pictures, self.pictures * rows / self.many))


@dataclass(frozen=True)
class Share:
    """A share of a network: always the same, or so much for each block that learns."""

    always: float = 0.0
    each_block: float = 0.0

    def at(self, last_blocks: int) -> float:
        return min(1.0, self.always + self.each_block * last_blocks)


@dataclass(frozen=True)
class Kept:
    """What is kept of one example where the frozen part's output is cached, in numbers of two bytes."""

    picture: float = 0.0  # of a picture, whatever its size
    square: float = 0.0  # of a picture, for each square of 16 px
    states: int | None = None  # of a text, in vectors as wide as the network; None: one for each token

    def of_picture(self, size: int) -> float:
        return self.picture + self.square * (size / 16) ** 2


@dataclass(frozen=True)
class Costs:
    """What an estimate counts with before anything was measured, as shares of the whole network.

    `core.inspection.memory` works memory out exactly; these stand in where no network is built.
    """

    work: Share  # of a forward pass's multiply-adds, as far as gradients go back
    learned: Share  # of the parameters
    activations: float  # of what a step of the whole network keeps for its way back


@dataclass(frozen=True)
class Method:
    """One way of tuning."""

    id: str
    choice: str  # the label of its choice in a form
    word: str  # in charts and tables
    pretrained_word: str  # in a comparison, beside training from scratch
    run_word: str  # in a run's name; {fields} of `MethodSettings` are filled
    trains: Callable[[Translator, MethodSettings], str]  # what learns, in words
    light: str  # colours of the light and the dark theme
    dark: str
    marker: str  # Plotly's name
    glyph: str  # the marker, in a table
    rates: Rates
    costs: Costs
    dash: str = "solid"
    fields: tuple[str, ...] = ()  # those of a spec that matter for this way alone
    only_head: bool = False  # nothing of the network below learns: a training takes moments once its output is kept
    trains_all: bool = False  # random weights can be trained so; the other ways would leave them random
    kept: Kept | None = None  # the frozen part runs once and its output is kept; None: it runs in every epoch
    adds_layers: bool = False  # puts layers in that are merged into the weights when the model is saved
    needs_attention: bool = False  # pictures: only networks with attention by linear layers
    refusal: str = ""  # what an inspection says of a network that cannot be tuned so

    def run_name(self, settings: MethodSettings) -> str:
        """How it is called in the name of a run."""
        return self.run_word.format(**asdict(settings))


# Learning rates: a new head learns fast, old layers move little, and those of transformers for text the least
# (Devlin et al. 2019); random weights have nothing to lose and learn with longer steps.
# Shares: "counted" is the range over EfficientNet-Lite0, ResNet-50, ViT-B/16 and MiniLM-L6 with a new head for 10
# classes, in fp32 (`python -m core model ID --json`: tuning, blocks, memory).
METHODS = build_table(
    [
        Method(
            id="head",
            choice=N_("Train only the last layer (head)"),
            word=N_("Head only"),
            pretrained_word=N_("Pretrained, head only"),
            run_word="head",
            trains=lambda _, settings: _("the new head"),
            light="#0072B2",
            dark="#56B4E9",
            marker="square",
            glyph="■",
            rates=Rates(pictures=1e-3, texts=3e-3),
            costs=Costs(
                # Counted: 0 to 0.003. Never nothing: a step of a few numbers costs the time it takes to begin.
                work=Share(always=0.002),
                # Counted: 0.0001 to 0.004; more classes, more.
                learned=Share(always=0.01),
                # Nothing is kept to go back, but a part is alive at once while the frozen network answers: counted,
                # 0.07 to 0.20.
                activations=0.2,
            ),
            only_head=True,
            # Pictures: 1280 features, those of Lite0 and MobileNetV2; of a text the mean state; both in fp32.
            kept=Kept(picture=2560.0, states=2),
        ),
        Method(
            id="last",
            choice=N_("Train the last blocks too"),
            word=N_("Last blocks"),
            pretrained_word=N_("Pretrained, last blocks"),
            run_word="last {last_blocks}",
            trains=lambda _, settings: _.plural(
                "the new head and the last block", "the new head and the last {n} blocks", settings.last_blocks
            ),
            light="#009E73",
            dark="#34C99A",
            marker="triangle-up",
            glyph="▲",
            rates=Rates(pictures=1e-3, texts=2e-4, few_pictures=2e-4, many=5000),
            costs=Costs(
                work=Share(each_block=0.125),  # counted for two blocks: 0.11 to 0.37, so 0.25
                learned=Share(each_block=0.15),  # counted for two blocks: 0.16 to 0.79, so 0.30
                activations=0.45,  # counted for two blocks: 0.09 to 0.36; more blocks, more
            ),
            fields=("last_blocks",),
            # Pictures: a map of about 200 channels at a sixteenth of the edge, as the later blocks of Lite0 give.
            kept=Kept(square=200.0),
        ),
        Method(
            id="lora",
            choice=N_("Train small adapters (LoRA)"),
            word=N_("LoRA"),
            pretrained_word=N_("Pretrained, LoRA"),
            run_word="LoRA",
            trains=lambda _, settings: _("the new head and adapters of rank {rank}", rank=settings.lora_rank),
            light="#B0568F",
            dark="#E39BC6",
            marker="diamond",
            glyph="◆",
            rates=Rates(pictures=1e-3, texts=1e-3),
            costs=Costs(
                # The way back goes through the whole network but makes no gradients of its weights: two of the three
                # passes that a learning step costs.
                work=Share(always=0.7),
                learned=Share(always=0.02),  # counted at rank 8: 0.009 to 0.015
                activations=1.0,  # at least: the way back goes through the whole network, adapters keep more
            ),
            fields=("lora_rank", "lora_alpha"),
            adds_layers=True,
            needs_attention=True,
            refusal=N_("There is no attention in it for adapters (LoRA) to stand beside."),
        ),
        Method(
            id="full",
            choice=N_("Train all layers (full)"),
            word=N_("All layers"),
            pretrained_word=N_("Pretrained, all layers"),
            run_word="all layers",
            trains=lambda _, settings: _("everything"),
            light="#C2500A",
            dark="#FF8A4C",
            marker="star",
            glyph="★",
            rates=Rates(
                pictures=5e-4, texts=1e-4, random_pictures=2e-3, random_texts=5e-4, few_pictures=1e-4, many=1000
            ),
            costs=Costs(work=Share(always=1.0), learned=Share(always=1.0), activations=1.0),  # all, by definition
            trains_all=True,
        ),
    ],
    unique=("choice", "word", "pretrained_word", "run_word", "light", "dark", "marker", "glyph"),
)

if TYPE_CHECKING:
    MethodId = str
else:  # what a spec, a form and the command line accept
    MethodId = Literal[tuple(METHODS)]


def methods_with(field: str) -> tuple[str, ...]:
    """The ways for which a field of a spec matters."""
    return tuple(row.id for row in METHODS.values() if field in row.fields)
