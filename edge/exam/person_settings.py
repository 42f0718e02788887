"""How one candidate's paper is shown, set by staff for the person, whatever tablet they use."""

from __future__ import annotations

import sqlite3
from typing import Any

from edge.exam.acts import Op, settle
from edge.exam.journal import AnswerJournal
from edge.store import ledger, people, sessions, tablet_settings
from edge.store.db import transaction
from edge.store.records import keep_reason


def set_settings(
    connection: sqlite3.Connection,
    journal: AnswerJournal,
    session_id: str,
    person: str,
    settings: dict[str, Any],
    reason: str,
    by: str,
    op: Op | None = None,
) -> None:
    """Set them, over what the candidate chose before; a page that is open learns of them with its clock.

    The ledger says that it was done and not what: a need is nobody's business.
    """
    sessions.need_state(sessions.find(connection, session_id), "planned", "checkin", "running")
    people.candidate(connection, session_id, person)
    attempt = sessions.attempt_of(connection, session_id, person)
    if attempt is not None:
        journal.submit(lambda c: tablet_settings.forget(c, attempt.id), keeps=True)
    with transaction(connection):
        tablet_settings.set_for(connection, session_id, person, settings)
        body = {"reason_sha256": keep_reason(connection, session_id, "settings_set", reason, by)}
        ledger.append(connection, "settings_set", body, subject=person, session=session_id, by=by)
        settle(connection, op, {"person": person})
