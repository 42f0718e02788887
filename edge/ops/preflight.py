"""What opening the door asks of the recording disk, told beforehand by a rehearsal too."""

from __future__ import annotations

import sqlite3

from edge.config import Config
from edge.errors import Conflict
from edge.exam.readiness import headroom
from edge.recording.space import Preflight, preflight, same_disk
from edge.store import people
from edge.store.sessions import Session


def footage_room(connection: sqlite3.Connection, config: Config, session: Session) -> Preflight:
    """Whether the session's footage has room; on one disk with the answers, theirs has to be free besides."""
    beside = 0
    if same_disk(config.paths.state, config.paths.recordings):
        candidates = len(people.candidates(connection, session.id))
        beside, _ = headroom(candidates, session.minutes, config.paths.state, config.store.reserve_mb)
    return preflight(connection, config, session.minutes, beside=beside)


def need_footage_room(connection: sqlite3.Connection, config: Config, session: Session) -> None:
    """Conflict (`footage_too_full`), with the figures, unless it has; a practice session's footage counts for nothing
    and may be cut short.
    """
    if session.practice:
        return
    found = footage_room(connection, config, session)
    if not found.enough:
        raise Conflict("footage_too_full", **found.facts())
