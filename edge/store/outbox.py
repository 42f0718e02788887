"""Results on their way to the province: waiting until a verified receipt is stored beside them, or refused for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from edge import clock


@dataclass(frozen=True)
class Outgoing:
    """One result as it is sent; `receipt` once there is one."""

    epoch: int
    seq: int
    envelope: bytes
    sha256: str
    state: str
    tries: int
    last_error: str | None
    receipt: bytes | None

    @property
    def key(self) -> tuple[int, int]:
        return self.epoch, self.seq


_QUERY = (
    "SELECT o.epoch, o.seq, r.envelope, r.sha256, o.state, o.tries, o.last_error, o.receipt"
    " FROM outbox o JOIN results r ON r.epoch = o.epoch AND r.seq = o.seq"
)


def waiting(connection: sqlite3.Connection, limit: int) -> list[Outgoing]:
    """The next `limit` results without a receipt, in the order they were signed; fewer tried ones first."""
    rows = connection.execute(f"{_QUERY} WHERE o.state = 'waiting' ORDER BY o.tries, o.epoch, o.seq LIMIT ?", (limit,))
    return [_outgoing(row) for row in rows]


def after(connection: sqlite3.Connection, key: tuple[int, int], limit: int) -> list[Outgoing]:
    """The next `limit` results of any state behind `key`, in order; (0, 0) is the beginning."""
    rows = connection.execute(
        f"{_QUERY} WHERE (o.epoch, o.seq) > (?, ?) ORDER BY o.epoch, o.seq LIMIT ?", (*key, limit)
    )
    return [_outgoing(row) for row in rows]


def find(connection: sqlite3.Connection, epoch: int, seq: int) -> Outgoing | None:
    row = connection.execute(f"{_QUERY} WHERE o.epoch = ? AND o.seq = ?", (epoch, seq)).fetchone()
    return None if row is None else _outgoing(row)


def receipted(connection: sqlite3.Connection, epoch: int, seq: int, receipt: bytes) -> bool:
    """Store a verified receipt, in the caller's transaction; False when one was there already, which then stays."""
    done = connection.execute(
        "UPDATE outbox SET state = 'receipted', receipt = ?, receipt_ms = ?, last_error = NULL"
        " WHERE epoch = ? AND seq = ? AND state <> 'receipted'",
        (receipt, clock.wall_ms(), epoch, seq),
    )
    return done.rowcount == 1


def refused(connection: sqlite3.Connection, epoch: int, seq: int, code: str) -> bool:
    """The gateway will never take it as it is; False when that was known, or a receipt is there."""
    done = connection.execute(
        "UPDATE outbox SET state = 'refused', tries = tries + 1, last_error = ?"
        " WHERE epoch = ? AND seq = ? AND state = 'waiting'",
        (code, epoch, seq),
    )
    return done.rowcount == 1


def failed(connection: sqlite3.Connection, keys: Sequence[tuple[int, int]], code: str) -> None:
    """One more try in vain; the results go on waiting."""
    connection.executemany(
        "UPDATE outbox SET tries = tries + 1, last_error = ? WHERE epoch = ? AND seq = ? AND state = 'waiting'",
        [(code, epoch, seq) for epoch, seq in keys],
    )


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many results wait, are receipted, are refused."""
    found = {"waiting": 0, "receipted": 0, "refused": 0}
    for row in connection.execute("SELECT state, count(*) AS n FROM outbox GROUP BY state"):
        found[row["state"]] = row["n"]
    return found


def _outgoing(row: sqlite3.Row) -> Outgoing:
    receipt = None if row["receipt"] is None else bytes(row["receipt"])
    return Outgoing(
        row["epoch"],
        row["seq"],
        bytes(row["envelope"]),
        row["sha256"],
        row["state"],
        row["tries"],
        row["last_error"],
        receipt,
    )
