"""Whether a rehearsal was good enough to hold an exam: from what was measured to the reasons why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The slowest a room may be, milliseconds at the 99th percentile."""

    load_ms: int
    save_ms: int
    handin_ms: int


@dataclass(frozen=True)
class Measured:
    """What a rehearsal counted. Times are milliseconds at the 99th percentile; None: nothing of the kind happened."""

    saves: int
    lost_acks: int
    doubled: int
    changed: int
    """Answers whose stored value is not what was acknowledged last."""
    unfinished: int
    """Candidates whose hand-in was never acknowledged."""
    load_p99_ms: float | None
    save_p99_ms: float | None
    handin_p99_ms: float | None


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` (0 to 1) of all do not exceed; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * int(share * 1000) // 1000) - 1))]


def shortcomings(measured: Measured, limits: Limits) -> list[str]:
    """Reason codes of everything that was not good enough; empty when the rehearsal is passed."""
    found = []
    if measured.saves == 0:
        found.append("rehearsal_nothing_saved")
    if measured.lost_acks or measured.changed:
        found.append("rehearsal_lost")
    if measured.doubled:
        found.append("rehearsal_doubled")
    if measured.unfinished:
        found.append("rehearsal_unfinished")
    slow = (
        (measured.load_p99_ms, limits.load_ms),
        (measured.save_p99_ms, limits.save_ms),
        (measured.handin_p99_ms, limits.handin_ms),
    )
    if any(value is not None and value > limit for value, limit in slow):
        found.append("rehearsal_slow")
    return found


def covers(passed: Sequence[tuple[int, int, str]], candidates: int, version: str, now_ms: int, hours: int) -> bool:
    """Whether one of `passed` (at_ms, candidates, version) is for as many, by this software, and recent enough."""
    oldest = now_ms - hours * 3_600_000
    return any(oldest <= at <= now_ms and count >= candidates and by == version for at, count, by in passed)
