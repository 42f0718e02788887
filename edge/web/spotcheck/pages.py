"""The list of sessions, and the shell of one session's footage and history."""

from __future__ import annotations

from flask import render_template

from edge.domain.footage import Cause
from edge.domain.reasons import sentence
from edge.store import holds, sessions
from edge.ui import language
from edge.web.room import room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import covered, wholly_covered
from edge.web.staff.session import held_pass, require_role


@bp.get("/")
@require_role("supervisor")
def index() -> str:
    shown = list(filter(covered, sessions.all_sessions(room_db())))
    return render_template("spotcheck/list.html", sessions=shown, with_pass=held_pass() is not None)


@bp.get("/<session>")
@require_role("supervisor")
def page(session: str) -> str:
    found = sessions.find(room_db(), session)
    causes = {str(cause): sentence(cause.reason, language()) for cause in Cause}
    whole = wholly_covered(found)
    return render_template(
        "spotcheck/spotcheck.html",
        session=found,
        causes=causes,
        whole=whole,
        uninspected=whole and holds.awaits_inspection(room_db(), session),
    )
