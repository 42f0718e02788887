"""What tablets were told against what is stored: each kind of wrong, planted by hand, is seen and counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.ops.rehearsal.tally import Told, Wrongs, hold_against, out_of_order
from edge.store import journal
from edge.store.db import open_answers

ATTEMPT, TABLET = "attempt-1", "tablet-1"
COLUMNS = "attempt_id, tablet_id, kind, item_id, base_version, value, outcome, at_ms, elapsed_ms, own_ms, age_ms, grace"


class Stored:
    """Four answers to two items and a hand-in, with what the tablet heard of them."""

    def __init__(self, folder: Path) -> None:
        self.db = open_answers(folder / "answers.db")
        self.told: dict[str, Told] = {}
        journal.bind(self.db, ATTEMPT, TABLET, "h")
        steps = [("S1", 0, ["A"]), ("S2", 0, ["B"]), ("S1", 1, ["C"]), ("S1", 0, ["D"]), ("", 0, [])]
        for number, (item, base, value) in enumerate(steps, start=1):
            kind = "answer" if item else "handin"
            op = journal.Operation(f"op-{number}", ATTEMPT, TABLET, number, kind, item, base, value)
            kept = journal.record(self.db, op, 1000, closed=False)
            self.told[op.op_id] = Told(ATTEMPT, item, tuple(value), kept.outcome, kept.version)

    def again(self, op_id: str, version: int) -> None:
        """The row of `op_id` once more, as the tablet's next operation."""
        self.db.execute(
            f"INSERT INTO journal (op_id, tablet_seq, version, {COLUMNS}) "  # noqa: S608
            f"SELECT 'twice', 6, ?, {COLUMNS} FROM journal WHERE op_id = ?",
            (version, op_id),
        )

    def wrongs(self) -> Wrongs:
        return hold_against(self.db, self.told, self.told.keys())


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    made = Stored(tmp_path)
    yield made
    made.db.close()


def test_what_is_right_is_nothing(stored: Stored) -> None:
    assert [told.outcome for told in stored.told.values()] == ["applied", "applied", "applied", "stale", "applied"]
    assert stored.wrongs() == Wrongs()
    assert not stored.wrongs()


def test_a_row_written_twice_is_counted(stored: Stored) -> None:
    """The same answer again under another id: nobody sent it, and its version is taken."""
    stored.again("op-3", version=2)
    assert stored.wrongs() == Wrongs(doubled=2)


def test_a_row_applied_twice_in_good_order_is_counted(stored: Stored) -> None:
    """Even where versions and numbers go on as they should."""
    stored.again("op-3", version=3)
    stored.db.execute("UPDATE responses SET version = 3 WHERE item_id = 'S1'")
    assert stored.wrongs() == Wrongs(doubled=1)


def test_a_swapped_value_is_counted(stored: Stored) -> None:
    stored.db.execute("""UPDATE journal SET value = '["B"]' WHERE op_id = 'op-1'""")
    assert stored.wrongs() == Wrongs(changed=1)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE responses SET version = 1 WHERE item_id = 'S1'",
        """UPDATE responses SET value = '["A"]' WHERE item_id = 'S1'""",
        "DELETE FROM responses WHERE item_id = 'S2'",
    ],
)
def test_an_answer_that_does_not_stand_is_counted(stored: Stored, sql: str) -> None:
    stored.db.execute(sql)
    assert stored.wrongs() == Wrongs(changed=1)


def test_what_is_not_there_is_lost(stored: Stored) -> None:
    stored.db.execute("DELETE FROM responses")
    _without(stored.db, "op-3")
    found = stored.wrongs()
    assert found.lost == 1
    assert found.doubled == 1, "the tablet's numbers have a hole"
    assert found.changed == 2, "neither item stands"


def test_of_tablets_elsewhere_the_rows_themselves_tell(stored: Stored) -> None:
    assert not out_of_order(stored.db, [ATTEMPT])
    stored.again("op-3", version=2)
    stored.db.execute("DELETE FROM responses WHERE item_id = 'S2'")
    assert out_of_order(stored.db, [ATTEMPT]) == Wrongs(doubled=1, changed=1)


def test_a_newer_answer_that_was_never_acknowledged_may_stand(stored: Stored) -> None:
    """Its tablet was cut off before it heard of it."""
    sent = set(stored.told)
    del stored.told["op-3"]
    assert hold_against(stored.db, stored.told, sent) == Wrongs()


def _without(db: sqlite3.Connection, op_id: str) -> None:
    db.execute("DELETE FROM journal WHERE op_id = ?", (op_id,))
