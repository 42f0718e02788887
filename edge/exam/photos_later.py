"""Photographs for a session that is planned already: for those who had none, or a wrong one, or whose template another
pack made."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from edge.domain import consents
from edge.exam.photos import keep_photo
from edge.exam.roster_photos import Judge, Wanted, judged, match, read_archive
from edge.exam.roster_problems import Problem, Problems
from edge.store import ledger, people, sessions
from edge.store.db import transaction
from edge.trust.roomkeys import DataKey


def add_photos(
    connection: sqlite3.Connection,
    session: str,
    archive: Path,
    key: DataKey,
    judge: Judge | None,
    step: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    store: bool = True,
) -> tuple[int, list[Problem]]:
    """Take in a zip of photographs, all or none: how many are kept, and the warnings. RosterProblems for what is wrong.

    Matched like those of a roster (`roster_photos`); of who declined, or is a child, none is kept.
    """
    sessions.need_state(sessions.find(connection, session), "planned", "checkin", "running")
    problems = Problems()
    wanted = [_wanted(connection, who) for who in people.candidates(connection, session)]
    pictures = read_archive(archive, problems)
    owners = match(wanted, pictures, False, problems)
    problems.found = [one for one in problems.found if one.code != "photo_missing"]
    if judge is not None:
        judged(wanted, owners, pictures, judge, problems, step)
    else:
        problems.add("照片", "photos_unjudged", severity="warning")
    problems.need_none()
    if store and owners:
        persons = {who.number: who.person for who in people.candidates(connection, session)}
        sealed = {persons[n]: key.encrypt(pictures[name], persons[n].encode()) for n, name in owners.items()}
        with transaction(connection):
            sessions.need_state(sessions.find(connection, session), "planned", "checkin", "running")
            for person, photo in sealed.items():
                if people.consent(connection, person, consents.ONE_TO_ONE) is not False:
                    keep_photo(connection, session, person, photo, key)
            whole = "".join(sorted(hashlib.sha256(photo).hexdigest() for photo in sealed.values()))
            body = {"photos": len(sealed), "sha256": hashlib.sha256(whole.encode()).hexdigest()}
            ledger.append(connection, "photos_added", body, session=session)
    return len(owners), problems.told()


def _wanted(connection: sqlite3.Connection, who: people.Candidate) -> Wanted:
    return Wanted(
        number=who.number,
        name=who.name,
        document=who.document_number,
        badge=who.badge,
        row=who.number,
        place=f"考生 {who.number}",
        file="",
        declined=people.consent(connection, who.person, consents.ONE_TO_ONE) is False,
        minor=people.is_minor(connection, who.session, who.person),
    )
