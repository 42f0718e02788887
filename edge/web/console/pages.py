"""The list of sessions, the shell of one session's console, and its forms to print."""

from __future__ import annotations

from flask import render_template

from edge.exam.arrivals import not_used
from edge.exam.forms import make_form
from edge.exam.seb import any_browser_can, demanded
from edge.store import sessions, staff
from edge.web.console import bp
from edge.web.room import room_db
from edge.web.staff.session import ROOM_ROLES, require_role, signed_in_staff

HERE = ("proctor", "supervisor")


@bp.get("/")
@require_role(*HERE)
def index() -> str:
    """The sessions this person has a part in; the room's own staff see all."""
    who = signed_in_staff()
    own = staff.roles(room_db(), who.id)
    listed = [
        session
        for session in sessions.all_sessions(room_db())
        if own.get(session.id) in (*HERE, "technician") or who.role in ROOM_ROLES
    ]
    may_practise = who.role in ("proctor", "technician") or "proctor" in own.values()
    return render_template(
        "console/list.html", sessions=listed, may_practise=may_practise, not_used=not_used(room_db())
    )


@bp.get("/<session>")
@require_role(*HERE)
def page(session: str) -> str:
    found = sessions.find(room_db(), session)
    seb, open_to_others = demanded(found.policy), any_browser_can(found.policy)
    return render_template("console/console.html", session=found, seb=seb, open_to_others=open_to_others)


@bp.get("/<session>/forms/<name>")
@require_role(*HERE)
def form(session: str, name: str) -> str:
    """One form, as plain A4 pages."""
    made = make_form(room_db(), session, name)
    return render_template("console/forms/form.html", form=made, session=made.session)
