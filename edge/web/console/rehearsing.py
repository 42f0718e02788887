"""The rehearsal of a planned session, asked for at its console: what stands, what runs, and the two buttons.

Held by a process of its own (`ops/rehearsal/asking.py`); what is needed of it here is its status and what it has kept.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import Annotated, Any

from flask import Response, jsonify
from pydantic import Field

from edge import __version__, clock
from edge.domain.rehearsal import MOST, STATE_MB, STATUS, covers
from edge.errors import Conflict, ExamroomError, Unavailable
from edge.exam.acts import Op, carry_out, make_op, settle
from edge.exam.board import both
from edge.exam.readiness import drawn_from
from edge.ops.rehearsal import asking
from edge.store import ledger, people, rehearsals, sessions
from edge.store.db import transaction
from edge.store.reserve import free_bytes
from edge.store.status import read_status
from edge.web.body import Body, read
from edge.web.console import bp
from edge.web.console.bodies import OpId
from edge.web.room import room, room_db
from edge.web.staff.session import require_role, signed_in_staff

FIGURES = ("load_p99_ms", "p99_ms", "handin_p99_ms")
_ASKING = threading.Lock()


class Rehearse(Body):
    """How many candidates are to be simulated."""

    op_id: OpId | None = None
    candidates: Annotated[int, Field(ge=1, le=MOST)]


class StopRehearsal(Body):
    op_id: OpId | None = None


@bp.post("/api/<session>/rehearsal")
@require_role("proctor", "technician")
def rehearse(session: str) -> Response:
    """Have this planned session rehearsed."""
    body = read(Rehearse)
    op = _op(body, session, "rehearse")

    def work() -> None:
        with _ASKING:
            _need_rehearsable(session)
            wanted = asking.Wanted(session=session, candidates=body.candidates, by=op.by, mono_ms=clock.mono_ms())
            try:
                asking.ask(room().config.paths.runtime, wanted)
            except OSError as error:
                raise Unavailable("rehearsal_not_asked", detail=error.strerror) from error
        _note("rehearsal_asked", {"candidates": body.candidates}, op)

    carry_out(room_db(), op, work)
    return _answer(op, session)


@bp.post("/api/<session>/rehearsal/stop")
@require_role("proctor", "technician")
def stop_rehearsal(session: str) -> Response:
    """End this session's rehearsal, whether it has begun or not; it leaves no result."""
    op = _op(read(StopRehearsal), session, "stop-rehearsal")

    def work() -> None:
        runtime, status = room().config.paths.runtime, _status()
        if not asking.withdraw(runtime, session):
            if not asking.running(status) or status.get("session") != session:
                raise Conflict("rehearsal_not_running")
            try:
                asking.stop(runtime, int(status["pid"]))
            except OSError as error:
                raise Unavailable("rehearsal_not_asked", detail=error.strerror) from error
        _note("rehearsal_stopped", {}, op)

    carry_out(room_db(), op, work)
    return _answer(op, session)


def rehearsal_of(session_id: str) -> dict[str, Any] | None:
    """What the console shows of it; None of a practice, and once the door is open."""
    connection, here = room_db(), room()
    session = sessions.find(connection, session_id)
    if session.state != "planned" or session.practice:
        return None
    try:
        papers = drawn_from(here.identity(), here.config.paths.bundles, session)
    except ExamroomError:
        papers = None  # opening the session says what is wrong with the file
    candidates, hours = len(people.candidates(connection, session_id)), int(session.policy.get("rehearsal_hours", 0))
    passed = rehearsals.passed(connection) if hours and papers is not None else []
    return {
        "candidates": candidates,
        "hours": hours,
        "covered": covers(passed, candidates, __version__, papers or "", clock.wall_ms(), hours),
        "last": _last(rehearsals.last(connection, session_id, papers), papers),
        "now": _now(session_id),
    }


def _last(kept: rehearsals.Kept | None, papers: str | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    return {
        "at_ms": kept.held.at_ms,
        "candidates": kept.held.candidates,
        "passed": kept.passed,
        "same_papers": papers is None or kept.held.drawn_from == papers,
        "figures": {name: kept.figures.get(name) for name in FIGURES},
        "reasons": list(kept.figures.get("reasons", ())),
    }


def _now(session: str) -> dict[str, Any] | None:
    """The rehearsal that is asked for or runs, or how the newest ended that has kept nothing."""
    runtime, status = room().config.paths.runtime, _status()
    here = status.get("session") == session
    if asking.running(status):
        told = {
            name: status.get(name) for name in ("session", "candidates", "stage", "step", "steps", "share", "detail")
        }
        stopping = asking.stop_wanted(runtime, int(status["pid"]))
        return told | {"state": "stopping" if stopping else "running", "here": here, "reasons": []}
    wanted = asking.waiting(runtime)
    if wanted is not None and wanted.session == session:
        late = wanted.age_ms >= asking.TAKEN_MS
        return {"state": "untaken" if late else "asked", "reasons": [both("rehearsal_not_taken")] if late else []}
    state = status.get("state")
    if here and state == "running":
        return {"state": "gone", "reasons": [both("rehearsal_gone")]}
    if here and state in ("refused", "stopped", "failed"):
        return {"state": state, "reasons": list(status.get("reasons", ()))}
    return None


def _need_rehearsable(session_id: str) -> None:
    """Conflict, with what is in the way, unless this session can be rehearsed now."""
    connection, config = room_db(), room().config
    session = sessions.find(connection, session_id)
    sessions.need_state(session, "planned")
    if session.practice:
        raise Conflict("rehearsal_practice")
    for other in sessions.all_sessions(connection, "checkin", "running"):
        raise Conflict("rehearsal_busy", session=other.id)
    wanted = asking.waiting(config.paths.runtime)
    if asking.running(_status()) or (wanted is not None and 0 <= wanted.age_ms < asking.TAKEN_MS):
        raise Conflict("rehearsal_running")
    free = free_bytes(config.paths.state) // 1_000_000
    if free < STATE_MB:
        raise Conflict("rehearsal_disk", free=free, needed=STATE_MB)


def _status() -> Mapping[str, Any]:
    return read_status(room().config.paths.status, STATUS)


def _op(body: Rehearse | StopRehearsal, session: str, act: str) -> Op:
    return make_op(body.op_id or uuid.uuid4().hex, session, act, body.model_dump(), signed_in_staff().id)


def _note(kind: str, body: dict[str, Any], op: Op) -> None:
    connection = room_db()
    with transaction(connection):
        ledger.append(connection, kind, body, session=op.session, by=op.by)
        settle(connection, op)


def _answer(op: Op, session: str) -> Response:
    return jsonify({"done": op.act, "op_id": op.op_id, "rehearsal": rehearsal_of(session)})
