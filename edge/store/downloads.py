"""Exports that wait to be fetched, and what keeps footage from being deleted while somebody is taking it.

An export's row outlives the process that makes it: a download goes on after a restart. Its words, the purpose, are in
the file alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.errors import Conflict, NotFound

HOUR_MS = 3_600_000
KEEP_MS = 24 * HOUR_MS
"""An export is there to be fetched for so long."""
PIN_MS = 6 * HOUR_MS
"""What a process that was killed had pinned is let go after this."""
VIEW_PIN_MS = 2 * HOUR_MS
"""Since an opened view is watched or saved piece by piece, its span stays for so long."""
VIEWS_PIN_MS = 8 * HOUR_MS
"""View upon view keeps footage beyond its date for no longer than this."""
WAITING, READY, FAILED = "waiting", "ready", "failed"


@dataclass(frozen=True)
class Export:
    """`bytes`: as foreseen while it waits, else of the file; `reason` and `facts`: why it failed."""

    id: str
    session: str
    camera: str
    from_ms: int
    until_ms: int
    by: str
    state: str
    bytes: int
    sha256: str | None
    reason: str | None
    facts: Mapping[str, Any]
    made_ms: int
    expires_ms: int


def add(
    connection: sqlite3.Connection,
    export_id: str,
    session: str,
    camera: str,
    from_ms: int,
    until_ms: int,
    *,
    by: str,
    size: int,
) -> None:
    """A new export that waits to be made, in the caller's transaction."""
    now = clock.wall_ms()
    connection.execute(
        "INSERT INTO exports (export_id, session_id, camera, from_ms, until_ms, by_id, state, bytes, made_ms,"
        " expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (export_id, session, camera, from_ms, until_ms, by, WAITING, size, now, now + KEEP_MS),
    )


def get(connection: sqlite3.Connection, export_id: str, session: str, by: str) -> Export:
    """NotFound (`export_gone`) for one that is not there (any more), of another session or of somebody else."""
    row = connection.execute(
        "SELECT * FROM exports WHERE export_id = ? AND session_id = ? AND by_id = ? AND expires_ms > ?",
        (export_id, session, by, clock.wall_ms()),
    ).fetchone()
    if row is None:
        raise NotFound("export_gone")
    return _export(row)


def of(connection: sqlite3.Connection, session: str, by: str) -> list[Export]:
    """Theirs of this session, newest first."""
    rows = connection.execute(
        "SELECT * FROM exports WHERE session_id = ? AND by_id = ? AND expires_ms > ? ORDER BY made_ms DESC, export_id",
        (session, by, clock.wall_ms()),
    )
    return [_export(row) for row in rows]


def finish(connection: sqlite3.Connection, export_id: str, size: int, sha256: str) -> bool:
    """The file is there, from now on for KEEP_MS. False where the export was deleted meanwhile."""
    done = connection.execute(
        "UPDATE exports SET state = ?, bytes = ?, sha256 = ?, expires_ms = ? WHERE export_id = ?",
        (READY, size, sha256, clock.wall_ms() + KEEP_MS, export_id),
    )
    return done.rowcount == 1


def fail(connection: sqlite3.Connection, export_id: str, reason: str, facts: Mapping[str, Any]) -> None:
    connection.execute(
        "UPDATE exports SET state = ?, reason = ?, facts = ? WHERE export_id = ?",
        (FAILED, reason, json.dumps(facts, ensure_ascii=False, default=str), export_id),
    )


def remove(connection: sqlite3.Connection, export_id: str) -> None:
    connection.execute("DELETE FROM exports WHERE export_id = ?", (export_id,))


def fail_waiting(connection: sqlite3.Connection, reason: str) -> None:
    """At a start: what waited was the work of a process that is gone."""
    connection.execute("UPDATE exports SET state = ?, reason = ? WHERE state = ?", (FAILED, reason, WAITING))


def drop_expired(connection: sqlite3.Connection) -> None:
    """Forget what has had its day: exports, and pins that nobody let go."""
    now = clock.wall_ms()
    connection.execute("DELETE FROM exports WHERE expires_ms <= ?", (now,))
    connection.execute("DELETE FROM footage_pins WHERE until_ms <= ?", (now,))


def ids(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT export_id FROM exports WHERE state <> ?", (FAILED,))}


def ready(connection: sqlite3.Connection) -> list[str]:
    """The ids of those whose file is there, oldest first."""
    rows = connection.execute("SELECT export_id FROM exports WHERE state = ? ORDER BY expires_ms", (READY,))
    return [row[0] for row in rows]


# ---- pins


def pin(connection: sqlite3.Connection, pin_id: str, segment_ids: Sequence[str]) -> None:
    """Keep segments from being deleted, in the caller's transaction. NotFound where one is gone already."""
    until = clock.wall_ms() + PIN_MS
    for segment in segment_ids:
        if connection.execute("SELECT 1 FROM segments WHERE id = ?", (segment,)).fetchone() is None:
            raise NotFound("segment_missing", segment=segment)
    connection.executemany(
        "INSERT INTO footage_pins (pin_id, segment_id, until_ms) VALUES (?, ?, ?)",
        [(pin_id, segment, until) for segment in segment_ids],
    )


def unpin(connection: sqlite3.Connection, pin_id: str) -> None:
    connection.execute("DELETE FROM footage_pins WHERE pin_id = ?", (pin_id,))


def pinned(connection: sqlite3.Connection, segment: str, camera: str, started_ms: int, ended_ms: int) -> bool:
    """Whether an export is reading the segment, or somebody opened a view of it a short while ago, and it has not been
    kept by one after the other for too long."""
    now = clock.wall_ms()
    query = "SELECT 1 FROM footage_pins WHERE segment_id = ? AND until_ms > ?"
    if connection.execute(query, (segment, now)).fetchone() is not None:
        return True
    rows = connection.execute(
        "SELECT v.at_ms FROM footage_views v, json_each(v.cameras) c WHERE v.at_ms > ? AND c.value = ?"
        " AND v.from_ms < ? AND v.until_ms > ? ORDER BY v.at_ms DESC",
        (now - VIEWS_PIN_MS - VIEW_PIN_MS, camera, ended_ms, started_ms),
    )
    first = now + 1  # of the views that follow one another up to now
    for row in rows:
        if min(first, now) - row["at_ms"] >= VIEW_PIN_MS:
            break
        first = min(first, row["at_ms"], now)
    return first <= now and now - first < VIEWS_PIN_MS


def need_unpinned(connection: sqlite3.Connection, segment: str, camera: str, started_ms: int, ended_ms: int) -> None:
    """Inside the transaction that deletes it: Conflict (`footage_pinned`) while it is being taken."""
    if pinned(connection, segment, camera, started_ms, ended_ms):
        raise Conflict("footage_pinned", camera=camera)


def _export(row: sqlite3.Row) -> Export:
    return Export(
        row["export_id"],
        row["session_id"],
        row["camera"],
        row["from_ms"],
        row["until_ms"],
        row["by_id"],
        row["state"],
        row["bytes"],
        row["sha256"],
        row["reason"],
        json.loads(row["facts"]),
        row["made_ms"],
        row["expires_ms"],
    )
