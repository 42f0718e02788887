"""The examiner's API: who is to be scored, the queue, the clock, steps and drafts, and signed sheets.

Everything a tablet may have queued while the room was out of reach carries an op id and is done once.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from flask import Response, jsonify
from pydantic import AfterValidator, Field, JsonValue

from edge.exam import acts, score_board, stations
from edge.exam import practical as rules
from edge.exam.cameras import recording, unseen
from edge.exam.practical import Signatures, score_practical
from edge.store import practical, sessions
from edge.store.status import read_statuses
from edge.web.body import Body, read
from edge.web.room import room, room_db
from edge.web.scoring import bp
from edge.web.staff.session import check_pin, csrf_token, require_role, signed_in_staff

Person = Annotated[str, Field(min_length=1, max_length=64)]
RubricId = Annotated[str, Field(min_length=1, max_length=64)]
OpId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
Tablet = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,64}$")]
Reason = Annotated[str, Field(max_length=500)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Short = Annotated[str, Field(min_length=1, max_length=64)]
Strokes = Annotated[list[Annotated[list[int], Field(max_length=4000)]], Field(max_length=60)]
LONGEST_AGO_MS = 10**9
AgoMs = Annotated[int, Field(ge=0, le=(1 << 53) - 1, strict=True), AfterValidator(lambda ms: min(ms, LONGEST_AGO_MS))]
"""No act is refused for what its tablet's clock says; what cannot be is not believed (`edge.exam.stations`)."""
MOST_SHOTS = 50
_NOT_OF_THE_OP = {"op_id", "ago_ms", "pin"}


class Op(Body):
    """What every queued act has. `ago_ms` is how long ago it happened when this try was sent."""

    op_id: OpId
    person: Person
    rubric: RubricId
    tablet: Tablet = ""
    ago_ms: AgoMs = 0


class QueueBody(Op):
    act: Literal["call", "skip", "send"]
    station: Annotated[str | None, Field(max_length=64)] = None


class ClockBody(Op):
    act: Literal["start", "pause", "resume", "stop"]
    reason: Reason = ""


class StepBody(Op):
    step: Short
    done: bool


class TakeBody(Op):
    examiner: Annotated[str | None, Field(max_length=64)] = None
    reason: Reason = ""


class DraftContent(Body):
    """A sheet that is not signed yet. What the page keeps for itself may stand in `page`."""

    marks: Annotated[dict[Short, Annotated[int, Field(ge=1, le=100)]], Field(max_length=200, default_factory=dict)]
    vetoes: Annotated[list[Short], Field(max_length=50, default_factory=list)]
    measured: Annotated[dict[Short, Annotated[str, Field(max_length=20)]], Field(max_length=100, default_factory=dict)]
    note: Annotated[str, Field(max_length=1000)] = ""
    page: Annotated[dict[Short, JsonValue], Field(max_length=10, default_factory=dict)]


class DraftBody(Op):
    base: Annotated[int, Field(ge=0, le=10**6, strict=True)]
    content: DraftContent


class Mark(Body):
    deduction: Short
    count: Annotated[int, Field(ge=1, le=100, strict=True)]


class Drawn(Body):
    candidate: Strokes | None = None
    examiner: Strokes | None = None
    declined: bool = False


class ScoreBody(Body):
    person: Person
    rubric: Annotated[str | None, Field(max_length=64)] = None
    marks: Annotated[list[Mark], Field(max_length=200)]
    vetoes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50, default_factory=list)]
    measured: Annotated[dict[Short, Annotated[str, Field(max_length=20)]], Field(max_length=100, default_factory=dict)]
    note: Annotated[str, Field(max_length=1000)] = ""
    signatures: Drawn = Drawn()
    correction: Reason = ""
    pictures: Annotated[list[Sha256], Field(max_length=MOST_SHOTS, default_factory=list)]
    """What was photographed for this sheet: it is signed with all of them or not yet."""
    tablet: Tablet = ""
    op_id: OpId | None = None
    pin: Annotated[str, Field(min_length=1, max_length=64)]


class RuleBody(Body):
    op_id: OpId
    person: Person
    rubric: RubricId
    points: Annotated[int, Field(ge=0, le=100_000, strict=True)]
    """In hundredths."""
    vetoed: bool = False
    reason: Reason
    pin: Annotated[str, Field(min_length=1, max_length=64)]


class ChiefBody(Body):
    op_id: OpId
    examiner: Short
    reason: Reason


# the page asks by `/board` again and again: that alone keeps nobody signed in
@bp.get("/api/<session>/board")
@bp.get("/api/<session>")
@require_role("examiner", "proctor")
def sheet(session: str) -> Response:
    """The rubrics, the stations and everybody who may be scored.

    `csrf`: the token of who is signed in now, for a page that was open while somebody signed in anew beside it.
    """
    connection = room_db()
    board = score_board.board(connection, sessions.find(connection, session), signed_in_staff().id)
    blind = {
        one["station"]: one["why"] for one in unseen(practical.stations(connection, session).values(), _statuses())
    }
    for station in board["stations"]:
        station["unseen"] = blind.get(station["id"])
    return jsonify(board | {"csrf": csrf_token()})


@bp.get("/api/<session>/board/<person>/<rubric>")
@require_role("examiner", "proctor")
def work(session: str, person: str, rubric: str) -> Response:
    """One candidate at one rubric."""
    connection = room_db()
    found = sessions.find(connection, session)
    return jsonify(score_board.detail(connection, found, person, rubric, signed_in_staff().id))


def _op(session: str, act: str, body: Body) -> acts.Op | None:
    """The act as it is kept; how long ago it was may differ from try to try, and the PIN is kept nowhere."""
    op_id = getattr(body, "op_id", None)
    if op_id is None:
        return None
    facts = json.loads(body.model_dump_json(exclude=_NOT_OF_THE_OP))
    return acts.make_op(op_id, session, act, facts, signed_in_staff().id)


def _statuses() -> dict[str, dict[str, Any]]:
    return read_statuses(room().config.paths.status)


def _done(op: acts.Op | None, work: Any) -> Response:
    return jsonify(work() if op is None else acts.carry_out(room_db(), op, work))


@bp.post("/api/<session>/queue")
@require_role("examiner")
def queue(session: str) -> Response:
    """Call, skip, or send to another station."""
    body, by = read(QueueBody), signed_in_staff().id
    op = _op(session, "score-queue", body)
    person, rubric = body.person, body.rubric
    return _done(
        op,
        lambda: stations.queue(room_db(), session, person, rubric, act=body.act, by=by, station=body.station, op=op),
    )


@bp.post("/api/<session>/clock")
@require_role("examiner")
def turn_clock(session: str) -> Response:
    """Start, pause, resume or stop a candidate's clock."""
    body, by = read(ClockBody), signed_in_staff().id
    op = _op(session, "score-clock", body)
    return _done(
        op,
        lambda: stations.turn_clock(
            room_db(),
            session,
            body.person,
            body.rubric,
            act=body.act,
            by=by,
            tablet=body.tablet,
            reason=body.reason,
            ago_ms=body.ago_ms,
            cameras=recording(_statuses()),
            op=op,
        ),
    )


@bp.post("/api/<session>/step")
@require_role("examiner")
def step(session: str) -> Response:
    """A step is finished, or open again."""
    body, by = read(StepBody), signed_in_staff().id
    op = _op(session, "score-step", body)
    return _done(
        op,
        lambda: stations.mark_step(
            room_db(),
            session,
            body.person,
            body.rubric,
            step=body.step,
            done=body.done,
            by=by,
            tablet=body.tablet,
            ago_ms=body.ago_ms,
            cameras=recording(_statuses()),
            op=op,
        ),
    )


@bp.post("/api/<session>/draft")
@require_role("examiner")
def draft(session: str) -> Response:
    """Keep a draft in the room, with its version; one that is too old is kept beside the one that stands."""
    body, by = read(DraftBody), signed_in_staff().id
    op = _op(session, "score-draft", body)
    content = json.loads(body.content.model_dump_json())
    return _done(
        op,
        lambda: stations.save_draft(
            room_db(), session, body.person, body.rubric, body=content, base=body.base, by=by, tablet=body.tablet, op=op
        ),
    )


@bp.post("/api/<session>/take")
@require_role("examiner")
def take(session: str) -> Response:
    """Score on this tablet from now on."""
    body, by = read(TakeBody), signed_in_staff().id
    op = _op(session, "score-take", body)
    return _done(
        op,
        lambda: stations.take_over(
            room_db(),
            session,
            body.person,
            body.rubric,
            by=by,
            tablet=body.tablet,
            examiner=body.examiner,
            reason=body.reason,
            op=op,
        ),
    )


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
    op = _op(session, "score-sign", body)
    drawn = body.signatures
    key = room().identity().keys.data if drawn.candidate or drawn.examiner else None

    def sign() -> dict[str, Any]:
        done = score_practical(
            connection,
            session,
            body.person,
            marks=marks,
            vetoes=body.vetoes,
            note=body.note,
            by=who.id,
            rubric_id=body.rubric,
            measured=body.measured,
            signatures=Signatures(drawn.candidate, drawn.examiner, drawn.declined),
            correction=body.correction,
            tablet=body.tablet,
            shots=body.pictures,
            data_key=key,
            op=op,
        )
        return done

    done = sign() if op is None else acts.carry_out(connection, op, sign)
    return jsonify(done | {"points": done["points"] / 100, "full": done["full"] / 100})


@bp.post("/api/<session>/rule")
@require_role("examiner")
def rule(session: str) -> Response:
    """A chief examiner decides where two sheets do not agree."""
    body = read(RuleBody)
    who = signed_in_staff()
    check_pin(who.id, body.pin, session)
    op = _op(session, "score-rule", body)
    return _done(
        op,
        lambda: rules.rule(
            room_db(),
            session,
            body.person,
            body.rubric,
            points=body.points,
            vetoed=body.vetoed,
            reason=body.reason,
            by=who.id,
            op=op,
        ),
    )


@bp.post("/api/<session>/chief")
@require_role("proctor")
def chief(session: str) -> Response:
    """The proctor names the examiner who decides disputes."""
    body, by = read(ChiefBody), signed_in_staff().id
    op = _op(session, "score-chief", body)
    return _done(op, lambda: rules.name_chief(room_db(), session, body.examiner, body.reason, by, op))
