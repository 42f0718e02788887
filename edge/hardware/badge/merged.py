"""Several readers as one: each on a thread of its own, since a serial port or a card may keep its caller waiting.

A reader that fails in a way nobody foresaw is closed and opened again a little later; the others go on meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from edge.hardware.badge import BadgeReader, ReaderState, Tap

_log = logging.getLogger(__name__)
_POLL_S = 0.25
_RETRY_S = 1.0
_HANGS_S = 5.0
"""Without a finished poll for so long a reader hangs: its driver's service was stopped, or the kernel holds it."""
_CLOSE_S = 2.0
_KEPT = 32
"""Taps kept until they are asked for; beyond it the oldest goes."""


class MergedReader:
    """A `BadgeReader` over the readers that `openers` open, by name.

    What one reader has just reported is not reported again by another within `debounce_ms`: a card may answer two.
    `slow_s`: how much longer than others a reader may take over one poll.
    """

    def __init__(
        self,
        openers: Mapping[str, Callable[[], BadgeReader]],
        debounce_ms: int,
        slow_s: Mapping[str, float] | None = None,
    ) -> None:
        self._slow_s = slow_s or {}
        self._debounce_ms = debounce_ms
        self._taps: deque[Tap] = deque(maxlen=_KEPT)
        self._last: dict[str, tuple[str, int]] = {}
        self._came = threading.Condition()
        self._states = {name: ReaderState(False, "reader_starting") for name in openers}
        self._polled_s = dict.fromkeys(openers, time.monotonic())
        self._hanging: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(name, opener), name=f"reader-{name}", daemon=True)
            for name, opener in openers.items()
        ]
        for thread in self._threads:
            thread.start()

    def poll(self, timeout_s: float) -> list[Tap]:
        if not self._threads:
            time.sleep(timeout_s)
        with self._came:
            if self._threads:
                self._came.wait_for(lambda: bool(self._taps), timeout_s)
            taps = list(self._taps)
            self._taps.clear()
        return taps

    def state(self) -> ReaderState:
        """Present when any is; the reason is that of the first that is not, of one that somebody has to see to before
        any other."""
        found = self.states().values()
        if not found:
            return ReaderState(False, "reader_off")
        absent = sorted((one for one in found if not one.present), key=lambda one: one.fault is None)
        return ReaderState(any(one.present for one in found), absent[0].reason if absent else None)

    def states(self) -> dict[str, ReaderState]:
        """Each reader's own state, as of its last poll; `reader_hangs` where that is too long ago."""
        with self._came:
            late_s = time.monotonic() - _HANGS_S
            hanging = frozenset(
                name for name, polled_s in self._polled_s.items() if polled_s < late_s - self._slow_s.get(name, 0.0)
            )
            for name in hanging - self._hanging:
                _log.error("the reader %s hangs", name)
            self._hanging = hanging
            return {
                name: ReaderState(False, "reader_hangs") if name in hanging else state
                for name, state in self._states.items()
            }

    def close(self) -> None:
        """Readers let go within two seconds; one that hangs does so when it wakes, if the process still lives."""
        self._stop.set()
        until_s = time.monotonic() + _CLOSE_S
        for thread in self._threads:
            thread.join(max(0.0, until_s - time.monotonic()))

    def _run(self, name: str, opener: Callable[[], BadgeReader]) -> None:
        reader: BadgeReader | None = None
        while not self._stop.is_set():
            try:
                reader = reader or opener()
                taps = reader.poll(_POLL_S)
                self._take(name, taps, reader.state())
            except Exception as error:
                # whatever a driver thinks of; its words may hold what stands on a card
                _log.error("the reader %s failed: %s", name, type(error).__name__)
                self._take(name, [], ReaderState(False, "reader_fault"))
                _close(reader)
                reader = None
                self._stop.wait(_RETRY_S)
        _close(reader)

    def _take(self, name: str, taps: list[Tap], state: ReaderState) -> None:
        with self._came:
            self._polled_s[name] = time.monotonic()
            if state != self._states[name]:
                _log.info("the reader %s: %s", name, state.reason or "there")
                self._states[name] = state
            new = [tap for tap in taps if self._is_new(name, tap)]
            self._taps.extend(new)
            if new:
                self._came.notify()

    def _is_new(self, name: str, tap: Tap) -> bool:
        if tap.holds is None:
            return True
        recent = {what: seen for what, seen in self._last.items() if tap.at_mono_ms - seen[1] < self._debounce_ms}
        by = recent.get(tap.holds, (name, 0))[0]
        if by == name:
            recent[tap.holds] = name, tap.at_mono_ms
        self._last = recent
        return by == name


def _close(reader: BadgeReader | None) -> None:
    if reader is not None:
        with suppress(Exception):
            reader.close()
