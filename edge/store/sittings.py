"""Whether anything of a session that its sittings are made of has changed, asked in one statement."""

from __future__ import annotations

import sqlite3

from edge.store.timing import LATE_PEOPLE

_MARK = f"""
SELECT (SELECT json_group_array(json_array(c.person_id, c.number, c.badge, c.seat, c.state, c.route, c.admitted_ms,
        c.seat_code, p.name, p.document_type, p.document_number, p.salt))
    FROM candidates c JOIN people p ON p.id = c.person_id WHERE c.session_id = ?1)
|| (SELECT json_group_array(json_array(attempt_id, person_id, seed, digest, extra_ms))
    FROM papers WHERE session_id = ?1)
|| (SELECT json_group_array(json_array(person_id, settings)) FROM person_settings WHERE session_id = ?1)
|| (SELECT json_group_array(json_array(elapsed_ms, credited_ms))
    FROM outages WHERE session_id = ?1 AND credited_ms > 0)
|| (SELECT json_group_array(json_array(part, ms)) FROM part_limits WHERE session_id = ?1)
|| (SELECT json_group_array(person_id) FROM ({LATE_PEOPLE}))
"""  # noqa: S608


def mark(connection: sqlite3.Connection, session: str) -> str:
    """A text that is another one once candidates, heads of papers, limits or settings of `session` are others.

    SQLite puts it together without the interpreter: a class of two hundred costs Python one comparison. What a sitting
    is made of beside the session's own row has to be in it.
    """
    return str(connection.execute(_MARK, (session,)).fetchone()[0])
