"""Everything of a face in the room store: what waits for a template, who lacks one and why, and its deletion.

A deletion leaves a proof in the ledger: how many of each kind, and one commitment to all that was deleted. The
ciphertexts it was made of are gone with it, so it tells nothing of anybody; who still has a copy can be shown to.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from edge import clock
from edge.domain import consents
from edge.store import ledger
from edge.store.meta import get_meta, set_meta

_DELETIONS = "deletions"
_LOG_MARK = "deleted_in_log"


def awaiting_template(connection: sqlite3.Connection, pack: str, version: str) -> list[str]:
    """People who consented under the notice of now, have a photograph and lack a template of this pack and version.
    Last those at whose photograph a process has ended: if it does again, everybody else has their template."""
    rows = connection.execute(
        "SELECT p.id FROM people p JOIN consents k ON k.person_id = p.id AND k.purpose = ? AND k.given = 1"
        " AND k.notice = ? LEFT JOIN templates t ON t.person_id = p.id AND t.pack = ? AND t.pack_version = ?"
        " WHERE p.photo IS NOT NULL AND t.person_id IS NULL ORDER BY p.photo_deaths, p.rowid",
        (consents.ONE_TO_ONE, consents.VERSION, pack, version),
    )
    return [row["id"] for row in rows]


@dataclass(frozen=True)
class Enrolled:
    """A candidate whose face may be looked for: their template of one pack and version, encrypted."""

    session: str
    person: str
    number: int
    admitted_ms: int | None
    sealed: bytes = field(repr=False)


def gallery(connection: sqlite3.Connection, session: str, pack: str, version: str, purpose: str) -> list[Enrolled]:
    """Everybody of a session with a template who agreed, under the notice of now, to comparing and to `purpose`; nobody
    who is too young for it. By number."""
    rows = connection.execute(
        "SELECT c.person_id, c.number, c.admitted_ms, t.sealed FROM candidates c"
        " JOIN templates t ON t.person_id = c.person_id AND t.pack = ? AND t.pack_version = ?"
        " JOIN consents a ON a.person_id = c.person_id AND a.purpose = ? AND a.given = 1 AND a.notice = ?"
        " JOIN consents b ON b.person_id = c.person_id AND b.purpose = ? AND b.given = 1 AND b.notice = ?"
        " WHERE c.session_id = ? AND c.minor = 0 ORDER BY c.number",
        (pack, version, consents.ONE_TO_ONE, consents.VERSION, purpose, consents.VERSION, session),
    )
    return [Enrolled(session, r["person_id"], r["number"], r["admitted_ms"], bytes(r["sealed"])) for r in rows]


@dataclass(frozen=True)
class Standing:
    """How far one candidate's face is ready. `lack` is None with a usable template, else a reason's code:

    face_minor, face_refused, face_asked_at_kiosk, face_waits (a template is about to be made), face_other_pack
    (of another pack or version, its photograph gone), face_no_photo, or what was wrong with the photograph.
    """

    session: str
    person: str
    number: int
    name: str
    lack: str | None


def standings(connection: sqlite3.Connection, session: str, pack: str, version: str) -> list[Standing]:
    """Everybody of a session by number."""
    rows = connection.execute(
        "SELECT c.person_id, c.number, c.minor, p.name, p.photo IS NOT NULL AS photo, p.face_fault,"
        " k.given, k.notice, t.person_id IS NOT NULL AS ready,"
        " EXISTS (SELECT 1 FROM templates o WHERE o.person_id = p.id) AS other FROM candidates c"
        " JOIN people p ON p.id = c.person_id LEFT JOIN consents k ON k.person_id = p.id AND k.purpose = ?"
        " LEFT JOIN templates t ON t.person_id = p.id AND t.pack = ? AND t.pack_version = ?"
        " WHERE c.session_id = ? ORDER BY c.number",
        (consents.ONE_TO_ONE, pack, version, session),
    )
    return [Standing(session, r["person_id"], r["number"], r["name"], _lack(r)) for r in rows]


def _lack(row: sqlite3.Row) -> str | None:
    agreed = None if row["given"] is None else consents.stands(bool(row["given"]), row["notice"])
    if row["minor"]:
        return "face_minor"
    if agreed is False:
        return "face_refused"
    if row["ready"]:
        return None if agreed else "face_asked_at_kiosk"
    if row["photo"]:
        return "face_waits" if agreed else "face_asked_at_kiosk"
    if row["other"]:
        return "face_other_pack"
    return row["face_fault"] or "face_no_photo"


# ---- pictures kept as evidence


def still_context(person: str, still: str) -> bytes:
    """What ties a picture's ciphertext to its person and row: swapped rows do not decrypt."""
    return f"{person}\n{still}\nstill".encode()


def add_still(
    connection: sqlite3.Connection, still: str, session: str, person: str, sealed: bytes, delete_ms: int
) -> None:
    connection.execute(
        "INSERT INTO stills (still_id, session_id, person_id, sealed, at_ms, delete_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (still, session, person, sealed, clock.wall_ms(), delete_ms),
    )


@dataclass(frozen=True)
class Still:
    id: str
    session: str
    person: str
    at_ms: int
    delete_ms: int
    sealed: bytes


def still_of(connection: sqlite3.Connection, session: str, person: str) -> Still | None:
    """The newest picture kept of somebody's check-in to this session."""
    row = connection.execute(
        "SELECT * FROM stills WHERE session_id = ? AND person_id = ? ORDER BY at_ms DESC LIMIT 1", (session, person)
    ).fetchone()
    return row and Still(
        row["still_id"], row["session_id"], row["person_id"], row["at_ms"], row["delete_ms"], bytes(row["sealed"])
    )


def delete_stills_due(connection: sqlite3.Connection) -> int:
    """Remove the pictures past their date, in the caller's transaction, with their proof; how many."""
    rows = connection.execute(
        "SELECT still_id, sealed FROM stills WHERE delete_ms <= ? ORDER BY still_id", (clock.wall_ms(),)
    ).fetchall()
    if rows:
        connection.executemany("DELETE FROM stills WHERE still_id = ?", [(row["still_id"],) for row in rows])
        body = {"templates": 0, "photos": 0, "stills": len(rows), "sha256": _commitment(r["sealed"] for r in rows)}
        ledger.append(connection, "face_data_deleted", body | {"why": "date"})
        note_deletion(connection)
    return len(rows)


# ---- deletion


def delete_faces(
    connection: sqlite3.Connection, persons: Iterable[str], *, stills: bool = True
) -> dict[str, object] | None:
    """Remove templates and photographs, and pictures kept unless told not to, in the caller's transaction.

    {"templates", "photos", "stills", "sha256"} for the ledger, None when there was nothing.
    """
    counts = {"templates": 0, "photos": 0, "stills": 0}
    gone: list[bytes] = []
    for person in sorted(set(persons)):
        for kind, query in _HELD.items():
            if kind == "stills" and not stills:
                continue
            found = [row[0] for row in connection.execute(query, (person,))]
            counts[kind] += len(found)
            gone += found
        connection.execute("DELETE FROM templates WHERE person_id = ?", (person,))
        connection.execute("UPDATE people SET photo = NULL WHERE id = ? AND photo IS NOT NULL", (person,))
        if stills:
            connection.execute("DELETE FROM stills WHERE person_id = ?", (person,))
    if not gone:
        return None
    note_deletion(connection)
    return {**counts, "sha256": _commitment(gone)}


_HELD = {
    "templates": "SELECT sealed FROM templates WHERE person_id = ? ORDER BY pack",
    "photos": "SELECT photo FROM people WHERE id = ? AND photo IS NOT NULL",
    "stills": "SELECT sealed FROM stills WHERE person_id = ? ORDER BY still_id",
}


def held(connection: sqlite3.Connection, person: str) -> dict[str, int]:
    """How much of each kind the room holds of somebody."""
    return {kind: len(connection.execute(query, (person,)).fetchall()) for kind, query in _HELD.items()}


def _commitment(sealed: Iterable[bytes]) -> str:
    """SHA-256 over the sorted SHA-256 of what was deleted: ciphertexts with random nonces, so nobody can guess one."""
    return hashlib.sha256("".join(sorted(hashlib.sha256(one).hexdigest() for one in sealed)).encode()).hexdigest()


def delete_stills_of(connection: sqlite3.Connection, session: str) -> int:
    """Those of people whom another session still awaits; in the caller's transaction."""
    return connection.execute("DELETE FROM stills WHERE session_id = ?", (session,)).rowcount


def delete_of_session(connection: sqlite3.Connection, session: str, by: str | None, why: str) -> int:
    """At a session's end: templates and photographs of all whom no other session awaits, one proof in the ledger.

    Pictures kept as evidence stay until their own date. In the caller's transaction; of how many people.
    """
    rows = connection.execute(
        "SELECT c.person_id FROM candidates c WHERE c.session_id = ? AND NOT EXISTS (SELECT 1 FROM candidates o"
        " JOIN sessions s ON s.id = o.session_id WHERE o.person_id = c.person_id AND o.session_id <> c.session_id"
        " AND s.state IN ('planned', 'checkin', 'running') AND s.purged_ms IS NULL)",
        (session,),
    )
    persons = [row["person_id"] for row in rows]
    proof = delete_faces(connection, persons, stills=False)
    if proof is not None:
        ledger.append(connection, "face_data_deleted", proof | {"why": why}, session=session, by=by)
    return len(persons)


def note_deletion(connection: sqlite3.Connection) -> None:
    """Something was deleted for good: the second medium begins anew, and the log is emptied (see `empty_log`)."""
    set_meta(connection, _DELETIONS, str(int(get_meta(connection, _DELETIONS) or 0) + 1))
    set_meta(connection, _LOG_MARK, "1")


def deletions(connection: sqlite3.Connection) -> int:
    """How often something was deleted for good, sessions on their date among it."""
    purged = connection.execute("SELECT count(*) FROM sessions WHERE purged_ms IS NOT NULL").fetchone()[0]
    return int(get_meta(connection, _DELETIONS) or 0) + int(purged)


def log_holds_deleted(connection: sqlite3.Connection) -> bool:
    """Whether what was deleted may still stand in the write-ahead log."""
    return (get_meta(connection, _LOG_MARK) or "") == "1"


def log_is_empty(connection: sqlite3.Connection) -> None:
    """The log has been written back and cut off since; in the caller's transaction."""
    set_meta(connection, _LOG_MARK, "")
