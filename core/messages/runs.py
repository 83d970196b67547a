"""Sentences on specs, runs and the store, and what a run is doing now."""

from __future__ import annotations

from dataclasses import dataclass

from core.i18n import N_, Translator
from core.values import Sentence, Text, Value

_RULES = {
    "at_least": N_("Give at least {limit}."),
    "at_most": N_("Give at most {limit}."),
    "more_than": N_("Give more than {limit}."),
    "less_than": N_("Give less than {limit}."),
    "whole": N_("Give a whole number."),
    "number": N_("Give a number."),
    "truth": N_("Give true or false."),
    "choice": N_("Give one of: {limit}."),
    "longest": N_("Give at most {limit} letters."),
    "shortest": N_("Give at least {limit} letters."),
    "utf8": N_("It is not UTF-8: rename the file."),
    "missing": N_("Give a value."),
    "spelling": N_("Check how it is written."),
}


@dataclass(frozen=True)
class Rule(Value):
    """What may be given, as `core.spec.rule_of` names it: at_least 2. What has no name here is said as it is."""

    rule: str

    def said(self, translate: Translator) -> str:
        name, _, limit = self.rule.partition(" ")
        return translate(_RULES[name], limit=limit) if name in _RULES else self.rule


SPEC_FINDINGS: dict[str, Sentence] = {
    "spec.invalid_value": Sentence(
        N_("{field}: {received} is not allowed. {rule}"), {"field": Text, "received": Text, "rule": Rule}
    ),
}
RUNS_SENTENCES: dict[str, str] = {
    "spec.unknown_field": N_("{field} is not a setting of this job. Known: {known}."),
    "spec.random_frozen": N_(
        "Random weights and only part of the network learns: the rest stays random and sees little. "
        "Train all layers, or take the pretrained weights."
    ),
    "spec.fitted_head": N_(
        "A head alone is fitted until nothing more is gained: epochs, learning rate and what else belongs to learning "
        "in steps do not matter for it, unless there are too many examples to be fitted at once."
    ),
    "spec.no_such_device": N_("This machine has no {device} that the installed torch can use. It has: {known}."),
    "spec.fp16_on_cpu": N_("fp16 is a hundred times slower than fp32 on a processor. Take fp32, bf16 or auto."),
    "spec.bf16_emulated": N_(
        "{processor} has no bf16 arithmetic: bf16 is emulated here and may be slower than fp32. Auto takes the faster."
    ),
    "spec.batch_larger_than_data": N_(
        "A batch of {batch_size} is more than the {train_size} training examples: every epoch is a single step."
    ),
    "spec.disk_short": N_(
        "This training may write {need}, and {free} are free at {folder}: it ends before it begins if they do not "
        "suffice. Make room there (Settings shows the caches, Runs deletes runs), or take fewer examples or smaller "
        "pictures."
    ),
    "spec.few_steps": N_(
        "Batches of {batch_size} make only {steps} steps of {rows} examples: the network hardly learns. "
        "Take smaller batches or more epochs."
    ),
    "spec.patience_never": N_("Stopping early after {patience} epochs cannot happen within {epochs} epochs."),
    "form.no_method": N_("No method is chosen: choose at least one."),
    "form.bad_size": N_("{received} is no number of training examples. Give whole numbers of at least 2."),
    "run.unknown": N_("There is no run {id} here. `python -m core runs` lists them."),
    "run.unknown_kind": N_("There is no kind of run {kind}. Known: {known}."),
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
    "run.report_damaged": N_(
        "The report of {id} is damaged and cannot be read ({path}). Put it back from a copy, or repeat the run: "
        "`python -m core run {id} repeat`."
    ),
    "run.predictions_damaged": N_(
        "The predictions of {id} are damaged and cannot be read ({path}). Put them back from a copy, or repeat the "
        "run: `python -m core run {id} repeat`."
    ),
    "run.row_lost": N_(
        "The record of this run was lost with a damaged file: what is known comes from its folder. Resume it to go on "
        "from the last checkpoint, or repeat it."
    ),
    "run.host_lost": N_("The machine {host} has not been heard of for {seconds} s. Resume the run here."),
    "run.killed": N_("Ended by force. What the last checkpoint holds is kept."),
    "run.out_of_memory": N_(
        "The memory did not suffice. Take a smaller batch, smaller pictures, or train fewer layers, and begin anew."
    ),
    "run.disk_full": N_(
        "The disk is full{path}. Make room (Settings shows the caches, Runs deletes runs), then resume the run."
    ),
    "run.disk_short": N_(
        "What is to be kept takes {need}, and {free} are free at {folder}. Make room there (Settings shows the caches, "
        "Runs deletes runs), or take fewer examples or smaller pictures."
    ),
    "run.disk_broken": N_(
        "A disk could not be read or written ({detail}): it fails, was pulled out, or is a network drive that is gone. "
        "Check it, then try again."
    ),
    "run.stopped": N_("Stopped on request. What was done so far is kept."),
    "run.diverged": N_(
        "The loss became infinite at step {step}: the learning rate {lr} is too high for this model and data. "
        "Try a tenth of it."
    ),
    "run.data_changed": N_(
        "{id} is not what this run began with: its files, classes or rows have changed. Going on would mix two data "
        "sets. Put the data back as it was and resume, or begin anew with what is there now: "
        "`python -m core run {run} repeat`."
    ),
    "run.file_changed": N_(
        "The file or folder that was being answered has changed since this run began: going on would mix two. Put it "
        "back as it was and resume, or begin anew with what is there now: `python -m core run {run} repeat`."
    ),
    "run.best_epoch_lost": N_("The tensors of the best epoch cannot be read ({detail}). Repeat the run."),
    "run.unknown_error": N_("The run failed for a reason Graft does not know: {detail}. The log has the details."),
    "unforeseen.logged": N_(
        "Graft met something it does not know: {detail}. How it came about is written at the end of {log}: try again, "
        "or send these lines along with your question."
    ),
    "unforeseen.nowhere": N_(
        "Graft met something it does not know: {detail}. How it came about could not be written anywhere: make room on "
        "the disk or check the rights of Graft's home, and try again."
    ),
    "unforeseen.interrupted": N_("Interrupted. Runs that were started go on: `python -m core runs` lists them."),
    "cli.usage": N_("{detail}. `{help}` tells what can be given."),
    "run.archive_unreadable": N_("{name} is not an archive of a run: {detail}. Export the run again."),
    "run.archive_version": N_(
        "{name} was packed by another version of Graft (format {found}, this one reads {wanted})."
    ),
    "run.archive_changed": N_(
        "{name} is refused: {n} files are missing, not listed, or not what its list says ({entry}). Export it again."
    ),
    "run.archive_not_ended": N_("{name} holds a run that had not ended. Export it when it has."),
    "run.archive_left_out": N_("{n} files that could run code when opened were left out: {names}."),
    "run.archive_programs": N_(
        "{n} optimized files are programs that could run code when opened: kept, and not opened here: {names}."
    ),
    "run.archive_new_id": N_("A run {id} is here already: this one is called {new}."),
    "run.archive_no_parent": N_("It was made from run {id}, which is not here."),
    "run.archive_no_room": N_("{name} unpacks to {need}, and {free} are free. Make room."),
    "reach.no_key": N_(
        "Other machines reach this address ({address}), and nothing tells who may come in. Set GRAFT_ACCESS_KEY to a "
        "key of at least {n} letters, or Streamlit's login and GRAFT_LOGINS; or start without --server.address, for "
        "this machine alone."
    ),
    "reach.cannot_listen": N_(
        "No server can listen at {address}, port {port}: {detail}. Name others with --server.address and --server.port."
    ),
    "reach.short_key": N_("GRAFT_ACCESS_KEY is too short to keep anybody out: take at least {n} letters."),
    "store.cannot_open": N_("The record of runs {path} cannot be opened: {detail}. Check the disk and the file."),
    "store.no_home": N_(
        "Graft does not know where to keep its files: this user has no home folder. Set GRAFT_HOME to a folder."
    ),
    "store.other_version": N_(
        "{path} was written by another version of Graft (format {found}, this one reads {wanted}). "
        "Set GRAFT_HOME to another folder, or use that version."
    ),
    "store.damaged": N_(
        "The record of runs {path} is damaged ({detail}). It is set aside and made anew from what is left: try again."
    ),
    "store.set_aside": N_(
        "The record of runs was damaged. It was made anew: {runs} runs could be read, {made} came back from their "
        "folders. The damaged file is kept as {kept}; remove it when nothing is missed."
    ),
    "store.made_anew": N_("The record of runs {path} was gone. It was made anew from the folders of {made} runs."),
    "store.cannot_read": N_("The record of runs {path} cannot be read: {detail}. Make room on the disk, or wait."),
    "store.cannot_write": N_("The record of runs {path} cannot be written: {detail}. Make room on the disk, or wait."),
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
    "features": N_("Computing the features of the examples, once"),
    "fit": N_("Fitting the head to them"),
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
