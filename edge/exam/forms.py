"""What is printed of a session: sign-in sheet, seat list, answer and score sheets, incidents, results, blanks.

Each is a list of pages of rows, so that every page can say which of how many it is. No form carries more of a person
than it needs: document numbers are masked, and what is printed beforehand holds no photograph, badge or seat code.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge import clock
from edge.domain.masking import mask_document
from edge.domain.scoring import TESTS, verdict
from edge.errors import Conflict, NotFound
from edge.exam.paper_forms import answer_sheets, letters_of, score_sheets
from edge.exam.practical import needed_tests
from edge.exam.practice import POLICY
from edge.store import incidents, ledger, people, practical, records, sessions, staff

BEFOREHAND = ("seats", "sign-in-blank", "answer-sheets", "score-sheets", "incident-blank")
FORMS = (*BEFOREHAND, "sign-in", "incidents", "results")
ROWS = {"seats": 28, "sign-in-blank": 20, "sign-in": 20, "results": 22}
BLANK_ROWS = 4
# lines of words that go on a page of the incident record, in a row at the least, and characters on such a line
PAGE_LINES, ROW_LINES, LINE_LENGTH = 40, 4, 19
LONGEST_LINES = 30
OUTCOMES = ("passed", "failed", "incomplete", "absent")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Form:
    """A form as its template prints it: one list of rows a page; `facts` stand once."""

    name: str
    session: sessions.Session
    pages: list[list[Row]]
    facts: Mapping[str, Any] = field(default_factory=dict)


def make_form(connection: sqlite3.Connection, session_id: str, name: str) -> Form:
    """NotFound for a form there is none of; Conflict for a result sheet before the results are signed."""
    session = sessions.find(connection, session_id)
    if name not in FORMS:
        raise NotFound("form_unknown", form=name[:32])
    everyone = people.candidates(connection, session_id)
    members = {id_: member for id_, member, _ in staff.of_session(connection, session_id)}
    if name == "incidents":
        return Form(name, session, _filled(_incidents(connection, session_id, everyone, members)))
    if name == "incident-blank":
        return Form(name, session, [[{} for _ in range(BLANK_ROWS)]])
    if name == "answer-sheets":
        return Form(name, session, _answer_sheets(connection, session, everyone))
    if name == "score-sheets":
        return Form(name, session, score_sheets(list(practical.rubrics(connection, session_id).values())))
    if name == "results":
        return _results(connection, session, everyone)
    by_seat = sorted(everyone, key=lambda who: (who.seat is None, len(who.seat or ""), who.seat or "", who.number))
    listed = by_seat if name == "seats" else everyone
    counts = {"expected": len(everyone), "present": sum(who.admitted_ms is not None for who in everyone)}
    return Form(name, session, _paged([_person(who) for who in listed], ROWS[name]), counts)


def _paged(rows: Sequence[Row], size: int) -> list[list[Row]]:
    """At least one page, so that an empty list is printed as one."""
    return [list(rows[at : at + size]) for at in range(0, len(rows), size)] or [[]]


def _filled(rows: Sequence[dict[str, Any]]) -> list[list[Row]]:
    """Pages as full as the words allow; what is too long for half a page goes on in a further row."""
    pages: list[list[Row]] = [[]]
    room = PAGE_LINES
    for row in rows:
        text, size = str(row["text"]), LONGEST_LINES * LINE_LENGTH
        for at in range(0, len(text), size):
            piece = text[at : at + size]
            lines = max(ROW_LINES, sum(1 + len(line) // LINE_LENGTH for line in piece.split("\n")))
            if lines > room and pages[-1]:
                pages.append([])
                room = PAGE_LINES
            pages[-1].append(row | {"text": piece, "goes_on": at > 0})
            room -= lines
    return pages


def _person(who: people.Candidate) -> dict[str, Any]:
    return {
        "number": who.number,
        "name": who.name,
        "document": mask_document(who.document_number),
        "seat": who.seat or "",
        "state": who.state,
        "admitted_ms": who.admitted_ms,
        "route": who.route,
    }


def _incidents(
    connection: sqlite3.Connection,
    session_id: str,
    everyone: Sequence[people.Candidate],
    members: Mapping[str, str],
) -> list[dict[str, Any]]:
    """As they were written, corrections after what they correct."""
    names = {who.person: who for who in everyone}
    found = incidents.of_session(connection, session_id)
    numbers = {one.id: at for at, one in enumerate(found, start=1)}
    return [
        {
            "n": numbers[one.id],
            "happened_ms": one.happened_ms,
            "at_ms": one.at_ms,
            "kind": one.kind.replace("-", "_"),
            "seat": one.seat or "",
            "name": names[one.subject].name if one.subject is not None and one.subject in names else "",
            "text": one.text,
            "by": members.get(one.by or "", one.by or ""),
            "corrects": numbers.get(one.corrects or 0),
        }
        for one in found
    ]


def _answer_sheets(
    connection: sqlite3.Connection, session: sessions.Session, everyone: Sequence[people.Candidate]
) -> list[list[Row]]:
    """A candidate's own, from their paper once it is drawn."""
    attempts = sessions.attempts(connection, session.id)
    pages: list[list[Row]] = []
    for who in everyone:
        paper = attempts[who.person].paper if who.person in attempts else None
        letters = letters_of(paper)
        for sheet in answer_sheets(paper, session.blueprint):
            pages.append([_person(who) | {"parts": sheet, "letters": letters}])
    return pages


def _results(connection: sqlite3.Connection, session: sessions.Session, everyone: Sequence[people.Candidate]) -> Form:
    if session.state != "signed" and not (session.practice and session.state == "closed"):
        raise Conflict("results_not_yet")
    tests = records.tests_of(connection, session.id)
    envelopes = {result.person: result.sha256 for result in records.results_of(connection, session.id)}
    rows: list[Row] = []
    for who in everyone:
        own = tests.get(who.person, {})
        shown = {test: _points(own.get(test)) for test in TESTS}
        reached = verdict({test: record.passed for test, record in own.items()}, needed_tests(session))
        outcome = "absent" if who.state == "absent" else reached
        rows.append(_person(who) | {"tests": shown, "verdict": outcome, "sha256": envelopes.get(who.person, "")[:16]})
    signed = ledger.entries(connection, session=session.id, kinds=("results_signed",))
    facts: dict[str, Any] = {"pass": session.policy.get("pass", POLICY["pass"]), "root": None, "size": None}
    if signed:
        size = signed[-1].seq + 1
        facts |= {"size": size, "root": ledger.root(connection, size).hex(), "at": clock.iso(signed[-1].at_ms)}
    facts |= {state: sum(row["verdict"] == state for row in rows) for state in OUTCOMES}
    return Form("results", session, _paged(rows, ROWS["results"]), facts)


def _points(record: records.TestRecord | None) -> dict[str, Any] | None:
    if record is None or record.points is None or record.full is None:
        return None
    return {"points": f"{record.points / 100:g}", "full": f"{record.full / 100:g}", "passed": record.passed}
