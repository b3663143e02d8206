"""What every test may ask for, and how the run is set up."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60, print_blob=True)
settings.register_profile("dev", deadline=None, max_examples=60)
settings.register_profile("deep", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def history() -> Path:
    """The folder with the real Litecoin history."""
    configured = os.environ.get("LITEHEDGE_TEST_DATA", "")
    if not configured or not Path(configured).is_dir():
        pytest.skip("LITEHEDGE_TEST_DATA does not point at the real Litecoin history")
    return Path(configured)


@pytest.fixture(scope="module")
def silent() -> Iterator[None]:
    """Let nothing be logged: of a test all records are kept until it ends.

    With each go its error, that error's traceback and the whole history in which it was raised.
    """
    ours = logging.getLogger("litehedge")
    before = ours.level
    ours.setLevel(logging.CRITICAL + 1)
    yield
    ours.setLevel(before)
