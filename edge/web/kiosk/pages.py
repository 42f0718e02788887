"""The kiosk's shell and the page that makes a screen the kiosk."""

from __future__ import annotations

from flask import render_template

from edge.web.kiosk import bp
from edge.web.staff.session import require_role


@bp.get("/")
def page() -> str:
    return render_template("kiosk/kiosk.html")


@bp.get("/pair")
@require_role("proctor", "technician")
def pair_page() -> str:
    return render_template("kiosk/pair.html")
