"""From answers and rubric sheets to the three tests' records."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping

from edge.bank.model import BankDocument, Item
from edge.domain.answers import to_bank
from edge.domain.canonical import canonical
from edge.domain.paper import responses_of
from edge.domain.scoring import Score, answer_points
from edge.errors import Conflict
from edge.exam import papers
from edge.exam.acts import Op, settle
from edge.exam.journal import AnswerJournal
from edge.exam.limits import flag_facts, grace_facts
from edge.exam.live import LiveExam
from edge.store import faces, ledger, people, records, sessions, unlocks
from edge.store import journal as rows
from edge.store.db import transaction
from edge.store.records import keep_reason


def close(
    connection: sqlite3.Connection,
    journal: AnswerJournal,
    live: LiveExam,
    session_id: str,
    bank: BankDocument,
    reason: str,
    by: str,
    op: Op | None = None,
) -> None:
    """End the session: what is acknowledged stands, every written part is scored, one transaction keeps it all.

    Templates and photographs go in it too: their purpose is over, but for those whom another session still awaits.
    """
    # nobody is opened again from the first hand-in to the last score: what was answered then would count nowhere
    with live.holding(live.sittings(session_id)):
        _close(connection, journal, live, session_id, bank, reason, by, op)


def _close(
    connection: sqlite3.Connection,
    journal: AnswerJournal,
    live: LiveExam,
    session_id: str,
    bank: BankDocument,
    reason: str,
    by: str,
    op: Op | None,
) -> None:
    session = sessions.find(connection, session_id)
    sessions.need_state(session, "running")
    attempts = sessions.attempts(connection, session_id)
    if (waits := live.grace_left(session_id)) > 0:
        raise Conflict("grace_open", seconds=-(-waits // 1000))
    with transaction(connection):  # a store that is busy refuses here, before anybody is handed in
        ledger.append(connection, "exam_closing", {}, session=session_id, by=by)
    # whoever has answers has sat, whatever state the door left them in: an answer is never thrown away
    answered = journal.submit(rows.attempts_seen)
    sat = [
        who
        for who in people.candidates(connection, session_id)
        if who.state in ("admitted", "finished") or attempts[who.person].id in answered
    ]
    live.close_attempts([attempts[who.person].id for who in sat], "proctor")
    live.set_running(session_id, False)
    items = papers.index(bank).items
    scored = {who.person: score_written(journal, attempts[who.person], session, items) for who in sat}
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "running")
        everyone = people.candidates(connection, session_id)
        if {who.person for who in everyone if who.state in ("admitted", "finished")} - scored.keys():
            raise Conflict("session_busy")
        for person, tests in scored.items():
            people.set_state(connection, session_id, person, "finished")
            for record in tests:
                records.put_test(connection, session_id, person, record)
        for who in everyone:
            if who.person not in scored:
                people.set_state(connection, session_id, who.person, "absent")
        sessions.set_state(connection, session_id, "closed")
        digests = {person: _commit(tests) for person, tests in scored.items()}
        body = {
            "reason_sha256": keep_reason(connection, session_id, "closed", reason, by),
            "sat": len(sat),
            "absent": len(everyone) - len(sat),
            "scores": digests,
        }
        ledger.append(connection, "exam_closed", body, session=session_id, by=by)
        faces.delete_of_session(connection, session_id, by, "closed")
        opened = unlocks.forget(connection, session_id, by)  # marked: nobody needs the bank any more
        settle(connection, op)
    live.forget_bank(session)
    if opened:
        unlocks.empty_log(connection)


def _commit(tests: list[records.TestRecord]) -> str:
    """A digest of a candidate's written records; the answers' digest inside keeps it from being guessed."""
    facts = [[t.test, t.points, t.full, t.passed, t.facts["answers_sha256"]] for t in tests]
    return hashlib.sha256(canonical(facts)).hexdigest()


def score_written(
    journal: AnswerJournal, attempt: sessions.Attempt, session: sessions.Session, items: Mapping[str, Item]
) -> list[records.TestRecord]:
    """The safety and theory records of one attempt, from the answers that stand."""
    saved = journal.submit(lambda c: rows.responses(c, attempt.id))
    ops = journal.submit(lambda c: rows.find_ops(c, attempt.id))
    answers_sha256 = rows.digest_of(ops)
    rule = str(session.policy["multiple_choice"])
    found: list[records.TestRecord] = []
    # a test may stand in several parts, each with its own time; its record is one
    for test in dict.fromkeys(part["test"] for part in attempt.paper["parts"]):
        points = full = answered = of = 0
        for drawn in responses_of({"parts": [part for part in attempt.paper["parts"] if part["test"] == test]}):
            response = saved.get(drawn["id"])
            full += drawn["points"] * 100
            of += 1
            if response is not None and response.value:
                answered += 1
                chosen = to_bank(drawn, response.value)
                points += answer_points(items[drawn["id"]].key(), chosen, drawn["points"], rule)
        passed = Score(points, full).passes(int(session.policy["pass"][test]))
        facts = {"answered": answered, "of": of, "answers_sha256": answers_sha256}
        facts |= grace_facts(ops, attempt.paper, test) | flag_facts(ops, attempt.paper, test)
        found.append(records.TestRecord(test, "scored", points, full, passed, facts))
    return found
