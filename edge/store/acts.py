"""What staff did, one row an act: a repeat of an op id finds the first and does nothing twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.domain.canonical import canonical_text


@dataclass(frozen=True)
class Act:
    """One act as it was done. `digest` is the SHA-256 of its body without PINs; `at_ms` wall time."""

    op_id: str
    session: str | None
    act: str
    digest: str
    by: str
    second: str | None
    at_ms: int
    answer: Mapping[str, Any]
    undone_ms: int | None


_COLUMNS = "op_id, session_id, act, body_sha256, by_staff, second_staff, at_ms, answer, undone_ms"


def add(
    connection: sqlite3.Connection,
    op_id: str,
    session: str | None,
    act: str,
    digest: str,
    by: str,
    second: str | None,
    answer: Mapping[str, Any],
) -> None:
    """In the caller's transaction. sqlite3.IntegrityError when the op id is there already."""
    connection.execute(
        "INSERT INTO acts (op_id, session_id, act, body_sha256, by_staff, second_staff, at_ms, answer)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (op_id, session, act, digest, by, second, clock.wall_ms(), canonical_text(answer)),
    )


def find(connection: sqlite3.Connection, op_id: str) -> Act | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM acts WHERE op_id = ?", (op_id,)).fetchone()  # noqa: S608
    if row is None:
        return None
    return Act(
        op_id=row["op_id"],
        session=row["session_id"],
        act=row["act"],
        digest=row["body_sha256"],
        by=row["by_staff"],
        second=row["second_staff"],
        at_ms=row["at_ms"],
        answer=json.loads(row["answer"]),
        undone_ms=row["undone_ms"],
    )


def set_undone(connection: sqlite3.Connection, op_id: str) -> bool:
    """Mark an act undone; False when it was already."""
    done = connection.execute(
        "UPDATE acts SET undone_ms = ? WHERE op_id = ? AND undone_ms IS NULL", (clock.wall_ms(), op_id)
    )
    return done.rowcount == 1


def stands(connection: sqlite3.Connection, session: str, act: str, person: str) -> bool:
    """Whether such an act was done to this person and not taken back."""
    row = connection.execute(
        "SELECT 1 FROM acts WHERE session_id = ? AND act = ? AND undone_ms IS NULL"
        " AND json_extract(answer, '$.person') = ? LIMIT 1",
        (session, act, person),
    ).fetchone()
    return row is not None
