"""When each session was (`edge.domain.walltime`), by the ledger: its two entries, what the recorders entered of the
clock in between, and where it was another clock the entries on either side of the change.

It costs two entries a session whose clock nobody set, however long that was.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace

from edge import clock
from edge.domain.footage import SYNCHRONISED
from edge.domain.walltime import Reading, Run, Showing, When, showings, without_the_ledger
from edge.store import ledger
from edge.store.ledger import Entry

_OPENED = "checkin_opened"
_CLOSED = "exam_closed"
_DELETED = "practice_deleted"
_EVER = 1 << 62
_SAME_MS = 2000  # between a session's row and its entry, both of one transaction


@dataclass(frozen=True)
class _Mark:
    seq: int
    at: Reading


def when(connection: sqlite3.Connection, session: str) -> When | None:
    """Of one session, and of a practice session that was deleted since; None before its door has opened."""
    return _all(connection, session).get(session)


def every(connection: sqlite3.Connection) -> dict[str, When]:
    """Of each session whose door has opened, by its id."""
    return _all(connection, None)


def touching(connection: sqlite3.Connection, from_ms: int, until_ms: int, margin_ms: int = 0) -> list[str]:
    """The sessions that there are and that footage of (from_ms, until_ms) is of, the first to open first."""
    whens = every(connection)
    rows = connection.execute("SELECT id FROM sessions WHERE opened_ms IS NOT NULL ORDER BY opened_ms, id")
    return [row["id"] for row in rows if whens[row["id"]].touches(from_ms, until_ms, margin_ms)]


def _all(connection: sqlite3.Connection, session: str | None) -> dict[str, When]:
    bounds = dict[str, dict[str, _Mark]]()
    for name, kind, mark in _bounds(connection, session):
        known = bounds.setdefault(name, {})
        if kind == _OPENED and _DELETED in known:  # another one of the same name
            known.clear()
        if kind != _OPENED or kind not in known:
            known[kind] = mark
    now = clock.now()
    here = Reading(now.wall_ms, now.mono_ms, now.boot_id, now.quality.value == SYNCHRONISED)
    columns = {row["id"]: row for row in _columns(connection, session)}
    found = dict[str, When]()
    for name, known in bounds.items():
        first, last = known.get(_OPENED), known.get(_CLOSED) or known.get(_DELETED)
        if first is None or (last is None and name not in columns):
            continue
        readings = [mark.at for mark in _readings(connection, first, last)]
        if last is None:
            readings.append(here)
        told = showings(readings)
        if name in columns:
            told = (*_by_columns(columns[name], first, last, now.wall_ms), *told)
        boots = tuple(sorted({one.boot_id for one in readings}))
        found[name] = When(told, last is None, Run(first.seq, _EVER if last is None else last.seq, boots))
    for name, row in columns.items():
        if name not in found:
            told = without_the_ledger(row["opened_ms"], row["closed_ms"], now.wall_ms)
            found[name] = When(told, row["closed_ms"] is None)
    return found


def _by_columns(row: sqlite3.Row, first: _Mark, last: _Mark | None, now_ms: int) -> tuple[Showing, ...]:
    """The time that a session's row gives it besides, which is none unless somebody has altered the row: footage is let
    go neither by that nor by the ledger alone."""
    pairs = [(row["opened_ms"], first.at.wall_ms)]
    if last is not None and row["closed_ms"] is not None:
        pairs.append((row["closed_ms"], last.at.wall_ms))
    if all(abs(said - entered) < _SAME_MS for said, entered in pairs):
        return ()
    return without_the_ledger(row["opened_ms"], row["closed_ms"], now_ms)


def _columns(connection: sqlite3.Connection, session: str | None) -> list[sqlite3.Row]:
    narrowed = "" if session is None else " AND id = ?"
    query = f"SELECT id, opened_ms, closed_ms FROM sessions WHERE opened_ms IS NOT NULL{narrowed}"  # noqa: S608
    return connection.execute(query, () if session is None else (session,)).fetchall()


def _bounds(connection: sqlite3.Connection, session: str | None) -> Iterator[tuple[str, str, _Mark]]:
    """(session, kind, what it says) of each entry that opens or ends one, in the order of the ledger; without reading
    the papers that the opening tells of."""
    kinds = (_OPENED, _CLOSED, _DELETED)
    narrowed = "" if session is None else " AND session_id = ?"
    rows = connection.execute(
        "SELECT seq, kind, session_id, at_ms, json_extract(CAST(entry AS TEXT), '$.mono_ms', '$.boot_id', '$.quality')"  # noqa: S608
        f" AS told FROM ledger WHERE kind IN ({','.join('?' * len(kinds))}){narrowed} ORDER BY seq",
        kinds if session is None else (*kinds, session),
    )
    for row in rows:
        mono_ms, boot_id, quality = json.loads(row["told"])
        mark = _Mark(row["seq"], Reading(row["at_ms"], int(mono_ms), str(boot_id), quality == SYNCHRONISED))
        yield str(row["session_id"]), row["kind"], mark


def _readings(connection: sqlite3.Connection, first: _Mark, last: _Mark | None) -> list[_Mark]:
    """What tells of each clock from the first entry to the last, in the order of the ledger."""
    end = last or _newest(connection, first)
    marks = {mark.seq: mark for mark in _changes(connection, first, end)}
    steps = dict[int, int]()
    for entry in ledger.entries(connection, kinds=("clock",), since=first.seq, before=end.seq + 1):
        marks[entry.seq] = _mark(entry)
        steps[entry.seq] = int(entry.body.get("step_ms") or 0)
    found = list[_Mark]()
    for seq, mark in sorted(marks.items()):
        step = steps.get(seq, 0)
        if step and not found[-1].at.same_clock(mark.at):  # the first camera to see it: what was shown until then
            found.append(replace(mark, at=replace(mark.at, wall_ms=mark.at.wall_ms - step, true=False)))
        found.append(mark)
    return found


def _changes(connection: sqlite3.Connection, first: _Mark, last: _Mark) -> list[_Mark]:
    """Both, and between them the neighbours where one clock gave way to another: halved until they are neighbours."""
    if last.seq - first.seq < 2 or first.at.same_clock(last.at):
        return [first, last]
    middle = _mark(ledger.entries(connection, since=(first.seq + last.seq) // 2, limit=1)[0])
    if not first.seq < middle.seq < last.seq:  # the ledger has lost some: what it has keeps its footage
        return [first, last]
    return [*_changes(connection, first, middle)[:-1], *_changes(connection, middle, last)]


def _newest(connection: sqlite3.Connection, first: _Mark) -> _Mark:
    found = ledger.entries(connection, since=max(first.seq, ledger.size(connection) - 1), limit=1)
    return _mark(found[0]) if found else first


def _mark(entry: Entry) -> _Mark:
    said = entry.content
    at = Reading(entry.at_ms, int(said["mono_ms"]), str(said["boot_id"]), said["quality"] == SYNCHRONISED)
    return _Mark(entry.seq, at)
