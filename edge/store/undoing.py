"""The SQL of taking an act back, in either database. History stays: the ledger and the journal say both."""

from __future__ import annotations

import sqlite3


def withdraw_admission(
    connection: sqlite3.Connection, session: str, person: str, state: str, seat: str | None, ledger_seq: int
) -> None:
    """The candidate stands where they stood before; their admission becomes a refusal that says it was taken back."""
    connection.execute(
        "UPDATE candidates SET state = ?, seat = ?, route = NULL, seat_code = NULL, admitted_ms = NULL"
        " WHERE session_id = ? AND person_id = ?",
        (state, seat, session, person),
    )
    connection.execute(
        "UPDATE checkins SET outcome = 'refused', reason = 'admission_withdrawn', ledger_seq = ?"
        " WHERE session_id = ? AND person_id = ? AND outcome = 'admitted'",
        (ledger_seq, session, person),
    )


# ---- answers.db


def had_tablet(connection: sqlite3.Connection, attempt: str) -> bool:
    """Whether any tablet ever claimed this attempt."""
    row = connection.execute("SELECT 1 FROM bindings WHERE attempt_id = ? LIMIT 1", (attempt,)).fetchone()
    return row is not None


def reopen_attempt(connection: sqlite3.Connection, attempt: str) -> bool:
    """Take back a hand-in that the candidate did not make; False when there is none of that kind."""
    done = connection.execute("DELETE FROM handins WHERE attempt_id = ? AND by <> 'candidate'", (attempt,))
    return done.rowcount == 1
