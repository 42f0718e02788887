"""The incident log: entries are added and corrected by further entries, never overwritten."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge import clock


@dataclass(frozen=True)
class Incident:
    """One entry. `at_ms` is when it was written, `happened_ms` when it happened; `corrects` the entry it puts right."""

    id: int
    session: str
    at_ms: int
    happened_ms: int
    kind: str
    text: str
    by: str | None
    subject: str | None
    seat: str | None
    corrects: int | None


_QUERY = (
    "SELECT id, session_id, at_ms, coalesce(happened_ms, at_ms), kind, text, by_staff, subject, seat, corrects"
    " FROM incidents"
)


def add(
    connection: sqlite3.Connection,
    session: str,
    *,
    kind: str,
    text: str,
    happened_ms: int,
    by: str | None,
    subject: str | None,
    seat: str | None,
    corrects: int | None = None,
) -> int:
    """The new entry's number. `by`: None for one that the room wrote itself."""
    done = connection.execute(
        "INSERT INTO incidents (session_id, at_ms, kind, text, by_staff, subject, happened_ms, seat, corrects)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (session, clock.wall_ms(), kind, text, by, subject, happened_ms, seat, corrects),
    )
    return int(done.lastrowid or 0)


def find(connection: sqlite3.Connection, session: str, number: int) -> Incident | None:
    row = connection.execute(f"{_QUERY} WHERE session_id = ? AND id = ?", (session, number)).fetchone()
    return None if row is None else Incident(*tuple(row))


def of_session(connection: sqlite3.Connection, session: str) -> list[Incident]:
    """In the order they were written, corrections too."""
    rows = connection.execute(f"{_QUERY} WHERE session_id = ? ORDER BY id", (session,))
    return [Incident(*tuple(row)) for row in rows]
