"""Refused requests of tablets, kiosk, strangers and staff who only look, in the ledger as often as it bears.

Nobody on the network can fill the disk with them: one entry a minute for the same tablet (or address), code and act,
and so many a minute and a day in all. Strangers have a share of their own, which hides nothing of known tablets.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from edge.store import ledger
from edge.store.db import transaction

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0


class Refusals:
    """What may still be noted. Every method may be called from any thread."""

    def __init__(self, a_minute: int, a_day: int) -> None:
        self._a_minute, self._a_day = a_minute, a_day
        self._lock = threading.Lock()
        self._minute: deque[float] = deque()
        self._day: deque[float] = deque()
        self._until: dict[Hashable, float] = {}
        self._left_out = 0

    def take(self, key: Hashable = None, window_s: float = MINUTE_S) -> int | None:
        """None where nothing is to be noted now; else how many others were left out since the last that was.

        One `key` is noted once in `window_s`; None is nobody's, and bounded only with all others.
        """
        now = time.monotonic()
        with self._lock:
            for times, length in ((self._minute, MINUTE_S), (self._day, DAY_S)):
                while times and now - times[0] >= length:
                    times.popleft()
            if key is not None and self._until.get(key, 0.0) > now:
                return None
            if len(self._minute) >= self._a_minute or len(self._day) >= self._a_day:
                self._left_out += 1
                return None
            self._until = {known: end for known, end in self._until.items() if end > now}
            if key is not None:
                self._until[key] = now + window_s
            self._minute.append(now)
            self._day.append(now)
            left_out, self._left_out = self._left_out, 0
            return left_out


def note(
    later: queue.SimpleQueue[Callable[[sqlite3.Connection], object]],
    body: Mapping[str, Any],
    left_out: int,
    subject: str | None = None,
    session: str | None = None,
) -> None:
    """A `request_refused` {reason, act}, written behind; `left_out` says how many others before it were not noted."""
    told = dict(body) | ({"left_out": left_out} if left_out else {})

    def write(connection: sqlite3.Connection) -> None:
        with transaction(connection):
            ledger.append(connection, "request_refused", told, subject=subject, session=session)

    later.put(write)
