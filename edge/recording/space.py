"""Whether a session's footage has room: what it will need, what is free, and what may go to make room for it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from edge import clock
from edge.clock import Instant
from edge.config import Config
from edge.domain import keeping
from edge.domain.keeping import DAY_MS, Kept, Why
from edge.recording.files import exported_bytes
from edge.recording.rates import Rate, rates
from edge.recording.retention import Rules, rules_of
from edge.store import holds, segments, space
from edge.store.purge import clock_is_held
from edge.store.reserve import free_bytes

GB = 1_000_000_000
MARGIN = 1.3
"""A camera's bitrate follows what it sees; a session may take longer than planned."""
DOOR_MINUTES = 30
"""For letting people in before a session's planned minutes, and for its end."""


@dataclass(frozen=True)
class Preflight:
    """Bytes that a session's footage needs, that are free beside the reserve (exports give way, so they count as free),
    and that may go to make room for it.
    """

    rates: tuple[Rate, ...]
    minutes: int
    needed: int
    free: int
    may_go: int
    waiting: int
    """Sessions over whose footage stays until somebody signs or inspects them."""
    held: int
    reserve: int

    @property
    def enough(self) -> bool:
        return self.needed <= self.free + self.may_go

    def facts(self) -> dict[str, object]:
        """For the reason `footage_too_full`: GB with one digit, the need rounded up, what there is down."""
        return {
            "needed": _up(self.needed),
            "free": _down(self.free),
            "old": _down(self.may_go),
            "reserve": _up(self.reserve),
            "hours": round(self.minutes / 60, 1),
            "cameras": ", ".join(f"{one.camera} {one.bps / 1_000_000:.1f} Mbit/s" for one in self.rates),
            "waiting": self.waiting,
            "held": self.held,
        }


def _up(size: int) -> float:
    return -(-size * 10 // GB) / 10


def _down(size: int) -> float:
    return max(0, size) * 10 // GB / 10


def preflight(
    connection: sqlite3.Connection, config: Config, minutes: int, *, beside: int = 0, now: Instant | None = None
) -> Preflight:
    """Whether the footage of a session of so many planned `minutes` has room: its cameras' bitrates as measured, times
    its time with the door's, times MARGIN.

    `beside`: bytes that something else of the session needs on the same disk.
    """
    at, rules = now or clock.now(), rules_of(config)
    found = tuple(rates(connection, rules.bitrates, at.wall_ms))
    whole = minutes + DOOR_MINUTES
    kept = holds.keeping(connection)
    return Preflight(
        rates=found,
        minutes=whole,
        needed=round(sum(one.bytes(whole * 60_000) for one in found) * MARGIN) + beside if found else 0,
        free=max(0, free_bytes(config.paths.recordings) + exported_bytes(config.paths.recordings) - rules.reserve),
        may_go=may_go(connection, kept, rules, at),
        waiting=sum(one.why in (Why.UNSIGNED, Why.UNINSPECTED) for one in kept),
        held=sum(one.why is Why.HELD for one in kept),
        reserve=rules.reserve,
    )


def same_disk(one: Path, other: Path) -> bool:
    """Whether two folders, or what will hold them, are on one file system."""
    return there(one).stat().st_dev == there(other).stat().st_dev


def there(folder: Path) -> Path:
    """The folder, or the one above it that will hold it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def may_go(connection: sqlite3.Connection, kept: list[Kept], rules: Rules, now: Instant) -> int:
    """Bytes that a sweep would delete now if space were short; none while the clock is not to be believed."""
    if not clock_is_held(connection, now):
        return 0
    return sum(
        space.bytes_within(connection, camera, keeping.spare(kept, camera, now.wall_ms, rules.keep_days * DAY_MS))
        for camera in segments.cameras(connection)
    )
