"""Completeness certificates: what was signed of a session's footage, each version with its ledger entry."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from edge.store import ledger, walltime

KIND = "completeness_certified"


@dataclass(frozen=True)
class Kept:
    """One signed version. `envelope` are the exact bytes of the DSSE envelope, `sha256` their hash in hex."""

    session: str
    version: int
    envelope: bytes
    sha256: str
    ledger_seq: int
    made_ms: int


def keep(
    connection: sqlite3.Connection, session: str, version: int, envelope: bytes, sha256: str, made_ms: int
) -> Kept:
    """Row and ledger entry, in the caller's transaction."""
    seq = ledger.append(connection, KIND, {"version": version, "sha256": sha256}, session=session)
    connection.execute(
        "INSERT INTO certificates (session_id, version, envelope, sha256, ledger_seq, made_ms)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (session, version, envelope, sha256, seq, made_ms),
    )
    return Kept(session, version, envelope, sha256, seq, made_ms)


def latest(connection: sqlite3.Connection, session: str) -> Kept | None:
    """The newest version of the session's certificate."""
    row = connection.execute(
        "SELECT * FROM certificates WHERE session_id = ? ORDER BY version DESC LIMIT 1", (session,)
    ).fetchone()
    if row is None:
        return None
    return Kept(
        row["session_id"], row["version"], bytes(row["envelope"]), row["sha256"], row["ledger_seq"], row["made_ms"]
    )


def uncertified(connection: sqlite3.Connection) -> list[str]:
    """Closed sessions without a certificate, oldest first."""
    rows = connection.execute(
        "SELECT s.id FROM sessions s WHERE s.opened_ms IS NOT NULL AND s.closed_ms IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM certificates c WHERE c.session_id = s.id) ORDER BY s.closed_ms"
    )
    return [row["id"] for row in rows]


def outdated(connection: sqlite3.Connection, cameras: Sequence[str], since_seq: int) -> list[str]:
    """Sessions with footage of `cameras` that was entered after their newest certificate, and from `since_seq` on.

    By wall time, as the clocks showed it in each: a session named here may turn out to have nothing new.
    """
    if connection.execute("SELECT 1 FROM segments WHERE ledger_seq >= ? LIMIT 1", (since_seq,)).fetchone() is None:
        return []
    certified = connection.execute(
        "SELECT session_id, max(ledger_seq) AS seq FROM certificates GROUP BY session_id ORDER BY session_id"
    ).fetchall()
    whens = walltime.every(connection) if certified else {}
    return [
        row["session_id"]
        for row in certified
        if row["session_id"] in whens
        and not whens[row["session_id"]].open
        and any(
            _entered(connection, cameras, *span, max(since_seq, row["seq"] + 1))
            for span in whens[row["session_id"]].spans()
        )
    ]


def _entered(connection: sqlite3.Connection, cameras: Sequence[str], from_ms: int, until_ms: int, seq: int) -> bool:
    """Whether footage of this time came into the index under this number of the ledger, or a later one."""
    row = connection.execute(
        "SELECT 1 FROM json_each(:cameras) c CROSS JOIN segments g WHERE g.camera = c.value AND g.ended_ms > :from"
        " AND g.ended_ms < :until + (SELECT coalesce(max(duration_ms), 0) FROM segments WHERE camera = c.value)"
        " AND +g.started_ms < :until AND +g.ledger_seq >= :seq LIMIT 1",
        {"cameras": json.dumps(cameras), "from": from_ms, "until": until_ms, "seq": seq},
    ).fetchone()
    return row is not None
