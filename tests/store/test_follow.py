"""A database of several writers, followed: whatever they do meanwhile, the other side has it as it stood once."""

from __future__ import annotations

import os
import random
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.store.db import connect
from edge.store.follow import PORTION_BYTES, Follower
from edge.store.pages import apply


class Side:
    """The other side: patches wait until the last one of a look."""

    def __init__(self) -> None:
        self.made, self.waiting, self.sizes = bytearray(), list[bytes](), list[int]()

    def __call__(self, patch: bytes, last: bool) -> bool:
        self.sizes.append(len(patch))
        self.waiting.append(patch)
        if last:
            for one in self.waiting:
                apply(self.made, one)
            self.waiting.clear()
        return True


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(tmp_path / "one.db")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)")
    yield connection
    connection.close()


def insert(writer: sqlite3.Connection, rows: int, size: int = 3000) -> None:
    writer.execute("BEGIN")
    writer.executemany("INSERT INTO t (x) VALUES (?)", [(os.urandom(size),) for _ in range(rows)])
    writer.execute("COMMIT")


def test_it_is_the_database_after_every_look(tmp_path: Path, writer: sqlite3.Connection) -> None:
    writer.execute("PRAGMA wal_autocheckpoint = 30")
    second = connect(tmp_path / "one.db")
    follower, side, chance = Follower(tmp_path / "one.db"), Side(), random.Random(4)
    acts: dict[str, Callable[[], object]] = {
        "insert": lambda: insert(second, chance.randint(1, 12)),
        "delete": lambda: writer.execute("DELETE FROM t WHERE n % 3 = ?", (chance.randint(0, 2),)),
        "vacuum": lambda: writer.execute("VACUUM"),
        "truncate": lambda: second.execute("PRAGMA wal_checkpoint(TRUNCATE)"),
        "passive": lambda: second.execute("PRAGMA wal_checkpoint(PASSIVE)"),
    }
    for _ in range(70):
        for act in chance.choices(list(acts), weights=[8, 3, 1, 1, 2], k=chance.randint(0, 4)):
            acts[act]()
        assert follower.look(side)
        assert bytes(side.made) == writer.serialize()
    follower.close()
    second.close()


def test_writers_and_checkpoints_in_the_midst_of_a_look(tmp_path: Path, writer: sqlite3.Connection) -> None:
    insert(writer, 300)
    follower, side, chance = Follower(tmp_path / "one.db"), Side(), random.Random(5)
    second = connect(tmp_path / "one.db")
    second.execute("PRAGMA busy_timeout = 0")

    def meanwhile(patch: bytes, last: bool) -> bool:
        insert(second, chance.randint(1, 3))
        second.execute(f"PRAGMA wal_checkpoint({chance.choice(['PASSIVE', 'RESTART', 'TRUNCATE'])})")
        return side(patch, last)

    whole = 0
    for n in range(24):
        if n % 8 == 0:
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            writer.execute("UPDATE t SET x = randomblob(3000)")
        if follower.look(meanwhile):
            whole += 1
            copy = tmp_path / f"copy-{n}.db"
            copy.write_bytes(side.made)
            check = sqlite3.connect(copy)
            assert check.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            check.close()
    assert whole > 5
    while not follower.look(side):
        pass
    assert bytes(side.made) == writer.serialize()
    follower.close()
    second.close()


def test_a_look_that_is_given_up_is_made_up_for(tmp_path: Path, writer: sqlite3.Connection) -> None:
    insert(writer, 200)
    follower, side, chance = Follower(tmp_path / "one.db"), Side(), random.Random(6)
    for _ in range(60):
        follower.look(lambda patch, last: chance.random() < 0.6 and side(patch, last))
        if chance.random() < 0.4:
            insert(writer, 2)
        if chance.random() < 0.2:
            writer.execute("DELETE FROM t WHERE n > (SELECT max(n) - 20 FROM t)")
            writer.execute("VACUUM")
    assert follower.look(side)
    assert bytes(side.made) == writer.serialize()
    follower.close()


def test_a_large_database_takes_little_memory_and_small_portions(tmp_path: Path, writer: sqlite3.Connection) -> None:
    insert(writer, 50, 400_000)
    follower, sizes = Follower(tmp_path / "one.db"), list[int]()

    def count(patch: bytes, _last: bool) -> bool:
        sizes.append(len(patch))
        return True

    tracemalloc.start()
    try:
        assert follower.look(count)
        assert sum(sizes) > 19_000_000
        assert max(sizes) < 1.2 * PORTION_BYTES
        insert(writer, 1)
        sizes.clear()
        assert follower.look(count)
        assert sum(sizes) < 100_000  # what was committed, and not the whole again
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    follower.close()
