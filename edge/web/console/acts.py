"""Every act of the console: its body and what carries it out. Acts of other parts are merged in at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from edge.domain.reasons import words
from edge.errors import BadInput, Conflict, NotFound
from edge.exam import accepting, conduct, doorway, incidents, marking, practice, results, undo
from edge.exam.acts import Op
from edge.exam.banks import open_bank
from edge.exam.readiness import need_ready
from edge.ops.preflight import need_footage_room
from edge.store import people, sessions
from edge.web.console.bodies import ActBody, OpId, Registry
from edge.web.console.consent_acts import CONSENT_ACTS
from edge.web.console.lockdown_acts import LOCKDOWN_ACTS
from edge.web.console.settings_acts import SETTINGS_ACTS
from edge.web.console.time_acts import TIME_ACTS
from edge.web.console.unlock_acts import UNLOCK_ACTS
from edge.web.room import answers_db, room, room_db


class Admit(ActBody):
    route: Annotated[str, Field(pattern=r"^(manual|policy)$")] = "manual"
    late: bool = False
    """After the latest minute of admission: the proctor says so on purpose."""
    case: Annotated[int | None, Field(ge=1, le=1 << 52)] = None
    """The entry on the board that the dialog was opened on: another proctor may have decided it meanwhile."""


class Incident(ActBody):
    kind: Annotated[str, Field(pattern=r"^[a-z-]{2,32}$")] = "other"
    text: Annotated[str, Field(max_length=2000)] = ""
    seat: Annotated[str | None, Field(max_length=8)] = None
    happened_ms: Annotated[int | None, Field(ge=0, le=1 << 52)] = None
    corrects: Annotated[int | None, Field(ge=1, le=1 << 40)] = None


class Undo(ActBody):
    of: OpId


class Accept(ActBody):
    n: Annotated[list[Annotated[int, Field(ge=1, le=1 << 52)]], Field(min_length=1, max_length=1000)]


def _open_checkin(session: str, body: ActBody, op: Op) -> None:
    here, reason = room(), conduct.need_reason(body.reason)
    found = sessions.find(room_db(), session)
    identity = here.identity()
    need_ready(room_db(), found, here.config, identity)
    need_footage_room(room_db(), here.config, found)
    bank = open_bank(identity, here.config.paths.bundles, found)
    conduct.open_checkin(room_db(), session, bank, op.by, op, reason, here.config.camera)


def _start(session: str, body: ActBody, op: Op) -> None:
    conduct.start(room_db(), session, op.by, op, conduct.need_reason(body.reason))
    room().live.set_running(session, True)


def _release(session: str, body: ActBody, op: Op) -> Mapping[str, Any]:
    """One act: the old tablet is let go, and the answer carries the code that the candidate types on the next."""
    reason, person = conduct.need_reason(body.reason), _person(body)
    attempt = sessions.attempt_of(room_db(), session, person)
    if attempt is None:
        raise NotFound("candidate_unknown")
    who = people.candidate(room_db(), session, person)
    if who.seat_code is None or who.state not in ("admitted", "finished"):
        raise Conflict("not_admitted")
    answer = {"person": person, "seat": who.seat}
    room().live.release(attempt.id)
    room().asked_elsewhere.pop(attempt.id, None)
    conduct.note_tablet(room_db(), session, person, "released", op.by, reason, op, answer)
    return answer


def _admit(session: str, body: Admit, op: Op) -> Mapping[str, Any]:
    reason = conduct.need_reason(body.reason)
    person = _person(body)
    who = doorway.admit(room_db(), session, person, body.route, reason, op.by, op, body.late, body.case)
    return {"person": person, "seat": who.seat}


def _deny(session: str, body: ActBody, op: Op) -> None:
    doorway.deny(room_db(), session, _person(body), conduct.need_reason(body.reason), op.by, op)


def _retry(session: str, body: ActBody, op: Op) -> None:
    doorway.retry(room_db(), session, _person(body), conduct.need_reason(body.reason), op.by, op)


def _absent(session: str, body: ActBody, op: Op) -> None:
    conduct.mark_absent(room_db(), session, _person(body), conduct.need_reason(body.reason), op.by, op)


def _incident(session: str, body: Incident, op: Op) -> Mapping[str, Any]:
    number = incidents.note(
        room_db(),
        session,
        kind=body.kind,
        text=body.text,
        by=op.by,
        person=body.person,
        seat=body.seat,
        happened_ms=body.happened_ms,
        corrects=body.corrects,
        op=op,
    )
    return {"number": number}


def _hand_in(session: str, body: ActBody, op: Op) -> Mapping[str, Any]:
    """The room hands in for a candidate who has left or may not go on."""
    reason, person = conduct.need_reason(body.reason), _person(body)
    connection, live = room_db(), room().live
    sessions.need_state(sessions.find(connection, session), "running")
    attempt = sessions.attempt_of(connection, session, person)
    # handed in by a proctor, and no act says so: a kill came between the two stores, and this is its repeat
    cut_off = attempt is not None and undo.unsaid_handin(connection, room().journal, session, person, attempt.id)
    if attempt is None or (people.candidate(connection, session, person).state != "admitted" and not cut_off):
        raise Conflict("not_admitted")
    if attempt.id in live.handins() and not cut_off:
        raise Conflict("handed_in_already")
    answer = {"person": person}
    live.close_attempt(attempt.id)
    conduct.note_handin(connection, session, person, reason, op.by, op, answer)
    return answer


def _accept(session: str, body: Accept, op: Op) -> None:
    here, connection = room(), room_db()
    bank = open_bank(here.identity(), here.config.paths.bundles, sessions.find(connection, session))
    reason, elapsed = conduct.need_reason(body.reason), here.live.elapsed(session)
    accepting.accept(connection, here.journal, session, _person(body), body.n, elapsed, bank, reason, op.by, op)


def _undo(session: str, body: Undo, op: Op) -> Mapping[str, Any] | None:
    """Take back the act whose op id is `of`; a pause is undone by going on."""
    connection, here = room_db(), room()
    before = undo.undoable(connection, session, body.of)
    reason = conduct.need_reason(body.reason)
    opposite = undo.CLOCK_ACTS.get(before.act)
    if opposite is not None:
        person = before.answer.get("person")
        attempt = sessions.attempt_id(connection, session, str(person)) if person else None
        undo.need_standing(here.live, before, attempt)
        model, handler = ACTS[opposite]
        return handler(session, model(reason=reason, person=person), op)
    undo.undo(connection, here.journal, here.live, session, before, reason, op.by, op)
    return None


def _close(session: str, body: ActBody, op: Op) -> None:
    here = room()
    reason = conduct.need_reason(body.reason)
    bank = open_bank(here.identity(), here.config.paths.bundles, sessions.find(room_db(), session))
    marking.close(room_db(), here.journal, here.live, session, bank, reason, op.by, op)


def _sign(session: str, body: ActBody, op: Op) -> None:
    here, reason = room(), conduct.need_reason(body.reason)
    if sessions.find(room_db(), session).state != "signed":  # signed already: the files are written again
        results.sign_results(room_db(), here.identity(), session, op.by, reason)
    results.write_files(room_db(), here.identity(), session, here.config.paths.results)


def _delete_practice(session: str, body: ActBody, op: Op) -> Mapping[str, Any]:
    reason = conduct.need_reason(body.reason)
    practice.delete(room_db(), room().journal, room().live, session, op.by, reason)
    return {"deleted": session}


def _person(body: ActBody) -> str:
    if body.person is None:
        raise BadInput("body_wrong", where="person", detail=words("input_missing"))
    return body.person


def kept_of(session: str, person: str) -> list[dict[str, Any]]:
    """Answers of a candidate that the room kept and did not apply."""
    return accepting.kept_answers(room_db(), answers_db(), session, person)


ACTS: Registry = {
    "open-checkin": (ActBody, _open_checkin),
    "start": (ActBody, _start),
    **TIME_ACTS,
    **LOCKDOWN_ACTS,
    **SETTINGS_ACTS,
    **CONSENT_ACTS,
    **UNLOCK_ACTS,
    "release-tablet": (ActBody, _release),
    "admit": (Admit, _admit),
    "deny": (ActBody, _deny),
    "retry": (ActBody, _retry),
    "absent": (ActBody, _absent),
    "incident": (Incident, _incident),
    "hand-in": (ActBody, _hand_in),
    "accept-answer": (Accept, _accept),
    "undo": (Undo, _undo),
    "close": (ActBody, _close),
    "sign": (ActBody, _sign),
    "delete-practice": (ActBody, _delete_practice),
}
