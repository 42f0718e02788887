"""The tablet's API. The cookie names the tablet, `LiveExam` does the rest, and nothing waits for room.db."""

from __future__ import annotations

import time
from typing import Annotated, Any

from flask import Response, jsonify, request
from pydantic import Field

from edge import clock
from edge.errors import NotFound, NotSignedIn, TooMany
from edge.exam.conduct import note_tablet
from edge.exam.live import Tablet, masked
from edge.store import journal as rows
from edge.store import ledger
from edge.store.db import transaction
from edge.web.body import Body, check_csrf, csrf_of, read
from edge.web.exam import bp
from edge.web.room import room

COOKIE = "examroom_tablet"
TRIES_A_MINUTE = 10
OpId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
Seq = Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]


class ClaimBody(Body):
    seat_code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    claim: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9-]{32,64}$")] = None


class AnswerBody(Body):
    op_id: OpId
    seq: Seq
    item: Annotated[str, Field(min_length=1, max_length=64)]
    base_version: Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
    value: Annotated[list[Annotated[str, Field(max_length=8)]], Field(max_length=8)]


class HandinBody(Body):
    op_id: OpId
    seq: Seq


@bp.post("/api/claim")
def claim() -> Response:
    """A tablet becomes a candidate's by the seat code of the check-in.

    `claim` is a secret the tablet made up and kept before it asked: asked again after a lost answer, it is answered
    the same. Without one the room makes the secret, and a lost answer needs the proctor.
    """
    here = room()
    who = request.remote_addr or "?"
    _slow_down(here.wrong_codes, who)
    body = read(ClaimBody)
    try:
        secret, tablet = here.live.claim(body.seat_code, body.claim)
    except NotFound:
        here.wrong_codes.setdefault(who, []).append(time.monotonic())
        here.later.put(_note_wrong_code)
        raise
    sitting = tablet.sitting
    here.seen[sitting.id] = clock.wall_ms()
    here.later.put(lambda c: note_tablet(c, sitting.session.id, sitting.candidate.person, "claimed", None))
    response = jsonify(_who(tablet, secret))
    secure = here.config.web.secure_cookies
    response.set_cookie(COOKIE, secret, httponly=True, samesite="Strict", secure=secure, path="/exam")
    return response


@bp.get("/api/paper")
def paper() -> Response:
    """The whole paper, without keys, and the answers that stand."""
    tablet, secret = _tablet()
    live = room().live
    return jsonify(_who(tablet, secret) | live.paper(tablet) | {"clock": live.clock(tablet.sitting)})


@bp.get("/api/clock")
def exam_clock() -> Response:
    """State and time left, under 200 bytes."""
    tablet, _ = _tablet()
    return jsonify(room().live.clock(tablet.sitting))


@bp.post("/api/answers")
def answer() -> Response:
    """One answer; 200 means it is on disk."""
    tablet, secret = _tablet()
    check_csrf(secret)
    body = read(AnswerBody)
    return jsonify(_save(tablet, body, "answer", body.item, body.base_version, body.value))


@bp.post("/api/handin")
def handin() -> Response:
    """The candidate hands in; 200 means it is on disk."""
    tablet, secret = _tablet()
    check_csrf(secret)
    body = read(HandinBody)
    saved = _save(tablet, body, "handin", "", 0, [])
    sitting = tablet.sitting
    done = room().journal.submit(lambda c: rows.responses(c, sitting.id))
    return jsonify(saved | {"answered": sum(bool(r.value) for r in done.values()), "of": len(sitting.options)})


def _save(
    tablet: Tablet, body: AnswerBody | HandinBody, kind: str, item: str, base: int, value: list[str]
) -> dict[str, Any]:
    binding = tablet.binding
    op = rows.Operation(body.op_id, binding.attempt, binding.tablet, body.seq, kind, item, base, sorted(value))
    recorded = room().live.save(tablet, op)
    return {
        "op_id": recorded.op_id,
        "outcome": recorded.outcome,
        "version": recorded.version,
        "at_ms": recorded.at_ms,
        "current": recorded.current,
    }


def _tablet() -> tuple[Tablet, str]:
    secret = request.cookies.get(COOKIE)
    if not secret or len(secret) > 128:
        raise NotSignedIn("tablet_unknown")
    tablet = room().live.tablet(secret)
    room().seen[tablet.sitting.id] = clock.wall_ms()
    return tablet, secret


def _who(tablet: Tablet, secret: str) -> dict[str, Any]:
    session = tablet.sitting.session
    return {
        "attempt": tablet.sitting.id,
        "tablet": tablet.binding.tablet,
        "csrf": csrf_of(secret),
        "candidate": masked(tablet.sitting.candidate),
        "session": {"id": session.id, "title": session.title, "practice": session.practice},
    }


def _slow_down(wrong: dict[str, list[float]], who: str) -> None:
    recent = [at for at in wrong.get(who, []) if time.monotonic() - at < 60]
    wrong[who] = recent
    if len(recent) >= TRIES_A_MINUTE:
        raise TooMany("seat_code_tries")


def _note_wrong_code(connection: Any) -> None:
    with transaction(connection):
        ledger.append(connection, "tablet_refused", {"reason": "seat_code_wrong"})
