"""Weights that lie in the caches of this machine: which, where, how large; deleting them, and bringing them by hand.

What is brought is hostile until looked through: no code, no links that lead out, contents that are what their names
say, the published checksum where there is one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import huggingface_hub as hub

from core.errors import InputError, NotFoundError, RunError, WeightsError, first_line
from core.files import forget_unfinished, making_folder, replacing, write_atomically
from core.models import catalog, hubs
from core.models.card import ModelCard
from core.models.catalog import get_model
from core.models.download import SPARE_BYTES, needed_files
from core.models.file_download import sum_of
from core.paths import check_readable, meant_path
from core.settings import hub_folder, torch_folder
from core.store import open_store

_CODE = {".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".sh", ".exe", ".bat", ".pkl", ".pickle"}
_MOST_FILES = 10_000
_HEADER_BYTES = 100_000_000  # what a safetensors file may need to name its tensors


@dataclass(frozen=True)
class StoredWeights:
    """The weights of one model on this machine. `bytes` counts what an unfinished download left, too."""

    model: str
    folder: Path
    bytes: int
    is_whole: bool


def list_weights() -> list[StoredWeights]:
    """What lies in the caches of torch hub and of the Hugging Face libraries, the largest first."""
    stored = [*_in_torch_hub(), *_in_hub_cache()]
    return sorted(stored, key=lambda one: (-one.bytes, one.model))


def _in_torch_hub() -> list[StoredWeights]:
    cards = {card.file_name: card for card in catalog.list_models() if card.source in ("torchvision", "timm")}
    folder, stored = _checkpoints(), []
    for name, card in cards.items():
        if hubs.repository_of(card.id):
            continue
        size = sum(_bytes(path) for path in _files_of(card))
        if size:
            stored.append(StoredWeights(card.id, folder, size, (folder / name).is_file()))
    return stored


def _in_hub_cache() -> list[StoredWeights]:
    stored = []
    ids = {
        card.url.removeprefix(f"{hubs.HUB}/"): card.id
        for card in reversed(catalog.list_models())
        if card.source in ("hub", "timm")
    }
    for folder in sorted(hub_folder().glob("models--*--*")):
        name = folder.name.removeprefix("models--").replace("--", "/")
        size = sum(_bytes(path) for path in folder.rglob("*"))
        is_whole = any(path.suffix in (".safetensors", ".bin") for path in folder.glob("snapshots/*/*"))
        if size:
            model_id = ids.get(name) or (name if name.startswith("timm/") else f"hub/{name}")
            stored.append(StoredWeights(model_id, folder, size, is_whole))
    return stored


def _bytes(path: Path) -> int:
    """Bytes of a file itself; a link takes none."""
    try:
        return path.lstat().st_size if path.is_file() and not path.is_symlink() else 0
    except OSError:  # removed meanwhile
        return 0


def _checkpoints() -> Path:
    return torch_folder() / "hub" / "checkpoints"


def _files_of(card: ModelCard) -> list[Path]:
    """torchvision's file of a model, and what an unfinished download left of it."""
    path = _checkpoints() / card.file_name
    return [path, path.with_name(path.name + ".part"), path.with_name(path.name + ".part.etag")]


def find_stored(model_id: str) -> StoredWeights | None:
    """What the caches hold of a model; None for nothing."""
    repository = hubs.repository_of(model_id)
    if repository:
        folder = _repository_folder(repository)
        return next((one for one in _in_hub_cache() if one.folder == folder), None)
    return next((one for one in _in_torch_hub() if one.model == model_id), None)


def _repository_folder(repository: str) -> Path:
    return hub_folder() / f"models--{repository.replace('/', '--')}"


# -- deleting ----------------------------------------------------------------------------------------------


def remove_weights(model_id: str) -> int:
    """Delete a model's downloaded weights from the caches; returns the bytes freed.

    Packages and what runs made are never touched. Raises `NotFoundError` where there is nothing, `RunError` while a
    run uses them.
    """
    stored = find_stored(_full_id(model_id))
    if stored is None:
        raise NotFoundError("weights.nothing_to_delete", id=model_id)
    for run in open_store().list_runs(statuses=["running"]):
        used = run.spec.get("model")
        if (used.get("id") if isinstance(used, dict) else used) in (stored.model, _full_id(model_id)):
            raise RunError("weights.in_use", id=stored.model, run=run.name)
    repository = hubs.repository_of(stored.model)
    if not repository:
        for path in _files_of(get_model(stored.model)):
            path.unlink(missing_ok=True)
        return stored.bytes
    _forget_revisions(repository)
    shutil.rmtree(stored.folder, ignore_errors=True)  # what an unfinished download left
    shutil.rmtree(hub_folder() / ".locks" / stored.folder.name, ignore_errors=True)
    return stored.bytes


def _full_id(model_id: str) -> str:
    """A model's id with its tag, where the catalogue knows the short one."""
    try:
        return get_model(model_id).id
    except NotFoundError:
        return model_id


def _forget_revisions(repository: str) -> None:
    """Let the hub's library delete what it keeps: it knows which files other repositories share."""
    cached = hub.scan_cache_dir(hub_folder())
    kept = [one for one in cached.repos if one.repo_id == repository and one.repo_type == "model"]
    hashes = [revision.commit_hash for one in kept for revision in one.revisions]
    # Of this repository alone: one commit's name may stand in another.
    only = replace(cached, repos=frozenset(kept))
    if hashes:
        only.delete_revisions(*hashes).execute()


# -- bringing ----------------------------------------------------------------------------------------------


def import_weights(model_id: str, path: Path) -> int:
    """Copy a model's files from elsewhere on this machine into the caches, checked; returns the bytes copied.

    `path`: the published file for a model of torchvision; for one of the hub or of timm the folder as the hub holds
    it, or a copy of its cache. Raises `InputError`, `WeightsError`, `RunError`.
    """
    path = meant_path(path).absolute()
    problems = check_readable(path)
    if problems:
        raise InputError(problems)
    repository = hubs.repository_of(model_id)
    if repository:
        return _import_folder(model_id, repository, path)
    card = get_model(model_id)
    if card.source in ("bundled", "run") or not card.file_name:
        raise InputError("weights.not_importable", id=model_id)
    return _import_file(card, path / card.file_name if path.is_dir() else path)


def _import_file(card: ModelCard, path: Path) -> int:
    if not path.is_file():
        raise InputError("weights.import_not_a_file", path=str(path), file=card.file_name)
    digest, stamp = sum_of(path, "sha256"), re.search(r"-([0-9a-f]{8,})\.", card.file_name)
    wanted = card.sha256 or (stamp[1] if stamp else "")
    if not digest.startswith(wanted):
        values = {"found": digest[:8], "wanted": wanted[:8]}
        raise InputError("weights.import_wrong_file", path=str(path), file=card.file_name, **values)
    if not wanted:  # nobody published a sum: at least it is of the kind
        _check_content(path, "weights.bin" if path.suffix != ".safetensors" else path.name)
    _check_room(card.id, path.stat().st_size, torch_folder())
    target = _checkpoints() / card.file_name
    _copy(path, target)
    return target.stat().st_size


def _import_folder(model_id: str, repository: str, path: Path) -> int:
    if not path.is_dir():
        raise InputError("weights.import_not_a_folder", path=str(path))
    root, folder = _find_snapshot(path)
    files = _look_through(root, folder)
    sizes = {name: file.stat().st_size for name, file in files.items()}
    try:
        preferred = get_model(model_id).file_name
    except NotFoundError:
        preferred = ""
    names = needed_files(sizes, preferred)
    missing = [] if names else ["model.safetensors"]
    missing += [] if {"config.json", "model_index.json"} & set(sizes) else ["config.json"]
    if missing:
        raise InputError("weights.import_no_weights", path=str(path), files=", ".join(missing))
    for name in names:
        _check_content(files[name], name)
    total = sum(sizes[name] for name in names)
    _check_room(model_id, total, hub_folder())
    _keep(repository, {name: files[name] for name in names})
    return total


def _find_snapshot(path: Path) -> tuple[Path, Path]:
    """The folder that links may lead into, and the one with the files: for a copy of a cache its newest snapshot."""
    if path.parent.name == "snapshots":
        return path.parent.parent, path
    snapshots = sorted(path.glob("snapshots/*"), key=lambda one: one.stat().st_mtime)
    return path, snapshots[-1] if snapshots else path


def _look_through(root: Path, folder: Path) -> dict[str, Path]:
    """The files of a folder by their names in it. Raises `InputError` for code and for links that lead out."""
    files: dict[str, Path] = {}
    code, outside = [], []
    top = root.resolve()
    for base, folders, names in os.walk(folder):  # follows no links to folders
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in [*names, *(one for one in folders if (Path(base) / one).is_symlink())]:
            path = Path(base) / name
            relative = path.relative_to(folder).as_posix()
            if not Path(os.path.realpath(path)).is_relative_to(top):  # a circle of links leads nowhere
                outside.append(relative)
            elif path.suffix.lower() in _CODE:
                code.append(relative)
            elif path.is_file():
                files[relative] = path
        if len(files) > _MOST_FILES:
            raise InputError("data.too_many_files", name=folder.name, limit=_MOST_FILES)
    if outside:
        raise InputError("weights.import_link", path=str(folder), names=", ".join(sorted(outside)[:5]))
    if code:
        raise InputError("weights.import_code", path=str(folder), names=", ".join(sorted(code)[:5]))
    return files


def _check_content(path: Path, name: str) -> None:
    """Look whether a file is what its name says. Raises `WeightsError`."""
    try:
        if name.endswith(".safetensors"):
            _check_safetensors(path)
        elif name.endswith(".bin"):
            if not zipfile.is_zipfile(path):
                raise ValueError("PyTorch keeps weights as a zip")
        elif name.endswith(".json"):
            if not isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
                raise ValueError("it holds no JSON object")
        elif name.endswith((".txt", ".md")):
            path.read_text(encoding="utf-8")
    except (OSError, ValueError, RecursionError) as error:
        detail = first_line(error)
        raise WeightsError("weights.import_unreadable", file=name, detail=detail) from error


def _check_safetensors(path: Path) -> None:
    """The header names its tensors, and they fill the file exactly (huggingface.co/docs/safetensors)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_HEADER_BYTES, size - 8):
            raise ValueError("it is no safetensors file")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("it is no safetensors file")
    try:
        ends = [tuple(one["data_offsets"]) for name, one in header.items() if name != "__metadata__"]
    except (KeyError, TypeError) as error:
        raise ValueError("it is no safetensors file") from error
    if not ends or max(end for _start, end in ends) != size - 8 - length:
        raise ValueError("it is cut short, or longer than its tensors")


def _check_room(model_id: str, need: int, folder: Path) -> None:
    place = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(place).free
    if need + SPARE_BYTES > free:
        values = {"need": f"{(need + SPARE_BYTES) / 1e6:.0f} MB", "free": f"{free / 1e6:.0f} MB"}
        raise RunError("download.no_room", id=model_id, folder=str(folder), **values)


def _copy(source: Path, target: Path) -> None:
    """A file that is either not there or whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as unfinished:
        shutil.copyfile(source, unfinished)


def _keep(repository: str, files: dict[str, Path]) -> None:
    """Put files into the hub's cache as a snapshot, named after their content."""
    digests = {name: sum_of(path, "sha256") for name, path in sorted(files.items())}
    told = json.dumps(digests, sort_keys=True).encode()
    revision = hashlib.sha1(told, usedforsecurity=False).hexdigest()
    folder = _repository_folder(repository)
    snapshot = folder / "snapshots" / revision
    if not snapshot.exists():
        forget_unfinished(folder)
        # What another process brought meanwhile are the same files.
        with suppress(FileExistsError), making_folder(snapshot, within=folder) as unfinished:
            for name, path in files.items():
                _copy(path, unfinished / name)
    main = folder / "refs" / "main"
    if not main.exists():
        main.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(main, revision)
