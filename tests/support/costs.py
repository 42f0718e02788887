"""What SQLite does for a question, counted: no clock, so a loaded machine changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

EVERY = 50


def steps(connection: sqlite3.Connection, ask: Callable[[], object]) -> int:
    """How many instructions of SQLite's machine `ask` takes on this connection, within EVERY."""
    counted = 0

    def another() -> int:
        nonlocal counted
        counted += EVERY
        return 0

    connection.set_progress_handler(another, EVERY)
    try:
        ask()
    finally:
        connection.set_progress_handler(None, 0)
    return counted
