"""A person's say over their face, through the proctor: what is held, withdrawing it, the picture kept as evidence."""

from __future__ import annotations

import sqlite3
from typing import Any

from edge.domain import consents
from edge.domain.reasons import LANGUAGES, sentence
from edge.errors import Conflict, NotFound
from edge.exam.acts import Op, settle
from edge.store import faces, ledger, people, sessions
from edge.store.db import transaction
from edge.store.records import keep_reason
from edge.trust.roomkeys import DataKey


def withdraw(
    connection: sqlite3.Connection, session: str, person: str, reason: str, by: str, op: Op | None = None
) -> dict[str, Any]:
    """Take back every consent and delete template, photograph and kept pictures at once, with the proof in the ledger.

    At any time, also while the door looks at them: it stops, and they take the proctor's route on equal terms. An
    admission made before stays valid. Conflict (`consent_nothing`) where there is neither consent nor data.
    """
    with transaction(connection):
        people.candidate(connection, session, person)
        given = [p for p in consents.PURPOSES if people.consent(connection, person, p)]
        proof = faces.delete_faces(connection, [person])
        if not given and proof is None:
            raise Conflict("consent_nothing")
        notice = consents.notice()
        for purpose in dict.fromkeys((consents.ONE_TO_ONE, *given)):
            people.set_consent(connection, person, purpose, False, notice.version, notice.sha256, "proctor")
        body: dict[str, Any] = {"purposes": given, "notice": notice.version, "notice_sha256": notice.sha256}
        body["reason_sha256"] = keep_reason(connection, session, "consent_withdrawn", reason, by)
        ledger.append(connection, "consent_withdrawn", body, subject=person, session=session, by=by)
        gone = proof or {"templates": 0, "photos": 0, "stills": 0}
        if proof is not None:
            proved = proof | {"why": "withdrawn"}
            ledger.append(connection, "face_data_deleted", proved, subject=person, session=session, by=by)
        answer = {"person": person, "gone": {kind: gone[kind] for kind in ("templates", "photos", "stills")}}
        settle(connection, op, answer)
    return answer


def open_still(connection: sqlite3.Connection, session: str, person: str, key: DataKey, by: str) -> bytes:
    """The JPEG kept of somebody's check-in; who looked is in the ledger first. NotFound (`still_none`)."""
    still = faces.still_of(connection, session, person)
    if still is None:
        raise NotFound("still_none")
    picture = key.decrypt(still.sealed, faces.still_context(person, still.id))
    with transaction(connection):
        ledger.append(connection, "still_viewed", {"still": still.id}, subject=person, session=session, by=by)
    return picture


def of_person(connection: sqlite3.Connection, session: str, person: str) -> dict[str, Any]:
    """For the proctor: what somebody agreed to, under which notice, and what is held of their face."""
    people.candidate(connection, session, person)
    still = faces.still_of(connection, session, person)
    return {
        "consents": people.consents_of(connection, person),
        "held": faces.held(connection, person),
        "still": None if still is None else {"at_ms": still.at_ms, "delete_ms": still.delete_ms},
        "minor": people.is_minor(connection, session, person),
    }


def of_session(connection: sqlite3.Connection, session: str, pack: str, version: str) -> dict[str, Any]:
    """For the proctor: how many can be verified by face with this pack, and who comes by the other route and why."""
    sessions.find(connection, session)
    standing = faces.standings(connection, session, pack, version)
    others = [
        {
            "person": one.person,
            "number": one.number,
            "name": one.name,
            "reason": one.lack,
            **{language: sentence(one.lack, language) for language in LANGUAGES},
        }
        for one in standing
        if one.lack is not None
    ]
    return {"pack": pack, "version": version, "ready": len(standing) - len(others), "others": others}
