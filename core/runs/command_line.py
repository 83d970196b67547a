"""A spec as command-line options: one option per field, named after it, and the line that repeats a run."""

from __future__ import annotations

from core.data.spec import ImportSpec
from core.inspection.spec import InspectSpec
from core.measurement.spec import MeasureSpec
from core.predict.spec import PredictSpec
from core.spec import columns


def words_of_import(spec: ImportSpec) -> list[str]:
    return ["data", spec.data.id, *columns(spec.data)]


def words_of_predict(spec: PredictSpec) -> list[str]:
    column = ["--text-column", spec.text_column] if spec.text_column else []
    variant = ["--variant", spec.variant] if spec.variant else []
    return ["predict", "--model", spec.model, *variant, "--file", spec.file, *column, "--out", "answers.csv"]


def words_of_inspect(spec: InspectSpec) -> list[str]:
    return ["model", spec.model.id, *(["--image-size", str(spec.image_size)] if spec.image_size else [])]


def words_of_measure(spec: MeasureSpec) -> list[str]:
    random = ["--weights", "random"] if spec.model.weights == "random" else []
    batch = ["--batch-size", str(spec.batch_size)] if spec.batch_size != 32 else []
    return ["measure", spec.model.id, *random, *batch]
