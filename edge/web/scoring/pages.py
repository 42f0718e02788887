"""The list of sessions with a practical test, and the shell of one session's score sheets."""

from __future__ import annotations

from flask import render_template

from edge.errors import NotFound
from edge.store import sessions
from edge.web.room import room_db
from edge.web.scoring import bp
from edge.web.staff.session import require_role


@bp.get("/")
@require_role("examiner")
def index() -> str:
    found = [session for session in sessions.all_sessions(room_db()) if session.rubric is not None]
    return render_template("scoring/list.html", sessions=found)


@bp.get("/<session>")
@require_role("examiner")
def page(session: str) -> str:
    found = sessions.find(room_db(), session)
    if found.rubric is None:
        raise NotFound("no_rubric")
    return render_template("scoring/scoring.html", session=found)
