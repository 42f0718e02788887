"""替考: one face under two names, told to the proctor. It is a suspicion that a person judges, never a refusal."""

from __future__ import annotations

import sqlite3

from edge import clock
from edge.checkin.search import Entry, gallery, nearest, registered
from edge.checkin.visit import OPEN_STATES
from edge.domain.consents import DUPLICATES
from edge.domain.facerules import face_rules
from edge.domain.reasons import sentence
from edge.store import faces, incidents, ledger, people, sessions
from edge.store.db import transaction
from edge.store.records import keep_reason
from edge.trust.roomkeys import DataKey
from edge.vision.face_pack import FacePack

KIND = "face_duplicate"
AT_ONCE = 20
"""People compared with everybody else between two steps of the door: a roster of hundreds must not make it deaf."""


def alarm(connection: sqlite3.Connection, who: people.Candidate, other: Entry, reason: str) -> None:
    """In the caller's transaction: an entry of the ledger by random ids, and an incident with the two numbers for the
    proctor; once for each two people and reason."""
    pair = {who.person, other.person}
    for entry in ledger.entries(connection, session=who.session, kinds=(KIND,)):
        if {entry.subject, entry.body["other"]} == pair and entry.body["reason"] == reason:
            return
    facts = {"first": who.number, "second": other.number}
    text = " / ".join(sentence(f"{reason}_alarm", language, **facts) for language in ("zh", "en"))
    body = {"reason": reason, "other": other.person}
    ledger.append(connection, KIND, body, subject=who.person, session=who.session)
    now = clock.wall_ms()
    number = incidents.add(
        connection,
        who.session,
        kind="identity",
        text=text,
        happened_ms=now,
        by=None,
        subject=who.person,
        seat=who.seat,
    )
    noted: dict[str, object] = {"number": number, "kind": "identity", "happened": clock.iso(now), "seat": who.seat}
    noted["text_sha256"] = keep_reason(connection, who.session, "incident", text, None)
    ledger.append(connection, "incident", noted, subject=who.person, session=who.session)


class RosterCheck:
    """Compares each new template with everybody's of its session, a few at a time. What it has compared it remembers
    while the process lives; afterwards it compares again, which alarms nobody twice."""

    def __init__(self, connection: sqlite3.Connection, pack: FacePack, key: DataKey) -> None:
        self._db = connection
        self._pack = pack
        self._key = key
        self._done: set[tuple[str, str]] = set()

    def go_on(self) -> None:
        """Unavailable while the store is held: what was not told is compared again."""
        pack = self._pack
        for session in sessions.all_sessions(self._db, "planned", *OPEN_STATES):
            if not face_rules(session.policy).duplicates:
                continue
            enrolled = faces.gallery(self._db, session.id, pack.name, pack.version, DUPLICATES)
            new = {one.person for one in enrolled if (session.id, one.person) not in self._done}
            if new:
                self._compare(session.id, sorted(new)[:AT_ONCE])

    def _compare(self, session: str, persons: list[str]) -> None:
        entries = gallery(self._db, self._pack, self._key, [session], DUPLICATES)
        mine = {one.person: one.template for one in entries}
        for person in persons:
            others = [one for one in entries if one.person != person]
            other = nearest(self._pack, registered(mine[person]), others) if person in mine else None
            if other is not None:
                with transaction(self._db):
                    alarm(self._db, people.candidate(self._db, session, person), other, "face_two_names")
            self._done.add((session, person))
