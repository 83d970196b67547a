"""What is particular about an architecture of transformers that reads texts: one row each, by `model_type`.

An architecture without a row is an encoder or a writer like BERT or GPT-2: one half, its positions counted from 0, its
layers each with weights of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.registry.table import build_table


@dataclass(frozen=True)
class TextArchitecture:
    """One type of configuration; the defaults are those of an architecture without a row."""

    id: str  # model_type in config.json
    is_pair: bool = False  # an encoder and a decoder, of which the encoder alone is tuned here
    positions_before: int = 0  # places in its table of positions that no token of a text gets
    # Every layer has weights of its own and needs nothing that the first one computed: it can run without those below.
    has_own_layers: bool = True
    is_never_masked: bool = False  # its pretraining class has no head for the words of a gap
    tasks: tuple[str, ...] = ()  # what reads and writes, by its type: its classes are called alike for all of them


# T5's encoder is trained here, so that comes first. Its layers need the places' bias that the first one computed.
_T5 = ("text-classification", "text2text-generation", "summarization")
_REWRITES = ("summarization", "text2text-generation")
TEXT_ARCHITECTURES = build_table(
    (
        TextArchitecture("t5", is_pair=True, has_own_layers=False, tasks=_T5),
        TextArchitecture("mt5", is_pair=True, has_own_layers=False, tasks=_T5),
        TextArchitecture("umt5", is_pair=True, has_own_layers=False, tasks=_T5),
        TextArchitecture("albert", has_own_layers=False),
        # RoBERTa counts its positions from the padding token's number on.
        TextArchitecture("roberta", positions_before=2),
        TextArchitecture("xlm-roberta", positions_before=2),
        TextArchitecture("camembert", positions_before=2),
        TextArchitecture("electra", is_never_masked=True),
        TextArchitecture("bart", tasks=_REWRITES),
        TextArchitecture("pegasus", tasks=_REWRITES),
        TextArchitecture("led", tasks=_REWRITES),
        TextArchitecture("bigbird_pegasus", tasks=_REWRITES),
        TextArchitecture("marian", tasks=("translation",)),
    )
)


def text_architecture(kind: str) -> TextArchitecture:
    """The row of a `model_type`, or what holds for one without a row."""
    return TEXT_ARCHITECTURES.get(kind) or TextArchitecture(kind)
