"""Badge readers. `open_reader` picks the backend that the configuration names; a missing reader is a state.

evdev   a keyboard wedge through its device node, grabbed so that it types nowhere else
events  a named pipe of the same records, for a desk and the demonstration (`simulator.tap` writes to it)
none    no reader: it never reports a tap
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.config import Badge


@dataclass(frozen=True)
class Tap:
    """A card held to the reader: its `badge`, or the `reason` (a catalogued code) why none could be read.

    `at_mono_ms` is `edge.clock.mono_ms` when it was read.
    """

    badge: str | None
    reason: str | None
    at_mono_ms: int


@dataclass(frozen=True)
class ReaderState:
    """Whether the reader is there; when it is not, the catalogued `reason` to show."""

    present: bool
    reason: str | None = None


class BadgeReader(Protocol):
    """What every backend gives. One thread uses it; no call raises for hardware that is missing."""

    def poll(self, timeout_s: float) -> list[Tap]:
        """The taps that have come, waiting at most `timeout_s` for the first; also what notices a reader's return."""

    def state(self) -> ReaderState:
        """As of the last `poll`."""

    def close(self) -> None:
        """Let go of the device; may be called twice."""


class NoReader:
    """The configuration has no reader."""

    def poll(self, timeout_s: float) -> list[Tap]:
        time.sleep(timeout_s)
        return []

    def state(self) -> ReaderState:
        return ReaderState(False, "reader_off")

    def close(self) -> None:
        return


def open_reader(options: Badge) -> BadgeReader:
    """The reader of the configuration, present or not."""
    if options.backend == "none":
        return NoReader()

    from edge.hardware.badge.wedge import KeySource, WedgeReader

    source: KeySource
    if options.backend == "events":
        from edge.hardware.badge.fifo import FifoSource

        source = FifoSource(Path(options.device), options.gap_ms)
    else:
        from edge.hardware.badge.evdevice import EvdevSource

        source = EvdevSource(options.device)
    return WedgeReader(source, options)
