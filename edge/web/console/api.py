"""The proctor's API: one document to look at, the same as a stream of changes, one route for each act."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, current_app, jsonify, request, stream_with_context

from edge import clock
from edge.errors import NotFound, Refused, TooMany
from edge.exam import farewell, pins, practice, undo
from edge.exam.acts import Op, carry_out, done_before, make_op, second_person, wants_second
from edge.exam.board import board
from edge.store import recorders, sessions
from edge.store.status import read_statuses
from edge.web.body import read
from edge.web.console import bp
from edge.web.console.acts import ACTS, Undo, kept_of
from edge.web.console.bodies import ActBody
from edge.web.console.feed import changes
from edge.web.console.rehearsing import rehearsal_of
from edge.web.console.unlock_acts import locked_bank
from edge.web.room import answers_db, room, room_db
from edge.web.staff.session import require_role, signed_in_staff


@bp.get("/api/<session>/board")
@require_role("proctor", "supervisor")
def show_board(session: str) -> Response:
    return jsonify(_board(session))


def _board(session: str) -> dict[str, Any]:
    here = room()
    said = read_statuses(here.config.paths.status)
    statuses = recorders.judged(here.config.camera, said, clock.mono_ms())
    gone = here.lockdown.away()
    document = board(
        room_db(), answers_db(), here.live, here.seen, statuses, session, here.asked_elsewhere, here.reports, gone
    )
    document["session"]["locked_bank"] = locked_bank(session)
    document["rehearsal"] = rehearsal_of(session)
    return document


@bp.get("/api/<session>/events")
@require_role("proctor", "supervisor")
def events(session: str) -> Response:
    """The board as server-sent events: whole at first, then what has changed; a few pages at a time."""
    here = room()
    sessions.find(room_db(), session)
    if request.method == "HEAD":
        return Response(mimetype="text/event-stream")
    if not here.streams.acquire(blocking=False):
        raise TooMany("streams_full")
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def document() -> dict[str, Any]:
        with app.app_context():
            return _board(session)

    feed = changes(here.boards.of(session), document, here.stopping)
    response = Response(stream_with_context(feed), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    # on the response, not in the generator: one that is never started never ends
    response.call_on_close(here.streams.release)
    return response


@bp.get("/api/<session>/kept/<person>")
@require_role("proctor", "supervisor")
def kept(session: str, person: str) -> Response:
    """Stale and late answers of one candidate, beside what stands."""
    return jsonify({"kept": kept_of(session, person)})


@bp.get("/api/safe-to-unplug")
@require_role("proctor", "supervisor")
def safe_to_unplug() -> Response:
    """Whether the box may be switched off and taken away; else what is missing and what to do."""
    here = room()
    statuses = read_statuses(here.config.paths.status)
    return jsonify(farewell.safe_to_unplug(room_db(), answers_db(), here.config, statuses, here.later.qsize()))


@bp.post("/api/practice")
@require_role("proctor", "technician")
def make_practice() -> Response:
    """A practice session with invented candidates, everybody on the staff taking part."""
    body = read(practice.PracticeBody)
    by = signed_in_staff().id
    op = make_op(body.op_id or uuid.uuid4().hex, None, "practice", body.model_dump(), by)
    connection, here = room_db(), room().identity()

    def work() -> dict[str, str]:
        made = practice.create(connection, here.certificate.room, here.keys.data, body.candidates, by)
        return {"session": made}

    return jsonify({"done": "practice", **carry_out(connection, op, work)})


@bp.post("/api/<session>/<act>")
@require_role("proctor")
def do(session: str, act: str) -> Response:
    """Carry out one act of the proctor, once for each op id."""
    if act not in ACTS:
        raise NotFound("act_unknown", act=act[:32])
    model, handler = ACTS[act]
    body = read(model)
    connection = room_db()
    sent = body.model_dump()
    op = make_op(body.op_id or uuid.uuid4().hex, session, act, sent, signed_in_staff().id)
    answer = done_before(connection, op)
    if answer is None:
        op = _confirmed(op, body)
        answer = carry_out(connection, op, lambda: handler(session, body, op))
        room().live.refresh(connection)
    shown = {key: value for key, value in answer.items() if key != "before"}
    if "deleted" not in answer:
        shown["board"] = _board(session)
    return jsonify({"done": act, "op_id": op.op_id, **shown})


def _confirmed(op: Op, body: ActBody) -> Op:
    """The op with who confirmed it, where the session's policy asks for a second person."""
    connection, session = room_db(), op.session or ""
    policy = sessions.find(connection, session).policy
    names = [op.act]
    if isinstance(body, Undo):  # what takes two people to do takes two to take back
        names += undo.confirmed_as(undo.undoable(connection, session, body.of))
    if not body.two_persons and not any(wants_second(policy, name, getattr(body, "route", None)) for name in names):
        return op
    if body.second is None:
        raise Refused("second_wanted")
    who = second_person(connection, session, op.by, body.second.badge)
    pins.check_pin(connection, who.id, body.second.pin, session)
    return Op(op.op_id, op.session, op.act, op.digest, op.by, who.id)
