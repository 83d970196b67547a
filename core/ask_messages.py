"""The sentences of asking a model beside classes: what is missing, too long, cut or not here."""

from __future__ import annotations

from core.i18n import N_

ASK_SENTENCES: dict[str, str] = {
    # -- before --------------------------------------------------------------------------------------
    "ask.unknown_task": N_("There is no task {id}. Known: {known}."),
    "ask.other_model": N_("{id} was not made for this task ({task}). It does: {known}."),
    "ask.not_local": N_(
        "{id} is not on this machine and needs a download of about {size}. With a network, "
        "`python -m core download {id}` fetches it; its card tells more."
    ),
    "ask.incomplete": N_("Only a part of {id} is on this machine. `python -m core download {id}` fetches the rest."),
    "ask.needs_package": N_("This needs the package {package}, which is not installed: `{install}`."),
    "ask.unknown_input": N_("{task} does not take {name}. It takes: {known}."),
    "ask.input_missing": N_("{name} is missing."),
    "ask.text_too_long": N_("{name} has {n} characters; at most {limit} are read. Give a part of it."),
    "ask.labels_alike": N_("A label is empty or given twice: each must be there once."),
    "ask.labels_number": N_("{n} labels were given; {least} to {limit} can be told apart."),
    "ask.label_too_long": N_("The label {label}… has {n} characters; at most {limit} are read."),
    "ask.option_range": N_("{name}: {received} is not allowed. Give a number from {least} to {most}."),
    "ask.one_gap": N_("The text has {n} gaps. Write exactly one, as [MASK]."),
    # -- the model -----------------------------------------------------------------------------------
    "ask.cannot_load": N_("{id} cannot be used here: {detail}."),
    "ask.without_head": N_(
        "The weights of {id} lack a part that this task needs ({names}): its answers would be random. Choose another."
    ),
    "ask.no_mask": N_("{id} knows no sign for a gap, so it cannot fill one. Choose another model."),
    "ask.no_inference": N_(
        "{id} does not tell whether one sentence follows from another (entailment), which this task is built on."
    ),
    "ask.failed": N_("{id} could not answer this: {detail}."),
    # -- told with an answer -------------------------------------------------------------------------
    "ask.cut": N_("{id} reads at most {limit} tokens at once: of {n} tokens the rest was cut off."),
    "ask.cut_start": N_("{id} holds at most {limit} tokens: the beginning was cut off ({n} tokens were given)."),
    "ask.stopped": N_("The text ends after {n} new tokens, as it was set, not where the model would have ended it."),
    "ask.out_of_time": N_("Writing was stopped after {seconds} s. Give less text, or take a smaller model."),
    "ask.no_answer": N_("The model finds no answer in this text ({share} sure of that)."),
    "ask.nothing_found": N_("Nothing was found that the model is {share} sure of. Lower the limit to see more."),
    "ask.nothing_said": N_("The model heard no words."),
    # -- recordings ----------------------------------------------------------------------------------
    "sound.not_wav": N_(
        "{name} is no wav recording ({format}). Convert it first, for instance with `ffmpeg -i FILE sound.wav`."
    ),
    "sound.damaged": N_("{name} cannot be read as a wav recording: {detail}."),
    "sound.empty": N_("{name} holds no sound."),
    "sound.too_large": N_("{name} is larger than {limit} MB. Give a shorter recording."),
    "sound.too_long": N_("{name} is {minutes} minutes long; at most {limit} are written down."),
}
