"""Imported first by the server that trainings are forked from: it ends with the comparison, also while it loads."""

from __future__ import annotations

import sys

from core import lifeline, settings

if any("multiprocessing.forkserver" in word for word in sys.orig_argv):  # not where this is only looked at
    lifeline.end_with(settings.started_by())
