"""From the files of a folder or zip to classes: what is a class, a split, a wrapper, or nothing of ours.

One folder for each class, with or without train and test above; what people really pack around it is looked
through, and whatever is left out is said.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from core.data.collection import Collection, Items
from core.errors import DataError
from core.problems import Problem, shown, told
from core.registry.formats import ARCHIVES, PICTURE_SUFFIXES, is_table
from core.registry.looks import one_for_each_look
from core.registry.split_names import split_of, splits_of

_JUNK = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir"}
Parts = tuple[str, ...]
# What is told where pictures lie in no class folder: a table beside them may name the classes.
NO_CLASSES = ("data.no_class_folders", "data.classes_in_names")


@dataclass(frozen=True)
class Entry:
    """A file of a folder or zip: its place as people see it, and where it really is."""

    parts: Parts
    source: str | zipfile.ZipInfo
    size: int
    stamp: str  # tells its content from another's
    begins_like_picture: bool = False  # looked at where the ending says nothing

    @property
    def suffix(self) -> str:
        """The ending of its name, in small letters."""
        return PurePosixPath(self.parts[-1]).suffix.lower()

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture by its ending, or where that says nothing by its first bytes."""
        return self.suffix in PICTURE_SUFFIXES or self.begins_like_picture


@dataclass
class Layout:
    """The pictures of a folder or zip with (split, class) of each, and what is odd about the rest."""

    pictures: list[Entry] = field(default_factory=list)
    placed: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def arrange(
    entries: Iterable[Entry],
    folders: Iterable[Parts],
    name: str,
    is_wanted: Callable[[Entry], bool] = lambda entry: entry.is_picture,
) -> Layout:
    """Tell classes and splits from the places of files. Raises `DataError` where no classes can be told.

    `folders` are the folders that are there, so that an empty class folder is noticed; `is_wanted` tells the files
    that are looked for, pictures where nothing else is said.
    """
    entries = [entry for entry in entries if not is_junk(entry.parts)]
    pictures = [entry for entry in entries if is_wanted(entry)]
    others = [entry for entry in entries if not is_wanted(entry)]
    if not pictures:
        archives = [entry for entry in others if entry.suffix in ARCHIVES]
        if archives:
            raise DataError("data.only_archives", name=name, n=len(archives), entry=_where(archives[0]))
        tables = [entry for entry in others if is_table(PurePosixPath(entry.parts[-1]))]
        if tables:
            raise DataError("data.only_tables", name=name, n=len(tables), entry=_where(tables[0]))
        raise DataError("data.no_pictures", name=name, n=len(others))
    depth = _wrapper_depth(pictures)
    splits = _find_splits([entry.parts[depth:] for entry in pictures])
    layout, loose, nested = Layout(), [], []
    for entry in pictures:
        split, rest = splits.place(entry.parts[depth:])
        if split is None or len(rest) < 2:
            loose.append(entry)
            continue
        layout.pictures.append(entry)
        layout.placed.append((split, rest[0]))
        if len(rest) > 2:
            nested.append(entry)
    if not layout.pictures:
        words = _words_of_names(loose)
        if words:
            raise DataError("data.classes_in_names", name=name, n=len(loose), labels=", ".join(words[:5]))
        raise DataError("data.no_class_folders", name=name, n=len(loose))
    classes = {label for _, label in layout.placed}
    same = one_for_each_look(classes)
    layout.placed = [(split, same[label]) for split, label in layout.placed]
    layout.problems += told("data.labels_look_alike", sorted({one for label, one in same.items() if one != label}))
    above = layout.pictures[0].parts[:depth]
    inside = [parts[depth:] for parts in folders if parts[:depth] == above and not is_junk(parts)]
    labels = {rest[0] for split, rest in map(splits.place, inside) if split and len(rest) == 1}
    layout.problems += told("data.loose_pictures", [_where(entry) for entry in loose])
    layout.problems += told("data.nested_folders", [_where(entry) for entry in nested])
    layout.problems += told("data.empty_folder", sorted(labels - classes))
    layout.problems += told("data.other_files", [_where(entry) for entry in others])
    return layout


def _words_of_names(pictures: list[Entry]) -> list[str]:
    """Words that names begin with, where they look like classes: cat.7.png, dog_12.jpg."""
    found = Counter(
        match[0] for entry in pictures if (match := re.match(r"[^\W\d_]{2,}(?=[\W\d_])", entry.parts[-1])) is not None
    )
    is_likely = len(found) > 1 and min(found.values()) > 1 and found.total() == len(pictures)
    return [shown(word) for word, _ in found.most_common()] if is_likely else []


def is_junk(parts: Parts) -> bool:
    """What systems leave behind: not worth a word."""
    return any(part.lower() in _JUNK or part.startswith(".") for part in parts)


def _where(entry: Entry) -> str:
    return shown("/".join(entry.parts))


def _wrapper_depth(pictures: list[Entry]) -> int:
    """How many folders hold everything: class folders and splits are what is below them.

    A folder that holds pictures directly is a class, even when it is the only one. Pictures that lie beside
    everything else do not count.
    """
    depth = 0
    inside = [entry.parts for entry in pictures]
    while True:
        inside = [parts for parts in inside if len(parts) > depth + 1]
        tops = {parts[depth] for parts in inside}
        if len(tops) != 1 or split_of(next(iter(tops))):
            return depth
        if not any(len(parts) > depth + 2 for parts in inside):
            return depth
        depth += 1


@dataclass(frozen=True)
class _Splits:
    """The outer folders that are splits, and the folder within each that only bears its name once more."""

    by_folder: dict[str, str]
    nested: dict[str, str]

    def place(self, parts: Parts) -> tuple[str | None, Parts]:
        """The split of a file or folder, None of one that lies in none, and where it lies within."""
        if not self.by_folder:
            return "train", parts
        split, rest = (self.by_folder.get(parts[0]) if parts else None), parts[1:]
        if split is not None and rest and rest[0] == self.nested.get(parts[0]):
            rest = rest[1:]
        return split, rest


def _find_splits(places: list[Parts]) -> _Splits:
    """Whether the outer folders are train, test and the like, rather than classes of these names."""
    inner = {parts[0] for parts in places if len(parts) > 2}
    direct = {parts[0] for parts in places if len(parts) == 2}
    found = splits_of(sorted(inner | direct))
    # Beside other folders ("unlabelled", "docs") they are splits when there are two with classes in them.
    held = {found[top] for top in inner - direct if top in found}
    if not found or (len(held) < 2 and set(found) != inner | direct):
        return _Splits({}, {})
    nested = {}
    for top, split in found.items():
        within = {parts[1] for parts in places if parts[0] == top and len(parts) > 2}
        is_deeper = any(parts[0] == top and len(parts) > 3 for parts in places)
        if len(within) == 1 and is_deeper and split_of(next(iter(within))) == split:
            nested[top] = next(iter(within))
    return _Splits(found, nested)


def collect(data_id: str, name: str, layout: Layout, items: Items) -> Collection:
    """The collection of what was arranged."""
    pictures, placed = layout.pictures, layout.placed
    labels = sorted({label for _, label in placed}, key=_natural)
    index = {label: place for place, label in enumerate(labels)}
    targets = np.array([index[label] for _, label in placed], dtype=np.int64)
    split_names = np.array([split for split, _ in placed])
    splits = {str(s): np.flatnonzero(split_names == s).astype(np.int64) for s in np.unique(split_names)}
    total = hashlib.blake2b(digest_size=12)
    for entry in pictures:
        total.update(f"{'/'.join(entry.parts)}|{entry.size}|{entry.stamp}\n".encode())
    return Collection(
        id=data_id,
        name=name,
        fingerprint=total.hexdigest(),
        labels=labels,
        targets=targets,
        splits=splits,
        items=items,
        problems=layout.problems,
        num_bytes=sum(entry.size for entry in pictures),
        sizes=np.array([entry.size for entry in pictures], dtype=np.int64),
    )


def _natural(label: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts class 2 before class 10."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", label) if part)
