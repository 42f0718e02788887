"""What cameras record a second, and what of the disk that leaves to what can be made again."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from edge.domain.keeping import DAY_MS
from edge.store import space

_ENOUGH_MS = 60_000


@dataclass(frozen=True)
class Rate:
    """Bits a second of one camera: measured over its last day of footage, or as configured where there is none."""

    camera: str
    bps: int
    measured: bool

    def bytes(self, milliseconds: int) -> int:
        return self.bps * milliseconds // 8000


def rate(connection: sqlite3.Connection, camera: str, configured_bps: int, now_ms: int) -> Rate:
    """What the camera records a second, by its footage of the day before `now_ms`."""
    _, size, lasted_ms = space.recent(connection, camera, now_ms - DAY_MS, now_ms)
    if lasted_ms < _ENOUGH_MS:
        return Rate(camera, configured_bps, False)
    return Rate(camera, size * 8000 // lasted_ms, True)


def rates(connection: sqlite3.Connection, bitrates: Mapping[str, int], now_ms: int) -> list[Rate]:
    """Of every camera that is configured, by name."""
    return [rate(connection, name, bps, now_ms) for name, bps in sorted(bitrates.items())]


def most_bps(connection: sqlite3.Connection, bitrates: Mapping[str, int], now_ms: int) -> int:
    """Bits a second of all configured cameras, of each the larger of measured and configured: a stream that is only
    copied keeps to no bitrate of ours, and one that shows a still room now may not stay so.
    """
    return sum(max(one.bps, bitrates[one.camera]) for one in rates(connection, bitrates, now_ms))
