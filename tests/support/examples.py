"""How many examples hypothesis makes up: a third of what is wanted in `make test`, all of them in `make soak`."""

from __future__ import annotations

import os

from hypothesis import settings

FULL = "EXAMROOM_ALL_EXAMPLES"
FEWEST = 15


def examples(wanted: int) -> int:
    return wanted if os.environ.get(FULL) else max(min(wanted, FEWEST), wanted // 3)


fuzzed = settings(max_examples=100_000 if os.environ.get(FULL) else 200, deadline=None)
"""For a decoder: 100,000 frames in `make soak`, a handful in `make test`."""
