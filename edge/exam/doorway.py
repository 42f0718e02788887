"""The proctor at the check-in board: admit, deny, try again. Each keeps how things stood, so that it can be undone."""

from __future__ import annotations

import sqlite3
from typing import Any

from edge.errors import Conflict
from edge.exam.acts import Op, settle
from edge.exam.sittings import masked
from edge.store import admissions, checkins, ledger, people, sessions
from edge.store.db import transaction
from edge.store.records import keep_reason


def admit(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    route: str,
    reason: str,
    by: str,
    op: Op | None = None,
    late: bool = False,
    case: int | None = None,
) -> people.Candidate:
    """Let a candidate in by hand; `late`: after the latest minute of admission too. As `admissions.admit`.

    The kiosk says welcome, unless somebody else stands there: their seat is on the board too.
    `case`: the entry they were seen to wait with. Conflict where another proctor has decided it since, or for the route
    `policy` where it is not what the door sent them to the proctor by: a policy may want two persons for the other.
    """
    waited = _waited(connection, session_id, person)

    def check() -> None:
        if case is not None and checkins.decided_since(connection, session_id, person, case) is not None:
            raise Conflict("not_waiting")
        if route == "policy" and _waited(connection, session_id, person)["way"] != "policy":
            raise Conflict("route_not_policy")

    def keep(before: people.Candidate, after: people.Candidate) -> None:
        stood = waited | {"state": before.state, "seat": before.seat}
        settle(connection, op, {"person": person, "seat": after.seat, "before": stood})
        if not checkins.belongs_to_another(connection, session_id, after.number):
            facts = masked(after) | {"seat_code": after.seat_code, "session": session_id}
            checkins.show(connection, "welcome", "admitted_manual", facts)

    facts: dict[str, Any] = {"route": route, "reason": "admitted_manual", "by": by, "detail": reason}
    return admissions.admit(connection, session_id, person, **facts, first=check, then=keep, late=late)


def deny(
    connection: sqlite3.Connection, session_id: str, person: str, reason: str, by: str, op: Op | None = None
) -> None:
    """Turn a waiting candidate away; they may tap again."""
    state = people.candidate(connection, session_id, person).state
    stood = _waited(connection, session_id, person) | {"state": state}

    def keep() -> None:
        settle(connection, op, {"person": person, "before": stood})

    admissions.deny(connection, session_id, person, reason, by, then=keep)


def retry(
    connection: sqlite3.Connection, session_id: str, person: str, reason: str, by: str, op: Op | None = None
) -> None:
    """Send a waiting candidate back to the reader for another try, expected again where they had been marked absent.
    Conflict when they do not wait."""
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "checkin", "running")
        state = admissions.need_waiting(connection, session_id, person).state
        stood = _waited(connection, session_id, person) | {"state": state}
        people.set_state(connection, session_id, person, "expected")
        digest = keep_reason(connection, session_id, "retry", reason, by)
        body = {"outcome": "retry", "route": None, "reason": "retry_by_proctor", "detail_sha256": digest}
        seq = ledger.append(connection, "checkin", body, subject=person, session=session_id, by=by)
        checkins.resolve(connection, session_id, person)
        facts: dict[str, Any] = {"outcome": "retry", "reason": "retry_by_proctor", "route": None, "ledger_seq": seq}
        checkins.record(connection, session=session_id, person=person, by=by, **facts)
        settle(connection, op, {"person": person, "before": stood})


def _waited(connection: sqlite3.Connection, session_id: str, person: str) -> dict[str, Any]:
    """What they wait for the proctor with, as an act keeps it for its undoing."""
    case = checkins.open_case(connection, session_id, person)
    return {"reason": case.reason if case else None, "way": case.route if case else None}
