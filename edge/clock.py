"""Time as the room knows it: wall clock with its quality, a clock that only goes forward, and the boot it counts from.

Durations are differences of `mono_ms` within one `boot_id`; wall time is for people and is never subtracted.
"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
_RTC = Path("/sys/class/rtc/rtc0/since_epoch")
_BOARD_S = 1_700_000_000
"""Of November 2023, before any box: a clock chip that shows less counts from when it lost its battery, as a Pi 5's."""
_SAVED = (Path("/var/lib/systemd/timesync/clock"), Path("/etc/fake-hwclock.data"))
"""Where the system keeps the time over a power cut: without a clock chip it begins from there."""


class TimeQuality(StrEnum):
    """How far wall time can be believed. `floor`: no earlier than shown, since it stood still without power."""

    SYNCHRONISED = "synchronised"
    RTC = "rtc"
    FLOOR = "floor"
    UNKNOWN = "unknown"

    @property
    def held(self) -> bool:
        """Whether it goes on while the box is off."""
        return self in (TimeQuality.SYNCHRONISED, TimeQuality.RTC)


@dataclass(frozen=True)
class Instant:
    """One moment: wall clock (ms since 1970 UTC), monotonic (ms since boot, suspended time included), its boot."""

    wall_ms: int
    mono_ms: int
    boot_id: str
    quality: TimeQuality

    def iso(self) -> str:
        return iso(self.wall_ms)


@lru_cache(maxsize=1)
def boot_id() -> str:
    """The kernel's id of this boot, 32 hex digits; a random one where the kernel gives none."""
    try:
        return _BOOT_ID.read_text().strip().replace("-", "")
    except OSError:
        return uuid.uuid4().hex


def mono_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def quality() -> TimeQuality:
    if _SYNCHRONISED.exists():
        return TimeQuality.SYNCHRONISED
    return _unsynchronised()


@lru_cache(maxsize=1)
def _unsynchronised() -> TimeQuality:
    """By what the box has: a clock chip that has kept its time, or the time it last saved. Read once a process."""
    with suppress(OSError, ValueError):
        if int(_RTC.read_text()) > _BOARD_S:
            return TimeQuality.RTC
    for saved in _SAVED:
        with suppress(OSError):
            if saved.stat().st_mtime > _BOARD_S:
                return TimeQuality.FLOOR
    return TimeQuality.UNKNOWN


def now() -> Instant:
    return Instant(wall_ms(), mono_ms(), boot_id(), quality())


def iso(milliseconds: int) -> str:
    """ISO 8601 in UTC with milliseconds, as every document of the room writes time."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
