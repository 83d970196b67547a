"""What a file makes once for its tests is made on one worker: it can be a training, and there are several workers."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="module")
def made_once() -> None:
    """Stands for all that is."""


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process makes everything once")
@pytest.mark.usefixtures("made_once")
def test_tests_that_share_what_is_made_run_on_one_worker(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@architecture-test_sharing")
