"""The app factory: one blueprint a person, thin routes, one renderer for every error."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from flask import Flask, Response, current_app, g, jsonify, redirect, request, url_for
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as BaseResponse

from edge.config import Config
from edge.errors import ExamroomError, NotSignedIn
from edge.exam.banks import open_bank
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.exam.mirror import open_mirror
from edge.store import ledger, sessions
from edge.store import staff as staff_rows
from edge.store.db import open_room
from edge.store.reserve import LOW, Reserve, free_bytes
from edge.trust import enrolment
from edge.ui import as_error, error_response, init_ui, language
from edge.web import console, exam, kiosk, scoring, setup, spotcheck, staff
from edge.web.exam.api import COOKIE as TABLET_COOKIE
from edge.web.exam.refusals import note_refusal as note_tablet_refusal
from edge.web.kiosk.api import note_refusal as note_kiosk_refusal
from edge.web.metrics import metrics
from edge.web.packed import pack
from edge.web.room import Room, close_connections
from edge.web.staff.session import csrf_token, current, roles_held
from edge.web.strangers import note_refusal as note_strangers_refusal

log = logging.getLogger("examroom.web")
BODY_LIMIT = 64 * 1024
_SIGN_IN = ("not_signed_in", "signed_out_idle")


class _Pages(Flask):
    """Every view and hook here is an ordinary function, so none is looked at for a coroutine at each request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(config: Config) -> Flask:
    """The room's pages over `config`. Opens the answer journal, so there is one app a box."""
    app = _Pages("edge.web")
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    if config.web.behind_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    app.extensions["examroom"] = open_the_room(config)
    init_ui(app)
    app.after_request(pack)
    app.teardown_appcontext(close_connections)
    app.context_processor(lambda: {"csrf_token": csrf_token, "signed_in": _quietly_current, "roles_held": roles_held})
    for person in (staff, console, exam, kiosk, scoring, setup, spotcheck):
        app.register_blueprint(person.bp)
    app.register_error_handler(Exception, _answer)
    app.add_url_rule("/", "home", _home)
    app.add_url_rule("/healthz", "health", _health)
    app.add_url_rule("/metrics", "metrics", metrics)
    return app


def open_the_room(config: Config) -> Room:
    """The journal and the live exam of this process."""
    config.paths.state.mkdir(parents=True, exist_ok=True)
    reserve = Reserve(config.paths.state, config.store.reserve_mb)
    if not reserve.make() and free_bytes(config.paths.state) < LOW:
        reserve.use(config.paths.answers_db)  # opening the databases needs a little too
    connection = open_room(config.paths.room_db)
    try:
        journal = AnswerJournal(config.paths.answers_db, reserve)
        live = LiveExam(journal, lambda s: open_bank(enrolment.load(config.paths), config.paths.bundles, s))
        live.refresh(connection)
        room = Room(config, journal, live, reserve=reserve)
        with suppress(ExamroomError, OSError, sqlite3.Error):  # a busy store, footage not mounted yet: tidied later
            room.exports.begin(connection)
    finally:
        connection.close()
    room.mirror = open_mirror(config, _room_id(config), lambda kind, facts: _note_mirror(room, kind, facts))
    if room.mirror is not None:
        journal.mirror_to(room.mirror)
    return room


def _room_id(config: Config) -> str:
    try:
        return enrolment.load(config.paths).certificate.room
    except ExamroomError:
        return ""  # not enrolled yet


def _note_mirror(room: Room, kind: str, facts: Mapping[str, Any]) -> None:
    room.later.put(lambda connection: ledger.note(connection, kind, dict(facts)))


def _home() -> BaseResponse:
    """Whoever types the bare address most likely holds a tablet."""
    return redirect(url_for("exam.page"))


def _health() -> Response:
    return jsonify({"ok": True})


def _quietly_current() -> staff_rows.Staff | None:
    try:
        return current()
    except NotSignedIn:
        return None


def _note_refusal(error: ExamroomError) -> None:
    """What was tried and refused is history too; written behind, since the answer does not wait for it.

    Each act of staff; what they only look at, tablets, the kiosk and strangers as `edge.web.refused` bounds it.
    """
    here: Room = current_app.extensions["examroom"]
    acting = request.method in ("POST", "DELETE")
    body: dict[str, Any] = {"reason": error.code, "act": (request.url_rule.rule if request.url_rule else "")}
    of_a_device = request.blueprint == "exam" or (request.blueprint == "kiosk" and "/api/" in body["act"])
    if request.blueprint == "exam":
        note_tablet_refusal(error, body, TABLET_COOKIE)
    elif of_a_device:
        note_kiosk_refusal(error, body)
    if not acting and error.status not in (401, 403):
        return
    who = _quietly_current()
    if who is None:
        if request.blueprint is not None and not of_a_device:
            note_strangers_refusal(error, body, acting)
        return
    if not acting and (error.status != 403 or here.known.take((who.id, error.code, body["act"])) is None):
        return
    asked = {**body, **g.get("asked", {})}  # of footage: which span, where the request came so far
    named = (request.view_args or {}).get("session") if request.blueprint == "spotcheck" else None

    def write(connection: sqlite3.Connection) -> None:
        session = named if named in sessions.ids(connection) else None
        ledger.note(connection, "act_refused", asked, session=session, by=who.id)

    here.later.put(write)


def _answer(error: Exception) -> BaseResponse:
    """Every refusal and failure of every page, in one place."""
    if isinstance(error, (ParseException, NoMoreData)):  # a body that is no HTTP comes to light when it is read
        error = BadRequest()
    known = as_error(error)
    if isinstance(error, HTTPException) and error.code is not None and error.code < 400:
        return error.get_response()
    if known.status >= 500 and not isinstance(error, ExamroomError):
        log.error("a request failed", exc_info=error)
    if 400 <= known.status < 500:
        _note_refusal(known)
    page = request.method == "GET" and "/api/" not in request.path
    if page and isinstance(known, NotSignedIn) and known.code in _SIGN_IN:
        return redirect(url_for("staff.login", next=request.full_path.rstrip("?")))
    return error_response(known, language())
