"""Answers that came stale, late or in a pause: kept in the journal, applied by nobody but a person who says why."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge import clock
from edge.domain.canonical import canonical_text

ROOM_TABLET = "room"


@dataclass(frozen=True)
class Kept:
    """One operation that was not applied. `stands` is what counts for the item now; `n` its place in the journal."""

    n: int
    attempt: str
    item: str
    outcome: str
    value: list[str]
    at_ms: int
    stands: list[str]
    stands_ms: int | None
    accepted: bool
    flag: str | None
    """`paused`: given in a pause its tablet knew of."""
    old_tablet: bool
    """It came from a tablet that was replaced."""


_WHERE = "j.kind = 'answer' AND j.outcome IN ('stale', 'late')"
_OLD = (
    "EXISTS (SELECT 1 FROM bindings b WHERE b.attempt_id = j.attempt_id AND b.tablet_id = j.tablet_id"
    " AND b.released_ms IS NOT NULL)"
)
_ACCEPTED = "EXISTS (SELECT 1 FROM journal a WHERE a.op_id = 'room-kept-' || j.n)"


def kept(connection: sqlite3.Connection, attempt: str) -> list[Kept]:
    """What an attempt's tablets sent and the room did not apply, oldest first."""
    rows = connection.execute(
        f"SELECT j.n, j.attempt_id, j.item_id, j.outcome, j.value, j.at_ms, j.flag, r.value AS stands,"  # noqa: S608
        f" r.at_ms AS stands_ms, {_ACCEPTED} AS accepted, {_OLD} AS old_tablet FROM journal j LEFT JOIN responses r"
        f" ON r.attempt_id = j.attempt_id AND r.item_id = j.item_id WHERE {_WHERE} AND j.attempt_id = ? ORDER BY j.n",
        (attempt,),
    )
    return [
        Kept(
            r["n"],
            r["attempt_id"],
            r["item_id"],
            r["outcome"],
            json.loads(r["value"]),
            r["at_ms"],
            json.loads(r["stands"]) if r["stands"] else [],
            r["stands_ms"],
            bool(r["accepted"]),
            r["flag"],
            bool(r["old_tablet"]),
        )
        for r in rows
    ]


def counts(connection: sqlite3.Connection, attempts: Iterable[str]) -> dict[str, int]:
    """Of these attempts: how many kept answers differ from what stands and nobody has accepted."""
    rows = connection.execute(
        f"SELECT j.attempt_id, count(*) AS n FROM journal j LEFT JOIN responses r"  # noqa: S608
        f" ON r.attempt_id = j.attempt_id AND r.item_id = j.item_id"
        f" WHERE {_WHERE} AND coalesce(r.value, '[]') <> j.value AND NOT {_ACCEPTED}"
        " AND j.attempt_id IN (SELECT value FROM json_each(?)) GROUP BY j.attempt_id",
        (json.dumps(list(attempts)),),
    )
    return {r["attempt_id"]: r["n"] for r in rows}


def accept(connection: sqlite3.Connection, attempt: str, numbers: Sequence[int], elapsed_ms: int) -> bool:
    """Apply kept answers as operations of the room's, in the order of `numbers`; of one item the last stands.

    False, and nothing is applied, when one is no kept answer of theirs. Accepted once: again, it changes nothing.
    """
    rows = [
        connection.execute(
            f"SELECT j.item_id, j.value FROM journal j WHERE j.n = ? AND j.attempt_id = ? AND {_WHERE}",  # noqa: S608
            (n, attempt),
        ).fetchone()
        for n in numbers
    ]
    if None in rows:
        return False
    for n, row in zip(numbers, rows, strict=True):
        op_id = f"room-kept-{n}"
        if connection.execute("SELECT 1 FROM journal WHERE op_id = ?", (op_id,)).fetchone() is None:
            _apply(connection, attempt, op_id, row["item_id"], json.loads(row["value"]), elapsed_ms)
    return True


def _apply(
    connection: sqlite3.Connection, attempt: str, op_id: str, item: str, value: list[str], elapsed_ms: int
) -> None:
    before = connection.execute(
        "SELECT version FROM responses WHERE attempt_id = ? AND item_id = ?", (attempt, item)
    ).fetchone()
    base = before["version"] if before else 0
    seq = connection.execute(
        "SELECT coalesce(max(tablet_seq), 0) + 1 FROM journal WHERE attempt_id = ? AND tablet_id = ?",
        (attempt, ROOM_TABLET),
    ).fetchone()[0]
    at_ms, text = clock.wall_ms(), canonical_text(value)
    n = connection.execute(
        "INSERT INTO journal (op_id, attempt_id, tablet_id, tablet_seq, kind, item_id, base_version, value, outcome,"
        " version, at_ms, elapsed_ms) VALUES (?, ?, ?, ?, 'answer', ?, ?, ?, 'applied', ?, ?, ?)",
        (op_id, attempt, ROOM_TABLET, seq, item, base, text, base + 1, at_ms, elapsed_ms),
    ).lastrowid
    connection.execute(
        "INSERT OR REPLACE INTO responses (attempt_id, item_id, version, value, at_ms, n) VALUES (?, ?, ?, ?, ?, ?)",
        (attempt, item, base + 1, text, at_ms, n),
    )
