"""What a check of a data set is asked."""

from __future__ import annotations

from core.spec import DataRef, Spec


class ImportSpec(Spec):
    """Read a data set, check it and describe it (preview, classes, problems) without training."""

    data: DataRef
