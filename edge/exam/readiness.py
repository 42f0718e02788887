"""Whether a session may open its door at all: a passed rehearsal where its signed policy asks for one."""

from __future__ import annotations

import sqlite3

from edge import __version__, clock
from edge.domain.rehearsal import covers
from edge.errors import Conflict
from edge.store import people, rehearsals, sessions


def need_rehearsal(connection: sqlite3.Connection, session: sessions.Session) -> None:
    """Conflict (`rehearsal_wanted`) unless a rehearsal for as many candidates was passed within the policy's hours."""
    hours = int(session.policy.get("rehearsal_hours", 0))
    if not hours:
        return
    candidates = len(people.candidates(connection, session.id))
    if not covers(rehearsals.passed(connection), candidates, __version__, clock.wall_ms(), hours):
        raise Conflict("rehearsal_wanted", candidates=candidates, hours=hours)
