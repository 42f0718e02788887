"""Who may send footage to this gateway's own folder now, so that everything else finds a thread free."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from edge.errors import TooMany

BUSY_S = 15
"""Who found no place asks again so much later: about as long as a part takes at 4 Mbit/s."""
_KEPT_S = 5.0


class Places:
    """`count` parts at most are read at a time: each holds its thread as long as its room's line takes.

    A file is given its place when its room asks where the parts go, and keeps it from part to part: a refusal then is
    the short answer to a short question, while a body that is not read to its end would break the line instead.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._kept: dict[str, float] = {}
        self._read: Counter[str] = Counter()

    def keep(self, clip: str) -> None:
        """A place for the parts of `clip`, kept some seconds for the next. TooMany (`clip_busy`) where none is left."""
        with self._lock:
            if not self._has(clip):
                self._need_one()
            self._kept[clip] = time.monotonic() + _KEPT_S

    def give_back(self, clip: str) -> None:
        """No further part of it is to come."""
        with self._lock:
            self._kept.pop(clip, None)

    @contextmanager
    def reading(self, clip: str) -> Iterator[None]:
        """While a part of `clip` is read: in its place, or in another that is free. TooMany as `keep`."""
        with self._lock:
            if self._read[clip] or not self._has(clip):
                self._need_one()
            self._read[clip] += 1
        try:
            yield
        finally:
            with self._lock:
                self._read[clip] -= 1
                self._kept[clip] = time.monotonic() + _KEPT_S

    def _has(self, clip: str) -> bool:
        return self._read[clip] > 0 or time.monotonic() < self._kept.get(clip, 0.0)

    def _need_one(self) -> None:
        now = time.monotonic()
        self._read = +self._read
        self._kept = {clip: until for clip, until in self._kept.items() if now < until}
        if sum(max(1, self._read[clip]) for clip in {*self._kept, *self._read}) >= self._count:
            raise TooMany("clip_busy", seconds=BUSY_S)
