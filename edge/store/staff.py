"""Staff from the signed roster, and who of them is signed in."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge import clock


@dataclass(frozen=True)
class Staff:
    """A proctor, examiner, supervisor or technician; `pin_hash` is argon2id."""

    id: str
    name: str
    role: str
    badge: str
    pin_hash: str
    failures: int
    locked_until_ms: int | None


def put(connection: sqlite3.Connection, staff: str, name: str, role: str, badge: str, pin_hash: str) -> None:
    """Add or update from a roster; a lock-out in force stays. A badge that was somebody else's is theirs no longer."""
    for row in connection.execute("SELECT id FROM staff WHERE badge = ? AND id <> ?", (badge, staff)).fetchall():
        connection.execute("DELETE FROM staff_sessions WHERE staff_id = ?", (row["id"],))
        connection.execute("UPDATE staff SET badge = 'released-' || id WHERE id = ?", (row["id"],))
    connection.execute(
        "DELETE FROM staff_sessions WHERE staff_id = ? AND EXISTS (SELECT 1 FROM staff WHERE id = ?"
        " AND (badge <> ? OR pin_hash <> ?))",
        (staff, staff, badge, pin_hash),
    )
    connection.execute(
        "INSERT INTO staff (id, name, role, badge, pin_hash) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " name = excluded.name, role = excluded.role, badge = excluded.badge, pin_hash = excluded.pin_hash",
        (staff, name, role, badge, pin_hash),
    )


def put_role(connection: sqlite3.Connection, session: str, staff: str, role: str) -> None:
    """What somebody is in one session, as its roster says."""
    connection.execute(
        "INSERT INTO session_staff (session_id, staff_id, role) VALUES (?, ?, ?)"
        " ON CONFLICT (session_id, staff_id) DO UPDATE SET role = excluded.role",
        (session, staff, role),
    )


def role_in(connection: sqlite3.Connection, session: str, staff: str) -> str | None:
    """Their role in this session, or None."""
    row = connection.execute(
        "SELECT role FROM session_staff WHERE session_id = ? AND staff_id = ?", (session, staff)
    ).fetchone()
    return None if row is None else str(row["role"])


def roles(connection: sqlite3.Connection, staff: str) -> dict[str, str]:
    """Session id -> role, of every session that names them."""
    rows = connection.execute("SELECT session_id, role FROM session_staff WHERE staff_id = ?", (staff,))
    return {row["session_id"]: row["role"] for row in rows}


def of_session(connection: sqlite3.Connection, session: str) -> list[tuple[str, str, str]]:
    """(id, name, role) of everybody in a session."""
    rows = connection.execute(
        "SELECT s.id, s.name, r.role FROM session_staff r JOIN staff s ON s.id = r.staff_id"
        " WHERE r.session_id = ? ORDER BY s.id",
        (session,),
    )
    return [(row["id"], row["name"], row["role"]) for row in rows]


def everybody(connection: sqlite3.Connection) -> list[Staff]:
    return [Staff(*tuple(row)) for row in connection.execute("SELECT * FROM staff ORDER BY id")]


def by_badge(connection: sqlite3.Connection, badge: str) -> Staff | None:
    row = connection.execute("SELECT * FROM staff WHERE badge = ?", (badge,)).fetchone()
    return None if row is None else Staff(*tuple(row))


def by_id(connection: sqlite3.Connection, staff: str) -> Staff | None:
    row = connection.execute("SELECT * FROM staff WHERE id = ?", (staff,)).fetchone()
    return None if row is None else Staff(*tuple(row))


def set_failures(connection: sqlite3.Connection, staff: str, failures: int, locked_until_ms: int | None) -> None:
    connection.execute(
        "UPDATE staff SET failures = ?, locked_until_ms = ? WHERE id = ?", (failures, locked_until_ms, staff)
    )


def sign_in(connection: sqlite3.Connection, staff: str, token_hash: str) -> None:
    at = clock.wall_ms()
    connection.execute(
        "INSERT INTO staff_sessions (token_hash, staff_id, created_ms, seen_ms) VALUES (?, ?, ?, ?)",
        (token_hash, staff, at, at),
    )


def sign_out(connection: sqlite3.Connection, token_hash: str) -> None:
    """Whoever is behind the token, by badge or by pass."""
    for table in ("staff_sessions", "pass_sessions"):
        connection.execute(f"DELETE FROM {table} WHERE token_hash = ?", (token_hash,))  # noqa: S608


def signed_in(connection: sqlite3.Connection, token_hash: str) -> tuple[Staff, int] | None:
    """The person behind a token and when they were last seen."""
    row = connection.execute(
        "SELECT staff_id, seen_ms FROM staff_sessions WHERE token_hash = ?", (token_hash,)
    ).fetchone()
    if row is None:
        return None
    person = by_id(connection, row["staff_id"])
    return None if person is None else (person, int(row["seen_ms"]))


def seen(connection: sqlite3.Connection, token_hash: str) -> None:
    for table in ("staff_sessions", "pass_sessions"):
        statement = f"UPDATE {table} SET seen_ms = ? WHERE token_hash = ?"  # noqa: S608
        connection.execute(statement, (clock.wall_ms(), token_hash))
