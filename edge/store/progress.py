"""How far the attempts of one session are, without reading those of all the others."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

_THESE = "attempt_id IN (SELECT value FROM json_each(?))"


def progress_of(answers: sqlite3.Connection, attempts: Iterable[str]) -> dict[str, tuple[int, int]]:
    """attempt -> (items with an answer, when the last one was saved)."""
    query = (
        "SELECT attempt_id, sum(value <> '[]') AS n, max(at_ms) AS at FROM responses"  # noqa: S608
        f" WHERE {_THESE} GROUP BY attempt_id"
    )
    return {r["attempt_id"]: (r["n"], r["at"]) for r in answers.execute(query, (json.dumps(list(attempts)),))}


def newest(answers: sqlite3.Connection) -> int:
    """The number of the journal's newest row, 0 without one. No row's number is ever given to another."""
    return int(answers.execute("SELECT coalesce(max(n), 0) FROM journal").fetchone()[0])


def moved(answers: sqlite3.Connection, after: int, upto: int) -> set[str]:
    """The attempts of the journal's rows `after` < n <= `upto`."""
    rows = answers.execute("SELECT attempt_id FROM journal WHERE n > ? AND n <= ?", (after, upto))
    return {row["attempt_id"] for row in rows}


def handins_of(answers: sqlite3.Connection, attempts: Iterable[str]) -> dict[str, tuple[int, str]]:
    """attempt -> (when it was handed in, by whom: candidate or room)."""
    query = f"SELECT attempt_id, at_ms, by FROM handins WHERE {_THESE}"  # noqa: S608
    return {r["attempt_id"]: (r["at_ms"], r["by"]) for r in answers.execute(query, (json.dumps(list(attempts)),))}


def undigested(answers: sqlite3.Connection) -> int:
    """Journal rows that no digest in the ledger covers yet."""
    row = answers.execute(
        "SELECT count(*) FROM journal WHERE n >= coalesce((SELECT min(from_n) FROM digests WHERE ledger_seq IS NULL),"
        " (SELECT max(upto_n) + 1 FROM digests), 1)"
    ).fetchone()
    return int(row[0])
