"""Deleting what has had its day: everything of a person goes on the date its session was planned with.

The history stays provable, since the ledger never held more than random ids and salted commitments; with the salt gone
a commitment tells nothing.
"""

from __future__ import annotations

import shutil
import sqlite3

from edge import clock
from edge.config import Paths
from edge.exam.journal import AnswerJournal
from edge.exam.written import ledger_digests
from edge.store import access, bundles, faces, ledger, sessions, unlocks
from edge.store import journal as rows
from edge.store import purge as store
from edge.store.db import transaction

DAY_MS = 86_400_000
REFUSED_ROSTER_MS = 30 * DAY_MS


def purge_due(connection: sqlite3.Connection, journal: AnswerJournal, paths: Paths, *, uploads: bool) -> list[str]:
    """Purge each session past its date; the ids purged. At a site with `uploads` one waits for its receipts.

    Answers and files go first, the room store says last that all is gone: what a kill cuts off is done the next time.
    """
    done: list[str] = []
    # what a session was planned from is emptied whatever the clock says: nothing is judged by it
    _empty_rosters(connection, paths, bundles.used_rosters(connection))
    if not store.clock_is_held(connection, clock.now()):
        return done
    with transaction(connection):
        faces.delete_stills_due(connection)
        access.forget_due(connection)
    for session in sessions.all_sessions(connection):
        if session.purge_ms > clock.wall_ms() or not store.may_purge(connection, session.id, uploads):
            continue
        attempts = [head.id for head in sessions.heads(connection, session.id)]
        if not _forget(connection, journal, session.id, attempts):
            continue
        shutil.rmtree(paths.results / session.id, ignore_errors=True)
        with transaction(connection):
            counts = store.purge_session(connection, session.id)
            ledger.append(connection, "personal_data_deleted", counts, session=session.id)
        done.append(session.id)
    # of sessions purged before this was done for answers too
    with (
        journal.reading() as answers
    ):  # each hour, in exams too: the journal is long, and its writer has answers to keep
        seen = rows.attempts_seen(answers)
    if left := store.purged_attempts(connection, seen):
        _forget(connection, journal, None, left)
    _empty_rosters(connection, paths, bundles.refused_rosters(connection, clock.wall_ms() - REFUSED_ROSTER_MS))
    empty_log(connection)
    return done


def _empty_rosters(connection: sqlite3.Connection, paths: Paths, rosters: list[bundles.BundleRow]) -> None:
    for roster in rosters:
        file = paths.bundles / roster.path
        if file.exists() and file.stat().st_size:
            file.write_bytes(b"")  # a file that is not there at all would be fetched again
            with transaction(connection):
                faces.note_deletion(connection)


def empty_log(connection: sqlite3.Connection) -> None:
    """What was deleted stands in the write-ahead log until this has written it back and cut it off.

    While others read in it nothing is done, and it is tried again the next time.
    """
    if faces.log_holds_deleted(connection) and unlocks.empty_log(connection):
        with transaction(connection):
            faces.log_is_empty(connection)


def _forget(connection: sqlite3.Connection, journal: AnswerJournal, session: str | None, attempts: list[str]) -> bool:
    ledger_digests(journal, connection)
    return journal.submit(lambda c: store.forget_attempts(c, session, attempts))
