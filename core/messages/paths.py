"""Sentences on paths that people give."""

from __future__ import annotations

from core.i18n import N_

PATHS_SENTENCES: dict[str, str] = {
    "path.no_rights": N_(
        "You have no rights to {path}: its owner does not let you in. Change its rights, or take another place."
    ),
    "path.is_folder": N_("{path} is a folder, where a file is wanted. Name a file."),
    "path.not_a_folder": N_("{path} cannot be there: a part of this path is a file and no folder. Check the spelling."),
    "path.too_long": N_("{path} is longer than this system allows for a path or a name. Check what was pasted."),
    "path.circle": N_("{path} is a link that leads back to itself. Give the file or folder itself."),
    "path.dead_link": N_("{path} is a link to something that is not there any more. Give the file or folder itself."),
    "path.read_only": N_("{path} lies where nothing can be written. Take another place."),
    "path.no_path": N_("{path} holds a sign that no path can hold. Check what was pasted."),
    "path.special": N_("{path} is a device, a pipe or a socket, which cannot be used here. Give a file or folder."),
    "path.of_windows": N_(
        "{path} is a path of Windows, and this machine has no drives: its paths look like /home/me/pictures. Copy the "
        "files to this machine, and give their path here."
    ),
    "path.address": N_("{path} is an address on the network. Save the file on this machine, and give its path here."),
    "path.unusable": N_("{path} cannot be used: {detail}."),
    "path.out_is_folder": N_("{path} is a folder. Name the file that is to be written in it too."),
    "path.out_is_asked": N_("{path} is what is asked about, and would be written over. Name another file."),
    "path.no_folder": N_("{path} cannot be written: there is no folder {folder}. Make it first, or name another."),
}
