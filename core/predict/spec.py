"""What answering a file is asked."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from core.i18n import N_
from core.spec import LONGEST_COLUMN, Spec, knob

# The id of the sentiment model that comes with Graft: it answers, and is not trained further.
SENTIMENT = "sentiment"
VARIANT = r"^[\w-]+/[\w+]+$"  # of an optimization: the run's id and the variant's name


class PredictSpec(Spec):
    """Answer every text of a table, or every picture of a folder or zip: what comes out is a table with labels."""

    model: str = Field(default="sentiment", min_length=3, max_length=300, pattern=r"^(sentiment|[a-z]+/\S.*)$")
    file: str = knob(
        ...,
        label=N_("File"),
        help=N_("On this machine: a table of texts, or for a model that sees pictures a folder or zip of them."),
    )
    text_column: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_COLUMN)] | None = knob(
        None,
        label=N_("Column with the texts"),
        help=N_("The column of the texts, where it is not the one found."),
    )
    variant: Annotated[str, StringConstraints(max_length=200, pattern=VARIANT)] | None = knob(
        None,
        label=N_("Variant"),
        help=N_("What Optimize made of the model, as OPTIMIZE-RUN/VARIANT: its file answers, in its own runtime."),
    )
