"""Taking a roster in: one transaction makes a planned session of it, or nothing."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Mapping
from datetime import date, datetime, time

from edge.bank.model import Rubric
from edge.domain import consents, idcards
from edge.domain.canonical import canonical
from edge.exam.documents import Consent, PolicyDocument, RosterDocument
from edge.exam.photos import keep_photo
from edge.exam.policies import policy_digest
from edge.store import ledger, people, practical, sessions, staff, tablet_settings
from edge.store.db import transaction
from edge.trust.roomkeys import DataKey

DAY_MS = 86_400_000
MINUTE_MS = 60_000


def commitment(salt: str, *facts: str) -> str:
    """A salted SHA-256 the ledger can hold in place of a name and a document number."""
    return hashlib.sha256(canonical([salt, *facts])).hexdigest()


def take_in(
    connection: sqlite3.Connection,
    roster: RosterDocument,
    policy: PolicyDocument,
    *,
    room: str,
    bank_file: str,
    data_key: DataKey,
    by: str | None = None,
    local_bank_file: str | None = None,
) -> str:
    """Plan the roster's session in a transaction of its own; else as `plan_session`."""
    with transaction(connection):
        return plan_session(
            connection,
            roster,
            policy,
            room=room,
            bank_file=bank_file,
            data_key=data_key,
            by=by,
            local_bank_file=local_bank_file,
        )


def plan_session(
    connection: sqlite3.Connection,
    roster: RosterDocument,
    policy: PolicyDocument,
    *,
    room: str,
    bank_file: str,
    data_key: DataKey,
    by: str | None = None,
    local_bank_file: str | None = None,
    photos: Mapping[int, bytes] | None = None,
) -> str:
    """Plan the roster's session inside the caller's transaction and return its id. Conflict when it is already here;
    sqlite3.IntegrityError when it clashes with what is. `photos`: by candidate number, beside those in the roster.
    """
    plan = roster.session
    local = None
    if roster.local_bank is not None and local_bank_file is not None:
        local = (local_bank_file, roster.local_bank.name, roster.local_bank.version)
    sessions.add(
        connection,
        sessions.NewSession(
            id=plan.id,
            title=plan.title,
            room=room,
            planned_ms=plan.planned_ms,
            minutes=plan.minutes,
            policy=policy.model_dump(by_alias=True),
            blueprint=roster.blueprint.model_dump(),
            rubric=_rubric(next(iter(roster.all_rubrics), None)),
            bank_file=bank_file,
            bank_id=roster.bank.name,
            bank_version=roster.bank.version,
            purge_ms=plan.planned_ms + min(plan.purge_days or policy.keep_days, policy.keep_days) * DAY_MS,
            institution=roster.institution.model_dump(),
            class_=roster.class_.model_dump(),
            seats=[seat.model_dump() for seat in roster.seats],
            local_bank=local,
        ),
    )
    for member in roster.staff:
        staff.put(connection, member.id, member.name, member.role, member.badge, member.pin_hash)
        staff.put_role(connection, plan.id, member.id, member.role)
        if member.chief:
            practical.name_chief(connection, plan.id, member.id, None)
    practical.plan(
        connection,
        plan.id,
        [rubric.model_dump(by_alias=True) for rubric in roster.all_rubrics],
        [practical.Station(place.id, place.title, place.camera, place.rubric) for place in roster.stations],
    )
    commitments = _candidates(connection, roster, data_key, photos or {})
    ledger.append(
        connection,
        "session_planned",
        {
            "candidates": commitments,
            "staff": sorted(member.id for member in roster.staff),
            "bank": roster.bank.name,
            "bank_version": roster.bank.version,
            **({"local_bank": local[1], "local_bank_version": local[2]} if local else {}),
            "policy_sha256": policy_digest(policy.model_dump(by_alias=True)),
            "minutes": plan.minutes,
        },
        session=plan.id,
        by=by,
    )
    return plan.id


def _candidates(
    connection: sqlite3.Connection, roster: RosterDocument, data_key: DataKey, photos: Mapping[int, bytes]
) -> dict[str, str]:
    commitments: dict[str, str] = {}
    day = datetime.fromtimestamp(roster.session.planned_ms / 1000).astimezone().date()
    for row in roster.candidates:
        person, salt = people.add_person(connection, row.name, row.document.type, row.document.number)
        extra_ms = row.extra_minutes * MINUTE_MS
        minor = idcards.is_minor(row.document.type, row.document.number, day, row.document.born)
        people.add_candidate(connection, roster.session.id, person, row.number, row.badge, row.seat, extra_ms, minor)
        if row.settings is not None:
            tablet_settings.set_for(connection, roster.session.id, person, row.settings.model_dump())
        commitments[person] = commitment(salt, row.name, row.document.type, row.document.number)
        if minor:  # nobody's face of that age is taken in, whatever the roster says
            continue
        _consents(connection, roster.session.id, person, row.consent)
        photo = base64.b64decode(row.photo) if row.photo is not None else photos.get(row.number)
        if photo is not None and people.consent(connection, person, consents.ONE_TO_ONE) is not False:
            keep_photo(connection, roster.session.id, person, data_key.encrypt(photo, person.encode()), data_key)
    return commitments


def _consents(connection: sqlite3.Connection, session: str, person: str, said: Consent) -> None:
    """Each answer with its notice and day. A refusal or withdrawal here stands against an agreement from before it."""
    for purpose, given in said.answers().items():
        at_ms = None if said.date is None else _noon_ms(said.date)
        refused_ms = people.refused_ms(connection, person, purpose)
        if given and refused_ms is not None and (at_ms is None or at_ms <= refused_ms):
            continue
        sha256 = consents.notice(said.notice).sha256 if said.notice in consents.versions() else ""
        people.set_consent(connection, person, purpose, given, said.notice, sha256, "roster", at_ms)
        body = {"purpose": purpose, "given": given, "notice": said.notice, "notice_sha256": sha256, "via": "roster"}
        if said.date is not None:
            body["date"] = said.date.isoformat()
        ledger.append(connection, "consent", body, subject=person, session=session)


def _noon_ms(day: date) -> int:
    return round(datetime.combine(day, time(12)).astimezone().timestamp() * 1000)


def _rubric(rubric: Rubric | None) -> dict[str, object] | None:
    return None if rubric is None else rubric.model_dump(by_alias=True)
