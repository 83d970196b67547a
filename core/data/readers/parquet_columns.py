"""Columns of parquet files, read with an end: the footer first, then part by part, a repeated value once.

A parquet file of a few kilobytes may stand for gigabytes: one value repeated, runs of one length, pages that unpack to
much more. What the footer says is checked before anything is unpacked; the rest ends at what a table may take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.data.limits import within_memory
from core.data.table_rows import MAX_COLUMNS, MAX_ROWS, Held, as_cell
from core.errors import DataError, what_is_broken
from core.i18n import N_

# As of zips: no data packs this well, a bomb packs a thousand to one.
_MAX_RATIO, _RATIO_COUNTS_FROM = 200, 16_000_000
_ROWS_AT_ONCE = 4096
# Of large values, such as pictures, at most so many bytes at once.
_BYTES_AT_ONCE = 200_000_000
_KEPT_AS_NUMBERS = 16_000_000
_BUFFER = 1 << 20  # of a file, read as pages are needed rather than a column at once
_MAX_FOOTER_TEXT, _MAX_FOOTER_PARTS = 16_000_000, 1_000_000


def open_footer(path: Path) -> Any:
    """A file by its footer. Raises `DataError` for one that is damaged, or says of itself that it unfolds too far."""
    try:
        file = _reader(path, [])
        _check(file.metadata, path.name)
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise ValueError("two columns have one name")
    except (DataError, MemoryError):
        raise
    except Exception as error:  # a damaged footer fails in many ways
        raise DataError("data.unreadable_file", path=path.name, detail=what_is_broken(error)) from error
    return file


def _check(footer: Any, name: str) -> None:
    if footer.num_columns > 4 * MAX_COLUMNS:  # those of records count singly
        raise DataError("data.too_many_columns", name=name, limit=MAX_COLUMNS)
    if footer.num_rows > MAX_ROWS:
        raise DataError("data.too_many_rows", name=name, limit=MAX_ROWS)
    for group in range(footer.num_row_groups):
        for place in range(footer.num_columns):
            column = footer.row_group(group).column(place)
            packed = max(1, column.total_compressed_size)
            if column.total_uncompressed_size > max(_RATIO_COUNTS_FROM, _MAX_RATIO * packed):
                raise DataError("data.parquet_bomb", name=name, column=column.path_in_schema)


def read_values(
    files: Sequence[Any], paths: Sequence[Path], name: str, held: Held | None = None, most: int | None = None
) -> list[Any]:
    """A column of all files as plain values, or its first few. Lists of one are that one, lists of several `Several`.

    Raises `DataError` where they are damaged, or more than a table may take in memory.
    """
    values: list[Any] = []
    held = held or Held(paths[0].name)
    for file, path in zip(files, paths, strict=True):
        with within_memory(path.name):
            for part in _parts(file, path, name):
                held.add_column(part)
                values += part
                if most is not None and len(values) >= most:
                    return values[:most]
    if most is None and len(values) != sum(file.metadata.num_rows for file in files):
        raise DataError(
            "data.unreadable_file", path=paths[0].name, detail=N_("its footer tells another number of rows")
        )
    return values


def _parts(file: Any, path: Path, name: str) -> Iterator[list[Any]]:
    import pyarrow as pa

    for group in range(file.num_row_groups):
        leaves = _leaves(file, group, name)
        if any(leaf.num_values > 4 * MAX_ROWS for leaf in leaves):
            raise DataError("data.too_many_rows", name=path.name, limit=MAX_ROWS)
        rows = max(1, file.metadata.row_group(group).num_rows)
        unpacked = sum(leaf.total_uncompressed_size for leaf in leaves)
        is_of_many = any(leaf.num_values > 100 * rows for leaf in leaves)
        # A small column may be one large value many times: kept as numbers and that value. A large one would be held
        # twice so.
        names = [name] if unpacked < _KEPT_AS_NUMBERS and _is_of_bytes(file.schema_arrow, name) else []
        reader = _reader(path, names)
        at_once = 1 if is_of_many else _ROWS_AT_ONCE
        try:
            for batch in reader.iter_batches(at_once, row_groups=[group], columns=[name], use_threads=False):
                yield plain_values(batch.column(0))
        except (OSError, pa.ArrowException) as error:
            if isinstance(error, MemoryError):
                raise
            raise DataError("data.unreadable_file", path=path.name, detail=what_is_broken(error)) from error


def plain_values(column: Any) -> list[Any]:
    """An array as Python values; one that is repeated is made once."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        known = column.dictionary.to_pylist()
        return [None if place is None else known[place] for place in column.indices.to_pylist()]
    if pa.types.is_nested(column.type):
        return [as_cell(value) for value in column.to_pylist()]
    values: list[Any] = column.to_pylist()
    return values


def read_large(path: Path, group: int, name: str) -> Iterator[list[bytes | None]]:
    """A column of pictures of one row group, some rows at a time. Raises `OSError` and arrow's own errors."""
    file = _reader(path, [])
    unpacked = sum(leaf.total_uncompressed_size for leaf in _leaves(file, group, name))
    # No value is larger than all of them unpacked; each may be repeated in every row.
    at_once = min(_ROWS_AT_ONCE, max(1, _BYTES_AT_ONCE // max(1, unpacked)))
    for batch in file.iter_batches(at_once, row_groups=[group], columns=[name], use_threads=False):
        column = batch.column(0)
        yield plain_values(column.field("bytes") if hasattr(column, "field") else column)


def _reader(path: Path, as_numbers: list[str]) -> Any:
    """The file, some of its columns kept as numbers and the values that these stand for."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_memory_pool(pa.system_memory_pool())  # gives memory back, and keeps to a limit of the process
    return pq.ParquetFile(
        path,
        buffer_size=_BUFFER,
        read_dictionary=as_numbers,
        thrift_string_size_limit=_MAX_FOOTER_TEXT,
        thrift_container_size_limit=_MAX_FOOTER_PARTS,
    )


def _is_of_bytes(schema: Any, leaf: str) -> bool:
    import pyarrow as pa

    first, _, rest = (leaf, "", "") if leaf in schema.names else leaf.partition(".")
    kind = schema.field(first).type
    if rest and pa.types.is_struct(kind) and kind.get_field_index(rest) >= 0:
        kind = kind.field(rest).type
    return is_bytes(kind) or bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_bytes(kind: Any) -> bool:
    """Whether a column of this type may hold pictures: bytes, at whatever length, repeated or not."""
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _leaves(file: Any, group: int, name: str) -> list[Any]:
    """What the footer says of a column in a row group; of a record, of each part of it."""
    footer = file.metadata.row_group(group)
    columns = [footer.column(place) for place in range(footer.num_columns)]
    return [column for column in columns if column.path_in_schema.split(".")[0] == name.split(".")[0]]
