"""Footage that the gateway asked for: each request by the SHA-256 of its envelope, and the file that answers it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from edge import clock

DAY_MS = 86_400_000
KEEP_MS = 90 * DAY_MS
"""A request's words go so long after it was answered or refused."""


@dataclass(frozen=True)
class ClipRow:
    """`state`: waiting, ready (`file`, `size` and the SHA-256 of file and parts are there), sent or refused.

    `tries`: exports that were begun; the next is due at `next_ms`. `why_not`: why it was refused, or still waits.
    """

    sha256: str
    id: str
    envelope: bytes
    state: str
    why_not: str | None
    file: str | None
    file_sha256: str | None
    size: int | None
    parts: tuple[str, ...]
    heard_ms: int
    tries: int = 0
    next_ms: int = 0


def add(connection: sqlite3.Connection, sha256: str, clip: str, envelope: bytes, why_not: str | None = None) -> None:
    """A request as it was heard, in the caller's transaction; refused at once where `why_not` says so."""
    now = clock.wall_ms()
    state, done = ("waiting", None) if why_not is None else ("refused", now)
    connection.execute(
        "INSERT INTO clip_requests (sha256, id, envelope, state, why_not, heard_ms, done_ms) VALUES (?,?,?,?,?,?,?)",
        (sha256, clip, envelope, state, why_not, now, done),
    )


def find(connection: sqlite3.Connection, sha256: str) -> ClipRow | None:
    return next(iter(_rows(connection, "WHERE sha256 = ?", sha256)), None)


def named(connection: sqlite3.Connection, clip: str) -> list[ClipRow]:
    """Those that claim this id: one, unless somebody signed two."""
    return _rows(connection, "WHERE id = ? ORDER BY heard_ms", clip)


def lately(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many requests were entered within a day, and how many of them were refused."""
    now = clock.wall_ms()  # what a clock that was wrong has put far ahead is not of this day
    row = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE state = 'refused') FROM clip_requests WHERE heard_ms BETWEEN ? AND ?",
        (now - DAY_MS, now + DAY_MS),
    ).fetchone()
    return int(row[0]), int(row[1])


def standing(connection: sqlite3.Connection, state: str) -> list[ClipRow]:
    """In the order they were heard."""
    return _rows(connection, "WHERE state = ? ORDER BY heard_ms, rowid", state)


def set_ready(
    connection: sqlite3.Connection, sha256: str, file: str, file_sha256: str, size: int, parts: Sequence[str]
) -> None:
    connection.execute(
        "UPDATE clip_requests SET state = 'ready', why_not = NULL, file = ?, file_sha256 = ?, size = ?, parts = ?"
        " WHERE sha256 = ?",
        (file, file_sha256, size, json.dumps(list(parts)), sha256),
    )


def set_waiting(
    connection: sqlite3.Connection, sha256: str, tries: int, next_ms: int, why_not: str | None = None
) -> None:
    """It has no file, or none any more; that is made at `next_ms` or later. `why_not`: what hindered it last."""
    connection.execute(
        "UPDATE clip_requests SET state = 'waiting', file = NULL, tries = ?, next_ms = ?, why_not = ? WHERE sha256 = ?",
        (tries, next_ms, why_not, sha256),
    )


def end(connection: sqlite3.Connection, sha256: str, why_not: str | None = None) -> None:
    """It was sent, or will not be."""
    state = "sent" if why_not is None else "refused"
    connection.execute(
        "UPDATE clip_requests SET state = ?, why_not = ?, file = NULL, parts = '[]', done_ms = ? WHERE sha256 = ?",
        (state, why_not, clock.wall_ms(), sha256),
    )


def forget(connection: sqlite3.Connection) -> int:
    """Delete requests whose date has come; how many."""
    before = clock.wall_ms() - KEEP_MS
    return connection.execute("DELETE FROM clip_requests WHERE done_ms < ?", (before,)).rowcount


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    rows = connection.execute("SELECT state, count(*) AS n FROM clip_requests GROUP BY state")
    return {row["state"]: row["n"] for row in rows}


def _rows(connection: sqlite3.Connection, condition: str, *values: str) -> list[ClipRow]:
    return [
        ClipRow(
            row["sha256"],
            row["id"],
            bytes(row["envelope"]),
            row["state"],
            row["why_not"],
            row["file"],
            row["file_sha256"],
            row["size"],
            tuple(json.loads(row["parts"])),
            row["heard_ms"],
            row["tries"],
            row["next_ms"],
        )
        for row in connection.execute(f"SELECT * FROM clip_requests {condition}", values)  # noqa: S608
    ]
