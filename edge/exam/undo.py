"""Taking an act back where that is honest: nothing has followed from it yet. Where it has, a sentence says what."""

from __future__ import annotations

import sqlite3
from typing import Any

from edge.errors import Conflict, NotFound
from edge.exam.acts import Op, settle
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.store import acts, checkins, ledger, people, sessions, timing, undoing
from edge.store.db import transaction
from edge.store.records import keep_reason

UNDOABLE = ("absent", "deny", "retry", "admit", "hand-in")
CLOCK_ACTS = {"pause": "resume", "resume": "pause"}


def undoable(connection: sqlite3.Connection, session_id: str, op_id: str) -> acts.Act:
    """The act behind an op id of this session. Conflict for one that cannot be taken back, or has been."""
    before = acts.find(connection, op_id)
    if before is None or before.session != session_id:
        raise NotFound("undo_unknown")
    if before.undone_ms is not None:
        raise Conflict("undo_done")
    if before.act not in UNDOABLE and before.act not in CLOCK_ACTS:
        raise Conflict("undo_not_possible")
    return before


def need_standing(live: LiveExam, before: acts.Act, attempt: str | None) -> None:
    """Conflict unless a pause, or its end, is the last word on its clock. `attempt`: of the person it was for."""
    last = live.clocks.last_op(before.session or "") if attempt is None else live.clocks.of(attempt).op_id
    if last != before.op_id:
        raise Conflict("undo_moved_on")


def confirmed_as(before: acts.Act) -> tuple[str, ...]:
    """The acts by whose names the policy may ask two people for taking `before` back, besides "undo"."""
    opposite = CLOCK_ACTS.get(before.act)
    return (before.act,) if opposite is None else (before.act, opposite)


def undo(
    connection: sqlite3.Connection,
    journal: AnswerJournal,
    live: LiveExam,
    session_id: str,
    before: acts.Act,
    reason: str,
    by: str,
    op: Op | None = None,
) -> None:
    """Take back an act of the room store; Conflict once something has followed from it."""
    person = str(before.answer["person"])
    stood: dict[str, Any] = dict(before.answer.get("before", {}))
    attempt = sessions.attempt_id(connection, session_id, person)
    if before.act == "hand-in":
        _reopen(connection, journal, live, session_id, person, attempt)
    if before.act == "admit" and journal.submit(lambda c: undoing.had_tablet(c, attempt)):
        raise Conflict("undo_tablet_claimed")
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "checkin", "running")
        who = people.candidate(connection, session_id, person)
        digest = keep_reason(connection, session_id, "undo", reason, by)
        body = {"act": before.act, "reason_sha256": digest}
        seq = ledger.append(connection, "act_undone", body, subject=person, session=session_id, by=by)
        if before.act == "hand-in":
            if who.state == "finished":
                people.set_state(connection, session_id, person, "admitted")
        elif before.act == "admit":
            _need(who, "admitted")
            undoing.withdraw_admission(connection, session_id, person, stood["state"], stood["seat"], seq)
            _wait_again(connection, session_id, person, stood, by, seq)
        else:
            absent = before.act == "absent" or (before.act == "deny" and stood["state"] == "absent")
            _need(who, "absent" if absent else "expected")
            came = stood["state"] == "expected" and checkins.open_case(connection, session_id, person) is not None
            people.set_state(connection, session_id, person, "waiting" if came else stood["state"])
            _wait_again(connection, session_id, person, stood, by, seq)
        if not acts.set_undone(connection, before.op_id):
            raise Conflict("undo_done")
        settle(connection, op)
    live.refresh(connection)
    if before.act == "admit":
        live.clocks.forget_late(attempt)
    if before.act == "admit" and journal.submit(lambda c: undoing.had_tablet(c, attempt)):
        live.release(attempt)  # claimed in the moment between: that tablet is told that it is nobody's now


def unsaid_handin(
    connection: sqlite3.Connection, journal: AnswerJournal, session: str, person: str, attempt: str
) -> bool:
    """Whether a proctor's hand-in of this attempt stands beside the answers and nothing in the room store says so."""
    handed_in = journal.submit(lambda c: timing.handed_in_by(c, attempt))
    if handed_in is None or handed_in[1] != "proctor":
        return False
    return not acts.stands(connection, session, "hand-in", person)


def _need(who: people.Candidate, state: str) -> None:
    if who.state != state:
        raise Conflict("undo_moved_on")


def _wait_again(
    connection: sqlite3.Connection, session: str, person: str, stood: dict[str, Any], by: str, seq: int
) -> None:
    """Who waited for the proctor before the act waits again."""
    reason = stood.get("reason")
    if reason is None:
        return
    if checkins.open_case(connection, session, person) is None:
        way = stood.get("way")
        facts: dict[str, Any] = {"outcome": "waiting", "route": way, "reason": reason, "ledger_seq": seq, "by": by}
        checkins.record(connection, session=session, person=person, **facts)


def _reopen(
    connection: sqlite3.Connection, journal: AnswerJournal, live: LiveExam, session: str, person: str, attempt: str
) -> None:
    """The answers first, since they are what counts; the room store's word follows and may be written again."""
    with live.holding([s for s in live.sittings(session) if s.id == attempt]) as meant:
        sessions.need_state(sessions.find(connection, session), "running")
        who = people.candidate(connection, session, person)
        if not meant or who.state not in ("admitted", "finished"):
            raise Conflict("undo_moved_on")
        if live.left(meant[0]) == 0:
            raise Conflict("undo_time_over")
        if not live.reopen_attempt(attempt) and attempt in live.handins():
            raise Conflict("undo_handed_in_themselves")
