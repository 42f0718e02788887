"""Whether a session may open its door: a passed rehearsal where its policy asks for one, and room for its answers."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from edge import __version__, clock
from edge.config import Config
from edge.domain.canonical import canonical
from edge.domain.rehearsal import covers
from edge.errors import Conflict
from edge.exam.banks import banks_of, manifest_of
from edge.exam.papers import local_share
from edge.store import people, rehearsals, sessions
from edge.store.reserve import LOG_MB, MB, Reserve, free_bytes
from edge.trust.enrolment import Identity

SAVES_AN_HOUR = 720
"""An answer every five seconds, from everybody, for as long as it lasts."""
BYTES_A_SAVE = 600
"""What one takes in answers.db: 332 for a choice (measured by tests/store/test_reserve.py), more for words."""


def need_ready(connection: sqlite3.Connection, session: sessions.Session, config: Config, identity: Identity) -> None:
    """Conflict `rehearsal_wanted` or `disk_too_full` when the session must not open its door.

    With a rehearsal asked for, a bank that is missing or broken raises as `open_bank` does.
    """
    if not session.practice:
        need_rehearsal(connection, session, config.paths.bundles, identity)
    need_headroom(connection, session, config.paths.state, config.store.reserve_mb)


def need_rehearsal(
    connection: sqlite3.Connection, session: sessions.Session, bundles: Path, identity: Identity
) -> None:
    """Conflict (`rehearsal_wanted`) unless one for as many, with these papers, was passed within the policy's hours."""
    hours = int(session.policy.get("rehearsal_hours", 0))
    if not hours:
        return
    candidates = len(people.candidates(connection, session.id))
    papers = drawn_from(identity, bundles, session)
    if not covers(rehearsals.passed(connection), candidates, __version__, papers, clock.wall_ms(), hours):
        raise Conflict("rehearsal_wanted", candidates=candidates, hours=hours, session=session.id)


def drawn_from(identity: Identity, bundles: Path, session: sessions.Session) -> str:
    """A fingerprint of all that the session's papers are drawn from, whether its banks are open or locked."""
    manifests = [manifest_of(identity, bundles, bank) for bank in banks_of(session)]
    facts = {
        "banks": [[one.name, one.version, one.content_sha256] for one in manifests],
        "blueprint": dict(session.blueprint),
        "local_share": local_share(session),
    }
    return hashlib.sha256(canonical(facts)).hexdigest()


def need_headroom(connection: sqlite3.Connection, session: sessions.Session, state: Path, reserve_mb: int) -> None:
    """Conflict (`disk_too_full`) unless all answers of the session have room on the disk beside the reserve."""
    candidates = len(people.candidates(connection, session.id))
    needed, free = headroom(candidates, session.minutes, state, reserve_mb)
    if free < needed:
        raise Conflict(
            "disk_too_full",
            free=free // MB,
            needed=-(-needed // MB),
            candidates=candidates,
            hours=round(session.minutes / 60, 1),
        )


def headroom(candidates: int, minutes: int, state: Path, reserve_mb: int) -> tuple[int, int]:
    """(bytes that so many candidates need for so long, bytes free on the disk of `state`)."""
    saves = -(-candidates * minutes * SAVES_AN_HOUR // 60)
    return saves * BYTES_A_SAVE + 2 * LOG_MB * MB + Reserve(state, reserve_mb).missing, free_bytes(state)
