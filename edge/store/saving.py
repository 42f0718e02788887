"""Many answers in one pass: what `journal.record` does for one, for all that wait for the same commit.

The writer keeps in memory where each attempt stands, so that an answer in the ordinary course costs no query, and puts
the rows of all of them into few statements. Whatever is out of the ordinary (a repeat, a gap, a released tablet) goes
to `journal.record`, which alone says what is refused; the constraints of the tables stay the safety net under both.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import NamedTuple

from edge import clock
from edge.store.journal import Operation, Recorded, record

_JOURNAL = (
    "INSERT INTO journal (n, op_id, attempt_id, tablet_id, tablet_seq, kind, item_id, base_version, value, outcome,"
    " version, at_ms, elapsed_ms, own_ms, age_ms, grace, flag) VALUES "
)
_RESPONSES = "INSERT OR REPLACE INTO responses (attempt_id, item_id, version, value, at_ms, n) VALUES "
_SIZES = (64, 32, 16, 8, 4, 2, 1)  # rows a statement: few forms, so that all stay prepared

Row = tuple[object, ...]
Outcome = Recorded | Exception
Alone = Callable[[sqlite3.Connection, "Asked"], Outcome]


class Asked(NamedTuple):
    """An answer that waits to be kept, with what the clocks said of it."""

    op: Operation
    elapsed_ms: int
    late: bool
    own_ms: int | None = None
    grace: bool = False
    flag: str | None = None


class _Attempt:
    """Where one attempt stands: its tablet and that one's next number, its hand-in, the answer to each item."""

    __slots__ = ("handed_in", "next_seq", "standing", "tablet")

    def __init__(self, connection: sqlite3.Connection, attempt: str) -> None:
        row = connection.execute(
            "SELECT tablet_id FROM bindings WHERE attempt_id = ? AND released_ms IS NULL", (attempt,)
        ).fetchone()
        self.tablet: str | None = row and row[0]
        row = connection.execute(
            "SELECT coalesce(max(tablet_seq), 0) + 1 FROM journal WHERE attempt_id = ? AND tablet_id = ?",
            (attempt, self.tablet),
        ).fetchone()
        self.next_seq: int = row[0]
        row = connection.execute("SELECT 1 FROM handins WHERE attempt_id = ?", (attempt,)).fetchone()
        self.handed_in = row is not None
        rows = connection.execute("SELECT item_id, version, value FROM responses WHERE attempt_id = ?", (attempt,))
        self.standing: dict[str, tuple[int, str]] = {item: (version, value) for item, version, value in rows}


class Standings:
    """What the one writer of answers.db remembers of it between commits. Not for more than one thread."""

    def __init__(self) -> None:
        self._attempts: dict[str, _Attempt] = {}
        self._last_n: int | None = None

    def forget(self) -> None:
        """Something else wrote, or a commit failed: read everything again when it is next asked for."""
        self._attempts.clear()
        self._last_n = None

    def keep(self, connection: sqlite3.Connection, asked: Sequence[Asked]) -> list[Outcome]:
        """Write all of `asked` in its order; what became of each, or why it was refused. Needs an open transaction."""
        found: list[Outcome] = []
        run: list[Asked] = []
        journal: list[Row] = []
        responses: dict[tuple[str, str], Row] = {}
        told: list[Recorded] = []
        for one in asked:
            known = self._known(connection, one.op)
            if known is None:
                found += self._flush(connection, run, told, journal, responses)
                run, told, journal, responses = [], [], [], {}
                found.append(self._alone(connection, one))
            else:
                run.append(one)
                told.append(self._next(connection, known, one, journal, responses))
        return found + self._flush(connection, run, told, journal, responses)

    def _known(self, connection: sqlite3.Connection, op: Operation) -> _Attempt | None:
        """Where the attempt stands, when `op` is simply the next of its one tablet."""
        known = self._attempts.get(op.attempt)
        if known is None:
            known = self._attempts[op.attempt] = _Attempt(connection, op.attempt)
        ordinary = op.kind == "answer" and known.tablet == op.tablet and known.next_seq == op.seq
        return known if ordinary and "".join(op.value).isprintable() else None

    def _next(
        self,
        connection: sqlite3.Connection,
        known: _Attempt,
        one: Asked,
        journal: list[Row],
        responses: dict[tuple[str, str], Row],
    ) -> Recorded:
        """Decide as `journal.record` does, and note the rows to write."""
        op = one.op
        if self._last_n is None:
            self._last_n = int(connection.execute("SELECT coalesce(max(n), 0) FROM journal").fetchone()[0])
        self._last_n += 1
        n, at_ms, value = self._last_n, clock.wall_ms(), "[" + ",".join(map(encode_basestring, op.value)) + "]"
        version, standing = known.standing.get(op.item, (0, "[]"))
        current: list[str] | None = None
        flag = None if known.handed_in else one.flag
        if one.late or known.handed_in:
            outcome = "late"
        elif op.base_version != version:
            outcome = "stale"
        else:
            outcome, version, current = "applied", version + 1, op.value
            known.standing[op.item] = (version, value)
            responses[op.attempt, op.item] = (op.attempt, op.item, version, value, at_ms, n)
        known.next_seq += 1
        asked = (op.op_id, op.attempt, op.tablet, op.seq, op.kind, op.item, op.base_version, value)
        times = (at_ms, one.elapsed_ms, one.own_ms, op.age_ms, 1 if one.grace else None, flag)
        journal.append((n, *asked, outcome, version, *times))
        if current is None:
            current = json.loads(standing)
        return Recorded(op.op_id, outcome, version, at_ms, current, one.grace, flag)

    def _flush(
        self,
        connection: sqlite3.Connection,
        run: list[Asked],
        told: list[Recorded],
        journal: list[Row],
        responses: dict[tuple[str, str], Row],
    ) -> list[Outcome]:
        """Write the rows of a run; where the tables say no, one after the other, so that only the guilty one fails."""
        if not run:
            return []
        connection.execute("SAVEPOINT run")
        try:
            _insert(connection, _JOURNAL, journal)
            _insert(connection, _RESPONSES, list(responses.values()))
        except Exception:  # each is asked again alone, and says it itself
            connection.execute("ROLLBACK TO run")
            connection.execute("RELEASE run")
            self.forget()
            return [self._alone(connection, one) for one in run]
        connection.execute("RELEASE run")
        return list(told)

    def _alone(self, connection: sqlite3.Connection, one: Asked) -> Outcome:
        """One answer by itself; what it raises undoes it and nothing else."""
        connection.execute("SAVEPOINT one")
        try:
            kept = record(connection, one.op, one.elapsed_ms, one.late, one.own_ms, one.grace, flag=one.flag)
        except Exception as error:
            connection.execute("ROLLBACK TO one")
            connection.execute("RELEASE one")
            return error
        connection.execute("RELEASE one")
        self._attempts.pop(one.op.attempt, None)
        self._last_n = None
        return kept


def _insert(connection: sqlite3.Connection, head: str, rows: Sequence[Row]) -> None:
    """All rows, as many a statement as fit: the interpreter's lock is let go once a statement, not once a row."""
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            connection.execute(
                _statement(head, len(rows[at]), size), [cell for row in rows[at : at + size] for cell in row]
            )
            at += size


def _statement(head: str, width: int, rows: int) -> str:
    found = _statements.get((head, rows))
    if found is None:
        marks = "(" + ",".join("?" * width) + ")"
        found = _statements[head, rows] = head + ",".join([marks] * rows)
    return found


_statements: dict[tuple[str, int], str] = {}
