"""Who is signed in. The cookie holds a random token; the store holds its hash, so a stolen database signs nobody in."""

from __future__ import annotations

import functools
import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import g, request
from werkzeug.wrappers import Response as BaseResponse

from edge import clock
from edge.errors import NotSignedIn, Refused, TooMany
from edge.store import ledger, sessions, staff
from edge.store.db import transaction
from edge.web.body import check_csrf, csrf_of
from edge.web.room import room, room_db

COOKIE = "examroom_staff"
MINUTE_MS = 60_000
SEEN_EVERY_MS = 30_000
HASHING_WAIT_SECONDS = 5.0
WATCHING = ("/board", "/events")
_HASHING = threading.BoundedSemaphore(2)

P = ParamSpec("P")
R = TypeVar("R")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def sign_in(badge: str, pin: str) -> tuple[staff.Staff, str]:
    """(who, token for the cookie). Refused for a wrong badge or PIN alike, TooMany while locked out."""
    connection = room_db()
    who = staff.by_badge(connection, badge.strip().upper())
    if who is None:
        _pin_right(_nobodys_hash(), pin)
        with transaction(connection):
            ledger.append(connection, "staff_refused", {"reason": "sign_in_wrong"})
        raise Refused("sign_in_wrong")
    check_pin(who.id, pin)
    token = secrets.token_urlsafe(24)
    with transaction(connection):
        staff.sign_in(connection, who.id, _hash(token))
        ledger.append(connection, "staff_signed_in", {"role": who.role}, by=who.id)
    return who, token


def check_pin(staff_id: str, pin: str, session: str | None = None) -> None:
    """Whether `pin` is theirs. Refused when it is not, TooMany while locked out.

    The try is counted before the PIN is looked at and taken back when it was right, so guesses sent side by side
    count like guesses sent one by one.
    """
    connection = room_db()
    tries, minutes = _lockout(connection)
    with transaction(connection):
        who = staff.by_id(connection, staff_id)
        if who is None:
            raise Refused("sign_in_wrong")
        now = clock.wall_ms()
        if who.locked_until_ms is not None and now < who.locked_until_ms:
            ledger.append(connection, "staff_refused", {"reason": "sign_in_locked"}, session=session, by=who.id)
            locked_for = -(-(who.locked_until_ms - now) // MINUTE_MS)
        else:
            locked_for = 0
            failures = who.failures + 1
            locked_until = now + minutes * MINUTE_MS if failures >= tries else None
            staff.set_failures(connection, who.id, 0 if locked_until else failures, locked_until)
    if locked_for:
        raise TooMany("sign_in_locked", minutes=locked_for)
    if not _pin_right(who.pin_hash, pin):
        with transaction(connection):
            ledger.append(connection, "staff_refused", {"reason": "sign_in_wrong"}, session=session, by=who.id)
        raise Refused("sign_in_wrong")
    with transaction(connection):
        staff.set_failures(connection, who.id, 0, None)


@functools.lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    """Checked against when the badge is unknown, so that an unknown badge takes as long as a wrong PIN."""
    return PasswordHasher().hash(secrets.token_hex(16))


def _pin_right(pin_hash: str, pin: str) -> bool:
    # argon2 takes 64 MB while it works: a few at a time, so that nobody can fill the memory from outside
    if not _HASHING.acquire(timeout=HASHING_WAIT_SECONDS):
        raise TooMany("too_busy_signing_in")
    try:
        return PasswordHasher().verify(pin_hash, pin)
    except (VerificationError, InvalidHashError):
        return False
    finally:
        _HASHING.release()


def _lockout(connection: sqlite3.Connection) -> tuple[int, int]:
    """(tries, minutes) from the newest session's signed policy."""
    newest = sessions.all_sessions(connection)
    rule = newest[0].policy.get("lockout") if newest else None
    return (int(rule["tries"]), int(rule["minutes"])) if rule else (5, 5)


def sign_out() -> None:
    token = request.cookies.get(COOKIE, "")
    connection = room_db()
    with transaction(connection):
        staff.sign_out(connection, _hash(token))


def set_cookie(response: BaseResponse, token: str) -> None:
    secure = room().config.web.secure_cookies
    response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=secure, path="/")


def current() -> staff.Staff | None:
    """Who is signed in on this request, or None. NotSignedIn once the pause was too long."""
    if "staff" in g:
        return cast(staff.Staff, g.staff)
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    connection = room_db()
    found = staff.signed_in(connection, _hash(token))
    if found is None:
        return None
    who, seen_ms = found
    pause = clock.wall_ms() - seen_ms
    if pause > room().config.web.staff_idle_minutes * MINUTE_MS:
        with transaction(connection):
            staff.sign_out(connection, _hash(token))
        raise NotSignedIn("signed_out_idle")
    # a board that refreshes itself is not a person: only what somebody does keeps them signed in
    if pause > SEEN_EVERY_MS and not request.path.endswith(WATCHING):
        with transaction(connection):
            staff.seen(connection, _hash(token))
    g.staff = who
    return who


def csrf_token() -> str:
    """For forms and pages of whoever is signed in; empty when nobody is."""
    token = request.cookies.get(COOKIE)
    return csrf_of(token) if token else ""


def require_role(*roles: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only staff of these roles in; a technician may look at everything. Changes need the page's CSRF token."""

    def wrap(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            who = current()
            if who is None:
                raise NotSignedIn("not_signed_in")
            looks = request.method in ("GET", "HEAD")
            if who.role not in roles and not (who.role == "technician" and looks):
                raise Refused("role_wrong", role=who.role)
            if not looks:
                check_csrf(request.cookies.get(COOKIE, ""))
            return view(*args, **kwargs)

        return guarded

    return wrap


def signed_in_staff() -> staff.Staff:
    """The staff member behind a guarded view."""
    who = current()
    if who is None:
        raise NotSignedIn("not_signed_in")
    return who
