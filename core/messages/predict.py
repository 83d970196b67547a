"""Sentences on answering: texts, pictures and the other tasks."""

from __future__ import annotations

from core.i18n import N_

PREDICT_SENTENCES: dict[str, str] = {
    "predict.nothing": N_(
        "Nothing to ask about: give pictures with --image, texts with --text, or a file with --file."
    ),
    "predict.folder": N_("{path} is a folder. Give one table of texts."),
    "predict.out_missing": N_("Say with --out where the table of answers is to be written."),
    "predict.out_detached": N_(
        "With --detach nobody waits to write the answers: leave out --out and take them from the run's page, or wait."
    ),
    "predict.nothing_to_read": N_("There is nothing to read in this text: it has no answer."),
    "predict.nothing_to_read_in_several": N_("{n} of {total} texts hold nothing to read and have no answer."),
    "predict.no_letters": N_(
        "There are neither Chinese nor Latin letters in this text: the sentiment model cannot read it."
    ),
    "predict.other_language": N_(
        "This text is in another language than Chinese and English, which the sentiment model reads: it is not "
        "answered. Translate it, or fine-tune a model on texts of its language."
    ),
    "predict.other_languages": N_(
        "{n} of {total} texts are in other languages than Chinese and English, which the sentiment model reads, and "
        "are not answered. Translate them, or fine-tune a model on texts of their language."
    ),
    "predict.without_letters": N_("{n} of {total} texts hold neither Chinese nor Latin letters and are not answered."),
    "predict.too_many_lines": N_("{n} lines are more than the {limit} that are answered at once. Give them as a file."),
    "predict.no_pictures": N_("No pictures were found in {name} ({n} other files)."),
    "predict.no_folder": N_(
        "{path} is no folder or zip of pictures, which is what {model} answers. For a table of texts, choose a model "
        "for texts."
    ),
    "predict.other_variant": N_("{variant} was made of {own}: choose that model, or another variant."),
    "predict.variant_of_file": N_("A variant answers a file or folder: give one with --file or --image."),
    "predict.no_places": N_("{id} has no layer that still tells places apart: where it looked cannot be shown."),
    "predict.both": N_("Pictures and texts are answered by different models: ask about one of them at a time."),
    "predict.one_folder": N_("{path} is a folder or zip: give it alone, without other pictures beside it."),
    "predict.none_readable": N_("None of the {n} pictures can be read."),
    "predict.unreadable_pictures": N_("{n} pictures cannot be read and have no answer: {names}."),
    "ask.unknown_task": N_("There is no task {id}. Known: {known}."),
    "ask.no_model_there": N_(
        "{path} holds no model that is whole and known here. Give the folder with config.json and the weights."
    ),
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
    "ask.cannot_load": N_("{id} cannot be used here: {detail}."),
    "ask.without_head": N_(
        "The weights of {id} lack a part that this task needs ({names}): its answers would be random. Choose another."
    ),
    "ask.no_mask": N_("{id} knows no sign for a gap, so it cannot fill one. Choose another model."),
    "ask.no_inference": N_(
        "{id} does not tell whether one sentence follows from another (entailment), which this task is built on."
    ),
    "ask.failed": N_("{id} could not answer this: {detail}."),
    "ask.cut": N_("{id} reads at most {limit} tokens at once: of {n} tokens the rest was cut off."),
    "ask.cut_start": N_("{id} holds at most {limit} tokens: the beginning was cut off ({n} tokens were given)."),
    "ask.stopped": N_("The text ends after {n} new tokens, as it was set, not where the model would have ended it."),
    "ask.out_of_time": N_("Writing was stopped after {seconds} s. Give less text, or take a smaller model."),
    "ask.no_answer": N_("The model finds no answer in this text ({share} sure of that)."),
    "ask.nothing_found": N_("Nothing was found that the model is {share} sure of. Lower the limit to see more."),
    "ask.nothing_said": N_("The model heard no words."),
}
