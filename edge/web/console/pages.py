"""The list of sessions, and the shell of one session's console."""

from __future__ import annotations

from flask import render_template

from edge.store import sessions
from edge.web.console import bp
from edge.web.room import room_db
from edge.web.staff.session import require_role


@bp.get("/")
@require_role("proctor", "supervisor")
def index() -> str:
    return render_template("console/list.html", sessions=sessions.all_sessions(room_db()))


@bp.get("/<session>")
@require_role("proctor", "supervisor")
def page(session: str) -> str:
    return render_template("console/console.html", session=sessions.find(room_db(), session))
