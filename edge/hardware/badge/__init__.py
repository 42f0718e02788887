"""Badge readers. `open_readers` opens all that the configuration names, as one; a missing reader is a state.

evdev   a keyboard wedge through its device node, grabbed so that it types nowhere else
events  a named pipe of the same records, for a desk and the demonstration (`simulator.tap` writes to it)
pcsc    PC/SC readers: the card's NDEF record or its serial number
sdt     a resident ID card reader on a serial port: name and number
qr      signed tickets shown to a camera
none    no reader: it never reports a tap
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edge import clock
from edge.config import Badge
from edge.domain.badges import Strength
from edge.domain.idcard import IdCard

if TYPE_CHECKING:
    from edge.hardware.badge.merged import MergedReader
    from edge.hardware.badge.qr import Pictures


UNREMARKABLE = ("reader_off", "reader_starting")
"""Why there is no reader, where nobody needs to see to it."""


@dataclass(frozen=True)
class Tap:
    """A credential shown to a reader: its `badge`, the `card` of a resident, or the text of a `ticket` that nobody has
    checked yet; or the `reason` (a catalogued code) why none could be read.

    `at_mono_ms` is `edge.clock.mono_ms` when it was read; `strength` says how hard the credential is to copy. What it
    holds is no part of its `repr`, since that may end in a log.
    """

    badge: str | None = field(repr=False)
    reason: str | None
    at_mono_ms: int
    strength: Strength = "uid"
    card: IdCard | None = field(default=None, repr=False)
    ticket: str | None = field(default=None, repr=False)

    @property
    def holds(self) -> str | None:
        """What was shown, to tell whether it is the same again; None for what could not be read."""
        return self.badge or (self.card.number if self.card else None) or self.ticket


@dataclass(frozen=True)
class ReaderState:
    """Whether the reader is there; when it is not, or one of several is not, the catalogued `reason` to show."""

    present: bool
    reason: str | None = None

    @property
    def fault(self) -> str | None:
        """The reason, where somebody has to see to it."""
        if self.reason in UNREMARKABLE or (self.present and self.reason is None):
            return None
        return self.reason or "reader_missing"


class BadgeReader(Protocol):
    """What every backend gives. One thread uses it; no call raises for hardware that is missing."""

    def poll(self, timeout_s: float) -> list[Tap]:
        """The taps that have come, waiting at most `timeout_s` for the first; also what notices a reader's return."""

    def state(self) -> ReaderState:
        """As of the last `poll`."""

    def close(self) -> None:
        """Let go of the device; may be called twice."""


def taps_within(look: Callable[[], list[Tap]], timeout_s: float, pause_s: float) -> list[Tap]:
    """What `look` finds, asked again after each pause until it finds something or the time is over."""
    deadline = clock.mono_ms() + int(timeout_s * 1000)
    while True:
        taps = look()
        left_s = (deadline - clock.mono_ms()) / 1000
        if taps or left_s <= 0:
            return taps
        time.sleep(min(left_s, pause_s))


class NoReader:
    """The configuration has no reader."""

    def poll(self, timeout_s: float) -> list[Tap]:
        time.sleep(timeout_s)
        return []

    def state(self) -> ReaderState:
        return ReaderState(False, "reader_off")

    def close(self) -> None:
        return


def open_reader(options: Badge, pictures: Pictures | None = None) -> BadgeReader:
    """The reader of these options, present or not. `pictures`: the newest picture of its camera, for `qr`."""
    if options.backend == "none":
        return NoReader()
    if options.backend == "pcsc":
        from edge.hardware.badge.pcsc import PcscReader

        return PcscReader(options)
    if options.backend == "sdt":
        from edge.hardware.badge.sdt import SdtReader

        return SdtReader(options)
    if options.backend == "qr":
        from edge.hardware.badge.qr import QrReader

        return QrReader(pictures or (lambda: None), options.debounce_ms)

    from edge.hardware.badge.wedge import KeySource, WedgeReader

    source: KeySource
    if options.backend == "events":
        from edge.hardware.badge.fifo import FifoSource

        source = FifoSource(Path(options.device), options.gap_ms)
    else:
        from edge.hardware.badge.evdevice import EvdevSource

        source = EvdevSource(options.device)
    return WedgeReader(source, options)


def open_readers(options: Mapping[str, Badge], pictures: Callable[[str], Pictures] | None = None) -> MergedReader:
    """All readers of the configuration, each on a thread of its own. `pictures(camera)`: that camera's newest ones."""
    from edge.hardware.badge.merged import MergedReader

    openers = {
        name: partial(open_reader, one, pictures(one.device) if pictures and one.backend == "qr" else None)
        for name, one in options.items()
    }
    debounce_ms = max((one.debounce_ms for one in options.values()), default=0)
    # three answers of 15,000 bits, where a card comes out broken: a slow line takes its time over them
    slow_s = {name: 45_000 / one.baud for name, one in options.items() if one.backend == "sdt"}
    return MergedReader(openers, debounce_ms, slow_s)
