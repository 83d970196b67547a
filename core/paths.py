"""Paths that people give: what they mean, and what speaks against reading or writing there."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.files import unshared
from core.problems import Problem

_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "‘": "’", "«": "»", "「": "」", "『": "』"}
# What cannot be seen and comes along when a path is copied: marks of direction (Windows' properties), of no width.
_UNSEEN = "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_OF_WINDOWS = re.compile(r"(?P<drive>[A-Za-z]):(?P<rest>[\\/].*)", re.DOTALL)
_ADDRESS = re.compile(r"(https?|ftp|s3|gs|hdfs):/+(.*)", re.DOTALL)
_SHOWN = 120  # letters of a path that is too long to be one

_CODES = {
    errno.ENOENT: "data.path_missing",
    errno.EACCES: "path.no_rights",
    errno.EPERM: "path.no_rights",
    errno.EISDIR: "path.is_folder",
    errno.ENOTDIR: "path.not_a_folder",
    errno.ENAMETOOLONG: "path.too_long",
    errno.ELOOP: "path.circle",
    errno.EROFS: "path.read_only",
}


def path_problem(error: OSError, path: Path | str, field: str | None = None) -> Problem:
    """What the system said of a path, in a sentence of Graft's."""
    code = _CODES.get(error.errno or 0, "path.unusable")
    values = {"path": shown(path), **({} if code != "path.unusable" else {"detail": error.strerror or str(error)})}
    return Problem(code, field=field, values=values)


def shown(path: Path | str) -> str:
    """A path as sentences tell it: one that is far too long is cut, and what no screen can show is spelled."""
    text = str(path).encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]}…"


def legible(name: str) -> str:
    """A file's name in letters: one that is not UTF-8 as a Chinese Windows writes it, or with its bytes spelled.

    >>> legible(os.fsdecode(b"\\xb9\\xb7.png")), legible(os.fsdecode(b"caf\\xe9.png"))
    ('狗.png', 'caf\\\\xe9.png')
    """
    raw = os.fsencode(name)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pairs = all(len(run) % 2 == 0 for run in re.findall(rb"[\x80-\xff]+", raw))
    try:
        return raw.decode("gb18030" if pairs else "utf-8", "strict" if pairs else "backslashreplace")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "backslashreplace")


# -- what is meant -----------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """What was typed without what came along when it was pasted: blanks, unseen marks, quotes around it.

    >>> plain(' "/my pictures" '), plain("“digits”")
    ('/my pictures', 'digits')
    """
    text = text.strip().strip(_UNSEEN).strip()
    while len(text) > 2 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def meant_path(text: str | Path) -> Path:
    """The path that was typed or pasted: as it stands where something lies there, else without quotes and the like.

    A file's address (file:///…) is its path, `~` the home, and a drive of Windows its place under WSL if there is one.
    """
    as_given = Path(text)
    if lies_there(as_given):
        return as_given
    given = plain(str(text))
    if given.lower().startswith("file://"):
        given = unquote(urlsplit(given).path)
        if os.name == "nt":
            given = given.removeprefix("/")
    try:
        path = Path(given).expanduser()
    except RuntimeError:  # ~somebody who is not known here
        path = Path(given)
    windows = _OF_WINDOWS.fullmatch(given)
    others = [Path(given.replace("\\ ", " "))]
    if windows and os.name != "nt":
        others.append(Path("/mnt") / windows["drive"].lower() / windows["rest"].replace("\\", "/").lstrip("/"))
    return path if lies_there(path) else next((other for other in others if lies_there(other)), path)


def lies_there(path: Path) -> bool:
    """Whether there is anything at a path; False too for what can be no path."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, a null byte
        return False


# -- what speaks against it --------------------------------------------------------------------------------


def check_readable(path: Path, field: str | None = None) -> list[Problem]:
    """What speaks against reading a file or folder."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return [_not_there(path, field) if error.errno == errno.ENOENT else path_problem(error, path, field)]
    except ValueError:  # a null byte
        return [Problem("path.no_path", field=field, values={"path": shown(path)})]
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return [Problem("path.special", field=field, values={"path": shown(path)})]
    if not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
        return [Problem("path.no_rights", field=field, values={"path": shown(path)})]
    return []


def _not_there(path: Path, field: str | None) -> Problem:
    """Nothing lies at a path: what may have been meant."""
    name = str(path)  # perhaps spelled from the root by now, which was not typed
    drive, address = re.search(r"(?:^|[\\/])([A-Za-z]:[\\/].*)", name, re.DOTALL), _ADDRESS.search(name)
    if os.name != "nt" and drive:
        return Problem("path.of_windows", field=field, values={"path": shown(drive[1])})
    if address:
        return Problem("path.address", field=field, values={"path": shown(f"{address[1]}://{address[2]}")})
    code = "path.dead_link" if path.is_symlink() else "data.path_missing"
    return Problem(code, field=field, values={"path": shown(path)})


def check_writable(
    path: Path, *, reads: Path | None = None, may_be_folder: bool = False, makes_folders: bool = False
) -> list[Problem]:
    """What speaks against writing a file, found by trying, before the work whose result goes there begins.

    `reads`: what the work reads, which is not to be written over; `may_be_folder`: a file in it will be written;
    `makes_folders`: those that are missing are made.
    """
    try:
        mode = _mode_of(path)
        folder = path if mode is not None and stat.S_ISDIR(mode) and may_be_folder else path.absolute().parent
        while makes_folders and not lies_there(folder) and folder != folder.parent:
            folder = folder.parent
        problem = _against(path, mode, folder, reads, may_be_folder)
        if problem is not None:
            return [problem]
        trial = unshared(folder / "trial")
        trial.touch(exist_ok=False)
        trial.unlink()
    except OSError as error:
        return [path_problem(error, path)]
    except ValueError:
        return [Problem("path.no_path", values={"path": shown(path)})]
    return []


def _against(path: Path, mode: int | None, folder: Path, reads: Path | None, may_be_folder: bool) -> Problem | None:
    """What speaks against a place by what lies there."""
    if mode is not None and stat.S_ISDIR(mode) and not may_be_folder:
        return Problem("path.out_is_folder", values={"path": shown(path)})
    if mode is not None and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return Problem("path.special", values={"path": shown(path)})
    if mode is not None and not os.access(path, os.W_OK):
        return Problem("path.no_rights", values={"path": shown(path)})
    if mode is not None and reads is not None and lies_there(reads) and path.samefile(reads):
        return Problem("path.out_is_asked", values={"path": shown(path)})
    if not folder.is_dir():
        code = "path.not_a_folder" if lies_there(folder) else "path.no_folder"
        return Problem(code, values={"path": shown(path), "folder": shown(folder)})
    return None


def _mode_of(path: Path) -> int | None:
    """What lies at a path, None where nothing does yet. Raises `OSError` and `ValueError` for what can be no path."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
