"""The examiner's API: who is to be scored, and a signed sheet a candidate."""

from __future__ import annotations

from typing import Annotated

from flask import Response, jsonify
from pydantic import Field

from edge.errors import NotFound
from edge.exam.marking import score_practical
from edge.store import people, records, sessions
from edge.web.body import Body, read
from edge.web.room import room_db
from edge.web.scoring import bp
from edge.web.staff.session import check_pin, require_role, signed_in_staff


class Mark(Body):
    deduction: Annotated[str, Field(min_length=1, max_length=64)]
    count: Annotated[int, Field(ge=1, le=100, strict=True)]


class ScoreBody(Body):
    person: Annotated[str, Field(min_length=1, max_length=64)]
    marks: Annotated[list[Mark], Field(max_length=200)]
    vetoes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50, default_factory=list)]
    note: Annotated[str, Field(max_length=1000)] = ""
    pin: Annotated[str, Field(min_length=1, max_length=64)]


@bp.get("/api/<session>")
@require_role("examiner")
def sheet(session: str) -> Response:
    """The rubric and everybody who may be scored by it."""
    connection = room_db()
    found = sessions.find(connection, session)
    if found.rubric is None:
        raise NotFound("no_rubric")
    scores = {score.person: score for score in records.rubric_scores(connection, session)}
    tests = records.tests_of(connection, session)
    listed = []
    for who in people.candidates(connection, session):
        score = scores.get(who.person)
        practical = None
        if score is not None:
            passed = tests[who.person]["practical"].passed
            practical = {"points": score.points / 100, "passed": passed, "by": score.examiner, "vetoed": score.vetoed}
        listed.append(
            {
                "person": who.person,
                "number": who.number,
                "name": who.name,
                "seat": who.seat,
                "state": who.state,
                "practical": practical,
            }
        )
    return jsonify({"rubric": found.rubric, "candidates": listed, "pass": found.policy["pass"]["practical"]})


@bp.post("/api/<session>/score")
@require_role("examiner")
def score(session: str) -> Response:
    """A sheet, signed by the examiner's PIN."""
    body = read(ScoreBody)
    who = signed_in_staff()
    connection = room_db()
    check_pin(who.id, body.pin, session)
    marks: dict[str, int] = {}
    for mark in body.marks:
        marks[mark.deduction] = marks.get(mark.deduction, 0) + mark.count
    done = score_practical(connection, session, body.person, marks=marks, vetoes=body.vetoes, note=body.note, by=who.id)
    return jsonify(done | {"points": done["points"] / 100, "full": done["full"] / 100})
