"""What speaks against a spec on this machine: all problems at once, by the rows of `core.runs.manage.kinds`."""

from __future__ import annotations

from core.models.hubs import check_download as check_address
from core.models.spec import DownloadSpec
from core.problems import Problem


def check_download(spec: DownloadSpec) -> list[Problem]:
    return check_address(spec.model)
