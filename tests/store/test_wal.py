"""SQLite's log read up to its real end: what a failed commit or a power cut left behind that end is never taken."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.store.db import connect
from edge.store.pages import Image, apply
from edge.store.wal import Wal

PAGE, FRAME, HEADER = 4096, 24 + 4096, 32


class Other:
    """The other side of a database: made whole once, then followed commit by commit."""

    def __init__(self, database: Path, writer: sqlite3.Connection) -> None:
        self.writer = writer
        self.wal, self.image, self.made = Wal(database, PAGE), Image(PAGE), bytearray()
        self.wal.skip()
        apply(self.made, self.image.differ(writer.serialize()))

    def follows(self) -> bool:
        changed, count = self.wal.take()
        if changed:
            apply(self.made, self.image.change(changed, count))
        return bytes(self.made) == self.writer.serialize()


def insert(writer: sqlite3.Connection, rows: int) -> None:
    writer.execute("BEGIN")
    writer.executemany("INSERT INTO t (x) VALUES (?)", [(os.urandom(3000),) for _ in range(rows)])
    writer.execute("COMMIT")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "room").mkdir()
    writer = connect(tmp_path / "room" / "one.db")
    writer.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)")
    insert(writer, 3)
    yield tmp_path / "room" / "one.db"
    writer.close()


def test_a_commit_that_the_power_tore_is_not_run_over(database: Path, tmp_path: Path) -> None:
    wal = database.with_name("one.db-wal")
    whole = wal.stat().st_size
    other = connect(database)
    insert(other, 6)
    other.close()
    after = tmp_path / "after"
    after.mkdir()
    shutil.copy(database, after / "one.db")
    shutil.copy(wal, after / "one.db-wal")
    with (after / "one.db-wal").open("r+b") as log:  # the card has all of the commit but its first frame
        log.seek(whole + 24)
        log.write(bytes(PAGE))
    writer = connect(after / "one.db")
    assert writer.execute("SELECT count(*) FROM t").fetchone()[0] == 3
    side = Other(after / "one.db", writer)
    for rows in (1, 1, 2, 6, 1):
        insert(writer, rows)
        assert side.follows()
    side.wal.close()
    writer.close()


@pytest.mark.parametrize("attached", ["before", "between"])
def test_a_commit_whose_flush_failed_is_not_taken(database: Path, attached: str) -> None:
    writer = connect(database)
    side = Other(database, writer)
    end = database.with_name("one.db-wal").stat().st_size
    writer.execute("PRAGMA cache_size = 2")  # what does not fit is written into the log before the commit
    writer.execute("BEGIN")
    writer.executemany("INSERT INTO t (x) VALUES (?)", [(os.urandom(3000),) for _ in range(40)])
    writer.execute("ROLLBACK")
    spilled = (database.with_name("one.db-wal").stat().st_size - end) // FRAME
    assert spilled > 10
    with database.with_name("one.db-wal").open("r+b") as log:  # as it stands there once its mark could not be flushed
        log.seek(end + (spilled - 1) * FRAME + 4)
        log.write((50).to_bytes(4, "big"))
    if attached == "between":
        side.wal.close()
        side = Other(database, writer)
    assert side.wal.take() == ({}, 0)
    for rows in (1, 2, 1):
        insert(writer, rows)
        assert side.follows()
    side.wal.close()
    writer.close()


def test_what_does_not_fit_is_an_error_and_never_nothing(database: Path) -> None:
    writer = connect(database)
    side = Other(database, writer)
    insert(writer, 1)
    with database.with_name("one.db-wal").open("r+b") as log:
        log.seek(database.with_name("one.db-wal").stat().st_size - FRAME + 8)
        log.write(b"saltless")
    with pytest.raises(OSError, match="not what its index says"):
        side.wal.take()
    side.wal.close()
    writer.close()
    with pytest.raises(OSError, match=r"two\.db-shm"):
        Wal(database.with_name("two.db"), PAGE).skip()


def test_an_update_that_changes_nothing_is_no_commit(database: Path) -> None:
    writer = connect(database)
    writer.execute("CREATE TABLE s (x TEXT)")
    writer.execute("INSERT INTO s VALUES ('one')")
    side = Other(database, writer)
    assert writer.execute("UPDATE s SET x = x").rowcount == 1
    assert side.wal.take() == ({}, 0)
    assert side.follows()
    side.wal.close()
    writer.close()


def test_reading_the_index_takes_no_lock_away(database: Path) -> None:
    """A descriptor of one's own on it, closed again, would let a writer of another process in between."""
    writer = connect(database)
    writer.execute("BEGIN IMMEDIATE")
    before = set(Path("/proc/locks").read_text().splitlines()) if Path("/proc/locks").exists() else set()
    own = {line.split(maxsplit=1)[1] for line in before if f" {os.getpid()} " in line}
    side = Wal(database, PAGE)
    side.skip()
    side.close()
    after = {line.split(maxsplit=1)[1] for line in Path("/proc/locks").read_text().splitlines()} if own else set()
    assert own <= after
    writer.execute("ROLLBACK")
    writer.close()
