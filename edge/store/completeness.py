"""Completeness certificates: what was signed of a session's footage, each version with its ledger entry."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from edge.store import ledger

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

    By wall time: a session named here may turn out to have nothing new.
    """
    rows = connection.execute(
        "SELECT s.id FROM sessions s WHERE s.closed_ms IS NOT NULL AND EXISTS ("
        " SELECT 1 FROM json_each(:cameras) c CROSS JOIN segments g WHERE g.camera = c.value"
        " AND g.ended_ms > s.opened_ms"
        " AND g.ended_ms < s.closed_ms + (SELECT coalesce(max(duration_ms), 0) FROM segments WHERE camera = c.value)"
        " AND +g.started_ms < s.closed_ms AND +g.ledger_seq >= :since"
        " AND +g.ledger_seq > (SELECT max(k.ledger_seq) FROM certificates k WHERE k.session_id = s.id)) ORDER BY s.id",
        {"cameras": json.dumps(cameras), "since": since_seq},
    )
    return [row["id"] for row in rows]
