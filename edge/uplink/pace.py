"""Sending no faster than the line may be used: bytes wait until their time has come."""

from __future__ import annotations

import io
import threading
import time

from edge.errors import Unavailable

_AHEAD_S = 0.1


class Pace:
    """At most `rate` bytes a second over any stretch longer than a tenth of one. `stop` ends any wait."""

    def __init__(self, rate: float, stop: threading.Event) -> None:
        self._rate = rate
        self._stop = stop
        self._due = 0.0

    def take(self, count: int) -> None:
        """Return when `count` more bytes may go. Unavailable `uplink_stopping` once `stop` is set."""
        now = time.monotonic()
        self._due = max(self._due, now - _AHEAD_S) + count / self._rate
        if self._stop.wait(max(0.0, self._due - now)):
            raise Unavailable("uplink_stopping")


class Paced(io.BytesIO):
    """A body that whoever sends it reads at the pace given."""

    def __init__(self, data: bytes, pace: Pace) -> None:
        super().__init__(data)
        self._pace = pace

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self._pace.take(len(data))
        return data
