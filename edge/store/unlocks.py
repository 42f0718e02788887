"""Banks under two shares: the released share of each session, sealed by the room's data key, and the tries at codes.

A row of `unlocks` is there from the unlock to the end of the exam and no longer; `sessions.find` reads it along.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from edge import clock
from edge.errors import NotFound
from edge.store import ledger


def context(session: str, name: str, version: int) -> bytes:
    """What ties a sealed share to its row."""
    return f"bank share {session} {name} {version}".encode()


def key(name: str, version: int) -> str:
    """How a bank stands in `Session.unlocked`."""
    return f"{name}@{version}"


def keep(
    connection: sqlite3.Connection,
    session: str,
    name: str,
    version: int,
    sealed: bytes,
    facts: Mapping[str, Any],
    by: str | None = None,
) -> bool:
    """In the caller's transaction: the session's bank is open from now on, and the ledger says how.

    False, and nothing is done, when it is open already. `sealed`: the share under the data key, with `context`.
    """
    row = (session, name, version, sealed, clock.wall_ms())
    done = connection.execute(
        "INSERT INTO unlocks (session_id, bank, version, sealed, at_ms) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        row,
    )
    if done.rowcount == 0:
        return False
    connection.execute("DELETE FROM unlock_tries WHERE session_id = ? AND bank = ? AND version = ?", row[:3])
    body = {"bank": name, "version": version, **facts}
    ledger.append(connection, "bank_unlocked", body, session=session, by=by)
    return True


def forget(connection: sqlite3.Connection, session: str, by: str | None = None) -> int:
    """In the caller's transaction: lock the session's banks again; how many were open.

    The bytes are gone from the file when the log has been emptied (`empty_log`), outside the transaction.
    """
    rows = connection.execute(
        "SELECT bank, version FROM unlocks WHERE session_id = ? ORDER BY bank", (session,)
    ).fetchall()
    connection.execute("DELETE FROM unlocks WHERE session_id = ?", (session,))
    connection.execute("DELETE FROM unlock_tries WHERE session_id = ?", (session,))
    for row in rows:
        body = {"bank": row["bank"], "version": row["version"]}
        ledger.append(connection, "bank_locked", body, session=session, by=by)
    return len(rows)


def empty_log(connection: sqlite3.Connection) -> bool:
    """Write the log back and cut it off, so that what was deleted stands nowhere; False while others read in it."""
    return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]


def left_open(connection: sqlite3.Connection, before_ms: int) -> list[str]:
    """Sessions with an open bank that were planned before this time and never started, or are over."""
    rows = connection.execute(
        "SELECT DISTINCT u.session_id FROM unlocks u JOIN sessions s ON s.id = u.session_id"
        " WHERE s.state = 'signed' OR (s.state IN ('planned', 'checkin', 'closed') AND s.planned_ms < ?)",
        (before_ms,),
    )
    return [row["session_id"] for row in rows]


def count_try(
    connection: sqlite3.Connection, session: str, name: str, version: int, slip: int, most: int, wait_ms: int
) -> tuple[int, int]:
    """(tries left after this one, ms still to wait), in the caller's transaction. A wait above 0: it may not be tried.

    Counted before the code is looked at, so that tries sent side by side count like tries sent one by one.
    """
    if connection.execute("SELECT 1 FROM sessions WHERE id = ?", (session,)).fetchone() is None:
        raise NotFound("session_unknown", session=session)
    where = (session, name, version, slip)
    row = connection.execute(
        "SELECT failures, locked_until_ms FROM unlock_tries"
        " WHERE session_id = ? AND bank = ? AND version = ? AND slip = ?",
        where,
    ).fetchone()
    now = clock.wall_ms()
    failures, until = (row["failures"], row["locked_until_ms"]) if row else (0, 0)
    if until > now:
        return 0, until - now
    failures += 1
    full = failures >= most
    connection.execute(
        "INSERT OR REPLACE INTO unlock_tries (session_id, bank, version, slip, failures, locked_until_ms)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (*where, 0 if full else failures, now + wait_ms if full else 0),
    )
    return most - failures, 0


def forgive_try(connection: sqlite3.Connection, session: str, name: str, version: int, slip: int) -> None:
    """The code was right, in the caller's transaction."""
    connection.execute(
        "DELETE FROM unlock_tries WHERE session_id = ? AND bank = ? AND version = ? AND slip = ?",
        (session, name, version, slip),
    )
