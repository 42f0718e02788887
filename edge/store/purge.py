"""The SQL of deletion by date."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from edge import clock
from edge.clock import Instant, TimeQuality
from edge.store import faces, holds, ledger, lockdown, sheets, timing, unlocks

HOUR_MS = 3_600_000
TRUSTED_JUMP_MS = 30 * 24 * HOUR_MS


def clock_is_held(connection: sqlite3.Connection, now: Instant) -> bool:
    """Deletion cannot be undone: it waits for a synchronised clock, or an RTC near the room's own history."""
    if now.quality is TimeQuality.SYNCHRONISED:
        return True
    newest = ledger.entries(connection, since=max(0, ledger.size(connection) - 1), limit=1)
    near = bool(newest) and abs(now.wall_ms - newest[0].at_ms) < TRUSTED_JUMP_MS
    return now.quality is TimeQuality.RTC and near


def may_purge(connection: sqlite3.Connection, session: str, uploads: bool) -> bool:
    """Not purged yet, over, and, where results are uploaded at all, each one receipted."""
    row = connection.execute(
        "SELECT s.state, s.purged_ms, coalesce(json_extract(s.policy, '$.practice'), 0) AS practice,"
        " (SELECT count(*) FROM results r"
        " JOIN outbox o ON o.epoch = r.epoch AND o.seq = r.seq"
        " WHERE r.session_id = s.id AND o.state = 'waiting') AS waiting FROM sessions s WHERE s.id = ?",
        (session,),
    ).fetchone()
    over = row["purged_ms"] is None and (row["state"] in ("planned", "checkin", "signed") or row["practice"])
    return over and (row["waiting"] == 0 or not uploads)


def purge_session(connection: sqlite3.Connection, session: str) -> dict[str, object]:
    """Remove names, documents, badges, photographs, templates, stills, consents, incidents' words, result envelopes.

    People who are in another session that is not purged yet stay until that one's date. So do the names and PINs of
    proctors and examiners; the room's own staff, supervisors and technicians, stay for good.
    """
    only_here = (
        "SELECT c.person_id FROM candidates c WHERE c.session_id = ? AND NOT EXISTS (SELECT 1 FROM candidates o"
        " JOIN sessions s ON s.id = o.session_id WHERE o.person_id = c.person_id AND o.session_id <> c.session_id"
        " AND s.purged_ms IS NULL)"
    )
    people = [row["person_id"] for row in connection.execute(only_here, (session,))]
    marks = [(person,) for person in people]
    proof = faces.delete_faces(connection, people) or {"templates": 0, "photos": 0, "stills": 0}
    proof["stills"] = int(str(proof["stills"])) + faces.delete_stills_of(connection, session)
    connection.executemany("DELETE FROM consents WHERE person_id = ?", marks)
    connection.executemany(
        "UPDATE people SET name = '', document_type = 'deleted', document_number = id, salt = '', face_fault = NULL"
        " WHERE id = ?",
        marks,
    )
    connection.execute(
        "UPDATE candidates SET badge = NULL, seat_code = NULL WHERE session_id = ?",
        (session,),
    )
    connection.execute("DELETE FROM reasons WHERE session_id = ?", (session,))
    connection.execute("DELETE FROM footage_views WHERE session_id = ?", (session,))
    timing.forget(connection, session)
    connection.execute("DELETE FROM acts WHERE session_id = ?", (session,))
    unlocks.forget(connection, session)
    lockdown.purge(connection, session)
    connection.execute("DELETE FROM person_settings WHERE session_id = ?", (session,))
    sheets.purge(connection, session)
    incidents = connection.execute("DELETE FROM incidents WHERE session_id = ?", (session,)).rowcount
    envelopes = connection.execute("UPDATE results SET envelope = x'' WHERE session_id = ?", (session,)).rowcount
    now = clock.wall_ms()
    connection.execute("UPDATE checkins SET score = NULL WHERE session_id = ?", (session,))
    connection.execute(
        "UPDATE kiosk SET state = 'ready', reason = 'kiosk_ready', facts = '{}' WHERE at_ms < ?", (now - HOUR_MS,)
    )
    connection.execute("UPDATE sessions SET purged_ms = ? WHERE id = ?", (now, session))
    _forget_staff(connection, session)
    faces.note_deletion(connection)
    return {"people": len(people), "incidents": incidents, "results": envelopes, **proof}


def _forget_staff(connection: sqlite3.Connection, session: str) -> None:
    gone = connection.execute(
        "SELECT r.staff_id FROM session_staff r JOIN staff t ON t.id = r.staff_id WHERE r.session_id = ?"
        " AND t.role IN ('proctor', 'examiner') AND NOT EXISTS (SELECT 1 FROM session_staff o JOIN sessions s"
        " ON s.id = o.session_id WHERE o.staff_id = r.staff_id AND s.purged_ms IS NULL)",
        (session,),
    ).fetchall()
    marks = [(row["staff_id"],) for row in gone]
    connection.executemany("DELETE FROM staff_sessions WHERE staff_id = ?", marks)
    connection.executemany(
        "UPDATE staff SET name = '', badge = 'released-' || id, pin_hash = '', failures = 0, locked_until_ms = NULL"
        " WHERE id = ?",
        marks,
    )


def purged_attempts(connection: sqlite3.Connection, attempts: Iterable[str]) -> list[str]:
    """Which of `attempts` belong to sessions that have been purged."""
    rows = connection.execute(
        "SELECT p.attempt_id FROM papers p JOIN sessions s ON s.id = p.session_id WHERE s.purged_ms IS NOT NULL"
        " AND p.attempt_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(attempts)),),
    )
    return [row["attempt_id"] for row in rows]


def delete_session(connection: sqlite3.Connection, session: str) -> int:
    """Remove every row of a practice session but the ledger's, in the caller's transaction; how many rows.

    What hangs on a row of a session goes by ON DELETE CASCADE; what does not keeps the commit from being made.
    """
    connection.execute("PRAGMA defer_foreign_keys = ON")
    purge_session(connection, session)
    holds.end_with(connection, session)
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


def forget_attempts(answers: sqlite3.Connection, session: str | None, attempts: Iterable[str]) -> bool:
    """Remove from answers.db what these attempts said, in the caller's transaction; the digests stay.

    False, and nothing is removed, while a journal row of theirs is under no digest in the ledger yet. The newest row of
    the whole journal stays, emptied: its number must not be given to another.
    """
    marks = [(one,) for one in attempts]
    these = json.dumps([one for (one,) in marks])
    behind = answers.execute(
        "SELECT 1 FROM journal WHERE attempt_id IN (SELECT value FROM json_each(?)) AND n >= coalesce((SELECT"
        " min(from_n) FROM digests WHERE ledger_seq IS NULL), (SELECT max(upto_n) + 1 FROM digests), 1) LIMIT 1",
        (these,),
    ).fetchone()
    if behind is not None:
        return False
    for table in ("responses", "handins", "bindings", "own_clocks", "parts_opened", "tablet_settings"):
        answers.executemany(f"DELETE FROM {table} WHERE attempt_id = ?", marks)  # noqa: S608
    newest = answers.execute("SELECT coalesce(max(n), 0) FROM journal").fetchone()[0]
    answers.executemany("DELETE FROM journal WHERE attempt_id = ? AND n <> ?", [(one, newest) for (one,) in marks])
    answers.execute(
        "UPDATE journal SET value = '[]', item_id = '' WHERE n = ? AND attempt_id IN (SELECT value FROM json_each(?))",
        (newest, these),
    )
    if session is not None:
        answers.execute("DELETE FROM outages WHERE session_id = ?", (session,))
        answers.execute("DELETE FROM exam_clock WHERE session_id = ?", (session,))
    return True
