"""Whether a session may open its door: a passed rehearsal where its policy asks for one, and room for its answers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge import __version__, clock
from edge.domain.rehearsal import covers
from edge.errors import Conflict
from edge.store import people, rehearsals, sessions
from edge.store.reserve import LOG_MB, MB, Reserve, free_bytes

SAVES_AN_HOUR = 720
"""An answer every five seconds, from everybody, for as long as it lasts."""
BYTES_A_SAVE = 600
"""What one takes in answers.db: 332 for a choice (measured by tests/store/test_reserve.py), more for words."""


def need_ready(connection: sqlite3.Connection, session: sessions.Session, state: Path, reserve_mb: int) -> None:
    """Conflict `rehearsal_wanted` or `disk_too_full` when the session must not open its door."""
    if not session.practice:
        need_rehearsal(connection, session)
    need_headroom(connection, session, state, reserve_mb)


def need_rehearsal(connection: sqlite3.Connection, session: sessions.Session) -> None:
    """Conflict (`rehearsal_wanted`) unless a rehearsal for as many candidates was passed within the policy's hours."""
    hours = int(session.policy.get("rehearsal_hours", 0))
    if not hours:
        return
    candidates = len(people.candidates(connection, session.id))
    if not covers(rehearsals.passed(connection), candidates, __version__, clock.wall_ms(), hours):
        raise Conflict("rehearsal_wanted", candidates=candidates, hours=hours)


def need_headroom(connection: sqlite3.Connection, session: sessions.Session, state: Path, reserve_mb: int) -> None:
    """Conflict (`disk_too_full`) unless all answers of the session have room on the disk beside the reserve."""
    candidates = len(people.candidates(connection, session.id))
    needed, free = headroom(candidates, session.minutes, state, reserve_mb)
    if free < needed:
        raise Conflict(
            "disk_too_full",
            free=free // MB,
            needed=-(-needed // MB),
            candidates=candidates,
            hours=round(session.minutes / 60, 1),
        )


def headroom(candidates: int, minutes: int, state: Path, reserve_mb: int) -> tuple[int, int]:
    """(bytes that so many candidates need for so long, bytes free on the disk of `state`)."""
    saves = -(-candidates * minutes * SAVES_AN_HOUR // 60)
    return saves * BYTES_A_SAVE + 2 * LOG_MB * MB + Reserve(state, reserve_mb).missing, free_bytes(state)
