"""Which data a run read: kept with the run, told where it is odd, and compared when the run goes on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from core.errors import DataError
from core.files import to_json, write_atomically
from core.messages import explain
from core.problems import Problem, ProblemRow
from core.progress import Reporter

if TYPE_CHECKING:
    from core.data.images import ImageData
    from core.data.texts import TextData

NAME = "data.json"


class DataRecord(TypedDict):
    """`artifacts/data.json`: what a run reads, and everything odd about it."""

    id: str
    fingerprint: str
    labels: list[str]
    rows: str  # tells which rows train, validate and test
    problems: list[ProblemRow]


def read_record(artifacts: Path) -> DataRecord | None:
    """What a run wrote of its data; None before it had read it, of an older Graft, and of what no run writes."""
    try:
        record = TypeAdapter(DataRecord).validate_json((artifacts / NAME).read_bytes())
        for problem in record["problems"]:
            explain(Problem.from_dict(problem))
    except (OSError, ValueError, LookupError, TypeError):  # a run from elsewhere may bring any file
        return None
    return record


def keep_record(data: ImageData | TextData, artifacts: Path, reporter: Reporter, *, resume: bool) -> None:
    """Keep which data a run reads and write what is odd about it into its log.

    Raises `DataError` when a run that goes on finds other data, or other rows of it, than it began with.
    """
    rows = hashlib.blake2b(digest_size=12)
    for part in (data.train, data.validation, data.test):
        rows.update(len(part).to_bytes(8, "little") + part.tobytes())
    record: DataRecord = {
        "id": data.id,
        "fingerprint": data.fingerprint,
        "labels": list(data.labels),
        "rows": rows.hexdigest(),
        "problems": [problem.as_dict() for problem in data.problems],
    }
    before = read_record(artifacts) if resume else None
    if before is not None and any(before[name] != record[name] for name in ("fingerprint", "labels", "rows")):
        raise DataError("run.data_changed", id=data.id, run=artifacts.parent.name)
    for problem in data.problems:
        reporter.log(f"warning: {explain(problem)}")
    write_atomically(artifacts / NAME, to_json(record))
