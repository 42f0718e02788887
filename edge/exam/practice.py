"""A practice session that cannot be mistaken for a real one: invented people, the sample bank, nothing of it counts.

Its id begins with `practice-`, its policy says so, every page wears the band; it is never signed, never uploaded, and
one act deletes it.
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import Annotated, Any

from pydantic import Field, ValidationError

from edge import clock
from edge.bank.build import sample_bank
from edge.bank.model import Part
from edge.errors import Conflict
from edge.exam.banks import SAMPLE_FILE
from edge.exam.documents import PolicyDocument, RosterDocument
from edge.exam.intake import take_in
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.exam.written import ledger_digests
from edge.store import ledger, sessions, staff
from edge.store import purge as store
from edge.store.db import transaction
from edge.store.records import reason_of
from edge.trust.roomkeys import DataKey
from edge.why import where

COLUMNS = 6
MINUTES = 30
MOST = 200
POLICY: dict[str, Any] = {"pass": {"safety": 60, "theory": 60, "practical": 60}, "practice": True}


class PracticeBody(Part):
    """How many candidates to invent."""

    op_id: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")] = None
    candidates: Annotated[int, Field(ge=1, le=MOST)] = 6


def create(connection: sqlite3.Connection, room: str, data_key: DataKey, count: int, by: str | None) -> str:
    """Plan a practice session for everybody on the room's staff and return its id. Conflict without such staff.

    Each staff member takes part as what their newest roster made them.
    """
    name = f"practice-{clock.wall_ms() // 1000:x}-{secrets.token_hex(2)}"
    try:
        roster = RosterDocument.model_validate(_roster(name, count, staff.everybody(connection)))
    except ValidationError as error:
        raise Conflict("practice_no_staff", **where(error)) from error
    policy = PolicyDocument.model_validate(POLICY)
    return take_in(connection, roster, policy, room=room, bank_file=SAMPLE_FILE, data_key=data_key, by=by)


def _roster(name: str, count: int, everybody: list[staff.Staff]) -> dict[str, Any]:
    bank = sample_bank()
    blueprint = bank.blueprints[0]
    short = name.removeprefix("practice-").replace("-", "").upper()
    members = [one for one in everybody if not one.badge.startswith("released-")]
    examined = any(one.role == "examiner" for one in members)
    return {
        "institution": {"id": "practice", "name": "练习"},
        "class": {
            "id": f"practice-{blueprint.id}"[:64],
            "title": "练习班",
            "regime": blueprint.regime,
            "post": blueprint.post,
            "level": blueprint.level,
        },
        "session": {
            "id": name,
            "title": "练习场次",
            "planned_ms": clock.wall_ms(),
            "minutes": MINUTES,
            "purge_days": 1,
        },
        "bank": {"name": bank.bank, "version": 1},
        "blueprint": blueprint.model_dump(),
        "rubric": bank.rubrics[0].model_dump(by_alias=True) if examined and bank.rubrics else None,
        "seats": [
            {"seat": f"{chr(ord('A') + n // COLUMNS % 26)}{n % COLUMNS + 1 + n // (26 * COLUMNS) * COLUMNS}",
             "row": n // COLUMNS % 26 + 1, "column": n % COLUMNS + 1 + n // (26 * COLUMNS) * COLUMNS}
            for n in range(count)
        ],
        "candidates": [
            {"number": n, "name": f"练习{n:02d}", "document": {"type": "passport", "number": f"PR{short}{n:03d}"}}
            for n in range(1, count + 1)
        ],
        "staff": [
            {"id": one.id, "name": one.name, "role": one.role, "badge": one.badge, "pin_hash": one.pin_hash}
            for one in members
        ],
    }  # fmt: skip


def delete(
    connection: sqlite3.Connection, journal: AnswerJournal, live: LiveExam, session_id: str, by: str, reason: str = ""
) -> None:
    """Remove a practice session with all that stands of it. Conflict for a session that is none."""
    session = sessions.find(connection, session_id)
    if not session.practice:
        raise Conflict("not_practice")
    attempts = [head.id for head in sessions.heads(connection, session_id)]
    for attempt in attempts:
        live.release(attempt)
    if live.running(session_id):
        live.set_running(session_id, False)
    ledger_digests(journal, connection)
    journal.submit(lambda c: store.forget_attempts(c, session_id, attempts))
    with transaction(connection):
        told = reason_of(connection, session_id, "practice_deleted", reason, by)  # its words go with the session
        rows = store.delete_session(connection, session_id)
        ledger.append(connection, "practice_deleted", {"rows": rows} | told, session=session_id, by=by)
    live.refresh(connection)
    ledger_digests(journal, connection)
    journal.submit(lambda c: store.forget_attempts(c, session_id, attempts))  # what came in between
