"""How a candidate wants the paper shown: what staff set for the person (room.db) and what they chose (answers.db)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from edge.domain.canonical import canonical_text


def chosen(connection: sqlite3.Connection, attempt: str) -> dict[str, Any] | None:
    """The candidate's own last choice, or None."""
    row = connection.execute("SELECT settings FROM tablet_settings WHERE attempt_id = ?", (attempt,)).fetchone()
    return None if row is None else json.loads(row["settings"])


def choose(connection: sqlite3.Connection, attempt: str, settings: dict[str, Any]) -> None:
    """Expects an open transaction on answers.db."""
    connection.execute(
        "INSERT OR REPLACE INTO tablet_settings (attempt_id, settings) VALUES (?, ?)",
        (attempt, canonical_text(settings)),
    )


def forget(connection: sqlite3.Connection, attempt: str) -> None:
    """What staff set later counts again. Expects an open transaction on answers.db."""
    connection.execute("DELETE FROM tablet_settings WHERE attempt_id = ?", (attempt,))


def of_session(connection: sqlite3.Connection, session: str) -> dict[str, dict[str, Any]]:
    """Person -> what staff set for them."""
    rows = connection.execute("SELECT person_id, settings FROM person_settings WHERE session_id = ?", (session,))
    return {row["person_id"]: json.loads(row["settings"]) for row in rows}


def set_for(connection: sqlite3.Connection, session: str, person: str, settings: dict[str, Any]) -> None:
    """Expects an open transaction on room.db."""
    connection.execute(
        "INSERT OR REPLACE INTO person_settings (session_id, person_id, settings) VALUES (?, ?, ?)",
        (session, person, canonical_text(settings)),
    )
