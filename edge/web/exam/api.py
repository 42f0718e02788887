"""The tablet's API. The cookie names the tablet, `LiveExam` does the rest, and nothing waits for room.db."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Annotated, Any

from flask import Response, g, jsonify, request, send_file
from pydantic import AfterValidator, Field
from werkzeug.sansio.http import parse_cookie

from edge import clock
from edge.domain.answers import MAX_PARTS, MAX_TEXT
from edge.errors import Conflict, NotFound, NotSignedIn
from edge.exam.conduct import note_tablet
from edge.exam.documents import PaperSettings
from edge.exam.live import OtherDevice, Tablet
from edge.exam.sittings import masked
from edge.store import journal as rows
from edge.store import ledger, tablet_settings
from edge.store.db import transaction
from edge.web.body import Body, check_csrf, csrf_of, read
from edge.web.exam import bp
from edge.web.exam.lockdown import check_browser, check_browser_for, take_watch
from edge.web.later import JSON, LaterResponse, to_text, understood
from edge.web.room import answers_db, room

COOKIE = "examroom_tablet"
COOKIE_S = 24 * 3600
SHORT_COOKIE = 512
OpId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
Seq = Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]
LONGEST_AGE_MS = 7 * 24 * 3_600_000
Device = Annotated[str | None, Field(pattern=r"^[A-Za-z0-9-]{16,64}$")]


def _no_longer(age_ms: int | None) -> int | None:
    return None if age_ms is None else min(age_ms, LONGEST_AGE_MS)


AgeMs = Annotated[int | None, Field(ge=0, le=(1 << 53) - 1, strict=True), AfterValidator(_no_longer)]
"""How long ago the candidate did it, by the tablet's own word. No answer is refused for what its tablet's clock says:
what cannot be is not believed (`edge.domain.timing`)."""


class ClaimBody(Body):
    seat_code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    claim: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9-]{32,64}$")] = None
    device: Device = None


class AnswerBody(Body):
    op_id: OpId
    seq: Seq
    item: Annotated[str, Field(min_length=1, max_length=64)]
    base_version: Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
    value: Annotated[list[Annotated[str, Field(max_length=MAX_TEXT)]], Field(max_length=MAX_PARTS)]
    age_ms: AgeMs = None


class HandinBody(Body):
    op_id: OpId
    seq: Seq
    age_ms: AgeMs = None


class PartBody(Body):
    op_id: OpId
    seq: Seq
    part: Annotated[int, Field(ge=0, le=99, strict=True)]
    age_ms: AgeMs = None


@bp.post("/api/claim")
def claim() -> Response:
    """A tablet becomes a candidate's by the seat code of the check-in.

    `claim` is a secret the tablet made up and kept before it asked: asked again after a lost answer, it is answered
    the same. Without one the room makes the secret, and a lost answer needs the proctor.
    """
    here = room()
    who = request.remote_addr or "?"
    body = read(ClaimBody)
    here.wrong_codes.check(who, body.device or "", _waiting())
    check_browser_for(body.seat_code)
    try:
        secret, tablet = here.live.claim(body.seat_code, body.claim, body.device)
    except Conflict:
        attempt = here.live.attempt_of(body.seat_code)
        if attempt is not None:  # the proctor sees at the seat that a second tablet asks for it
            here.asked_elsewhere[attempt] = clock.wall_ms()
            g.seat_asked_for = next((s for s in here.live.all_sittings() if s.id == attempt), None)
        raise
    except NotFound:
        here.wrong_codes.add(who, body.device or "")
        if here.strangers.take() is not None:
            here.later.put(_note_wrong_code)
        raise
    sitting = tablet.sitting
    here.seen[sitting.id] = clock.wall_ms()
    here.later.put(lambda c: note_tablet(c, sitting.session.id, sitting.candidate.person, "claimed", None))
    response = jsonify(_who(tablet, secret))
    secure = here.config.web.secure_cookies
    # kept over a restart of the tablet, for the longest day of exams
    response.set_cookie(COOKIE, secret, COOKIE_S, httponly=True, samesite="Strict", secure=secure, path="/exam")
    return response


@bp.get("/api/paper")
def paper() -> Response:
    """The whole paper, without keys, and the answers that stand."""
    tablet, secret = _tablet()
    live = room().live
    room().lockdown.set_away(tablet.sitting.id, None)  # whoever opens the page looks at it
    return jsonify(_who(tablet, secret) | live.paper(tablet) | {"clock": live.tell_clock(tablet.sitting)})


@bp.post("/api/settings")
def settings() -> Response:
    """How the candidate wants the paper shown; goes with them to another tablet."""
    tablet, secret = _tablet()
    check_csrf(secret)
    wanted = read(PaperSettings).model_dump()
    attempt = tablet.sitting.id
    room().journal.submit(lambda c: tablet_settings.choose(c, attempt, wanted), keeps=True)
    return jsonify({"settings": wanted})


@bp.get("/api/media/<name>")
def media(name: str) -> Response:
    """A picture, sound or film that this candidate's paper shows, whole or by range; kept by no cache."""
    tablet, _ = _tablet()
    file = room().live.media(tablet, name)
    answer = send_file(io.BytesIO(file.content()), mimetype=file.type, conditional=True, etag=False)
    answer.headers["Cache-Control"] = "no-store"
    # a drawing may hold script, which a page that shows it as a picture never runs; opened by itself it must not either
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return answer


@bp.get("/api/clock")
def exam_clock() -> Response:
    """State and time left, under 200 bytes.

    `q`, `r`: how many answers the tablet still holds, and how many of them the room refused, for the proctor's eyes.
    """
    tablet, _ = _tablet()
    _note_queue(tablet.sitting.id, request.args.get("q", 0, int), request.args.get("r", 0, int))
    return jsonify(room().live.tell_clock(tablet.sitting))


def _note_queue(attempt: str, queued: int, unwanted: int) -> None:
    reports = room().reports
    if not 0 < queued < 10_000:
        reports.pop(attempt, None)
    else:
        since = reports.get(attempt, {}).get("since_ms", clock.wall_ms())
        reports[attempt] = {"queued": queued, "since_ms": since, "unwanted": max(0, min(unwanted, queued))}


@bp.post("/api/watch")
def watch() -> Response:
    """What the page saw of the candidate leaving it; never in the way of an answer."""
    return take_watch(*_tablet())


@bp.post("/api/answers")
def answer() -> Response:
    """One answer; 200 means it is on disk. Of a tablet that was replaced: kept for the proctor, never applied."""
    tablet, secret = _tablet(released=True)
    check_csrf(secret)
    body = read(AnswerBody)
    op = _operation(tablet, body, "answer", body.item, body.base_version, body.value)
    live = room().live
    if understood() and (pending := live.begin(tablet, op)) is not None:
        return LaterResponse(pending, lambda recorded: _told(tablet, recorded))
    return Response(to_text(_told(tablet, live.save(tablet, op))), content_type=JSON)


@bp.post("/api/part")
def part() -> Response:
    """The candidate opens a part: from then on its time counts. 200 means it is on disk."""
    tablet, secret = _tablet()
    check_csrf(secret)
    body = read(PartBody)
    saved = _save(tablet, body, "part", "", 0, [str(body.part)])
    return jsonify(saved | {"clock": room().live.clock(tablet.sitting)})


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
    tablet: Tablet, body: AnswerBody | HandinBody | PartBody, kind: str, item: str, base: int, value: list[str]
) -> dict[str, Any]:
    return _told(tablet, room().live.save(tablet, _operation(tablet, body, kind, item, base, value)))


def _operation(
    tablet: Tablet, body: AnswerBody | HandinBody | PartBody, kind: str, item: str, base: int, value: list[str]
) -> rows.Operation:
    binding = tablet.binding
    return rows.Operation(body.op_id, binding.attempt, binding.tablet, body.seq, kind, item, base, value, body.age_ms)


def _told(tablet: Tablet, recorded: rows.Recorded) -> dict[str, Any]:
    """What the tablet is told of its operation."""
    return {
        "op_id": recorded.op_id,
        "outcome": recorded.outcome,
        "version": recorded.version,
        "at_ms": recorded.at_ms,
        "current": recorded.current,
        **({"flag": recorded.flag} if recorded.flag else {}),
    } | ({"grace": True} if recorded.grace else {} if tablet.binding.active else {"released": True})


def _tablet(released: bool = False) -> tuple[Tablet, str]:
    header = request.environ.get("HTTP_COOKIE", "")
    secret = _secret(header) if len(header) <= SHORT_COOKIE else request.cookies.get(COOKIE)
    if not secret or len(secret) > 128:
        raise NotSignedIn("tablet_unknown")
    here = room()
    try:
        tablet = here.live.tablet(secret, request.environ.get("HTTP_X_EXAMROOM_DEVICE"), released)
    except OtherDevice as error:
        _note_other_device(error)
        raise
    check_browser(tablet)
    if not tablet.binding.active:
        return tablet, secret
    here.seen[tablet.sitting.id] = clock.wall_ms()
    here.live.clocks.heard(tablet.binding.tablet)
    return tablet, secret


def _note_other_device(error: OtherDevice) -> None:
    """The proctor sees it at the seat until the tablet is let go; the ledger hears of it once."""
    here = room()
    noted = here.live.note_other_device(error.binding)
    if noted is not None and noted[1]:
        session, person = noted[0].session.id, noted[0].candidate.person
        here.later.put(lambda c: note_tablet(c, session, person, "second_device", None))


@lru_cache(maxsize=1024)
def _secret(header: str) -> str | None:
    """The tablet's secret in a Cookie header; the same header comes with its every request."""
    return parse_cookie(header).get(COOKIE)


def _who(tablet: Tablet, secret: str) -> dict[str, Any]:
    session = tablet.sitting.session
    return {
        "attempt": tablet.sitting.id,
        "tablet": tablet.binding.tablet,
        "csrf": csrf_of(secret),
        "candidate": masked(tablet.sitting.candidate),
        "session": {"id": session.id, "title": session.title, "practice": session.practice}
        | {"lockdown": session.policy.get("lockdown", "note"), "sound": session.policy.get("sound", False)},
        "settings": tablet_settings.chosen(answers_db(), tablet.sitting.id) or tablet.sitting.settings,
    }


def _waiting() -> int:
    """How many have a seat code and no tablet yet."""
    here = room()
    return sum(s.candidate.seat_code is not None and s.id not in here.seen for s in here.live.all_sittings())


def _note_wrong_code(connection: Any) -> None:
    with transaction(connection):
        ledger.append(connection, "tablet_refused", {"reason": "seat_code_wrong"})
