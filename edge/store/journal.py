"""Rows of the answer journal: operations, the responses they lead to, hand-ins, tablets and the exam clock.

Every function that writes expects an open transaction on answers.db; `edge.exam.journal` gives it one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge import clock
from edge.domain.canonical import canonical_text
from edge.errors import Conflict, Refused

ROOM_OPS = "room-"
"""What the op ids of the room's own operations begin with; no tablet may use such."""
RELEASED_ROWS = 500
"""How many answers that do not count are kept of one released tablet: more than any paper has, fewer than a flood."""

DIGEST_BLOCK = 200
"""Rows a digest reads and sums up in one go, some two milliseconds of the interpreter."""


@dataclass(frozen=True)
class Operation:
    """One thing a tablet asks for: an answer (`item`, `value`), the opening of a part or the hand-in (`kind`)."""

    op_id: str
    attempt: str
    tablet: str
    seq: int
    kind: str
    item: str
    base_version: int
    value: list[str]
    age_ms: int | None = None
    """How long ago it was given, by the tablet's own word."""


@dataclass(frozen=True)
class Recorded:
    """What became of an operation, the same however often it is asked.

    `outcome`: applied; stale (the item had moved on, `current` is what stands); late (after the end or the hand-in).
    """

    op_id: str
    outcome: str
    version: int
    at_ms: int
    current: list[str]
    grace: bool = False
    """It came in after the end and was taken in the grace."""
    flag: str | None = None
    """`paused`: given in a pause its tablet knew of, and not applied (outcome late). Of an answer that was applied:
    `pause`, given in a pause its tablet could not know of; `outage`, given while the power was off."""


def record(
    connection: sqlite3.Connection,
    op: Operation,
    elapsed_ms: int,
    closed: bool,
    own_ms: int | None = None,
    grace: bool = False,
    by: str = "candidate",
    flag: str | None = None,
) -> Recorded:
    """Append `op` and, where it applies, move the response on. A repeat of an op id answers as before.

    `own_ms`, `grace`: the candidate's own time, and that it came after the end; `by`: whose doing a hand-in is; `flag`:
    as in `Recorded`.

    An answer of a released tablet is kept as stale (or late) and never applied; Refused for anything else of it.
    Conflict when the tablet's sequence number was used for something else or skips one.
    """
    before = connection.execute("SELECT * FROM journal WHERE op_id = ?", (op.op_id,)).fetchone()
    if before is not None:
        return _again(connection, op, before)
    released = not is_active(connection, op.attempt, op.tablet)
    if released and not _may_still_tell(connection, op):
        raise Refused("tablet_released")
    expected = next_seq(connection, op.attempt, op.tablet)
    if op.seq != expected:
        raise Conflict("sequence_wrong", got=op.seq, expected=expected)
    row = connection.execute(
        "SELECT version, value FROM responses WHERE attempt_id = ? AND item_id = ?", (op.attempt, op.item)
    ).fetchone()
    version, current = (row["version"], json.loads(row["value"])) if row else (0, [])
    if handed_in(connection, op.attempt) is not None:
        outcome, flag = "late", None
    elif closed:
        outcome = "late"
    elif released or (op.kind == "answer" and op.base_version != version):
        outcome = "stale"
    else:
        outcome, version, current = "applied", version + 1, op.value
    at_ms = clock.wall_ms()
    columns = (op.op_id, op.attempt, op.tablet, op.seq, op.kind, op.item, op.base_version, canonical_text(op.value))
    n = connection.execute(
        "INSERT INTO journal (op_id, attempt_id, tablet_id, tablet_seq, kind, item_id, base_version, value, outcome,"
        " version, at_ms, elapsed_ms, own_ms, age_ms, grace, flag)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*columns, outcome, version, at_ms, elapsed_ms, own_ms, op.age_ms, 1 if grace else None, flag),
    ).lastrowid
    if outcome == "applied" and op.kind == "answer":
        connection.execute(
            "INSERT OR REPLACE INTO responses (attempt_id, item_id, version, value, at_ms, n)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (op.attempt, op.item, version, canonical_text(op.value), at_ms, n),
        )
    elif outcome == "applied" and op.kind == "handin":
        connection.execute(
            "INSERT INTO handins (attempt_id, n, at_ms, by) VALUES (?, ?, ?, ?)", (op.attempt, n, at_ms, by)
        )
    return Recorded(op.op_id, outcome, version, at_ms, current, grace, flag)


def _again(connection: sqlite3.Connection, op: Operation, before: sqlite3.Row) -> Recorded:
    same = (before["attempt_id"], before["tablet_id"], before["tablet_seq"], before["kind"], before["item_id"])
    if same != (op.attempt, op.tablet, op.seq, op.kind, op.item) or before["value"] != canonical_text(op.value):
        raise Conflict("op_id_reused")
    row = connection.execute(
        "SELECT value FROM responses WHERE attempt_id = ? AND item_id = ?", (op.attempt, op.item)
    ).fetchone()
    current = json.loads(row["value"]) if row else []
    word = (before["outcome"], before["version"], before["at_ms"], current, bool(before["grace"]), before["flag"])
    return Recorded(op.op_id, *word)


def is_active(connection: sqlite3.Connection, attempt: str, tablet: str) -> bool:
    """Asked by the one writer, so that an answer on its way from a released tablet is never applied."""
    row = connection.execute(
        "SELECT 1 FROM bindings WHERE attempt_id = ? AND tablet_id = ? AND released_ms IS NULL", (attempt, tablet)
    ).fetchone()
    return row is not None


def _may_still_tell(connection: sqlite3.Connection, op: Operation) -> bool:
    """Whether a released tablet's answer is kept for the proctor's eyes: its own, and not without end."""
    if op.kind != "answer":
        return False
    row = connection.execute(
        "SELECT 1 FROM bindings WHERE attempt_id = ? AND tablet_id = ?", (op.attempt, op.tablet)
    ).fetchone()
    told = connection.execute(
        "SELECT count(*) FROM journal WHERE attempt_id = ? AND tablet_id = ? AND kind = 'answer'"
        " AND outcome IN ('stale', 'late')",
        (op.attempt, op.tablet),
    ).fetchone()[0]
    return row is not None and told < RELEASED_ROWS


def next_seq(connection: sqlite3.Connection, attempt: str, tablet: str) -> int:
    """The sequence number this tablet's next operation must carry, counted from 1."""
    row = connection.execute(
        "SELECT coalesce(max(tablet_seq), 0) + 1 FROM journal WHERE attempt_id = ? AND tablet_id = ?", (attempt, tablet)
    ).fetchone()
    return int(row[0])


@dataclass(frozen=True)
class Response:
    """The answer that stands for one item."""

    version: int
    value: list[str]
    at_ms: int


def responses(connection: sqlite3.Connection, attempt: str) -> dict[str, Response]:
    rows = connection.execute("SELECT * FROM responses WHERE attempt_id = ?", (attempt,))
    return {r["item_id"]: Response(r["version"], json.loads(r["value"]), r["at_ms"]) for r in rows}


def progress(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """For every attempt: how many items have an answer, and when the last one was saved."""
    query = "SELECT attempt_id, sum(value <> '[]') AS n, max(at_ms) AS at FROM responses GROUP BY attempt_id"
    return {r["attempt_id"]: (r["n"], r["at"]) for r in connection.execute(query)}


def handed_in(connection: sqlite3.Connection, attempt: str) -> int | None:
    """When the attempt was handed in or closed, or None."""
    row = connection.execute("SELECT at_ms FROM handins WHERE attempt_id = ?", (attempt,)).fetchone()
    return None if row is None else int(row["at_ms"])


def all_handins(connection: sqlite3.Connection) -> dict[str, int]:
    return {r["attempt_id"]: r["at_ms"] for r in connection.execute("SELECT attempt_id, at_ms FROM handins")}


def attempts_seen(connection: sqlite3.Connection) -> set[str]:
    """Attempts that have any operation or ever had a tablet."""
    query = "SELECT attempt_id FROM journal UNION SELECT attempt_id FROM bindings"
    return {row["attempt_id"] for row in connection.execute(query)}


@dataclass(frozen=True)
class Binding:
    """One tablet that is, or was, a candidate's."""

    id: int
    attempt: str
    tablet: str
    active: bool
    device: str | None = None
    """What the tablet's page calls itself with every request; None: it did not say when it claimed the seat."""


def bind(
    connection: sqlite3.Connection, attempt: str, tablet: str, secret_hash: str, device: str | None = None
) -> Binding:
    """Make `tablet` the attempt's one active tablet; Conflict when it has another, or the secret was used elsewhere."""
    before = binding_of(connection, secret_hash)
    if before is not None:
        if before.attempt == attempt and before.active and before.device in (None, device):
            return before
        raise Conflict("tablet_other")
    active = connection.execute(
        "SELECT 1 FROM bindings WHERE attempt_id = ? AND released_ms IS NULL", (attempt,)
    ).fetchone()
    if active is not None:
        raise Conflict("tablet_other")
    binding = connection.execute(
        "INSERT INTO bindings (attempt_id, tablet_id, secret_hash, bound_ms, device) VALUES (?, ?, ?, ?, ?)",
        (attempt, tablet, secret_hash, clock.wall_ms(), device),
    ).lastrowid
    return Binding(int(binding or 0), attempt, tablet, True, device)


def note_other_device(connection: sqlite3.Connection, binding: int) -> bool:
    """A second device came with this tablet's cookie; whether it is the first time."""
    done = connection.execute(
        "UPDATE bindings SET other_ms = ? WHERE id = ? AND other_ms IS NULL", (clock.wall_ms(), binding)
    )
    return done.rowcount > 0


def other_devices(connection: sqlite3.Connection) -> set[str]:
    """Attempts whose active tablet's cookie was used on a second device."""
    query = "SELECT attempt_id FROM bindings WHERE other_ms IS NOT NULL AND released_ms IS NULL"
    return {row["attempt_id"] for row in connection.execute(query)}


def release(connection: sqlite3.Connection, attempt: str) -> bool:
    """End the active tablet of an attempt; whether there was one."""
    done = connection.execute(
        "UPDATE bindings SET released_ms = ? WHERE attempt_id = ? AND released_ms IS NULL", (clock.wall_ms(), attempt)
    )
    return done.rowcount > 0


def binding_of(connection: sqlite3.Connection, secret_hash: str) -> Binding | None:
    row = connection.execute("SELECT * FROM bindings WHERE secret_hash = ?", (secret_hash,)).fetchone()
    return row and Binding(row["id"], row["attempt_id"], row["tablet_id"], row["released_ms"] is None, row["device"])


@dataclass(frozen=True)
class Digest:
    """A run of journal rows and the SHA-256 over their canonical bytes, for the ledger."""

    from_n: int
    upto_n: int
    digest: str


def new_run(connection: sqlite3.Connection, give_way: Callable[[], object] = lambda: None) -> Digest | None:
    """The run of rows since the last digest, for `keep_run`; None when there are none.

    For a connection that only reads: after an outage these may be ten thousands. `give_way` is called between blocks.
    """
    at, newest = connection.execute(
        "SELECT (SELECT coalesce(max(upto_n), 0) FROM digests), (SELECT coalesce(max(n), 0) FROM journal)"
    ).fetchone()
    summed, first, last = hashlib.sha256(), 0, at
    query = "SELECT * FROM journal WHERE n > ? AND n <= ? ORDER BY n LIMIT ?"
    while rows := connection.execute(query, (last, newest, DIGEST_BLOCK)).fetchall():
        summed.update(("\n" if first else "").encode() + _text(rows))
        first, last = first or rows[0]["n"], rows[-1]["n"]
        give_way()
    return Digest(first, last, summed.hexdigest()) if first else None


def keep_run(connection: sqlite3.Connection, found: Digest) -> bool:
    """Keep the digest, unledgered; False, and nothing is written, when one of the same rows was kept meanwhile."""
    if connection.execute("SELECT 1 FROM digests WHERE upto_n >= ?", (found.from_n,)).fetchone() is not None:
        return False
    connection.execute(
        "INSERT INTO digests (upto_n, from_n, digest) VALUES (?, ?, ?)", (found.upto_n, found.from_n, found.digest)
    )
    return True


def digest_of(rows: list[sqlite3.Row]) -> str:
    """SHA-256 over the rows' canonical bytes, one line each; a column without a value is left out of its line."""
    return hashlib.sha256(_text(rows)).hexdigest()


def _text(rows: list[sqlite3.Row]) -> bytes:
    # what has no value is left out so that rows from before a column was added keep the digest they have in the ledger
    names = rows[0].keys() if rows else []
    places = sorted((name, place) for place, name in enumerate(names))
    lines = ({name: row[place] for name, place in places if row[place] is not None} for row in rows)
    return "\n".join(map(_line, lines)).encode()


# what `canonical` makes of keys that come sorted
_line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def unledgered(connection: sqlite3.Connection) -> list[Digest]:
    rows = connection.execute("SELECT * FROM digests WHERE ledger_seq IS NULL ORDER BY upto_n")
    return [Digest(r["from_n"], r["upto_n"], r["digest"]) for r in rows]


def set_ledgered(connection: sqlite3.Connection, upto_n: int, ledger_seq: int) -> None:
    connection.execute("UPDATE digests SET ledger_seq = ? WHERE upto_n = ?", (ledger_seq, upto_n))


def ledgered(connection: sqlite3.Connection) -> list[tuple[Digest, int]]:
    """Digests with the number of the ledger entry each is said to stand in."""
    rows = connection.execute("SELECT * FROM digests WHERE ledger_seq IS NOT NULL ORDER BY upto_n")
    return [(Digest(r["from_n"], r["upto_n"], r["digest"]), r["ledger_seq"]) for r in rows]


def unset_ledgered(connection: sqlite3.Connection, upto_ns: Iterable[int]) -> None:
    """These digests are in no ledger entry."""
    connection.executemany("UPDATE digests SET ledger_seq = NULL WHERE upto_n = ?", [(n,) for n in upto_ns])


def find_ops(connection: sqlite3.Connection, attempt: str) -> list[sqlite3.Row]:
    """Every operation of an attempt in order, stale and late ones too."""
    return connection.execute("SELECT * FROM journal WHERE attempt_id = ? ORDER BY n", (attempt,)).fetchall()


def close_attempt(connection: sqlite3.Connection, attempt: str, by: str = "room") -> int:
    """Hand in for a candidate: what is acknowledged stands. When it was handed in, by whomever.

    `by`: `room` when their time was over, `proctor` when the session was ended.
    """
    at_ms = handed_in(connection, attempt)
    if at_ms is None:
        at_ms = clock.wall_ms()
        n = connection.execute("SELECT coalesce(max(n), 0) FROM journal WHERE attempt_id = ?", (attempt,)).fetchone()[0]
        if n == 0:
            n = _mark_closed(connection, attempt)
        connection.execute(
            "INSERT INTO handins (attempt_id, n, at_ms, by) VALUES (?, ?, ?, ?)", (attempt, n, at_ms, by)
        )
    return at_ms


def _mark_closed(connection: sqlite3.Connection, attempt: str) -> int:
    """A journal row for an attempt that never answered, so that its hand-in has one to point at."""
    done = connection.execute(
        "INSERT INTO journal (op_id, attempt_id, tablet_id, tablet_seq, kind, item_id, base_version, value, outcome,"
        " version, at_ms, elapsed_ms) VALUES (?, ?, 'room', 1, 'handin', '', 0, '[]', 'applied', 0, ?, 0)",
        (f"room-close-{attempt}", attempt, clock.wall_ms()),
    )
    return int(done.lastrowid or 0)


def newest(connection: sqlite3.Connection) -> tuple[int, int | None]:
    """(how many operations there are, when the last one came in)"""
    row = connection.execute("SELECT count(*), max(at_ms) FROM journal").fetchone()
    return int(row[0]), row[1]


def all_ops(connection: sqlite3.Connection) -> list[Recorded]:
    """Every operation in the journal, whatever became of it, oldest first."""
    query = "SELECT op_id, outcome, version, at_ms, value FROM journal ORDER BY n"
    return [
        Recorded(r["op_id"], r["outcome"], r["version"], r["at_ms"], json.loads(r["value"]))
        for r in connection.execute(query)
    ]
