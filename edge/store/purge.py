"""The SQL of deletion by date."""

from __future__ import annotations

import sqlite3

from edge import clock


def may_purge(connection: sqlite3.Connection, session: str, uploads: bool) -> bool:
    """Not purged yet, over, and, where results are uploaded at all, each one receipted."""
    row = connection.execute(
        "SELECT s.state, s.purged_ms, (SELECT count(*) FROM results r"
        " JOIN outbox o ON o.epoch = r.epoch AND o.seq = r.seq"
        " WHERE r.session_id = s.id AND o.state = 'waiting') AS waiting FROM sessions s WHERE s.id = ?",
        (session,),
    ).fetchone()
    over = row["purged_ms"] is None and row["state"] in ("planned", "signed")
    return over and (row["waiting"] == 0 or not uploads)


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
    incidents = connection.execute("DELETE FROM incidents WHERE session_id = ?", (session,)).rowcount
    envelopes = connection.execute("UPDATE results SET envelope = x'' WHERE session_id = ?", (session,)).rowcount
    connection.execute("UPDATE sessions SET purged_ms = ? WHERE id = ?", (clock.wall_ms(), session))
    return {"people": len(people), "incidents": incidents, "results": envelopes}
