"""The SQL of deletion by date."""

from __future__ import annotations

import sqlite3

from edge import clock
from edge.store import lockdown, sheets, timing


def may_purge(connection: sqlite3.Connection, session: str, uploads: bool) -> bool:
    """Not purged yet, over, and, where results are uploaded at all, each one receipted."""
    row = connection.execute(
        "SELECT s.state, s.purged_ms, coalesce(json_extract(s.policy, '$.practice'), 0) AS practice,"
        " (SELECT count(*) FROM results r"
        " JOIN outbox o ON o.epoch = r.epoch AND o.seq = r.seq"
        " WHERE r.session_id = s.id AND o.state = 'waiting') AS waiting FROM sessions s WHERE s.id = ?",
        (session,),
    ).fetchone()
    over = row["purged_ms"] is None and (row["state"] in ("planned", "signed") or row["practice"])
    return over and (row["waiting"] == 0 or not uploads)


def purged_sessions(connection: sqlite3.Connection) -> int:
    """How many sessions have been purged."""
    return int(connection.execute("SELECT count(*) FROM sessions WHERE purged_ms IS NOT NULL").fetchone()[0])


def purge_session(connection: sqlite3.Connection, session: str) -> dict[str, int]:
    """Remove names, documents, badges, photographs, templates, consents, incidents' words and result envelopes.

    People who are in another session that is not purged yet stay until that one's date.
    """
    only_here = (
        "SELECT c.person_id FROM candidates c WHERE c.session_id = ? AND NOT EXISTS (SELECT 1 FROM candidates o"
        " JOIN sessions s ON s.id = o.session_id WHERE o.person_id = c.person_id AND o.session_id <> c.session_id"
        " AND s.purged_ms IS NULL)"
    )
    people = [row["person_id"] for row in connection.execute(only_here, (session,))]
    marks = [(person,) for person in people]
    connection.executemany("DELETE FROM templates WHERE person_id = ?", marks)
    connection.executemany("DELETE FROM consents WHERE person_id = ?", marks)
    connection.executemany(
        "UPDATE people SET name = '', document_type = 'deleted', document_number = id, salt = '', photo = NULL"
        " WHERE id = ?",
        marks,
    )
    connection.execute(
        "UPDATE candidates SET badge = NULL, seat_code = NULL WHERE session_id = ?",
        (session,),
    )
    connection.execute("DELETE FROM reasons WHERE session_id = ?", (session,))
    timing.forget(connection, session)
    connection.execute("DELETE FROM acts WHERE session_id = ?", (session,))
    lockdown.purge(connection, session)
    sheets.purge(connection, session)
    incidents = connection.execute("DELETE FROM incidents WHERE session_id = ?", (session,)).rowcount
    envelopes = connection.execute("UPDATE results SET envelope = x'' WHERE session_id = ?", (session,)).rowcount
    connection.execute("UPDATE sessions SET purged_ms = ? WHERE id = ?", (clock.wall_ms(), session))
    return {"people": len(people), "incidents": incidents, "results": envelopes}


def delete_session(connection: sqlite3.Connection, session: str) -> int:
    """Remove every row of a practice session but the ledger's, in the caller's transaction; how many rows.

    What hangs on a row of a session goes by ON DELETE CASCADE; what does not keeps the commit from being made.
    """
    connection.execute("PRAGMA defer_foreign_keys = ON")
    purge_session(connection, session)
    people = connection.execute(
        "SELECT person_id FROM candidates c WHERE session_id = ? AND NOT EXISTS (SELECT 1 FROM candidates o"
        " WHERE o.person_id = c.person_id AND o.session_id <> c.session_id)",
        (session,),
    ).fetchall()
    tables = connection.execute(
        "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) i ON i.name = 'session_id'"
        " WHERE m.type = 'table' AND m.name <> 'ledger'"
    ).fetchall()
    gone = 0
    for table in tables:
        gone += connection.execute(f"DELETE FROM {table['name']} WHERE session_id = ?", (session,)).rowcount  # noqa: S608
    gone += connection.execute("DELETE FROM sessions WHERE id = ?", (session,)).rowcount
    connection.executemany("DELETE FROM people WHERE id = ?", [(row["person_id"],) for row in people])
    return gone + len(people)


def forget_attempts(answers: sqlite3.Connection, session: str, attempts: list[str]) -> None:
    """Remove what stands of a practice session beside the journal, whose rows the ledger has digests of."""
    for table in ("responses", "handins", "bindings", "own_clocks", "parts_opened"):
        answers.executemany(f"DELETE FROM {table} WHERE attempt_id = ?", [(one,) for one in attempts])  # noqa: S608
    answers.execute("DELETE FROM outages WHERE session_id = ?", (session,))
    answers.execute("DELETE FROM exam_clock WHERE session_id = ?", (session,))
