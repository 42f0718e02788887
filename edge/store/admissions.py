"""Letting people in, turning them away, keeping them waiting: one transaction each, with its ledger entry."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from edge.domain import consents
from edge.errors import Conflict
from edge.store import checkins, faces, ledger, people, records, sessions, timing
from edge.store.db import transaction


def admit(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    *,
    route: str,
    reason: str,
    by: str | None,
    camera: str | None = None,
    score: float | None = None,
    detail: str | None = None,
    first: Callable[[], None] | None = None,
    then: Callable[[people.Candidate, people.Candidate], None] | None = None,
    late: bool = False,
) -> people.Candidate:
    """Let a candidate in by `route` (face, manual, policy); the seat code is made here. Conflict when already in.

    After the latest minute of admission only with `late`, which is the proctor's to say; a Conflict otherwise.

    `score` stays in the room store; the ledger never sees one. `first()`, which may refuse, and `then(before, after)`
    run in the same transaction.
    A refusal of face recognition is believed once somebody has looked at the person's document: then what is held of
    their face goes. Before, it may have been anybody with their badge.
    """
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "checkin", "running")
        who = people.candidate(connection, session_id, person)
        if who.state in ("admitted", "finished"):
            raise Conflict("already_admitted", seat=who.seat)
        if route == "face" and who.state == "absent":  # perhaps while the door looked
            raise Conflict("marked_absent")
        if first is not None:
            first()
        if route == "face" and people.consent(connection, person, consents.ONE_TO_ONE) is False:
            raise Conflict("consent_withdrawn")  # while the door looked
        closed = timing.gate_closed(connection, session_id)
        if closed and not late:
            raise Conflict("late_join_over")
        admitted = people.admit(connection, session_id, person, route)
        body: dict[str, Any] = {"outcome": "admitted", "route": route, "reason": reason, "seat": admitted.seat}
        if closed:
            body["late"] = True
        if detail is not None:
            body["detail_sha256"] = records.keep_reason(connection, session_id, "admitted", detail, by)
        seq = ledger.append(connection, "checkin", body, subject=person, session=session_id, by=by)
        checkins.resolve(connection, session_id, person)
        checkins.record(
            connection,
            session=session_id,
            person=person,
            outcome="admitted",
            reason=reason,
            route=route,
            ledger_seq=seq,
            score=score,
            by=by,
            camera=camera,
        )
        declined = route != "face" and people.consent(connection, person, consents.ONE_TO_ONE) is False
        if declined and (proof := faces.delete_faces(connection, [person])) is not None:
            body = proof | {"why": "declined"}
            ledger.append(connection, "face_data_deleted", body, subject=person, session=session_id, by=by)
        if then is not None:
            then(who, admitted)
    return admitted


def deny(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    reason: str,
    by: str,
    then: Callable[[], None] | None = None,
) -> None:
    """The proctor turns a waiting candidate away; they may tap again. `then` runs in the same transaction."""
    with transaction(connection):
        who = need_waiting(connection, session_id, person)
        if who.state == "waiting":
            people.set_state(connection, session_id, person, "expected")
        digest = records.keep_reason(connection, session_id, "denied", reason, by)
        body = {"outcome": "refused", "route": "manual", "reason": "denied_by_proctor", "detail_sha256": digest}
        seq = ledger.append(connection, "checkin", body, subject=person, session=session_id, by=by)
        checkins.resolve(connection, session_id, person)
        checkins.record(
            connection,
            session=session_id,
            person=person,
            outcome="refused",
            reason="denied_by_proctor",
            route="manual",
            ledger_seq=seq,
            by=by,
        )
        if then is not None:
            then()


def need_waiting(connection: sqlite3.Connection, session_id: str, person: str) -> people.Candidate:
    """Conflict unless they wait for the proctor. Somebody marked absent waits too, and is absent until that is said."""
    who = people.candidate(connection, session_id, person)
    came = who.state == "absent" and checkins.open_case(connection, session_id, person) is not None
    if who.state != "waiting" and not came:
        raise Conflict("not_waiting")
    return who


def note(
    connection: sqlite3.Connection,
    outcome: str,
    reason: str,
    *,
    session: str | None = None,
    person: str | None = None,
    route: str | None = None,
    camera: str | None = None,
    score: float | None = None,
    then: Callable[[str, str], None] | None = None,
) -> tuple[str, str]:
    """Refused, waiting or asked again at the door; returns the outcome and reason that were recorded.

    Who waits is shown to the proctor until it is settled. Somebody let in meanwhile never waits again, whatever the
    door has just seen: then the record says that they are in. Somebody marked absent stays so until the proctor has
    seen them. `then(outcome, reason)` runs in the same transaction.
    """
    with transaction(connection):
        if outcome == "waiting" and session is not None and person is not None:
            outcome, reason = _as_things_stand(connection, session, person, reason)
        body: dict[str, Any] = {"outcome": outcome, "route": route, "reason": reason}
        seq = ledger.append(connection, "checkin", body, subject=person, session=session)
        if outcome == "waiting" and session is not None and person is not None:
            if people.candidate(connection, session, person).state != "absent":
                people.set_state(connection, session, person, "waiting")
            checkins.resolve(connection, session, person)
        checkins.record(
            connection,
            session=session,
            person=person,
            outcome=outcome,
            reason=reason,
            route=route,
            ledger_seq=seq,
            score=score,
            camera=camera,
        )
        if then is not None:
            then(outcome, reason)
    return outcome, reason


def _as_things_stand(connection: sqlite3.Connection, session: str, person: str, reason: str) -> tuple[str, str]:
    if sessions.find(connection, session).state not in ("checkin", "running"):
        return "refused", "checkin_closed"
    if people.candidate(connection, session, person).state in ("admitted", "finished"):
        return "refused", "already_admitted"
    return "waiting", reason
