"""One engine for the tests of this folder that need a real one: its zygote takes seconds to start."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from autograder.engine import Engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A warm engine; a test that kills its zygote leaves one that starts again by itself."""
    if sys.platform != "linux":
        pytest.skip("the sandbox is Linux's")
    with Engine() as started:
        yield started
