"""Rehearsals that were held in this room: what a session that asks for one is held against."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.domain.canonical import canonical_text
from edge.domain.rehearsal import Held


@dataclass(frozen=True)
class Kept:
    """One that was held, with its figures as they were printed."""

    held: Held
    passed: bool
    figures: Mapping[str, Any]


def add(
    connection: sqlite3.Connection, held: Held, passed: bool, session: str | None, figures: Mapping[str, Any]
) -> int:
    """Keep one rehearsal, passed or not; its number. `session`: whose papers were rehearsed."""
    done = connection.execute(
        "INSERT INTO rehearsals (at_ms, candidates, version, passed, session, drawn_from, answers, pace_ms, figures)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            held.at_ms,
            held.candidates,
            held.version,
            int(passed),
            session,
            held.drawn_from,
            held.answers,
            held.pace_ms,
            canonical_text(figures),
        ),
    )
    return int(done.lastrowid or 0)


def passed(connection: sqlite3.Connection) -> list[Held]:
    """Every passed one, newest first."""
    query = (
        "SELECT at_ms, candidates, version, drawn_from, answers, pace_ms FROM rehearsals WHERE passed"
        " ORDER BY id DESC LIMIT 50"
    )
    return [Held(*row) for row in connection.execute(query)]


def last(connection: sqlite3.Connection, session: str, drawn_from: str | None) -> Kept | None:
    """The newest of this session, or of any with the same papers."""
    row = connection.execute(
        "SELECT at_ms, candidates, version, drawn_from, answers, pace_ms, passed, figures FROM rehearsals"
        " WHERE session = ? OR drawn_from = ? ORDER BY id DESC LIMIT 1",
        (session, drawn_from),
    ).fetchone()
    return None if row is None else Kept(Held(*row[:6]), bool(row["passed"]), json.loads(row["figures"]))
