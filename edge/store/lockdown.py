"""How often a candidate left the page, which tablets were refused for their browser, and who is exempt from it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge import clock

REFUSED = "seb_refused"


@dataclass(frozen=True)
class Watched:
    """What happened on one tablet of one attempt: `kind` is REFUSED or one of the page's own."""

    session: str
    person: str
    attempt: str
    tablet: str
    kind: str


@dataclass(frozen=True)
class Count:
    """So many times so far, for so long together; `noted` and `noted_ms` say what the ledger was last told."""

    count: int
    lasted_ms: int
    noted: int
    noted_ms: int


def add(connection: sqlite3.Connection, what: Watched, count: int, lasted_ms: int) -> Count:
    """Count `count` more; the caller holds the transaction."""
    now = clock.wall_ms()
    connection.execute(
        "INSERT INTO lockdown (session_id, person_id, attempt_id, tablet_id, kind, count, lasted_ms, first_ms, last_ms,"
        " noted, noted_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT (attempt_id, tablet_id, kind) DO UPDATE"
        " SET count = count + excluded.count, lasted_ms = lasted_ms + excluded.lasted_ms, last_ms = excluded.last_ms",
        (what.session, what.person, what.attempt, what.tablet, what.kind, count, lasted_ms, now, now),
    )
    row = connection.execute(
        "SELECT count, lasted_ms, noted, noted_ms FROM lockdown WHERE attempt_id = ? AND tablet_id = ? AND kind = ?",
        (what.attempt, what.tablet, what.kind),
    ).fetchone()
    return Count(*tuple(row))


def set_noted(connection: sqlite3.Connection, what: Watched, noted: int) -> None:
    connection.execute(
        "UPDATE lockdown SET noted = ?, noted_ms = ? WHERE attempt_id = ? AND tablet_id = ? AND kind = ?",
        (noted, clock.wall_ms(), what.attempt, what.tablet, what.kind),
    )


def times_away(connection: sqlite3.Connection, session: str) -> dict[str, dict[str, int]]:
    """By attempt and kind: how often, refusals left out."""
    rows = connection.execute(
        "SELECT attempt_id, kind, sum(count) AS n FROM lockdown WHERE session_id = ? AND kind <> ?"
        " GROUP BY attempt_id, kind",
        (session, REFUSED),
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["attempt_id"], {})[row["kind"]] = row["n"]
    return found


def refused(connection: sqlite3.Connection, session: str) -> set[str]:
    """The persons of whom a tablet was refused for its browser and who are not exempt by now."""
    rows = connection.execute(
        "SELECT DISTINCT person_id FROM lockdown WHERE session_id = ? AND kind = ? AND person_id NOT IN"
        " (SELECT person_id FROM lockdown_exempt WHERE session_id = ?)",
        (session, REFUSED, session),
    )
    return {row["person_id"] for row in rows}


def exempt(connection: sqlite3.Connection, session: str, person: str, by: str) -> bool:
    """Let this person go on in any browser; False when they were already."""
    done = connection.execute(
        "INSERT INTO lockdown_exempt (session_id, person_id, by_staff, at_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (session, person, by, clock.wall_ms()),
    )
    return done.rowcount > 0


def is_exempt(connection: sqlite3.Connection, session: str, person: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM lockdown_exempt WHERE session_id = ? AND person_id = ?", (session, person)
    ).fetchone()
    return row is not None


def purge(connection: sqlite3.Connection, session: str) -> None:
    connection.execute("DELETE FROM lockdown WHERE session_id = ?", (session,))
    connection.execute("DELETE FROM lockdown_exempt WHERE session_id = ?", (session,))
