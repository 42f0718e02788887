"""The list of sessions, and the shell of one session's footage and history."""

from __future__ import annotations

from flask import render_template

from edge.domain.reasons import REASONS, sentence
from edge.store import sessions
from edge.ui import language
from edge.web.room import room_db
from edge.web.spotcheck import bp
from edge.web.staff.session import require_role

GAP = "gap_"


@bp.get("/")
@require_role("supervisor")
def index() -> str:
    return render_template("spotcheck/list.html", sessions=sessions.all_sessions(room_db()))


@bp.get("/<session>")
@require_role("supervisor")
def page(session: str) -> str:
    found = sessions.find(room_db(), session)
    causes = {code.removeprefix(GAP): sentence(code, language()) for code in REASONS if code.startswith(GAP)}
    return render_template("spotcheck/spotcheck.html", session=found, causes=causes)
