"""Whether a PIN is somebody's, with a lock-out that counts guesses sent side by side like guesses sent one by one."""

from __future__ import annotations

import functools
import secrets
import sqlite3
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from edge import clock
from edge.errors import Refused, TooMany
from edge.store import ledger, sessions, staff
from edge.store.db import transaction

MINUTE_MS = 60_000
HASHING_WAIT_SECONDS = 5.0
_HASHING = threading.BoundedSemaphore(2)


def check_pin(connection: sqlite3.Connection, staff_id: str, pin: str, session: str | None = None) -> None:
    """Refused when `pin` is not theirs, TooMany while locked out.

    The try is counted before the PIN is looked at and taken back when it was right.
    """
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


def look_busy(pin: str) -> None:
    """For an unknown badge: takes as long as a wrong PIN does."""
    _pin_right(_nobodys_hash(), pin)


@functools.lru_cache(maxsize=1)
def _nobodys_hash() -> str:
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
    """(tries, minutes) from the newest session's signed policy; a practice session has none that was signed."""
    newest = [session for session in sessions.all_sessions(connection) if not session.practice]
    rule = newest[0].policy.get("lockout") if newest else None
    return (int(rule["tries"]), int(rule["minutes"])) if rule else (5, 5)
