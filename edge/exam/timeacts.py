"""What the proctor does to time: more of it, a stop and its end, an outage made good. Each is done once by its op id.

The clocks lie beside the answers, their history in the room store. What counts is changed first; where the room store
cannot take the word of it, it is changed back. An act cut off in between is finished by its repeat.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from edge.errors import BadInput, Conflict, NotFound
from edge.exam import conduct
from edge.exam.acts import Op, settle
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.exam.sittings import Sitting
from edge.store import ledger, people, sessions, timing
from edge.store.db import transaction
from edge.store.records import keep_reason

MAX_CREDIT_MS = 240 * 60_000


def add_time(
    connection: sqlite3.Connection,
    live: LiveExam,
    session_id: str,
    person: str | None,
    minutes: int,
    reason: str,
    by: str,
    op: Op | None = None,
) -> int:
    """More time for one candidate or for all, before the start too; how many attempts it opened again.

    Whom the room had closed because their time was over goes on, with all of the added time. Who has handed in stays
    handed in: time that would reach nobody is a Conflict.
    """
    reason = conduct.need_reason(reason)
    if person is not None:
        people.candidate(connection, session_id, person)
    if not 1 <= minutes <= conduct.MAX_EXTRA_MINUTES:
        raise BadInput("minutes_wrong")
    with live.holding(_meant(live, session_id, person)) as meant:
        # before anybody is opened again: what is answered after the close would count nowhere
        sessions.need_state(sessions.find(connection, session_id), "planned", "checkin", "running")
        over = _finished(live, meant)
        if over and (person is not None or len(over) == len(meant)):
            raise Conflict("time_is_over", count=len(over))
        done = {s.candidate.person for s in over}
        everyone = [who.person for who in people.candidates(connection, session_id)]
        reached = [who for who in everyone if who not in done and person in (None, who)]
        again = live.closed_for_time(session_id, person)

        def give() -> None:
            reopened = [s.candidate.person for s in again]
            conduct.add_time(connection, session_id, person, minutes, reason, by, op, reached, reopened)

        _give(connection, live, again, give)
    return len(again)


def credit_outage(
    connection: sqlite3.Connection,
    live: LiveExam,
    session_id: str,
    outage: str,
    ms: int | None,
    reason: str,
    by: str,
    op: Op | None = None,
) -> dict[str, Any]:
    """Give back an outage that the room measured, once: `ms`, or what the room proposes for it.

    Everybody who was in the exam gets it, for the whole exam and for the parts they had open; who came in afterwards on
    full time does not. NotFound for an unknown outage, Conflict for one that is credited, BadInput for no time at all.
    """
    reason = conduct.need_reason(reason)
    found = timing.outage(connection, session_id, outage)
    if found is None:
        raise NotFound("outage_unknown")
    given = int(found["proposed_ms"]) if ms is None else ms
    if not 0 < given <= MAX_CREDIT_MS:
        raise BadInput("credit_wrong")
    with live.holding(_meant(live, session_id, None)) as meant:
        sessions.need_state(sessions.find(connection, session_id), "running")
        over = _finished(live, meant)
        if meant and len(over) == len(meant):
            raise Conflict("time_is_over", count=len(over))
        lost = [s for s in meant if s not in over and was_there(live, s, int(found["elapsed_ms"]))]
        again = [s for s in live.closed_for_time(session_id) if s in lost]

        def give() -> None:
            with transaction(connection):
                sessions.need_state(sessions.find(connection, session_id), "running")
                now = timing.outage(connection, session_id, outage)
                if now is None or now["credited_ms"] is not None:
                    raise Conflict("outage_credited")
                persons = [s.candidate.person for s in lost]
                timing.add_extra(connection, session_id, persons, given)
                timing.set_credited(connection, outage, given)
                digest = keep_reason(connection, session_id, "time_credited", reason, by)
                body = {"outage": outage, "ms": given, "people": len(persons), "reason_sha256": digest}
                ledger.append(connection, "time_credited", body, session=session_id, by=by)
                conduct.note_reopened(connection, session_id, [s.candidate.person for s in again], by)
                settle(connection, op, {"outage": outage, "seconds": given // 1000})

        _give(connection, live, again, give)
    return {"outage": outage, "seconds": given // 1000}


def set_clock(
    connection: sqlite3.Connection,
    live: LiveExam,
    session_id: str,
    person: str | None,
    running: bool,
    reason: str,
    by: str,
    op: Op | None = None,
) -> None:
    """Pause or resume the room, or one candidate. Conflict where it is so already, by another act."""
    reason = conduct.need_reason(reason)
    sessions.need_state(sessions.find(connection, session_id), "running")
    op_id = op.op_id if op else None
    if person is None:
        now, last = live.running(session_id), live.clocks.last_op(session_id)
    else:
        sitting = _sitting(live, session_id, person)
        if sitting.id in live.handins():
            raise Conflict("time_is_over", count=1)
        own = live.clocks.of(sitting.id)
        now, last = not own.paused, own.op_id

    def turn(to: bool) -> None:
        if person is None:
            live.set_running(session_id, to, op_id)
        else:
            live.clocks.pause(sitting.id, session_id, not to, op_id)

    if now is running and (op_id is None or last != op_id):
        raise Conflict("already_paused")
    turn(running)
    try:
        conduct.note_clock(connection, session_id, running, reason, by, op, person)
    except BaseException:
        turn(not running)
        raise


def write_behind(live: LiveExam, journal: AnswerJournal, connection: sqlite3.Connection) -> None:
    """What the room store hears late: outages measured, and that the latest minute of admission has passed."""
    if live.clocks.outages_wait.is_set():
        live.clocks.outages_wait.clear()
        try:
            _tell_outages(journal, connection)
        except BaseException:
            live.clocks.outages_wait.set()
            raise
    for session in {s.session.id: s.session for s in live.all_sittings()}.values():
        minutes = session.policy.get("late_join_minutes")
        if session.state != "running" or minutes is None or live.elapsed(session.id) < int(minutes) * 60_000:
            continue
        if not timing.gate_closed(connection, session.id):
            with transaction(connection):
                if timing.close_gate(connection, session.id):
                    ledger.append(connection, "late_gate_closed", {"minutes": int(minutes)}, session=session.id)


def _tell_outages(journal: AnswerJournal, connection: sqlite3.Connection) -> None:
    found = journal.submit(timing.outages_untold)
    for measured in found:
        outage = measured.outage
        with transaction(connection):
            name = timing.keep_outage(connection, measured)
            if name is not None:
                body = {"outage": name, "ms": outage.ms, "cause": outage.cause, "quality": measured.quality}
                ledger.append(connection, "outage_measured", body, session=measured.session)
    if found:
        last = found[-1].n
        journal.submit(lambda c: timing.set_told(c, last))


def _give(connection: sqlite3.Connection, live: LiveExam, again: Sequence[Sitting], give: Any) -> None:
    """Open what is to be opened, then write the time down; closed again where that fails."""
    live.reopen(again)
    try:
        give()
    except BaseException:
        if again:
            live.close_attempts([s.id for s in again], "room")
        raise
    live.refresh(connection)


def _meant(live: LiveExam, session_id: str, person: str | None) -> list[Sitting]:
    return [s for s in live.sittings(session_id) if person in (None, s.candidate.person)]


def _finished(live: LiveExam, meant: Sequence[Sitting]) -> list[Sitting]:
    """Handed in, and not by the room for want of time."""
    done = live.handins()
    timed_out = {s.id for s in live.closed_for_time()}
    return [s for s in meant if s.id in done and s.id not in timed_out]


def was_there(live: LiveExam, sitting: Sitting, elapsed_ms: int) -> bool:
    """On full time, who came in after the outage lost nothing by it; on the room's time everybody did."""
    late = live.clocks.of(sitting.id).late_ms
    if late is not None:
        return late <= elapsed_ms
    outside = sitting.candidate.state not in ("admitted", "finished")
    return not (outside and sitting.session.policy.get("late_join") == "full-time")


def _sitting(live: LiveExam, session_id: str, person: str) -> Sitting:
    for sitting in live.sittings(session_id):
        if sitting.candidate.person == person:
            return sitting
    raise NotFound("candidate_unknown")
