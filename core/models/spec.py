"""What a download is asked."""

from __future__ import annotations

from pydantic import Field

from core.spec import Spec


class DownloadSpec(Spec):
    """Fetch a model's published weights to this machine, or go on with what an earlier attempt fetched."""

    model: str = Field(min_length=3, max_length=300, pattern=r"^[a-z]+/\S.*$")
