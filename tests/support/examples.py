"""How many examples hypothesis makes up: a fifth of what is wanted in `make test`, all of them in `make soak`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import settings

Test = TypeVar("Test", bound=Callable[..., Any])

FULL = "EXAMROOM_ALL_EXAMPLES"
FEWEST = 15


def examples(wanted: int) -> int:
    return wanted if os.environ.get(FULL) else max(min(wanted, FEWEST), wanted // 5)


def fuzzed(test: Test, few: int = 200) -> Test:
    """For a decoder: 100,000 frames in `make soak`, which take their minutes; a handful in `make test`."""
    often = settings(max_examples=100_000 if os.environ.get(FULL) else few, deadline=None, database=None)
    timed: Test = pytest.mark.timeout(7200)(often(test))
    return timed


def fuzzed_pictures(test: Test) -> Test:
    """The same where a frame is a picture, which takes long to read."""
    return fuzzed(test, FEWEST)
