"""What went wrong is left alone for a while, longer each time, so that it holds up nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_S = 600.0


@dataclass(frozen=True)
class _Rest:
    until: float
    pause: float
    code: str | None


class Rests:
    """Pauses by name, the first of `least_s` seconds, each further one in a row twice as long."""

    def __init__(self, least_s: float) -> None:
        self._least_s = least_s
        self._all: dict[str, _Rest] = {}

    def add(self, name: str, code: str | None) -> None:
        """`code`: what went wrong; None where nothing did and it is only waited for, which grows no longer."""
        before, pause = self._all.get(name), self._least_s
        if before is not None and before.code is not None and code is not None:
            pause = min(2 * before.pause, LONGEST_S)
        self._all[name] = _Rest(time.monotonic() + pause, pause, code)

    def has(self, name: str) -> bool:
        """Whether its pause is not over."""
        rest = self._all.get(name)
        return rest is not None and time.monotonic() < rest.until

    def end(self, name: str) -> None:
        self._all.pop(name, None)

    def keep(self, names: Iterable[str]) -> None:
        """Forget all others."""
        kept = set(names)
        self._all = {name: rest for name, rest in self._all.items() if name in kept}

    @property
    def code(self) -> str | None:
        """What went wrong first, of all that is not well yet."""
        return next((rest.code for rest in self._all.values() if rest.code is not None), None)
