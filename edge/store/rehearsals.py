"""Rehearsals that were held in this room: what a session that asks for one is held against."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from edge import clock
from edge.domain.canonical import canonical_text


def add(connection: sqlite3.Connection, candidates: int, version: str, passed: bool, figures: Mapping[str, Any]) -> int:
    """Keep one rehearsal; its number."""
    done = connection.execute(
        "INSERT INTO rehearsals (at_ms, candidates, version, passed, figures) VALUES (?, ?, ?, ?, ?)",
        (clock.wall_ms(), candidates, version, int(passed), canonical_text(figures)),
    )
    return int(done.lastrowid or 0)


def passed(connection: sqlite3.Connection) -> list[tuple[int, int, str]]:
    """(when, for how many candidates, by which version of the software) of every passed one, newest first."""
    query = "SELECT at_ms, candidates, version FROM rehearsals WHERE passed ORDER BY id DESC LIMIT 50"
    rows = connection.execute(query)
    return [(row["at_ms"], row["candidates"], row["version"]) for row in rows]
