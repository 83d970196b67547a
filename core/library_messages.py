"""The sentences of measuring models and of asking them about many pictures: joined into `core.messages`."""

from __future__ import annotations

from core.i18n import N_

LIBRARY_SENTENCES: dict[str, str] = {
    # -- measuring ---------------------------------------------------------------------------------
    "measure.not_measurable": N_(
        "{id} is not measured here: only classifiers of pictures and encoders of texts are. Choose one of these."
    ),
    "measure.died": N_(
        "The network could not be run in a process of its own: {detail}. Signal 9 means that memory did not suffice."
    ),
    "measure.batch_died": N_(
        "A batch of {batch_size} ended the process: {detail}. Memory may not suffice: take a smaller batch."
    ),
    "measure.batch_cut": N_(
        "A batch of {batch_size} would take about {seconds} s a call here: {n} at once were timed instead."
    ),
    "measure.machine_busy": N_(
        "Other work kept {processors} processors busy while this was timed: the machine alone is faster. Measure again "
        "when it is idle."
    ),
    # -- many pictures -----------------------------------------------------------------------------
    "predict.no_pictures": N_("No pictures were found in {name} ({n} other files)."),
    "predict.no_folder": N_(
        "{path} is no folder or zip of pictures, which is what {model} answers. For a table of texts, choose a model "
        "for texts."
    ),
    "predict.no_places": N_("{id} has no layer that still tells places apart: where it looked cannot be shown."),
    "predict.both": N_("Pictures and texts are answered by different models: ask about one of them at a time."),
    "predict.one_folder": N_("{path} is a folder or zip: give it alone, without other pictures beside it."),
    "predict.unreadable_pictures": N_("{n} pictures cannot be read and have no answer: {names}."),
}
