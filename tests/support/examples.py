"""How many examples hypothesis makes up: a third of what is wanted in `make test`, all of them in `make soak`."""

from __future__ import annotations

import os

FULL = "EXAMROOM_ALL_EXAMPLES"
FEWEST = 15


def examples(wanted: int) -> int:
    return wanted if os.environ.get(FULL) else max(min(wanted, FEWEST), wanted // 3)
