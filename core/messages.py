"""The sentence of every code: what is wrong, what was received, what to do.

Each room speaks in codes; this table is the only place that turns them into words. English is the source
text, `core/locales` holds the others. A test proves that every code used in the code stands here.

Where the row of a sentence names the kinds of its values, each value says itself; elsewhere they are shown as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.ask_messages import ASK_SENTENCES
from core.compare_messages import COMPARE_SENTENCES
from core.errors import Problem
from core.getting_messages import GETTING_SENTENCES
from core.i18n import N_, Translator, translator
from core.library_messages import LIBRARY_SENTENCES
from core.optimize_messages import OPTIMIZE_SENTENCES, PassName
from core.registry.formats import listed_words
from core.values import Finding, Sentence

WITH_KINDS: dict[str, Sentence] = {
    "estimate.unknown": Sentence(
        N_("Nothing was measured on this machine yet. The first run, or `python -m core doctor`, will tell.")
    ),
    **COMPARE_SENTENCES,
    **OPTIMIZE_SENTENCES,
}
SENTENCES: dict[str, str] = {
    # -- specs -------------------------------------------------------------------------------------
    "spec.invalid_value": N_("{field}: {received} is not allowed. {rule}"),
    "spec.unknown_field": N_("{field} is not a setting of this job. Known: {known}."),
    "spec.random_frozen": N_(
        "Random weights and only part of the network learns: the rest stays random and sees little. "
        "Train all layers, or take the pretrained weights."
    ),
    "spec.no_such_device": N_("This machine has no {device} that the installed torch can use. It has: {known}."),
    "spec.fp16_on_cpu": N_("fp16 is a hundred times slower than fp32 on a processor. Take fp32, bf16 or auto."),
    "spec.bf16_emulated": N_(
        "{processor} has no bf16 arithmetic: bf16 is emulated here and may be slower than fp32. Auto takes the faster."
    ),
    "spec.batch_larger_than_data": N_(
        "A batch of {batch_size} is more than the {train_size} training examples: every epoch is a single step."
    ),
    "spec.patience_never": N_("Stopping early after {patience} epochs cannot happen within {epochs} epochs."),
    "form.no_method": N_("No method is chosen: choose at least one."),
    "form.bad_size": N_("{received} is no number of training examples. Give whole numbers of at least 2."),
    "data.unknown_source": N_("{id} is no data set id. It begins with one of: {known}."),
    "data.path_missing": N_("There is no file or folder {path} on this machine. Check the spelling."),
    "data.path_not_allowed": N_("{path} lies outside the folders that data may come from here: {roots}."),
    # -- data --------------------------------------------------------------------------------------
    "data.unknown_builtin": N_("There is no data set {id} here. Known: {known}."),
    "data.unknown_upload": N_("There is no uploaded data set {name} here; it may have been deleted. Upload it again."),
    "data.unknown_file": N_("{path} is nothing Graft reads. Give a folder or zip of class folders, {formats}."),
    "data.unreadable_file": N_("{path} cannot be read: {detail}."),
    "data.mixed_files": N_("The parquet files of {name} have different columns: they are not one data set."),
    "data.no_label_column": N_(
        "No column with labels was found among: {columns}. Name it label, one class for each row."
    ),
    "data.several_configs": N_("{name} holds several data sets ({folders}). Give the folder of one of them."),
    "data.hub_id": N_("{id} is no data set of a hub. Write hub/ORG/NAME or hub/ORG/NAME:CONFIG."),
    "data.several_labels": N_(
        "Column {column} holds several labels for an example. Graft tells one class each: keep one label."
    ),
    "data.unlabelled": N_("{n} pictures have no label and are left out."),
    "data.hub_unreachable": N_(
        "{id} could not be loaded: {detail}. Check the name and the network, or give a folder with path:."
    ),
    "data.cifar10_not_here": N_(
        "CIFAR-10 is not on this machine and could not be downloaded. "
        "Put cifar-10-python.tar.gz from {url} into {folder}."
    ),
    "data.no_train_split": N_("{id} has nothing labelled to train on; it has: {splits}."),
    "data.one_class": N_("All {n} examples are of one class ({label}). At least two classes are needed to tell apart."),
    "data.too_few": N_("{n} examples for {classes} classes are very few: the result will mean little."),
    "data.empty_class": N_("{n} classes have no training example and cannot be learned: {labels}."),
    "data.unbalanced": N_(
        "Classes are uneven: {many} training examples of {common}, {few} of {rare}. Weigh classes equally "
        "(More settings), and look at the rare class in the result, not at the accuracy alone."
    ),
    "data.single_picture": N_("{n} classes have a single training example: {labels}."),
    "data.labels_alike": N_("Classes {a} and {b} differ only in capitals or blanks. Are they one class?"),
    "data.nothing_readable": N_("None of the {n} training examples can be read. Check the files."),
    "data.class_unreadable": N_(
        "{n} classes have no picture that can be read: {labels}. Replace the files or remove them."
    ),
    "data.test_unreadable": N_(
        "None of the {n} test pictures can be read. Replace the files or remove the test folder."
    ),
    "data.fewer_than_asked": N_("{asked} training examples were asked for; {n} are there to train on."),
    "data.unreadable": N_("{n} files are no readable pictures and are left out: {names}."),
    "data.too_large": N_("{n} pictures have more than 100 million pixels or 64 MB and are left out: {names}."),
    "data.leak": N_("{n} of {total} test pictures are among the training pictures too: the result will flatter."),
    "data.duplicates": N_("{n} training pictures are exact copies of others."),
    "data.picture_unreadable": N_("{name} is not a picture that can be read, or it is cut short."),
    "data.picture_too_large": N_("{name} is too large: {size}; at most {limit} are read."),
    "data.no_pictures": N_(
        "No pictures were found in {name} ({n} other files). Pack one folder for each class, with pictures in it."
    ),
    "data.no_class_folders": N_(
        "The {n} pictures in {name} lie in no class folder. Put each class into a folder of its name."
    ),
    "data.only_archives": N_(
        "{name} holds no pictures but {n} other archives ({entry}), which are not opened. Unpack them and pack again."
    ),
    "data.loose_pictures": N_("{n} pictures lie in no class folder and are left out: {names}."),
    "data.nested_folders": N_("{n} pictures lie in folders inside class folders; the outer folder counts: {names}."),
    "data.empty_folder": N_("{n} class folders hold no pictures and are left out: {names}."),
    "data.other_files": N_("{n} files are no pictures by their names and are left out: {names}."),
    "data.folder_too_large": N_("{name} holds more than {limit} files. Give the folder of the pictures alone."),
    "data.too_many_files": N_("{name} holds more than {limit} files. Take fewer, or give a folder with path:."),
    "data.unknown_tokens": N_(
        "{model} does not know {share} of the tokens in these texts: it was made for another language and will "
        "learn little from them. Take a model for this language."
    ),
    "data.not_an_upload": N_(
        "{name} is nothing Graft reads. Upload a zip with a folder for each class, or a {formats} with a text and a "
        "label in each row."
    ),
    "data.upload_too_large": N_(
        "More than {limit} MB cannot be uploaded. Put the file on this machine and give its path."
    ),
    "data.zip_damaged": N_("The zip {name} cannot be read: {detail}. Pack it again."),
    "data.zip_unsafe_path": N_("The zip {name} is refused: {n} entries point outside it ({entry})."),
    "data.zip_symlink": N_("The zip {name} is refused: {n} entries are links ({entry}). Pack the files themselves."),
    "data.zip_encrypted": N_("The zip {name} is encrypted ({n} files). Pack it without a password."),
    "data.zip_bomb": N_("The zip {name} is refused: {n} entries unpack to over 200 times their size ({entry})."),
    "data.zip_too_large": N_("The zip {name} is refused: it would unpack to {size}, or its entries overlap."),
    # -- texts and tables --------------------------------------------------------------------------
    "data.not_pictures": N_("{id} holds texts, and this model learns from pictures. Choose a model for texts."),
    "data.not_texts": N_("{id} holds pictures, and this model learns from texts. Choose a model for pictures."),
    "data.no_text_column": N_(
        "No column with texts or pictures was found among: {columns}. Name it text, one text for each row."
    ),
    "data.no_such_column": N_("There is no column {column}; there are: {columns}. Choose one of these."),
    "data.same_column": N_("Column {column} cannot hold both the texts and their labels. Choose two columns."),
    "data.too_many_classes": N_(
        "Column {column} holds {n} different labels; at most {limit} classes can be told apart. "
        "Choose the column of the labels."
    ),
    "data.unlabelled_texts": N_("{n} texts have no label and are left out."),
    "data.empty_texts": N_("{n} rows hold a label but no text and are left out."),
    "data.markup": N_("{n} texts held HTML; its marks were taken out, the words stay."),
    "data.long_texts": N_("{n} texts are longer than {limit} characters; only their beginning is read."),
    "data.control_characters": N_("{n} texts held control characters, which were taken out."),
    "data.text_leak": N_("{n} of {total} test texts are among the training texts too: the result will flatter."),
    "data.text_duplicates": N_("{n} training texts are copies of others."),
    "data.only_tables": N_("{name} holds tables ({entry}) and no pictures. Bring the table itself, not in a zip."),
    "data.too_many_tables": N_(
        "{name} holds {n} tables; at most {limit} are read. Put the texts into one table with columns text and label."
    ),
    "data.table_left_out": N_("{n} tables lack a column of {columns} and are left out: {names}."),
    "data.table_too_large": N_("{name} is larger than the {limit} MB a table may have. Keep it as parquet, or cut it."),
    "data.too_many_rows": N_("{name} has more than {limit} rows. Take a part of it."),
    "data.empty_table": N_("{name} holds no rows. Check that it is the right file."),
    "data.no_table": N_(
        "{name} is not a table: its rows do not share columns. The first row names them, the others have a cell each."
    ),
    "data.one_column": N_("{name} has a single column ({columns}). A table needs one of texts and one of labels."),
    "data.no_header": N_("The first row of {name} is no row of column names: its columns are numbered."),
    "data.ragged_rows": N_("{n} rows of {name} do not have {wanted} cells as the first row and are left out."),
    "data.ragged_rows_kept": N_(
        "{n} rows of {name} do not have {wanted} cells as the first row: missing cells are empty, "
        "surplus ones stand in the last column."
    ),
    "data.formulas_without_values": N_(
        "{n} cells of {name} hold formulas without their results and count as empty. Open it in a spreadsheet, "
        "save it, and bring it again."
    ),
    "data.bad_lines": N_("{n} lines of {name} are no JSON objects and are left out."),
    "data.other_sheets": N_("Only the first sheet of {name} is read; {n} others are left out."),
    "data.encoding_guessed": N_(
        "{name} is not UTF-8 and was read as {encoding}. If the texts look wrong, save it as UTF-8."
    ),
    "data.encoding_unknown": N_("The encoding of {name} is unknown. Save it as UTF-8."),
    "data.damaged_characters": N_("{n} characters of {name} are damaged (no UTF-8) and stand as �."),
    # -- models ------------------------------------------------------------------------------------
    "model.unknown": N_("{id} is no model here. Spelled alike: {near}."),
    "model.run_without_model": N_("Run {id} holds no finished model. Take a run that is done."),
    "model.size_too_small": N_("{model} needs pictures of at least {smallest} px; {size} px is too small."),
    "model.size_not_a_multiple": N_(
        "{model} takes picture sizes that are a multiple of {multiple} px, not {size} px. The nearest is {near} px."
    ),
    "model.not_for_pictures": N_("{id} reads texts and sees no pictures. Choose a model for pictures."),
    "model.not_for_texts": N_("{id} sees pictures and reads no texts. Choose a model for texts."),
    "model.not_trainable": N_(
        "{id} can be asked but not trained or made smaller here. Choose a classifier of pictures from torchvision or "
        "timm, or an encoder of texts: for the hub's vision transformers, their twins from timm."
    ),
    "model.other_task": N_("{id} does another task ({task}). Choose a model that classifies texts or pictures."),
    "model.size_is_fixed": N_("{model} takes pictures of {own} px and of no other size."),
    "hub.offline": N_("Graft stays offline here (GRAFT_OFFLINE or HF_HUB_OFFLINE is set): the hub is not searched."),
    "hub.unreachable": N_(
        "{endpoint} gives no answer ({detail}). Check the network, or name a mirror by setting HF_ENDPOINT."
    ),
    "model.no_attention": N_(
        "{id} has no attention layers that adapters (LoRA) could stand beside: take another method."
    ),
    "model.no_layers": N_("{kind} has no list of layers that Graft could train. Choose another model."),
    "model.not_tuned": N_("{id} is not fine-tuned here. Take a classifier of pictures or an encoder of texts."),
    "model.no_blueprint": N_(
        "The installed transformers cannot build {kind}, so that {id} cannot be taken apart. Update transformers."
    ),
    "model.length_too_large": N_("{model} reads at most {longest} tokens of a text, not {length}."),
    "model.no_classifier": N_("The weights of {id} hold no classifier of their own: train a new one on your data."),
    "weights.damaged": N_(
        "The weight file {file} is damaged: its checksum begins with {found}, not {wanted}. Delete it and get it anew."
    ),
    "weights.other_model": N_("The weight file {file} does not fit {id}: {detail}."),
    "predict.nothing": N_(
        "Nothing to ask about: give pictures with --image, texts with --text, or a file with --file."
    ),
    "predict.folder": N_("{path} is a folder. Give one table of texts."),
    "predict.out_missing": N_("Say with --out where the table of answers is to be written."),
    "predict.no_letters": N_(
        "There are neither Chinese nor Latin letters in this text: the sentiment model cannot read it."
    ),
    "predict.too_many_lines": N_("{n} lines are more than the {limit} that are answered at once. Give them as a file."),
    # -- runs --------------------------------------------------------------------------------------
    "run.unknown": N_("There is no run {id} here. `python -m core runs` lists them."),
    "run.name_empty": N_("A name needs at least one letter."),
    "run.active": N_("{id} is {status}: stop it before deleting it."),
    "run.not_resumable": N_("{id} is {status}; only a stopped, failed or interrupted run can be resumed."),
    "run.cannot_delete": N_("Not all files of {id} could be removed: {detail}. The run is kept; delete it again."),
    "run.cannot_export": N_("{id} could not be packed: {detail}."),
    "run.cannot_start": N_("The worker could not be started: {detail}."),
    "run.never_started": N_("The run was taken from the queue, but its worker never started. Resume it."),
    "run.process_gone": N_(
        "The worker (process {pid}) ended without a word: killed, switched off, or out of memory. "
        "Resume it to go on from the last checkpoint."
    ),
    "run.host_lost": N_("The machine {host} has not been heard of for {seconds} s. Resume the run here."),
    "run.killed": N_("Ended by force. What the last checkpoint holds is kept."),
    "run.out_of_memory": N_(
        "The memory did not suffice. Take a smaller batch, smaller pictures, or train fewer layers, and resume."
    ),
    "run.disk_full": N_(
        "The disk is full{path}. Make room (Settings shows the caches, Runs deletes runs), then resume the run."
    ),
    "run.stopped": N_("Stopped on request. What was done so far is kept."),
    "run.diverged": N_(
        "The loss became infinite at step {step}: the learning rate {lr} is too high for this model and data. "
        "Try a tenth of it."
    ),
    "run.best_epoch_lost": N_("The tensors of the best epoch cannot be read ({detail}). Repeat the run."),
    "run.unknown_error": N_("The run failed for a reason Graft does not know: {detail}. The log has the details."),
    # -- store -------------------------------------------------------------------------------------
    "store.cannot_open": N_("The record of runs {path} cannot be opened: {detail}. Check the disk and the file."),
    "store.other_version": N_(
        "{path} was written by another version of Graft (format {found}, this one reads {wanted}). "
        "Set GRAFT_HOME to another folder, or use that version."
    ),
    "store.cannot_read": N_("The record of runs {path} cannot be read: {detail}. Make room on the disk, or wait."),
    "store.cannot_write": N_("The record of runs {path} cannot be written: {detail}. Make room on the disk, or wait."),
    **ASK_SENTENCES,
    **{code: row.text for code, row in WITH_KINDS.items()},
    **LIBRARY_SENTENCES,
    **GETTING_SENTENCES,
}

PHASES: dict[str, str] = {
    "starting": N_("Starting the worker"),
    "libraries": N_("Loading the libraries"),
    "data": N_("Reading the data"),
    "inspect": N_("Counting layers and multiply-adds"),
    "tuning": N_("Counting what each way of tuning trains"),
    "memory": N_("Working out the memory it needs"),
    "decode": N_("Reading the pictures, {done} of {total}"),
    "model": N_("Loading the model"),
    "autotune": N_("Timing this machine's options"),
    "compile": N_("Preparing the fast path for the frozen part"),
    "tokens": N_("Splitting the texts into tokens"),
    "baseline": N_("Training the simple rival (word counts) beside"),
    "train": N_("Training, epoch {epoch} of {epochs}"),
    "cells": N_("Training side by side, {done} of {total} done"),
    "validate": N_("Checking on the validation examples"),
    "teacher": N_("Asking the teacher"),
    "test": N_("Measuring on the test examples"),
    "answer": N_("Answering, {done} of {total}"),
    "original": N_("Measuring the original"),
    "make": N_("Making {name} ({done} of {total})"),
    "gate": N_("Opening {name} again and comparing its answers ({done} of {total})"),
    "variant_test": N_("Measuring {name} on the test examples ({done} of {total})"),
    "time": N_("Timing {name} beside the original ({done} of {total})"),
    "sensitivity": N_("Looking which layers int8 hurts, {done} of {total}"),
    "search": N_("Leaving layers in float, {done} of {total}"),
    "save": N_("Saving"),
    "measure_load": N_("Loading the network in a process of its own"),
    "measure_time": N_("Timing one at a time and in batches"),
    "measure_blocks": N_("Timing block by block"),
    "ask": N_("Asking {host} what there is to fetch"),
    "fetch": N_("Fetching {file}: {done_mb} of {total_mb} MB, {rate_mb} MB/s"),
    "verify": N_("Checking {file}"),
}


_PHASES_OF_A_VARIANT = ("make", "gate", "variant_test", "time")
# What sentences say of Graft itself: filled here, not by whoever finds a problem.
STANDING: dict[str, Callable[[Translator], str]] = {"formats": lambda translate: translate.either(listed_words())}


def explain(problem: Problem, translate: Translator | None = None) -> str:
    """The sentence of a problem, in the translator's language (English without one).

    A code that has no sentence is shown with its values rather than hidden.
    """
    translate = translate or translator("en")
    row, template = WITH_KINDS.get(problem.code), SENTENCES.get(problem.code)
    if row is not None:
        return row.fill(problem.values, translate)
    if template is not None:
        standing = {name: words(translate) for name, words in STANDING.items() if f"{{{name}}}" in template}
        return translate(template, **{**standing, **problem.values})
    details = ", ".join(f"{name}={value}" for name, value in problem.values.items())
    return f"{problem.code} ({details})" if details else problem.code


def explain_finding(finding: Finding, translate: Translator | None = None) -> str:
    """The sentence of what a report found: its first letter is large, whatever stands first."""
    words = explain(Problem(finding["code"], values=finding["values"]), translate)
    return words[:1].upper() + words[1:]


def explain_phase(code: str, values: Mapping[str, Any], translate: Translator | None = None) -> str:
    """What a run is doing now, in words."""
    translate = translate or translator("en")
    template = PHASES.get(code)
    if template is None:
        return code
    if code in _PHASES_OF_A_VARIANT:
        values = {**values, "name": PassName(str(values["name"])).said(translate)}
    return translate(template, **values)
