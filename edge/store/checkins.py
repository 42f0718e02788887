"""The check-in log, what the kiosk shows now, and what a person at the kiosk asked for."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.domain.canonical import canonical_text


def record(
    connection: sqlite3.Connection,
    *,
    session: str | None,
    person: str | None,
    outcome: str,
    reason: str,
    route: str | None,
    ledger_seq: int,
    score: float | None = None,
    by: str | None = None,
    camera: str | None = None,
) -> int:
    """The new entry's id. A score is deleted with its session; without one it would have no date, and is not kept."""
    score = score if session is not None else None
    done = connection.execute(
        "INSERT INTO checkins (session_id, person_id, at_ms, outcome, route, reason, score, by_staff, camera,"
        " ledger_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (session, person, clock.wall_ms(), outcome, route, reason, score, by, camera, ledger_seq),
    )
    return int(done.lastrowid or 0)


@dataclass(frozen=True)
class Checkin:
    """One thing that happened at the door. `score`: how far the face was from the registered one, gone on the session's
    purge date."""

    id: int
    session: str | None
    person: str | None
    at_ms: int
    outcome: str
    route: str | None
    reason: str
    camera: str | None
    resolved_ms: int | None
    ledger_seq: int
    score: float | None


def recent(connection: sqlite3.Connection, session: str, limit: int = 30) -> list[Checkin]:
    """The session's newest first, and what happened at the door while it was open that is of no session: a badge that
    nobody knows, the button."""
    return _find(
        connection,
        "session_id = ?1 OR (session_id IS NULL AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = ?1"
        " AND at_ms BETWEEN s.opened_ms AND coalesce(s.closed_ms, at_ms))) ORDER BY id DESC LIMIT ?2",
        session,
        limit,
    )


def everything(connection: sqlite3.Connection, session: str) -> list[Checkin]:
    return _find(connection, "session_id = ? ORDER BY id", session)


def waiting(connection: sqlite3.Connection, session: str) -> list[Checkin]:
    """Who waits for the proctor, first come first."""
    return _find(connection, "session_id = ? AND outcome = 'waiting' AND resolved_ms IS NULL ORDER BY id", session)


def open_case(connection: sqlite3.Connection, session: str, person: str) -> Checkin | None:
    """What this person waits for the proctor with, if they do."""
    found = _find(
        connection,
        "session_id = ? AND person_id = ? AND outcome = 'waiting' AND resolved_ms IS NULL ORDER BY id DESC LIMIT 1",
        session,
        person,
    )
    return found[0] if found else None


def newest(connection: sqlite3.Connection) -> int:
    """The id of the last entry, 0 before any."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM checkins").fetchone()[0])


def decided_since(connection: sqlite3.Connection, session: str, person: str, entry: int) -> str | None:
    """How a proctor has sent this person away from the table since the entry `entry`: the reason's code, None for not
    at all."""
    row = connection.execute(
        "SELECT reason FROM checkins WHERE session_id = ? AND person_id = ? AND id > ?"
        " AND reason IN ('denied_by_proctor', 'retry_by_proctor') ORDER BY id DESC LIMIT 1",
        (session, person, entry),
    ).fetchone()
    return None if row is None else str(row["reason"])


def resolve(connection: sqlite3.Connection, session: str, person: str) -> None:
    """Whatever waits for this person is settled."""
    connection.execute(
        "UPDATE checkins SET resolved_ms = ? WHERE session_id = ? AND person_id = ? AND outcome = 'waiting'"
        " AND resolved_ms IS NULL",
        (clock.wall_ms(), session, person),
    )


def _find(connection: sqlite3.Connection, where: str, *values: object) -> list[Checkin]:
    columns = "id, session_id, person_id, at_ms, outcome, route, reason, camera, resolved_ms, ledger_seq, score"
    rows = connection.execute(f"SELECT {columns} FROM checkins WHERE {where}", values)  # noqa: S608
    return [Checkin(*tuple(row)) for row in rows]


@dataclass(frozen=True)
class KioskState:
    """What the kiosk shows: `facts` fill the sentence and the big numbers, `visit` among them is whose they are."""

    state: str
    reason: str
    facts: Mapping[str, Any]
    at_ms: int

    @property
    def v(self) -> int:
        """What a touch on it names: the visit, whatever is said in it, or this very sentence where there is none."""
        return int(self.facts.get("visit", self.at_ms))

    def is_of(self, session: str, number: int) -> bool:
        return (self.facts.get("session"), self.facts.get("number")) == (session, number)


def belongs_to_another(connection: sqlite3.Connection, session: str, number: int) -> bool:
    """Whether the kiosk shows a visit that is not that of this candidate, as far as it is known whose it is."""
    now = shown(connection)
    return now is not None and "visit" in now.facts and not now.is_of(session, number)


def show(connection: sqlite3.Connection, state: str, reason: str, facts: Mapping[str, Any]) -> KioskState:
    shown = KioskState(state, reason, facts, clock.wall_ms())
    connection.execute(
        "INSERT OR REPLACE INTO kiosk (id, state, reason, facts, at_ms) VALUES (1, ?, ?, ?, ?)",
        (state, reason, canonical_text(facts), shown.at_ms),
    )
    return shown


def shown(connection: sqlite3.Connection) -> KioskState | None:
    row = connection.execute("SELECT * FROM kiosk WHERE id = 1").fetchone()
    return row and KioskState(row["state"], row["reason"], json.loads(row["facts"]), row["at_ms"])


@dataclass(frozen=True)
class KioskAct:
    """Something touched on the kiosk's screen while it showed `v`."""

    id: int
    act: str
    v: int
    purposes: tuple[str, ...] = ()
    """Agreed to beside the first, one by one."""


def ask(connection: sqlite3.Connection, act: str, v: int, purposes: Sequence[str] = ()) -> None:
    """Something touched on the kiosk's screen, for the check-in process to take up."""
    connection.execute(
        "INSERT INTO kiosk_acts (act, at_ms, v, purposes) VALUES (?, ?, ?, ?)",
        (act, clock.wall_ms(), v, " ".join(purposes)),
    )


def pending_acts(connection: sqlite3.Connection) -> list[KioskAct]:
    """Those not yet taken up, oldest first."""
    rows = connection.execute("SELECT id, act, v, purposes FROM kiosk_acts WHERE done_ms IS NULL ORDER BY id")
    return [KioskAct(r["id"], r["act"], r["v"], tuple(r["purposes"].split())) for r in rows]


def take_acts(connection: sqlite3.Connection, upto: int) -> None:
    """Up to the act `upto` all are taken up; in the transaction that carries it out."""
    connection.execute("UPDATE kiosk_acts SET done_ms = ? WHERE id <= ? AND done_ms IS NULL", (clock.wall_ms(), upto))
