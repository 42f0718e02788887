"""The proctor's API: one document to look at, one route for each act, all with a reason."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from flask import Response, current_app, jsonify, request, stream_with_context
from pydantic import Field

from edge.errors import BadInput, Conflict, NotFound, TooMany
from edge.exam import conduct, marking, results
from edge.exam.banks import open_bank
from edge.exam.board import board
from edge.exam.live import masked
from edge.store import admissions, checkins, sessions
from edge.store.db import connect, data_version, transaction
from edge.store.status import read_statuses
from edge.web.body import Body, read
from edge.web.console import bp
from edge.web.room import answers_db, room, room_db
from edge.web.staff.session import require_role, signed_in_staff

STREAM_SECONDS = 1.0
STREAM_LIMIT_SECONDS = 600.0

Reason = Annotated[str, Field(max_length=500)]


class Act(Body):
    """One body for all acts; each act reads what it needs."""

    reason: Reason = ""
    person: Annotated[str | None, Field(max_length=64)] = None
    minutes: Annotated[int, Field(ge=0, le=1000)] = 0
    route: Annotated[str, Field(pattern=r"^(manual|policy)$")] = "manual"
    kind: Annotated[str, Field(pattern=r"^[a-z-]{2,32}$")] = "other"
    text: Annotated[str, Field(max_length=2000)] = ""


@bp.get("/api/<session>/board")
@require_role("proctor", "supervisor")
def show_board(session: str) -> Response:
    return jsonify(_board(session))


def _board(session: str) -> dict[str, Any]:
    here = room()
    statuses = read_statuses(here.config.paths.status)
    return board(room_db(), answers_db(), here.live, here.seen, statuses, session)


@bp.get("/api/<session>/events")
@require_role("proctor", "supervisor")
def events(session: str) -> Response:
    """The board as server-sent events, sent again when it has changed; a few pages at a time."""
    here = room()
    sessions.find(room_db(), session)
    if request.method == "HEAD":
        return Response(mimetype="text/event-stream")
    if not here.streams.acquire(blocking=False):
        raise TooMany("streams_full")
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def stream() -> Iterator[str]:
        last, watch = "", connect(here.config.paths.room_db)
        try:
            end, version, due = time.monotonic() + STREAM_LIMIT_SECONDS, -1, 0.0
            yield "retry: 2000\n\n"
            while time.monotonic() < end:
                changed = data_version(watch)
                if changed != version or time.monotonic() >= due:
                    version, due = changed, time.monotonic() + 2 * STREAM_SECONDS
                    with app.app_context():
                        document = _board(session)
                    text = json.dumps(document, ensure_ascii=False)
                    yield f"data: {text}\n\n" if text != last else ": same\n\n"
                    last = text
                time.sleep(STREAM_SECONDS / 4)
        finally:
            watch.close()

    response = Response(stream_with_context(stream()), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    # on the response, not in the generator: one that is never started never ends
    response.call_on_close(here.streams.release)
    return response


@bp.post("/api/<session>/<act>")
@require_role("proctor")
def do(session: str, act: str) -> Response:
    """Carry out one act of the proctor."""
    handler = ACTS.get(act)
    if handler is None:
        raise NotFound("act_unknown", act=act[:32])
    body = read(Act)
    handler(session, body, signed_in_staff().id)
    here = room()
    here.live.refresh(room_db())
    return jsonify({"done": act, "board": _board(session)})


def _open_checkin(session: str, _body: Act, by: str) -> None:
    here = room()
    found = sessions.find(room_db(), session)
    bank = open_bank(here.identity(), here.config.paths.bundles, found)
    conduct.open_checkin(room_db(), session, bank, by)


def _start(session: str, _body: Act, by: str) -> None:
    conduct.start(room_db(), session, by)
    room().live.set_running(session, True)


def _pause(session: str, body: Act, by: str) -> None:
    _set_clock(session, False, body, by)


def _resume(session: str, body: Act, by: str) -> None:
    _set_clock(session, True, body, by)


def _set_clock(session: str, running: bool, body: Act, by: str) -> None:
    """The clock first, since it is what counts; where the ledger cannot take the note, the clock goes back."""
    live, reason = room().live, conduct.need_reason(body.reason)
    sessions.need_state(sessions.find(room_db(), session), "running")
    if live.running(session) is running:
        raise Conflict("already_paused")
    live.set_running(session, running)
    try:
        conduct.note_clock(room_db(), session, running, reason, by)
    except BaseException:
        live.set_running(session, not running)
        raise


def _add_time(session: str, body: Act, by: str) -> None:
    """Time that would reach nobody is refused rather than acknowledged: who has handed in stays handed in."""
    reason, live = conduct.need_reason(body.reason), room().live
    done = live.handins()
    meant = [s for s in live.sittings(session) if body.person in (None, s.candidate.person)]
    over = [s for s in meant if s.id in done]
    if over and (body.person is not None or len(over) == len(meant)):
        raise Conflict("time_is_over", count=len(over))
    conduct.add_time(room_db(), session, body.person, body.minutes, reason, by)


def _release(session: str, body: Act, by: str) -> None:
    reason = conduct.need_reason(body.reason)
    attempt = sessions.attempts(room_db(), session).get(_person(body))
    if attempt is None:
        raise NotFound("candidate_unknown")
    room().live.release(attempt.id)
    conduct.note_tablet(room_db(), session, attempt.person, "released", by, reason)


def _admit(session: str, body: Act, by: str) -> None:
    reason = conduct.need_reason(body.reason)
    connection, person = room_db(), _person(body)
    who = admissions.admit(
        connection, session, person, route=body.route, reason="admitted_manual", by=by, detail=reason
    )
    facts = masked(who) | {"seat_code": who.seat_code}
    with transaction(connection):
        checkins.show(connection, "welcome", "admitted_manual", facts)


def _deny(session: str, body: Act, by: str) -> None:
    admissions.deny(room_db(), session, _person(body), conduct.need_reason(body.reason), by)


def _absent(session: str, body: Act, by: str) -> None:
    conduct.mark_absent(room_db(), session, _person(body), conduct.need_reason(body.reason), by)


def _incident(session: str, body: Act, by: str) -> None:
    conduct.incident(room_db(), session, body.kind, conduct.need_reason(body.text), body.person, by)


def _close(session: str, body: Act, by: str) -> None:
    here = room()
    reason = conduct.need_reason(body.reason)
    bank = open_bank(here.identity(), here.config.paths.bundles, sessions.find(room_db(), session))
    marking.close(room_db(), here.journal, here.live, session, bank, reason, by)


def _sign(session: str, _body: Act, by: str) -> None:
    here = room()
    if sessions.find(room_db(), session).state != "signed":  # signed already: the files are written again
        results.sign_results(room_db(), here.identity(), session, by)
    results.write_files(room_db(), here.identity(), session, here.config.paths.results)


def _person(body: Act) -> str:
    if body.person is None:
        raise BadInput("body_wrong", where="person", detail="missing")
    return body.person


ACTS: dict[str, Callable[[str, Act, str], None]] = {
    "open-checkin": _open_checkin,
    "start": _start,
    "pause": _pause,
    "resume": _resume,
    "add-time": _add_time,
    "release-tablet": _release,
    "admit": _admit,
    "deny": _deny,
    "absent": _absent,
    "incident": _incident,
    "close": _close,
    "sign": _sign,
}
