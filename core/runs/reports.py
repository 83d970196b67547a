"""What a run of each kind reports, as the records that its readers count on: a run from elsewhere is held to them.

Unknown fields and values of another type are refused, and so is a finding that no sentence can be made of, a picture
that is not a file of the archive, and a file that does not lie below artifacts/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NotRequired

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from core.compare.records import CompareReport, CompareSummary
from core.data.report import DataReport
from core.finetune.records import FinetuneReport, FinetuneSummary
from core.inspection.records import InspectionReport, InspectionSummary
from core.measurement.records import MeasurementReport, MeasurementSummary
from core.messages import explain
from core.models.download import Downloaded, FetchedFile
from core.optimize.rows import OptimizeReport, OptimizeSummary
from core.predict.answers import AnsweredRow, AnswersSummary
from core.problems import Problem
from core.registry.passes import PASSES

_PICTURE = re.compile(r"data:image/(png|webp|jpeg);base64,[A-Za-z0-9+/=]*")


class AnswersReport(TypedDict):
    """The first answers of a file that was answered."""

    rows: list[AnsweredRow]
    labels: NotRequired[list[str]]


class DownloadReport(Downloaded):
    """What a download brought, with its files."""

    files: list[FetchedFile]


class CheckedData(TypedDict):
    """What the row of a check of a data set keeps."""

    id: str
    fingerprint: str
    num_images: int


# Of each kind of run: its report, and what its row keeps of it.
RECORDS: dict[str, tuple[Any, Any]] = {
    "finetune": (FinetuneReport, FinetuneSummary),
    "compare": (CompareReport, CompareSummary),
    "optimize": (OptimizeReport, OptimizeSummary),
    "import": (DataReport, CheckedData),
    "predict": (AnswersReport, AnswersSummary),
    "inspect": (InspectionReport, InspectionSummary),
    "measure": (MeasurementReport, MeasurementSummary),
    "download": (DownloadReport, Downloaded),
}


def check_summary(kind: str, summary: Mapping[str, Any]) -> None:
    """Raises `ValueError` for a summary that no run of this kind leaves; one that has not ended well may have none."""
    if summary:
        _parse(RECORDS[kind][1], json.dumps(summary), "run.json: summary")
        _check_told(summary, "run.json: summary")


def check_report(kind: str, text: str, files: set[str]) -> None:
    """Raises `ValueError` for a report that no run of this kind leaves; `files` are those below artifacts/."""
    _parse(RECORDS[kind][0], text, "artifacts/report.json")
    report = json.loads(text)
    _check_told(report, "artifacts/report.json")
    passes = {name for row in report.get("variants") or [] for name in row.get("passes") or []}
    if kind == "optimize" and not passes <= set(PASSES):
        raise ValueError(f"artifacts/report.json: {min(passes - set(PASSES))[:60]} is no way of optimizing")
    for row in report.get("mistakes") or [] if kind == "finetune" else []:
        if row.get("file") is not None and row["file"] not in files:
            raise ValueError("artifacts/report.json names a picture that is not in the archive")
    for row in report["preview"] if kind == "import" else []:
        if not _PICTURE.fullmatch(row.get("picture", "data:image/png;base64,")):
            raise ValueError("artifacts/report.json names a picture that is not in the archive")


def _parse(record: Any, text: str, where: str) -> None:
    # In a list: a record of its own is never parsed by settings from outside.
    parser = TypeAdapter(list[record], config=ConfigDict(extra="forbid", strict=True))
    try:
        parser.validate_json(f"[{text}]")
    except ValidationError as error:
        first = next((one for one in error.errors() if one["type"] != "missing"), None)
        if first is None:  # an older version knew less
            return
        place = ".".join(str(part) for part in first["loc"][1:])[:100]
        raise ValueError(f"{where}: {place}: {first['msg'][:100]}") from error


def _check_told(kept: Any, where: str) -> None:
    for code, values in _findings(kept):
        try:
            explain(Problem(code, values=values))
        except Exception as error:  # whatever a sentence makes of values that are not its own
            raise ValueError(f"{where}: {code[:60]} cannot be told") from error


def _findings(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Everything in a report that is told as a sentence, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("code"), str) and isinstance(value.get("values"), dict):
            yield value["code"], value["values"]
        for inner in value.values():
            yield from _findings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _findings(inner)
