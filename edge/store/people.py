"""Candidates and what the room holds of them, to be deleted on the session's purge date."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from edge import clock
from edge.domain import consents
from edge.errors import NotFound, Refused


@dataclass(frozen=True)
class Candidate:
    """A person in a session. `person` is the random subject id the ledger uses."""

    session: str
    person: str
    number: int
    name: str
    document_type: str
    document_number: str
    badge: str | None
    seat: str | None
    state: str
    route: str | None
    admitted_ms: int | None
    seat_code: str | None
    salt: str


_QUERY = (
    "SELECT c.*, p.name, p.document_type, p.document_number, p.salt"
    " FROM candidates c JOIN people p ON p.id = c.person_id"
)


def add_person(connection: sqlite3.Connection, name: str, document_type: str, document_number: str) -> tuple[str, str]:
    """The (subject id, salt) of a person, new or known by document; a corrected name is taken over."""
    row = connection.execute(
        "SELECT id, salt FROM people WHERE document_type = ? AND document_number = ?", (document_type, document_number)
    ).fetchone()
    if row is not None:
        connection.execute("UPDATE people SET name = ? WHERE id = ?", (name, row["id"]))
        return row["id"], row["salt"]
    person, salt = secrets.token_hex(12), secrets.token_hex(16)
    connection.execute(
        "INSERT INTO people (id, name, document_type, document_number, salt) VALUES (?, ?, ?, ?, ?)",
        (person, name, document_type, document_number, salt),
    )
    return person, salt


def set_photo(connection: sqlite3.Connection, person: str, sealed: bytes | None) -> None:
    """A new photograph, or none; what was wrong with an earlier one is forgotten with a new one."""
    if sealed is not None:
        connection.execute("UPDATE people SET face_fault = NULL, photo_deaths = 0 WHERE id = ?", (person,))
    connection.execute("UPDATE people SET photo = ? WHERE id = ?", (sealed, person))


def set_face_fault(connection: sqlite3.Connection, person: str, reason: str) -> None:
    """Why no template could be made of their photograph: the code of a reason."""
    connection.execute("UPDATE people SET face_fault = ? WHERE id = ?", (reason, person))


def count_photo_death(connection: sqlite3.Connection, person: str) -> int:
    """A process ended, or its networks failed, at this person's photograph; how often by now."""
    connection.execute("UPDATE people SET photo_deaths = photo_deaths + 1 WHERE id = ?", (person,))
    row = connection.execute("SELECT photo_deaths FROM people WHERE id = ?", (person,)).fetchone()
    return 0 if row is None else int(row["photo_deaths"])


def photo(connection: sqlite3.Connection, person: str) -> bytes | None:
    row = connection.execute("SELECT photo FROM people WHERE id = ?", (person,)).fetchone()
    return None if row is None or row["photo"] is None else bytes(row["photo"])


def add_candidate(
    connection: sqlite3.Connection,
    session: str,
    person: str,
    number: int,
    badge: str | None,
    seat: str | None,
    extra_ms: int = 0,
    minor: bool = False,
) -> None:
    connection.execute(
        "INSERT INTO candidates (session_id, person_id, number, badge, seat, extra_ms, minor)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (session, person, number, badge, seat, extra_ms, int(minor)),
    )


def candidate(connection: sqlite3.Connection, session: str, person: str) -> Candidate:
    found = _find(connection, "c.session_id = ? AND c.person_id = ?", session, person)
    if not found:
        raise NotFound("candidate_unknown")
    return found[0]


def candidates(connection: sqlite3.Connection, session: str) -> list[Candidate]:
    return _find(connection, "c.session_id = ?", session)


def by_badge(connection: sqlite3.Connection, badge: str) -> list[Candidate]:
    """Everybody with this badge, in any session of the room."""
    return _find(connection, "c.badge = ?", badge)


def by_document(connection: sqlite3.Connection, document_types: Sequence[str], document_number: str) -> list[Candidate]:
    """Everybody with this document, filed as any of these types, in any session of the room: one person, perhaps in
    several."""
    of_types = f"p.document_type IN ({', '.join('?' * len(document_types))})"
    return _find(connection, f"{of_types} AND p.document_number = ?", *document_types, document_number)


def _find(connection: sqlite3.Connection, where: str, *values: object) -> list[Candidate]:
    rows = connection.execute(f"{_QUERY} WHERE {where} ORDER BY c.number", values)
    return [
        Candidate(
            session=r["session_id"],
            person=r["person_id"],
            number=r["number"],
            name=r["name"],
            document_type=r["document_type"],
            document_number=r["document_number"],
            badge=r["badge"],
            seat=r["seat"],
            state=r["state"],
            route=r["route"],
            admitted_ms=r["admitted_ms"],
            seat_code=r["seat_code"],
            salt=r["salt"],
        )
        for r in rows
    ]


def admit(connection: sqlite3.Connection, session: str, person: str, route: str) -> Candidate:
    """Let a candidate in: a seat (the roster's, else the first free one) and a fresh six-digit seat code."""
    who = candidate(connection, session, person)
    seat = who.seat or _free_seat(connection, session)
    connection.execute(
        "UPDATE candidates SET state = 'admitted', route = ?, seat = ?, seat_code = ?, admitted_ms = ?"
        " WHERE session_id = ? AND person_id = ?",
        (route, seat, _fresh_code(connection), clock.wall_ms(), session, person),
    )
    return candidate(connection, session, person)


def _free_seat(connection: sqlite3.Connection, session: str) -> str:
    row = connection.execute(
        "SELECT s.seat FROM seats s LEFT JOIN candidates c ON c.session_id = s.session_id AND c.seat = s.seat"
        " WHERE s.session_id = ? AND c.person_id IS NULL ORDER BY s.place_row, s.place_column LIMIT 1",
        (session,),
    ).fetchone()
    if row is None:
        raise Refused("no_seat_left")
    return str(row["seat"])


def _fresh_code(connection: sqlite3.Connection) -> str:
    while True:
        code = f"{secrets.randbelow(900_000) + 100_000}"
        if not connection.execute("SELECT 1 FROM candidates WHERE seat_code = ?", (code,)).fetchone():
            return code


def set_state(connection: sqlite3.Connection, session: str, person: str, state: str) -> None:
    connection.execute(
        "UPDATE candidates SET state = ? WHERE session_id = ? AND person_id = ?", (state, session, person)
    )


def seats(connection: sqlite3.Connection, session: str) -> list[tuple[str, int, int]]:
    rows = connection.execute(
        "SELECT seat, place_row, place_column FROM seats WHERE session_id = ? ORDER BY place_row, place_column",
        (session,),
    )
    return [(r["seat"], r["place_row"], r["place_column"]) for r in rows]


def set_consent(
    connection: sqlite3.Connection,
    person: str,
    purpose: str,
    given: bool,
    notice: str,
    sha256: str = "",
    via: str = "",
    at_ms: int | None = None,
) -> None:
    """An answer to one purpose, in place of the one before: under which notice, `via` roster, kiosk or proctor."""
    connection.execute(
        "INSERT OR REPLACE INTO consents (person_id, purpose, given, notice, sha256, via, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (person, purpose, int(given), notice, sha256, via, clock.wall_ms() if at_ms is None else at_ms),
    )


def consent(connection: sqlite3.Connection, person: str, purpose: str) -> bool | None:
    """The answer as it counts now: an agreement to an older notice is none."""
    row = connection.execute(
        "SELECT given, notice FROM consents WHERE person_id = ? AND purpose = ?", (person, purpose)
    ).fetchone()
    return None if row is None else consents.stands(bool(row["given"]), row["notice"])


def refused_ms(connection: sqlite3.Connection, person: str, purpose: str) -> int | None:
    """When they declined or withdrew, if that is how it stands."""
    row = connection.execute(
        "SELECT at_ms FROM consents WHERE person_id = ? AND purpose = ? AND given = 0", (person, purpose)
    ).fetchone()
    return None if row is None else int(row["at_ms"])


def consents_of(connection: sqlite3.Connection, person: str) -> list[dict[str, object]]:
    """Every answer as recorded: {"purpose", "given", "stands", "notice", "via", "at_ms"}."""
    rows = connection.execute("SELECT * FROM consents WHERE person_id = ? ORDER BY purpose", (person,))
    return [
        {
            "purpose": r["purpose"],
            "given": bool(r["given"]),
            "stands": consents.stands(bool(r["given"]), r["notice"]) is not None,
            "notice": r["notice"],
            "via": r["via"],
            "at_ms": r["at_ms"],
        }
        for r in rows
    ]


def consent_asked(connection: sqlite3.Connection, person: str, purpose: str) -> bool:
    """Whether the notice of now was answered for this purpose, whatever the answer."""
    row = connection.execute(
        "SELECT 1 FROM consents WHERE person_id = ? AND purpose = ? AND notice = ?",
        (person, purpose, consents.VERSION),
    ).fetchone()
    return row is not None


def is_minor(connection: sqlite3.Connection, session: str, person: str) -> bool:
    """Whether they are under fourteen on the session's day, as far as the roster says when they were born."""
    row = connection.execute(
        "SELECT minor FROM candidates WHERE session_id = ? AND person_id = ?", (session, person)
    ).fetchone()
    return row is not None and bool(row["minor"])


def set_template(connection: sqlite3.Connection, person: str, pack: str, version: str, sealed: bytes) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO templates (person_id, pack, pack_version, sealed) VALUES (?, ?, ?, ?)",
        (person, pack, version, sealed),
    )


def template(connection: sqlite3.Connection, person: str, pack: str, version: str) -> bytes | None:
    """The encrypted template made by exactly this pack and version."""
    row = connection.execute(
        "SELECT sealed FROM templates WHERE person_id = ? AND pack = ? AND pack_version = ?", (person, pack, version)
    ).fetchone()
    return None if row is None else bytes(row["sealed"])
