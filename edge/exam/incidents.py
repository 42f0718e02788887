"""The incident log of a session: what happened, when and at which seat. A correction is a further entry."""

from __future__ import annotations

import sqlite3

from edge import clock
from edge.errors import BadInput, NotFound
from edge.exam.acts import Op, settle
from edge.store import incidents, ledger, people, sessions
from edge.store.db import transaction
from edge.store.records import keep_reason

KINDS = (
    "power",
    "network",
    "device",
    "health",
    "late",
    "identity",
    "conduct-copying",
    "conduct-phone",
    "conduct-notes",
    "conduct-impersonation",
    "conduct-talking",
    "conduct-other",
    "disturbance",
    "other",
)
LONGEST = 2000
SOON_MS = 5 * 60_000
"""How far ahead of the room's clock a written time may lie: people's watches differ."""


def note(
    connection: sqlite3.Connection,
    session_id: str,
    *,
    kind: str,
    text: str,
    by: str,
    person: str | None = None,
    seat: str | None = None,
    happened_ms: int | None = None,
    corrects: int | None = None,
    op: Op | None = None,
) -> int:
    """Write an entry and return its number. Its words stay in the room store; the ledger keeps kind and a digest.

    BadInput for words too few, a kind or seat that is not there, or a time to come; NotFound for a wrong `corrects`.
    """
    words = text.strip()
    if not 2 <= len(words) <= LONGEST:
        raise BadInput("reason_wanted")
    if kind not in KINDS:
        raise BadInput("incident_kind_wrong", kind=kind)
    now = clock.wall_ms()
    happened = now if happened_ms is None else happened_ms
    if happened > now + SOON_MS or happened < 0:
        raise BadInput("incident_time_wrong")
    with transaction(connection):
        sessions.find(connection, session_id)
        if person is not None:
            seat = people.candidate(connection, session_id, person).seat or seat
        if seat is not None and seat not in {name for name, _, _ in people.seats(connection, session_id)}:
            raise BadInput("seat_unknown", seat=seat)
        if corrects is not None and incidents.find(connection, session_id, corrects) is None:
            raise NotFound("incident_unknown")
        number = incidents.add(
            connection,
            session_id,
            kind=kind,
            text=words,
            happened_ms=happened,
            by=by,
            subject=person,
            seat=seat,
            corrects=corrects,
        )
        body: dict[str, object] = {"number": number, "kind": kind, "happened": clock.iso(happened), "seat": seat}
        body["text_sha256"] = keep_reason(connection, session_id, "incident", words, by)
        if corrects is not None:
            body["corrects"] = corrects
        ledger.append(connection, "incident", body, subject=person, session=session_id, by=by)
        settle(connection, op, {"number": number})
    return number
