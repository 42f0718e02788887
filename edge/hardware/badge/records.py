"""Records of the Linux input subsystem: `struct input_event` of 64-bit Linux, 24 bytes (`linux/input.h`).

seconds i64, microseconds i64, type u16, code u16, value i32; little-endian, as on every machine the room runs on.
"""

from __future__ import annotations

import struct
from enum import Enum, auto

from edge.domain.badges import DOWN, REPEAT, UP, KeyEvent

RECORD = struct.Struct("<qqHHi")

EV_SYN, EV_KEY, EV_MSC, EV_LED, EV_REP = 0x00, 0x01, 0x04, 0x11, 0x14
SYN_REPORT, SYN_DROPPED = 0, 3

# What a keyboard sends, with the highest code of each type.
_HIGHEST_CODE = {EV_SYN: 0x0F, EV_KEY: 0x2FF, EV_MSC: 0x07, EV_LED: 0x0F, EV_REP: 0x01}
_LATEST_S = 1 << 40


class Mark(Enum):
    """What can happen in a stream of key events besides a key."""

    OPENED = auto()  # listening starts here, perhaps in mid-frame
    LOST = auto()  # events are missing here
    ENDED = auto()  # the device or the writer is gone


def interpret(seconds: int, microseconds: int, kind: int, code: int, value: int) -> KeyEvent | Mark | None:
    """The event of one record; None for what is no key (scan codes, LEDs, the report marks)."""
    if kind == EV_KEY:
        return KeyEvent(code, value, seconds * 1000 + microseconds // 1000)
    if kind == EV_SYN and code == SYN_DROPPED:
        return Mark.LOST
    return None


def is_plausible(seconds: int, microseconds: int, kind: int, code: int, value: int) -> bool:
    """Whether a keyboard can have sent this."""
    if not (0 <= seconds < _LATEST_S and 0 <= microseconds < 1_000_000):
        return False
    if kind not in _HIGHEST_CODE or code > _HIGHEST_CODE[kind]:
        return False
    return kind != EV_KEY or value in (UP, DOWN, REPEAT)


class RecordStream:
    """Bytes of a pipe into events. Records have no mark to find their start by, so after one impossible record nothing
    is believed until the pipe has been quiet or its writer has gone."""

    def __init__(self) -> None:
        self._rest = b""
        self._deaf = False

    @property
    def unsettled(self) -> bool:
        """Quiet would change something: half a record waits, or nothing is believed."""
        return self._deaf or bool(self._rest)

    def feed(self, data: bytes) -> list[KeyEvent | Mark]:
        """The events of the whole records so far; half a record waits for the rest."""
        if self._deaf:
            return []
        data = self._rest + data
        whole = len(data) - len(data) % RECORD.size
        self._rest = data[whole:]
        found: list[KeyEvent | Mark] = []
        for fields in RECORD.iter_unpack(data[:whole]):
            if not is_plausible(*fields):
                self._rest, self._deaf = b"", True
                return [*found, Mark.LOST]
            event = interpret(*fields)
            if event is not None:
                found.append(event)
        return found

    def quiet(self) -> list[KeyEvent | Mark]:
        """Nothing has come for a while: half a record will not be completed, and a new one may be believed."""
        half = bool(self._rest)
        self.reset()
        return [Mark.LOST] if half else []

    def reset(self) -> None:
        """The writer has gone: what comes next starts with a whole record."""
        self._rest, self._deaf = b"", False
