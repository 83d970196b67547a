"""What a run is called until somebody names it."""

from __future__ import annotations

import re

from core.compare.spec import CompareSpec
from core.data.spec import ImportSpec
from core.errors import NotFoundError
from core.finetune.spec import FinetuneSpec
from core.inspection.spec import InspectSpec
from core.measurement.spec import MeasureSpec
from core.models.spec import DownloadSpec
from core.optimize.spec import OptimizeSpec
from core.predict.spec import PredictSpec
from core.registry.formats import without_ending
from core.registry.methods import METHODS, MethodSettings
from core.spec import ModelRef


def name_finetune(spec: FinetuneSpec) -> str:
    start = ["random"] if spec.model.weights == "random" else []
    method = METHODS[spec.method].run_name(MethodSettings.of(spec))
    return " · ".join([model_name(spec.model), *start, data_name(spec.data.name), method])


def name_compare(spec: CompareSpec) -> str:
    return f"{model_name(spec.model)} · {data_name(spec.data.name)} · {min(spec.sizes)}–{max(spec.sizes)}"


def name_import(spec: ImportSpec) -> str:
    return data_name(spec.data.name)


def name_predict(spec: PredictSpec) -> str:
    model = model_name(ModelRef(id=spec.model)) if "/" in spec.model else spec.model
    variant = [spec.variant.partition("/")[2]] if spec.variant else []
    return " · ".join([model, *variant, data_name(spec.file)])


def name_optimize(spec: OptimizeSpec) -> str:
    name, data = model_name(spec.model), data_name(spec.data.name)
    # The name of a run's model tells its data.
    return " · ".join([name, *([data] if data not in name.split(" · ") else []), "optimize"])


def name_model(spec: InspectSpec | MeasureSpec) -> str:
    return model_name(spec.model)


def name_download(spec: DownloadSpec) -> str:
    return model_name(ModelRef(id=spec.model))


def model_name(ref: ModelRef) -> str:
    """A model's name without its id's source and tag; the id where the catalog does not know it."""
    from core.models.catalog import get_model

    try:
        return get_model(ref.id).name
    except NotFoundError:
        return ref.id


def data_name(name: str) -> str:
    """The last part of a path or hub id, without a format's or an archive's ending.

    >>> data_name("path:/home/ada/pets.zip"), data_name("hub/org/reviews")
    ('pets', 'reviews')
    """
    return without_ending(re.split(r"[/\\]", name.rstrip("/\\"))[-1] or name)
