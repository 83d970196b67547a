"""Class folders of text files, a text each, as reviews are often published: train/pos/17.txt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from core.data.class_folders import Entry, Parts, arrange, is_junk
from core.data.collection import Collection, Items
from core.data.table_rows import MAX_BYTES, MAX_ROWS, Held
from core.data.text_collection import collect_texts
from core.data.text_encoding import decode_text
from core.errors import DataError
from core.problems import Problem, told
from core.registry.formats import is_table

_SUFFIX = ".txt"
# What is said of pictures alone.
_OF_PICTURES = ("data.loose_pictures", "data.nested_folders", "data.empty_folder", "data.other_files")


def holds_text_files(entries: Sequence[Entry]) -> bool:
    """Whether files are texts in folders, of several folders, and there is no picture and no table among them."""
    wanted = [entry for entry in entries if not is_junk(entry.parts)]
    if any(entry.is_picture or is_table(PurePosixPath(entry.parts[-1])) for entry in wanted):
        return False
    texts = [entry.parts for entry in wanted if entry.suffix == _SUFFIX and len(entry.parts) > 1]
    return len({parts[:-1] for parts in texts}) > 1 and 2 * len(texts) > len(wanted)


def collect_text_files(
    data_id: str, name: str, entries: Sequence[Entry], folders: Sequence[Parts], items: Items
) -> Collection:
    """The collection of text files in class folders; `items` reads the entries. Raises `DataError`."""
    num_bytes = sum(entry.size for entry in entries if entry.suffix == _SUFFIX)
    if num_bytes > MAX_BYTES:
        raise DataError("data.table_too_large", name=name, limit=MAX_BYTES // 1_000_000)
    layout = arrange(entries, folders, name, lambda entry: entry.suffix == _SUFFIX)
    if len(layout.pictures) > MAX_ROWS:
        raise DataError("data.too_many_rows", name=name, limit=MAX_ROWS)
    rows = {id(entry): row for row, entry in enumerate(entries)}
    wanted = np.array([rows[id(entry)] for entry in layout.pictures], dtype=np.int64)
    held, contents = Held(name), dict[int, str]()
    odd: dict[str, list[str]] = {}
    for row, raw in items.read_many(wanted):
        place = "/".join(entries[row].parts)
        try:
            contents[row], problems = decode_text(raw if isinstance(raw, bytes) else b"", place)
        except DataError as error:
            contents[row], problems = "", list(error.problems)
        held.add([contents[row]])
        for problem in problems:
            odd.setdefault(problem.code, []).append(place)
    splits = np.array([split for split, _ in layout.placed])
    kept = {id(entry) for entry in layout.pictures}
    left_out = ["/".join(entry.parts) for entry in entries if id(entry) not in kept and not is_junk(entry.parts)]
    return collect_texts(
        data_id,
        name,
        texts=[contents[row] for row in wanted.tolist()],
        labels=[label for _, label in layout.placed],
        splits={str(split): np.flatnonzero(splits == split).astype(np.int64) for split in np.unique(splits)},
        columns=("text", "label"),
        num_bytes=num_bytes,
        problems=[
            *(problem for problem in layout.problems if problem.code not in _OF_PICTURES),
            *_of_encodings(odd),
            *told("data.texts_left_out", left_out),
        ],
    )


def _of_encodings(odd: dict[str, list[str]]) -> list[Problem]:
    """Files that are not plain UTF-8: read by a guess, or not at all."""
    unknown = odd.pop("data.encoding_unknown", [])
    return [
        *told("data.files_of_other_encodings", sorted({place for places in odd.values() for place in places})),
        *told("data.files_of_no_encoding", unknown),
    ]
