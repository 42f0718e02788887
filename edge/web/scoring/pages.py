"""The list of sessions with score sheets, the shell of one session's sheets, and the worker that keeps it offline."""

from __future__ import annotations

from flask import Response, render_template

from edge.errors import NotFound
from edge.store import practical, sessions
from edge.web.room import room_db
from edge.web.scoring import bp
from edge.web.staff.session import require_role, role_for, signed_in_staff


@bp.get("/")
@require_role("examiner")
def index() -> str:
    found = [session for session in sessions.all_sessions(room_db()) if session.rubric is not None]
    return render_template("scoring/list.html", sessions=found)


@bp.get("/<session>")
@require_role("examiner", "proctor")
def page(session: str) -> str:
    found = sessions.find(room_db(), session)
    if not practical.rubrics(room_db(), session):
        raise NotFound("no_rubric")
    me = signed_in_staff()
    return render_template("scoring/scoring.html", session=found, me=me, role=role_for(me, session))


@bp.get("/sw.js")
def service_worker() -> Response:
    """The service worker, served from here because its place decides which pages it may serve."""
    response = bp.send_static_file("sw.js")
    response.headers["Cache-Control"] = "no-cache"
    return response
