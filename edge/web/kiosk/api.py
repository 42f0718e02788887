"""The kiosk's API: what the door says now, the live picture, and what was touched on the screen."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from typing import Annotated, Any, Literal

from flask import Response, jsonify, request
from pydantic import Field

from edge import clock
from edge.domain import consents
from edge.domain.canonical import canonical
from edge.domain.facerules import face_rules
from edge.domain.reasons import sentence
from edge.errors import Conflict, ExamroomError, NotSignedIn, Unavailable
from edge.store import checkins, ledger, people, sessions
from edge.store.db import data_version, transaction
from edge.store.meta import get_meta, set_meta
from edge.store.ring import RingReader
from edge.store.status import read_status
from edge.web.body import Body, read
from edge.web.kiosk import bp
from edge.web.refused import HOUR_S, MINUTE_S, note
from edge.web.room import room, room_db
from edge.web.staff.session import require_role, signed_in_staff

COOKIE = "examroom_kiosk"
FRESH_MS = 3000
DAY_MS = 86_400_000
SILENT_MS = 10_000
"""The check-in speaks each second; after so long systemd gives it up too."""
STARTING_MS = 20_000
"""After the start of `web`, which as a rule is that of the box: the check-in loads its networks first."""
WAIT_S, LOOK_S, HELD_EVERY = 2.0, 0.1, 5
_held = threading.Semaphore(4)
"""Screens that wait at once; a fifth is answered at once. Each holds a thread of the server."""
KEEP_S = 400 * 86_400
"""A screen stays the kiosk when its browser is restarted, until another is paired. Browsers keep nothing longer."""


class ActBody(Body):
    act: Annotated[str, Field(pattern=r"^(decline|consent|press|cancel)$")]
    v: Annotated[int, Field(ge=0, strict=True)]
    purposes: Annotated[tuple[Literal["face_1toN", "face_duplicates", "face_still"], ...], Field(max_length=3)] = ()
    """Agreed to one by one, beside comparing; with "consent" alone."""


def from_the_box() -> bool:
    """Whether the box itself asks, and for nobody else."""
    return _is_loopback(request.remote_addr) and "X-Forwarded-For" not in request.headers


def check_paired() -> None:
    """The kiosk is the box's own screen, or one a proctor has paired."""
    if from_the_box():
        return
    wanted = get_meta(room_db(), "kiosk_token")
    given = request.cookies.get(COOKIE, "")
    if wanted is None or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise NotSignedIn("kiosk_unpaired")


def note_refusal(error: ExamroomError, body: dict[str, Any]) -> None:
    """A touch that came too late, or a screen nobody paired: once a minute, or an hour for what only reads."""
    here, window = room(), MINUTE_S if request.method == "POST" else HOUR_S
    if error.code == "kiosk_unpaired":
        left_out = here.strangers.take((request.remote_addr, error.code), window)
    else:
        left_out = here.known.take(("kiosk", error.code), window)
    if left_out is not None:
        note(here.later, body, left_out)


def _door_says() -> dict[str, Any] | None:
    """The check-in's own status; None where it is silent: dead, hung, or not up yet."""
    said = read_status(room().config.paths.status, "checkin")
    return said if said and 0 <= clock.mono_ms() - int(said.get("mono_ms", 0)) < SILENT_MS else None


def _not_there() -> checkins.KioskState:
    """In place of old words that nobody will change, with nothing in it of whoever they were of."""
    if clock.mono_ms() - room().began_ms < STARTING_MS:
        return checkins.KioskState("closed", "checkin_starting", {}, 0)
    return checkins.KioskState("fault", "checkin_silent", {}, 0)


def _is_loopback(address: str | None) -> bool:
    """Behind a proxy the address is a header, and a header may hold anything."""
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


@bp.post("/pair")
@require_role("proctor", "technician")
def pair() -> Response:
    """Make this screen the kiosk; the one before is no longer."""
    token = secrets.token_urlsafe(24)
    connection = room_db()
    with transaction(connection):
        set_meta(connection, "kiosk_token", token)
        ledger.append(connection, "kiosk_paired", {}, by=signed_in_staff().id)
    response = jsonify({"done": "pair"})
    secure = room().config.web.secure_cookies
    response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=secure, path="/kiosk", max_age=KEEP_S)
    return response


@bp.get("/picture.jpg")
def picture() -> Response:
    """The newest preview; 204 when the camera gives none, or a session's policy draws the curtain. Never stored."""
    check_paired()
    if _curtain():
        return Response(status=204)
    reader = RingReader(room().config.paths.ring(room().config.checkin.camera))
    try:
        frame = reader.latest()
    finally:
        reader.close()
    if frame is None or not frame.jpeg or clock.mono_ms() - frame.mono_ms > FRESH_MS:
        return Response(status=204)
    return Response(frame.jpeg, mimetype="image/jpeg", headers={"Cache-Control": "no-store"})


@bp.get("/api/state")
def state() -> Response:
    """The sentence of the moment in both languages, with the facts for the big numbers.

    With `known`, the `mark` of what the screen shows, the answer waits up to WAIT_S for something else: a screen
    that asks over and over costs the box more than the door it stands at.
    """
    check_paired()
    document = _document()
    if request.args.get("known") == document["mark"] and _held.acquire(blocking=False):
        try:
            document = _other_than(document)
        finally:
            _held.release()
    return jsonify(document)


def _other_than(document: dict[str, Any]) -> dict[str, Any]:
    connection, end, looks = room_db(), time.monotonic() + WAIT_S, 0
    version = data_version(connection)
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(LOOK_S, left))
        looks, before, version = looks + 1, version, data_version(connection)
        if version == before and looks % HELD_EVERY:
            continue
        fresh = _document()
        if fresh["mark"] != document["mark"]:
            return fresh
    return document


def _document() -> dict[str, Any]:
    shown = checkins.shown(room_db())
    if shown is None:
        shown = checkins.KioskState("closed", "checkin_closed", {}, 0)
    said = _door_says()
    if said is None:
        shown = _not_there()
    elif said.get("held", False):  # it can write nothing now, and so cannot change what the kiosk shows either
        shown = checkins.KioskState("fault", "checkin_held", {"visit": shown.v}, shown.at_ms)
    facts = dict(shown.facts)
    session, number = facts.get("session"), facts.get("number")
    document = {
        "state": shown.state,
        "reason": shown.reason,
        "zh": sentence(shown.reason, "zh", **facts),
        "en": sentence(shown.reason, "en", **facts),
        "facts": facts,
        "at_ms": shown.at_ms,
        "v": shown.v,
        "curtain": _curtain(),
        "sound": sessions.sound_wanted(room_db()),
        "ahead": _ahead(str(session), number) if shown.state == "see_proctor" and session else 0,
        "map": people.seats(room_db(), str(session)) if shown.state == "welcome" and session else [],
    }
    return document | {"mark": hashlib.sha256(canonical(document)).hexdigest()[:16]}


def _curtain() -> bool:
    """Whether the policy of a session under way wants no live picture."""
    return any(face_rules(one.policy).curtain for one in sessions.all_sessions(room_db(), "checkin", "running"))


def _ahead(session: str, number: object) -> int:
    """How many of the session wait for the proctor before the one with this number, if they do."""
    waiting = [one.person for one in checkins.waiting(room_db(), session)]
    mine = [who.person for who in people.candidates(room_db(), session) if who.number == number]
    return waiting.index(mine[0]) if mine and mine[0] in waiting else 0


@bp.get("/api/notice")
def notice() -> Response:
    """The notice in full, both languages, for whoever is asked now: of their session, for what its policy asks."""
    check_paired()
    connection = room_db()
    shown = checkins.shown(connection)
    if shown is None or shown.state != "consent" or "session" not in shown.facts:
        raise Conflict("kiosk_moved_on")
    return jsonify(_notice(sessions.find(connection, str(shown.facts["session"])), shown))


def _notice(session: sessions.Session, shown: checkins.KioskState) -> dict[str, Any]:
    said, asked = consents.notice(), tuple(shown.facts.get("asked", ()))
    facts = {
        "institution": session.institution,
        "title": session.title,
        "days": max(1, -(-(session.purge_ms - session.planned_ms) // DAY_MS)),
        "still_days": (session.policy.get("face") or {}).get("still_days", 0),
    }
    texts = {language: said.shown(language, asked, **facts) for language in ("zh", "en")}
    return {"version": said.version, "sha256": said.sha256, "asked": list(asked), **texts, "v": shown.v}


@bp.post("/api/act")
def act() -> Response:
    """Something touched on the screen, where `v` is whose visit it was shown in: a touch is for that person alone.

    Unavailable while nobody would take it up.
    """
    check_paired()
    body = read(ActBody)
    if _door_says() is None:
        raise Unavailable(_not_there().reason)
    connection = room_db()
    with transaction(connection):
        shown = checkins.shown(connection)
        if body.v != (shown.v if shown else 0):
            raise Conflict("kiosk_moved_on")
        checkins.ask(connection, body.act, body.v, body.purposes if body.act == "consent" else ())
    return jsonify({"done": body.act})
