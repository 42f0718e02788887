"""Who is signed in. The cookie holds a random token; the store holds its hash, so a stolen database signs nobody in."""

from __future__ import annotations

import functools
import hashlib
import secrets
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from flask import g, request
from werkzeug.wrappers import Response as BaseResponse

from edge import clock
from edge.domain.reasons import words
from edge.errors import ExamroomError, NotSignedIn, Refused, VerificationFailed
from edge.exam import pins
from edge.store import access, ledger, staff
from edge.store.db import transaction
from edge.trust.enrolment import Identity
from edge.trust.passes import Pass, PassTrust
from edge.web.body import check_csrf, csrf_of
from edge.web.room import room, room_db

COOKIE = "examroom_staff"
MINUTE_MS = 60_000
SEEN_EVERY_MS = 30_000
WATCHING = ("/board", "/events", "/safe-to-unplug")
# who looks after the room and not after one session
ROOM_ROLES = ("supervisor", "technician")
HOLDER = "pass"
"""The role of whoever came with a pass: a supervisor's at the spot check, within the pass, and nothing elsewhere."""

P = ParamSpec("P")
R = TypeVar("R")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def sign_in(badge: str, pin: str) -> tuple[staff.Staff, str]:
    """(who, token for the cookie). Refused for a wrong badge or PIN alike, TooMany while locked out."""
    connection = room_db()
    who = staff.by_badge(connection, badge.strip().upper())
    if who is None:
        pins.look_busy(pin)
        if room().strangers.take() is not None:  # whoever has no badge is not to fill the disk
            with transaction(connection):
                ledger.append(connection, "staff_refused", {"reason": "sign_in_wrong"})
        raise Refused("sign_in_wrong")
    check_pin(who.id, pin)
    token = secrets.token_urlsafe(24)
    with transaction(connection):
        staff.sign_in(connection, who.id, _hash(token))
        ledger.append(connection, "staff_signed_in", {"role": who.role}, by=who.id)
    return who, token


def sign_in_with_pass(text: str) -> tuple[staff.Staff, str]:
    """(who, token for the cookie). BadInput, VerificationFailed, Refused: the pass does not count here and now."""
    connection = room_db()
    try:
        here = room().identity()
        held = _pass_trust(here).check(text, here.certificate.room, clock.wall_ms())
    except ExamroomError as error:
        if error.status < 500 and room().strangers.take() is not None:
            with transaction(connection):
                ledger.append(connection, "pass_refused", {"reason": error.code})
        raise
    token = secrets.token_urlsafe(24)
    with transaction(connection):
        access.sign_in(connection, held.id, held.model_dump_json(), held.expires_ms, _hash(token))
        body = held.model_dump(include={"from_ms", "until_ms", "expires_ms", "export"})
        ledger.append(connection, "pass_signed_in", body, by=held.by)
    return _holder(held), token


def _pass_trust(here: Identity) -> PassTrust:
    return PassTrust(room().config.paths.trust, [here.root_public])


def _holder(held: Pass) -> staff.Staff:
    return staff.Staff(held.by, held.name, HOLDER, "", "", 0, None)


def check_pin(staff_id: str, pin: str, session: str | None = None) -> None:
    """Whether `pin` is theirs. Refused when it is not, TooMany while locked out."""
    pins.check_pin(room_db(), staff_id, pin, session)


def sign_out() -> None:
    token = request.cookies.get(COOKIE, "")
    connection = room_db()
    with transaction(connection):
        staff.sign_out(connection, _hash(token))


def set_cookie(response: BaseResponse, token: str) -> None:
    secure = room().config.web.secure_cookies
    response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=secure, path="/")


def current() -> staff.Staff | None:
    """Who is signed in on this request, or None. NotSignedIn once the pause was too long; `g.signed_out` says whose."""
    if "staff" in g:
        return cast(staff.Staff, g.staff)
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    connection = room_db()
    found = staff.signed_in(connection, _hash(token)) or _came_with_pass(_hash(token))
    if found is None:
        return None
    who, seen_ms = found
    pause = clock.wall_ms() - seen_ms
    if pause > room().config.web.staff_idle_minutes * MINUTE_MS:
        with transaction(connection):
            staff.sign_out(connection, _hash(token))
        g.signed_out = who.id
        raise NotSignedIn("signed_out_idle")
    # a board that refreshes itself is not a person: only what somebody does keeps them signed in
    if pause > SEEN_EVERY_MS and not request.path.endswith(WATCHING):
        with transaction(connection):
            staff.seen(connection, _hash(token))
    g.staff = who
    return who


def _came_with_pass(token_hash: str) -> tuple[staff.Staff, int] | None:
    """NotSignedIn once the pass has ended or was revoked: each request is measured by it anew."""
    connection = room_db()
    found = access.signed_in(connection, token_hash)
    if found is None:
        return None
    held, here = Pass.model_validate_json(found[0]), room().identity()
    try:
        _pass_trust(here).need_good(held, here.certificate.room, clock.wall_ms())
    except (Refused, VerificationFailed) as error:
        with transaction(connection):
            staff.sign_out(connection, token_hash)
            ledger.append(connection, "pass_refused", {"reason": error.code}, by=held.by)
        g.signed_out = held.by
        raise NotSignedIn(error.code, **error.facts) from error
    g.held_pass = held
    return _holder(held), found[1]


def held_pass() -> Pass | None:
    """The pass that whoever is signed in came with; None for staff and for nobody."""
    current()
    return cast("Pass | None", g.get("held_pass"))


def csrf_token() -> str:
    """For forms and pages of whoever is signed in; empty when nobody is."""
    token = request.cookies.get(COOKIE)
    return csrf_of(token) if token else ""


def role_for(who: staff.Staff, session: str | None) -> str | None:
    """What somebody is in this session by its roster; without one, and for the room's own staff, by the newest."""
    if session is None:
        return who.role
    named = staff.role_in(room_db(), session, who.id)
    return named or (who.role if who.role in ROOM_ROLES else None)


def all_roles(who: staff.Staff) -> set[str]:
    """Everything somebody is in this room, in whichever session."""
    return {who.role, *staff.roles(room_db(), who.id).values()}


def roles_held() -> set[str]:
    """For pages: everything the person who is signed in is in this room; empty when nobody is."""
    try:
        who = current()
    except NotSignedIn:
        return set()
    return set() if who is None else all_roles(who)


def require_role(*roles: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only staff of these roles in: in the session the address names, else in any.

    A technician may look at everything. Changes need the page's CSRF token.
    """

    def wrap(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            who = current()
            if who is None:
                raise NotSignedIn("not_signed_in")
            looks = request.method in ("GET", "HEAD")
            held = _held(who, (request.view_args or {}).get("session"), roles)
            if not held & set(roles) and not ("technician" in held and looks):
                raise Refused("role_wrong", role=words(f"role_{who.role}"))
            if not looks:
                check_csrf(request.cookies.get(COOKIE, ""))
            return view(*args, **kwargs)

        return guarded

    return wrap


def _held(who: staff.Staff, session: str | None, roles: tuple[str, ...]) -> set[str]:
    """The roles that count for this request. Refused, in one sentence, for staff of other sessions only.

    What of the spot check a pass lets its holder see, `edge.web.spotcheck` holds to the pass.
    """
    if who.role == HOLDER:
        if request.blueprint != "spotcheck":
            raise Refused("pass_elsewhere")
        return {"supervisor"}
    if session is None:
        return all_roles(who)
    role = role_for(who, session)
    if role is None:
        raise Refused(
            "session_not_yours" if all_roles(who) & set(roles) else "role_wrong", role=words(f"role_{who.role}")
        )
    return {role}


def signed_in_staff() -> staff.Staff:
    """The staff member behind a guarded view."""
    who = current()
    if who is None:
        raise NotSignedIn("not_signed_in")
    return who
