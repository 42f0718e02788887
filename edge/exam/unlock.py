"""Unlocking a session's bank of two shares, by two persons with a slip each; and locking it when the exam is over.

What is kept of it is the released share, sealed by the room's data key, for this session: not the content key, so that
a bundle sealed anew for the room's next key stays open. With it a restart in mid-exam needs nobody.
"""

from __future__ import annotations

import sqlite3
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from edge import clock
from edge.errors import Conflict, ExamroomError, Refused, TooMany
from edge.exam.acts import Op, settle
from edge.exam.banks import BankFile, banks_of, manifest_of, need_usable
from edge.store import ledger, sessions, unlocks
from edge.store.db import transaction
from edge.store.records import reason_of
from edge.store.sessions import Session
from edge.trust import shares
from edge.trust.enrolment import Identity
from edge.trust.seal import BundleManifest
from edge.trust.shares import Release

MINUTE_MS = 60_000
TRIES, WAIT_MINUTES = 5, 10
"""Wrong codes in a row for one slip, and how long nobody may try that slip then."""
LEFT_OPEN_MS = 24 * 60 * MINUTE_MS
STATES = ("planned", "checkin", "running", "closed")
# a code takes 64 MB to try: one at a time
_TRYING = threading.Lock()


def locked_banks(identity: Identity, bundles: Path, session: Session) -> list[tuple[BankFile, BundleManifest, Release]]:
    """The session's banks of two shares that nobody has unlocked yet; errors as `manifest_of`."""
    found = []
    for bank in banks_of(session):
        manifest = manifest_of(identity, bundles, bank)
        if manifest.release is not None and unlocks.key(bank.name, bank.version) not in session.unlocked:
            found.append((bank, manifest, manifest.release))
    return found


def told(
    connection: sqlite3.Connection, identity: Identity, bundles: Path, session_id: str, early_ms: int
) -> dict[str, Any] | None:
    """What the console needs of the next locked bank; None when none is locked."""
    session = sessions.find(connection, session_id)
    if session.state not in STATES:
        return None
    try:
        locked = locked_banks(identity, bundles, session)
    except ExamroomError:
        return None  # opening the session says what is wrong with the file
    if not locked:
        return None
    bank, manifest, release = locked[0]
    opens_ms = _opens_ms(session, manifest, early_ms)
    return {"name": bank.name, "version": bank.version, "ways": list(release.ways), "opens_ms": opens_ms}


def unlock(
    connection: sqlite3.Connection,
    identity: Identity,
    bundles: Path,
    session_id: str,
    typed: tuple[str, str],
    early_ms: int,
    op: Op,
    reason: str = "",
) -> dict[str, Any]:
    """Open the session's next locked bank with the codes of slips 1 and 2; `op.by` and `op.second` stand for them.

    BadInput for a code that cannot be right, Refused for one that is not or before its time, TooMany after five wrong
    ones, Conflict `unlock_not_needed`. Every refusal is in the ledger.
    """
    if op.second is None:
        raise Refused("second_wanted")
    session = sessions.find(connection, session_id)
    sessions.need_state(session, *STATES)
    locked = locked_banks(identity, bundles, session)
    if not locked:
        raise Conflict("unlock_not_needed")
    bank, manifest, release = locked[0]
    try:
        need_usable(identity, manifest)
        _need_time(session, manifest, early_ms)
        if "codes" not in release.ways:
            raise Refused("unlock_no_codes", name=bank.name)
        codes = [shares.read_code(code, slip) for slip, code in zip(shares.SLIPS, typed, strict=True)]
        first, second = (
            _half(connection, session, manifest, release, slip, code)
            for slip, code in zip(shares.SLIPS, codes, strict=True)
        )
        share = shares.check_share(release, manifest.content, shares.xor(first, second))
    except ExamroomError as error:
        body = {"bank": bank.name, "version": bank.version, "reason": error.code}
        body |= {"slip": error.facts["slip"]} if "slip" in error.facts else {}
        with transaction(connection):
            ledger.append(connection, "bank_unlock_refused", body, session=session.id, by=op.by)
        raise
    sealed = identity.keys.data.encrypt(share, unlocks.context(session.id, bank.name, bank.version))
    answer = {"bank": bank.name, "version": bank.version}
    with transaction(connection):
        told = reason_of(connection, session.id, "bank_unlocked", reason, op.by)
        facts = {"way": "codes", "second": op.second} | told
        unlocks.keep(connection, session.id, bank.name, bank.version, sealed, facts, op.by)
        settle(connection, op, answer)
    return answer


def lock(connection: sqlite3.Connection, session_id: str, by: str | None = None) -> int:
    """Lock the session's banks again, in a transaction of its own; how many were open."""
    with transaction(connection):
        gone = unlocks.forget(connection, session_id, by)
    if gone:
        unlocks.empty_log(connection)
    return gone


def lock_left_open(connection: sqlite3.Connection) -> list[str]:
    """Lock what was unlocked for sessions that a day after their time have not begun, or are over; which ones."""
    found = unlocks.left_open(connection, clock.wall_ms() - LEFT_OPEN_MS)
    for session in found:
        lock(connection, session)
    return found


def _opens_ms(session: Session, manifest: BundleManifest, early_ms: int) -> int:
    return max(manifest.not_before_ms, session.planned_ms - early_ms)


def _need_time(session: Session, manifest: BundleManifest, early_ms: int) -> None:
    """Refused before the time. A clock nobody vouches for decides nothing: the two persons are the control then."""
    opens_ms = _opens_ms(session, manifest, early_ms)
    if clock.quality().held and clock.wall_ms() < opens_ms:
        at = datetime.fromtimestamp(opens_ms / 1000).astimezone().isoformat(sep=" ", timespec="minutes")
        raise Refused("unlock_early", name=manifest.name, at=at)


def _half(
    connection: sqlite3.Connection, session: Session, manifest: BundleManifest, release: Release, slip: int, code: str
) -> bytes:
    row = (session.id, manifest.name, manifest.version, slip)
    with _TRYING:
        with transaction(connection):
            left, wait_ms = unlocks.count_try(connection, *row, most=TRIES, wait_ms=WAIT_MINUTES * MINUTE_MS)
        if wait_ms:
            raise TooMany("unlock_wait", slip=slip, minutes=-(-wait_ms // MINUTE_MS))
        try:
            half = shares.open_slip(release, manifest.content, slip, code)
        except Refused as error:
            if left:
                raise Refused("unlock_code_wrong_left", slip=slip, left=left) from error
            raise TooMany("unlock_wait", slip=slip, minutes=WAIT_MINUTES) from error
        with transaction(connection):
            unlocks.forgive_try(connection, *row)
    return half
