"""Whether a rehearsal was good enough to hold an exam: from what was measured to the reasons why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STATUS = "rehearse"
"""The name under which a rehearsal says how it is."""
MOST = 500
"""Candidates at most."""
STATE_MB = 500
"""Less free than this on the disk of the room, and no exam should be held."""


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
    """Candidates, at whatever machine, whose hand-in is not in the store."""
    load_p99_ms: float | None
    save_p99_ms: float | None
    handin_p99_ms: float | None
    faults_missed: bool = False
    """Faults were planned, and not all of them came about."""
    unsignalled: bool = False
    """The other machines' candidates were not done in time, so that they could not hand in with the others."""


LEAST_ANSWERS = 10
SLOWEST_PACE_MS = 5000
"""What a rehearsal must at least have asked of the box before a session's door opens on its word."""


@dataclass(frozen=True)
class Held:
    """A rehearsal that was passed: when, for how many, by which software, with what papers, how hard.

    `drawn_from`: the fingerprint of the banks, blueprint and policy that papers were drawn by; None: of no session.
    """

    at_ms: int
    candidates: int
    version: str
    drawn_from: str | None
    answers: int
    pace_ms: int


def enough(answers: int, pace_ms: int) -> bool:
    """Whether so many answers of each candidate, one each `pace_ms`, say anything about an exam."""
    return answers >= LEAST_ANSWERS and pace_ms <= SLOWEST_PACE_MS


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
    if measured.unsignalled:
        found.append("rehearsal_others_late")
    if measured.faults_missed:
        found.append("rehearsal_no_faults")
    slow = (
        (measured.load_p99_ms, limits.load_ms),
        (measured.save_p99_ms, limits.save_ms),
        (measured.handin_p99_ms, limits.handin_ms),
    )
    if any(value is not None and value > limit for value, limit in slow):
        found.append("rehearsal_slow")
    return found


def covers(passed: Sequence[Held], candidates: int, version: str, drawn_from: str, now_ms: int, hours: int) -> bool:
    """Whether one of `passed` is for as many, by this software, with these papers, hard enough, and recent enough."""
    oldest = now_ms - hours * 3_600_000
    return any(
        oldest <= held.at_ms <= now_ms
        and held.candidates >= candidates
        and held.version == version
        and held.drawn_from == drawn_from
        and enough(held.answers, held.pace_ms)
        for held in passed
    )
