"""What tablets were told, held against what is in the store: nothing lost, doubled, changed or out of order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edge.store import journal


@dataclass(frozen=True)
class Told:
    """The room's word on one operation, and what the tablet had asked for. `item` is "" for what is no answer."""

    attempt: str
    item: str
    value: tuple[str, ...]
    outcome: str
    version: int


@dataclass(frozen=True)
class Wrongs:
    """How often the store is not what it must be. All zero is right, and falsy.

    `lost`: acknowledged and not there. `doubled`: rows that nobody sent, or that break the order: the applied versions
    of an item are 1, 2, 3 ... and so are the numbers of a tablet's operations. `changed`: there with another outcome,
    version or value than was acknowledged, or no longer standing though nothing newer does.
    """

    lost: int = 0
    doubled: int = 0
    changed: int = 0

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.changed)


def hold_against(connection: sqlite3.Connection, told: Mapping[str, Told], sent: Collection[str]) -> Wrongs:
    """`told`: op id -> what was acknowledged; `sent`: every op id the tablets of these attempts have made."""
    lost = doubled = changed = 0
    by_attempt: dict[str, dict[str, Told]] = {}
    for op_id, one in told.items():
        by_attempt.setdefault(one.attempt, {})[op_id] = one
    for attempt, heard in by_attempt.items():
        rows = {row["op_id"]: row for row in journal.find_ops(connection, attempt)}
        lost += len(heard.keys() - rows.keys())
        changed += sum(_differs(rows[op_id], one) for op_id, one in heard.items() if op_id in rows)
        theirs = [row for row in rows.values() if not row["op_id"].startswith(journal.ROOM_OPS)]
        doubled += sum(row["op_id"] not in sent for row in theirs)
        doubled += _out_of_order(theirs, "tablet_id", "tablet_seq")
        applied = [row for row in rows.values() if row["kind"] == "answer" and row["outcome"] == "applied"]
        doubled += _out_of_order(applied, "item_id", "version")
        changed += _fallen(applied, journal.responses(connection, attempt), heard)
    return Wrongs(lost, doubled, changed)


def out_of_order(connection: sqlite3.Connection, attempts: Collection[str]) -> Wrongs:
    """Of attempts whose tablets are elsewhere: what their rows alone tell of doubled and fallen answers.

    What was acknowledged to them and is lost shows as a hand-in that is missing: the room takes a tablet's operation
    only under the number after its last, and the hand-in is the last of all.
    """
    doubled = changed = 0
    for attempt in attempts:
        theirs = [row for row in journal.find_ops(connection, attempt) if not row["op_id"].startswith(journal.ROOM_OPS)]
        applied = [row for row in theirs if row["kind"] == "answer" and row["outcome"] == "applied"]
        doubled += _out_of_order(theirs, "tablet_id", "tablet_seq") + _out_of_order(applied, "item_id", "version")
        changed += _fallen(applied, journal.responses(connection, attempt), {})
    return Wrongs(doubled=doubled, changed=changed)


def _differs(row: sqlite3.Row, one: Told) -> bool:
    stored = (row["item_id"], row["outcome"], row["version"])
    asked = json.loads(row["value"]) if row["kind"] == "answer" else []
    return stored != (one.item, one.outcome, one.version) or tuple(asked) != one.value


def _out_of_order(rows: Iterable[sqlite3.Row], group: str, number: str) -> int:
    """Rows, in the order they were written, whose number is not one more than the last of their group."""
    last: dict[Any, int] = {}
    wrong = 0
    for row in rows:
        wrong += row[number] != last.get(row[group], 0) + 1
        last[row[group]] = row[number]
    return wrong


def _fallen(applied: Iterable[sqlite3.Row], standing: Mapping[str, journal.Response], heard: Mapping[str, Told]) -> int:
    """Items whose standing answer is not the newest that was applied, or older than one that was acknowledged."""
    newest = {row["item_id"]: (row["version"], json.loads(row["value"])) for row in applied}
    for one in heard.values():
        if one.item and one.outcome == "applied" and one.version > newest.get(one.item, (0, []))[0]:
            newest[one.item] = (one.version, list(one.value))
    found = {item: (response.version, response.value) for item, response in standing.items()}
    return sum(found.get(item) != newest.get(item) for item in found.keys() | newest.keys())
