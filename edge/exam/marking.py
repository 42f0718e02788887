"""From answers and rubric sheets to the three tests' records."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import Any

from edge import clock
from edge.bank.model import BankDocument, Item
from edge.domain.canonical import canonical
from edge.domain.paper import to_bank_keys
from edge.domain.scoring import Score, item_points, rubric_score
from edge.errors import BadInput, Conflict, NotFound
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.store import journal as rows
from edge.store import ledger, people, records, sessions
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
) -> None:
    """End the session: what is acknowledged stands, every written part is scored, one transaction keeps it all."""
    session = sessions.find(connection, session_id)
    sessions.need_state(session, "running")
    attempts = sessions.attempts(connection, session_id)
    with transaction(connection):  # a store that is busy refuses here, before anybody is handed in
        ledger.append(connection, "exam_closing", {}, session=session_id, by=by)
    # whoever has answers has sat, whatever state the door left them in: an answer is never thrown away
    answered = journal.submit(rows.attempts_seen)
    sat = [
        who
        for who in people.candidates(connection, session_id)
        if who.state in ("admitted", "finished") or attempts[who.person].id in answered
    ]
    for who in sat:
        live.close_attempt(attempts[who.person].id)
    live.set_running(session_id, False)
    items = {item.id: item for item in bank.items}
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
    live.forget_bank(session)


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
    for part in attempt.paper["parts"]:
        points = full = answered = 0
        for drawn in part["items"]:
            item = items[drawn["id"]]
            response = saved.get(item.id)
            full += drawn["points"] * 100
            if response is not None and response.value:
                answered += 1
                chosen = to_bank_keys(drawn["order"], response.value)
                points += item_points(item.type, item.answer, chosen, drawn["points"], rule)
        passed = Score(points, full).passes(int(session.policy["pass"][part["test"]]))
        facts = {"answered": answered, "of": len(part["items"]), "answers_sha256": answers_sha256}
        found.append(records.TestRecord(part["test"], "scored", points, full, passed, facts))
    return found


def score_practical(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    *,
    marks: Mapping[str, int],
    vetoes: list[str],
    note: str,
    by: str,
) -> dict[str, Any]:
    """An examiner's signed sheet for one candidate: {"points", "full", "vetoed", "passed"}; points in hundredths.

    A second sheet by the same examiner, or one by another while the first stands, is a Conflict.
    """
    session = sessions.find(connection, session_id)
    sessions.need_state(session, "checkin", "running", "closed")
    if session.rubric is None:
        raise NotFound("no_rubric")
    try:
        score = rubric_score(session.rubric, marks, vetoes)
    except ValueError as error:
        raise BadInput("rubric_wrong", detail=error) from error
    passed = not vetoes and score.passes(int(session.policy["pass"]["practical"]))
    sheet = {"marks": dict(marks), "vetoes": sorted(vetoes), "note": note}
    with transaction(connection):
        if people.candidate(connection, session_id, person).state not in ("admitted", "finished"):
            raise Conflict("not_admitted")
        for before in records.rubric_scores(connection, session_id):
            if before.person == person:
                raise Conflict("score_signed" if before.examiner == by else "score_exists")
        signed = records.RubricScore(person, by, sheet, score.points, bool(vetoes), clock.wall_ms())
        records.put_rubric(connection, session_id, signed)
        facts = {"rubric": session.rubric["id"], "examiner": by, "vetoed": bool(vetoes)}
        record = records.TestRecord("practical", "scored", score.points, score.full, passed, facts)
        records.put_test(connection, session_id, person, record)
        body = {"rubric": session.rubric["id"], "sheet_sha256": _sheet_digest(connection, session_id, person, sheet)}
        ledger.append(connection, "practical_scored", body, subject=person, session=session_id, by=by)
    return {"points": score.points, "full": score.full, "vetoed": bool(vetoes), "passed": passed}


def _sheet_digest(connection: sqlite3.Connection, session_id: str, person: str, sheet: Mapping[str, Any]) -> str:
    salt = people.candidate(connection, session_id, person).salt
    return hashlib.sha256(canonical([salt, sheet])).hexdigest()
