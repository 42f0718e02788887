"""A keyboard-wedge reader: key events of any source through the decoder and the debounce, into taps."""

from __future__ import annotations

from typing import Protocol

from edge import clock
from edge.config import Badge as Options
from edge.domain.badges import Badge, BadgeError, KeyEvent, TapFilter, WedgeDecoder
from edge.hardware.badge import ReaderState, Tap
from edge.hardware.badge.records import Mark


class KeySource(Protocol):
    """Where key events come from: a device or a pipe, there or not."""

    def read(self, timeout_s: float) -> list[KeyEvent | Mark]:
        """What has come, waiting at most `timeout_s`; tries now and then to open what is missing."""

    def state(self) -> ReaderState: ...

    def close(self) -> None: ...


class WedgeReader:
    """A `BadgeReader` over key events.

    Events carry the time of the kernel or the writer, so that a process that was held up still sees the gaps within a
    frame as they were. That clock may be any; how long ago the last event came is measured on our own.
    """

    def __init__(self, source: KeySource, options: Options) -> None:
        self._source = source
        self._decoder = WedgeDecoder(options.min_length, options.max_length, options.checksum, options.gap_ms)
        self._filter, self._debounce_ms = TapFilter(options.debounce_ms), options.debounce_ms
        self._told: dict[str, int] = {}  # when each reason was, on the monotonic clock
        # A little more than the gap, so that the wait's end is past it.
        self._gap_s = options.gap_ms / 1000 + 0.005
        self._event_ms = self._read_ms = clock.mono_ms()

    def poll(self, timeout_s: float) -> list[Tap]:
        deadline = clock.mono_ms() + int(timeout_s * 1000)
        while True:
            left = max(0.0, (deadline - clock.mono_ms()) / 1000)
            taps = self._turn(min(left, self._gap_s) if self._decoder.busy else left)
            if taps or clock.mono_ms() >= deadline:
                return taps

    def state(self) -> ReaderState:
        return self._source.state()

    def close(self) -> None:
        self._source.close()

    def _turn(self, wait_s: float) -> list[Tap]:
        found: list[Badge | BadgeError] = []
        for event in self._source.read(wait_s):
            if isinstance(event, KeyEvent):
                self._event_ms, self._read_ms = event.time_ms, clock.mono_ms()
                found += self._decoder.feed([event])
            elif event is Mark.LOST:
                self._decoder.lost(self._event_now())
            elif event is Mark.ENDED:
                found += self._decoder.ended(self._event_now())
            else:
                self._event_ms = self._read_ms = clock.mono_ms()
                self._decoder.opened(self._event_ms)
        found += self._decoder.idle(self._event_now())
        now = clock.mono_ms()
        return [
            Tap(one.text, None, now) if isinstance(one, Badge) else Tap(None, one.reason, now)
            for one in found
            if (self._is_new(one, now) if isinstance(one, BadgeError) else self._filter.accept(one))
        ]

    def _is_new(self, error: BadgeError, now: int) -> bool:
        """Each reason is said once in the while of the debounce: keys pressed at random are a reason a moment."""
        told = self._told.get(error.reason)
        if told is not None and now - told < self._debounce_ms:
            return False
        self._told[error.reason] = now
        return True

    def _event_now(self) -> int:
        return self._event_ms + clock.mono_ms() - self._read_ms
