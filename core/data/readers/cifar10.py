"""CIFAR-10 in torchvision's own form (Krizhevsky 2009): found where torchvision puts it, or downloaded.

The files are pickles. They are opened only when their sum is the published one, and by an unpickler that
knows nothing but numpy arrays.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from core import settings
from core.cache import with_lock
from core.data.collection import ArrayItems, Collection
from core.errors import DataError
from core.files import forget_unfinished, replacing
from core.i18n import N_
from core.models.hubs import ways_to
from core.problems import Problem
from core.spec import DataRef

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
ARCHIVE_MD5 = "c58f30108f718f92721af3b95e74349a"
_TRAIN = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
_TEST = {"test_batch": "40351d587109b95175f43aff81a1287e"}
LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
_FOLDER = "cifar-10-batches-py"


def find_cifar10() -> Path | None:
    """The folder of batches or the archive, where torchvision or Graft put it; None when it is not here."""
    roots = [settings.folder("datasets"), settings.torch_folder() / "datasets", Path.cwd() / "data"]
    for root in roots:
        for path in (root / _FOLDER, root / "cifar-10-python.tar.gz"):
            if path.exists():
                return path
    return None


def open_cifar10(paths: Sequence[Path], ref: DataRef, name: str) -> Collection:
    """`torchvision/cifar10`. Raises `DataError` for another name, or when it is not here and cannot be had."""
    if name != "cifar10":
        raise DataError("data.unknown_builtin", id=ref.id, known="torchvision/cifar10")
    path = find_cifar10() or _download(ref)
    wanted = {**_TRAIN, **_TEST}
    contents = {one: _verified(one, data, wanted[one]) for one, data in _read(path).items() if one in wanted}
    if len(contents) != len(wanted):
        raise DataError("data.unreadable_file", path=str(path), detail=N_("batches are missing"))
    batches = [_unpickle(contents[one]) for one in wanted]
    pixels = np.concatenate([np.asarray(batch[b"data"], dtype=np.uint8) for batch in batches])
    pixels = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    targets = np.concatenate([np.asarray(batch[b"labels"], dtype=np.int64) for batch in batches])
    rows = np.arange(len(targets), dtype=np.int64)
    num_train = sum(len(batch[b"labels"]) for batch in batches[: len(_TRAIN)])
    return Collection(
        id=ref.id,
        name="CIFAR-10",
        fingerprint=hashlib.blake2b("".join(wanted.values()).encode(), digest_size=12).hexdigest(),
        labels=LABELS,
        targets=targets,
        splits={"train": rows[:num_train], "test": rows[num_train:]},
        items=ArrayItems(pixels, "CIFAR-10"),
        num_bytes=pixels.nbytes,
    )


def _read(path: Path) -> dict[str, bytes]:
    if path.is_dir():
        return {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
    members = {}
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                members[Path(member.name).name] = content.read()
    return members


def _verified(name: str, data: bytes, md5: str) -> bytes:
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise DataError("data.unreadable_file", path=name, detail=N_("its checksum is not the published one"))
    return data


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name in {"_reconstruct", "ndarray", "dtype"} and module.startswith("numpy"):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"{module}.{name} is no array")


def _unpickle(data: bytes) -> dict[bytes, Any]:
    arrays: dict[bytes, Any] = _Arrays(io.BytesIO(data), encoding="bytes").load()
    return arrays


def _download(ref: DataRef) -> Path:
    target = settings.folder("datasets") / "cifar-10-python.tar.gz"
    if settings.is_offline():
        raise DataError("data.cifar10_not_here", url=URL, folder=str(target.parent))
    forget_unfinished(target.parent)
    try:
        with with_lock("cifar10"):
            if not target.is_file():  # else another process fetched it meanwhile
                _fetch(target)
    except (OSError, HTTPException, DataError) as error:
        told = Problem("data.cifar10_not_here", values={"url": URL, "folder": str(target.parent)})
        raise DataError([told, *ways_to(URL)]) from error
    return target


def _fetch(target: Path) -> None:
    with replacing(target) as unfinished:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(settings.proxies()))
        with opener.open(URL, timeout=20) as answer, unfinished.open("wb") as file:
            while chunk := answer.read(1 << 20):
                file.write(chunk)
        _verified(target.name, unfinished.read_bytes(), ARCHIVE_MD5)
