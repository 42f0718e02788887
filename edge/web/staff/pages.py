"""Sign-in, the page after it, sign-out."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from edge.errors import ExamroomError, NotSignedIn, Refused
from edge.trust import passes
from edge.ui import language
from edge.web.body import check_csrf
from edge.web.setup.roomtls import room_tls
from edge.web.staff import bp
from edge.web.staff import session as staff_session

LONGEST = 64
LANDING = "/spotcheck/"


@bp.get("/")
def home() -> str:
    """What this person may do here."""
    who = staff_session.current()
    if who is None:
        raise NotSignedIn("not_signed_in")
    return render_template("staff/home.html", staff=who, tls=room_tls())


@bp.get("/login")
def login() -> str:
    return render_template("staff/login.html", next=_local(request.args.get("next", "")), lang=language())


@bp.post("/login")
def sign_in() -> BaseResponse:
    """Badge and PIN, or a pass as text or as a file; on to where the person was going."""
    if not _same_origin():
        raise Refused("csrf_wrong")
    badge, pin = request.form.get("badge", "")[:LONGEST], request.form.get("pin", "")[:LONGEST]
    target, given = _local(request.form.get("next", "")), _pass_given()
    try:
        if given:
            target = target if target.startswith(LANDING) else LANDING
            _, token = staff_session.sign_in_with_pass(given)
        else:
            _, token = staff_session.sign_in(badge, pin)
    except ExamroomError as error:
        if error.status >= 500:
            raise
        page = render_template(
            "staff/login.html", next=target, error=error, badge=badge, with_pass=bool(given), lang=language()
        )
        return make_response(page, error.status)
    response = redirect(target or url_for("staff.home"))
    staff_session.set_cookie(response, token)
    return response


def _pass_given() -> str:
    """The pass from the form: a file counts before what was typed. Empty where there is none."""
    file = request.files.get("pass_file")
    text = file.read(passes.LONGEST_FILE).decode("utf-8-sig", "replace") if file is not None and file.filename else ""
    text = text or request.form.get("pass", "")
    return passes.text_in(text) if text.strip() else ""


@bp.post("/logout")
def sign_out() -> BaseResponse:
    token = request.cookies.get(staff_session.COOKIE, "")
    if token:
        check_csrf(token)
        staff_session.sign_out()
    response: Response | BaseResponse = redirect(url_for("staff.login"))
    response.delete_cookie(staff_session.COOKIE, path="/")
    return response


def _local(target: str) -> str:
    """A path on this box, or nothing: a sign-in leads nowhere else."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    safe = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return target if safe and "\\" not in target else ""


def _same_origin() -> bool:
    """A browser says where a form came from; another site's form is not one of ours."""
    origin = request.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.host
    except ValueError:
        return False
