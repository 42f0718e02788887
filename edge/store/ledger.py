"""The one ledger: append-only entries, each a leaf of an RFC 6962 tree, in the transaction of what they tell of.

An entry's bytes are canonical JSON {seq, kind, at, mono_ms, boot_id, quality, subject, session, by, body}. Bodies hold
random ids, codes and commitments; never a name, a document number or a face score.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.domain import merkle
from edge.domain.canonical import canonical
from edge.errors import VerificationFailed


@dataclass(frozen=True)
class Entry:
    """One ledger entry as stored: `entry` are the exact bytes whose leaf hash is in the tree."""

    seq: int
    kind: str
    at_ms: int
    subject: str | None
    session_id: str | None
    entry: bytes

    @property
    def content(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.entry)
        return loaded

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = self.content["body"]
        return body


def append(
    connection: sqlite3.Connection,
    kind: str,
    body: dict[str, Any],
    *,
    subject: str | None = None,
    session: str | None = None,
    by: str | None = None,
) -> int:
    """Add one entry inside the caller's open transaction and return its sequence number, counted from 0."""
    if not connection.in_transaction:
        raise RuntimeError("a ledger entry belongs in the transaction of what it tells of")
    seq = size(connection)
    at = clock.now()
    entry = canonical(
        {
            "seq": seq,
            "kind": kind,
            "at": at.iso(),
            "mono_ms": at.mono_ms,
            "boot_id": at.boot_id,
            "quality": at.quality.value,
            "subject": subject,
            "session": session,
            "by": by,
            "body": body,
        }
    )
    connection.execute(
        "INSERT INTO ledger (seq, kind, subject, session_id, at_ms, entry) VALUES (?, ?, ?, ?, ?, ?)",
        (seq, kind, subject, session, at.wall_ms, entry),
    )
    nodes = merkle.completed_nodes(seq, merkle.leaf_hash(entry), lambda level, at: node(connection, level, at))
    connection.executemany("INSERT INTO ledger_nodes (level, position, hash) VALUES (?, ?, ?)", nodes)
    return seq


def note(
    connection: sqlite3.Connection,
    kind: str,
    body: dict[str, Any],
    *,
    session: str | None = None,
    by: str | None = None,
) -> int:
    """One entry in a transaction of its own, for what changes nothing else."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        seq = append(connection, kind, body, session=session, by=by)
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")
    return seq


def size(connection: sqlite3.Connection) -> int:
    """How many entries there are: the tree size."""
    return int(connection.execute("SELECT coalesce(max(seq) + 1, 0) FROM ledger").fetchone()[0])


def node(connection: sqlite3.Connection, level: int, position: int) -> bytes:
    """The hash of one complete subtree; VerificationFailed when the store has lost it."""
    row = connection.execute(
        "SELECT hash FROM ledger_nodes WHERE level = ? AND position = ?", (level, position)
    ).fetchone()
    if row is None:
        raise VerificationFailed("ledger_broken", seq=position << level)
    return bytes(row[0])


def root(connection: sqlite3.Connection, tree_size: int) -> bytes:
    return merkle.root(tree_size, lambda level, at: node(connection, level, at))


def inclusion_proof(connection: sqlite3.Connection, seq: int, tree_size: int) -> list[bytes]:
    return merkle.inclusion_proof(seq, tree_size, lambda level, at: node(connection, level, at))


def consistency_proof(connection: sqlite3.Connection, old: int, new: int) -> list[bytes]:
    return merkle.consistency_proof(old, new, lambda level, at: node(connection, level, at))


def entries(
    connection: sqlite3.Connection,
    *,
    session: str | None = None,
    kinds: tuple[str, ...] = (),
    since: int = 0,
    before: int | None = None,
    from_ms: int | None = None,
    until_ms: int | None = None,
    limit: int = 100_000,
) -> list[Entry]:
    """Entries in order of their number, narrowed by session, kind, number (`since` <= it < `before`) and wall time."""
    where, facts = ["seq >= ?"], [since]
    arguments: list[object] = list(facts)
    if before is not None:
        where.append("seq < ?")
        arguments.append(before)
    if session is not None:
        where.append("session_id = ?")
        arguments.append(session)
    if kinds:
        where.append(f"kind IN ({','.join('?' * len(kinds))})")
        arguments.extend(kinds)
    if from_ms is not None:
        where.append("at_ms >= ?")
        arguments.append(from_ms)
    if until_ms is not None:
        where.append("at_ms <= ?")
        arguments.append(until_ms)
    columns = "seq, kind, at_ms, subject, session_id, entry"
    query = f"SELECT {columns} FROM ledger WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?"  # noqa: S608
    rows = connection.execute(query, (*arguments, limit)).fetchall()
    return [Entry(r["seq"], r["kind"], r["at_ms"], r["subject"], r["session_id"], bytes(r["entry"])) for r in rows]


def last(connection: sqlite3.Connection, kind: str, count: int) -> list[Entry]:
    """The newest `count` entries of a kind, in order."""
    row = connection.execute(
        "SELECT min(seq) FROM (SELECT seq FROM ledger WHERE kind = ? ORDER BY seq DESC LIMIT ?)", (kind, count)
    ).fetchone()
    return [] if row[0] is None else entries(connection, kinds=(kind,), since=row[0])


def get(connection: sqlite3.Connection, seq: int) -> Entry:
    found = entries(connection, since=seq, limit=1)
    if not found or found[0].seq != seq:
        raise VerificationFailed("ledger_broken", seq=seq)
    return found[0]


def check(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Recompute every hash of the tree from the entries' bytes and compare; returns size and root, or raises."""
    computed: dict[tuple[int, int], bytes] = {}
    count = 0
    for row in connection.execute("SELECT seq, entry FROM ledger ORDER BY seq"):
        if row["seq"] != count:
            raise VerificationFailed("ledger_broken", seq=count)
        leaf = merkle.leaf_hash(bytes(row["entry"]))
        for level, position, value in merkle.completed_nodes(count, leaf, lambda level, at: computed[(level, at)]):
            computed[(level, position)] = value
            if value != node(connection, level, position):
                raise VerificationFailed("ledger_broken", seq=position << level)
        count += 1
    return count, merkle.root(count, lambda level, at: computed[(level, at)])


@dataclass(frozen=True)
class Checkpoint:
    """A signed tree head: `note` is the signed C2SP text, `witnessed` the same with the gateway's signature,
    `timestamp` an authority's answer over `note`.
    """

    size: int
    root: bytes
    note: str
    at_ms: int
    witnessed: str | None
    timestamp: bytes | None = None


def save_checkpoint(connection: sqlite3.Connection, tree_size: int, tree_root: bytes, note: str) -> None:
    """Keep a signed tree head; the first for a size stays."""
    connection.execute(
        "INSERT OR IGNORE INTO checkpoints (size, root, note, at_ms) VALUES (?, ?, ?, ?)",
        (tree_size, tree_root, note, clock.wall_ms()),
    )


def save_witness(connection: sqlite3.Connection, tree_size: int, witnessed: str) -> None:
    connection.execute("UPDATE checkpoints SET witnessed = ? WHERE size = ?", (witnessed, tree_size))


def save_timestamp(connection: sqlite3.Connection, tree_size: int, timestamp: bytes) -> None:
    connection.execute("UPDATE checkpoints SET timestamp = ? WHERE size = ?", (timestamp, tree_size))


def checkpoint_covering(connection: sqlite3.Connection, seq: int, origin: str) -> Checkpoint | None:
    """The smallest checkpoint that includes entry `seq`, of those of this origin: a room and one of its epochs."""
    return _checkpoint(connection, "WHERE size > ? AND instr(note, ?) = 1 ORDER BY size LIMIT 1", seq, f"{origin}\n")


def latest_checkpoint(
    connection: sqlite3.Connection, *, witnessed: bool = False, timestamped: bool = False
) -> Checkpoint | None:
    """The newest; of those alone that the gateway signed too, or that an authority time-stamped, where wished."""
    condition = "WHERE size >= ?"
    condition += " AND witnessed IS NOT NULL" if witnessed else ""
    condition += " AND timestamp IS NOT NULL" if timestamped else ""
    return _checkpoint(connection, f"{condition} ORDER BY size DESC LIMIT 1", 0)


def witnessed_checkpoints(connection: sqlite3.Connection, upto_size: int, count: int) -> list[Checkpoint]:
    """The newest `count` that the gateway signed too, of trees no larger than `upto_size`, newest first."""
    rows = connection.execute(
        "SELECT * FROM checkpoints WHERE size <= ? AND witnessed IS NOT NULL ORDER BY size DESC LIMIT ?",
        (upto_size, count),
    )
    return [_row(row) for row in rows]


def _checkpoint(connection: sqlite3.Connection, condition: str, *values: int | str) -> Checkpoint | None:
    row = connection.execute(f"SELECT * FROM checkpoints {condition}", values).fetchone()  # noqa: S608
    return row and _row(row)


def _row(row: sqlite3.Row) -> Checkpoint:
    return Checkpoint(row["size"], bytes(row["root"]), row["note"], row["at_ms"], row["witnessed"], row["timestamp"])
