"""Deleting what has had its day: everything of a person goes on the date its session was planned with.

The history stays provable, since the ledger never held more than random ids and salted commitments; with the salt gone
a commitment tells nothing.
"""

from __future__ import annotations

import sqlite3

from edge import clock
from edge.store import ledger, sessions
from edge.store import purge as store
from edge.store.db import transaction

TRUSTED_JUMP_MS = 30 * 86_400_000


def _clock_is_held(connection: sqlite3.Connection) -> bool:
    """Deletion cannot be undone: it waits for a synchronised clock, or an RTC near the room's own history."""
    if clock.quality() is clock.TimeQuality.SYNCHRONISED:
        return True
    newest = ledger.entries(connection, since=max(0, ledger.size(connection) - 1), limit=1)
    near = bool(newest) and abs(clock.wall_ms() - newest[0].at_ms) < TRUSTED_JUMP_MS
    return clock.quality() is clock.TimeQuality.RTC and near


def purge_due(connection: sqlite3.Connection, uploads: bool) -> list[str]:
    """Purge each session past its date; the ids purged. At a site with `uploads` one waits for its receipts."""
    done: list[str] = []
    if not _clock_is_held(connection):
        return done
    for session in sessions.all_sessions(connection):
        if session.purge_ms > clock.wall_ms() or not store.may_purge(connection, session.id, uploads):
            continue
        with transaction(connection):
            counts = store.purge_session(connection, session.id)
            ledger.append(connection, "personal_data_deleted", counts, session=session.id)
        done.append(session.id)
    return done
