"""How often this room's papers had each item of a bank, session by session: figures that no date deletes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable


def note(connection: sqlite3.Connection, session: str, uses: Iterable[tuple[str, str, int]]) -> None:
    """In the caller's transaction: (bank, item, papers) of a session whose papers are drawn."""
    rows = ((session, *one) for one in uses)
    connection.executemany("INSERT INTO item_uses (session_id, bank, item, papers) VALUES (?, ?, ?, ?)", rows)


def counts(connection: sqlite3.Connection, bank: str, without: Collection[str] = ()) -> Counter[str]:
    """On how many papers each item of `bank` stood, by id; the sessions in `without` apart."""
    found: Counter[str] = Counter()
    for row in connection.execute("SELECT session_id, item, papers FROM item_uses WHERE bank = ?", (bank,)):
        if row["session_id"] not in without:
            found[row["item"]] += row["papers"]
    return found
