"""Opening: made once, migrated once, however many processes start at the same moment."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import Unavailable
from edge.store.db import _open, open_answers, open_room, transaction
from edge.store.room_schema import ROOM_MIGRATIONS

OPEN = "import sys; from pathlib import Path; from edge.store.db import open_room; open_room(Path(sys.argv[1])).close()"


def test_eight_processes_open_a_new_store_at_once(tmp_path: Path) -> None:
    file = tmp_path / "room.db"
    openers = [subprocess.Popen([sys.executable, "-c", OPEN, str(file)], stderr=subprocess.PIPE) for _ in range(8)]
    assert [opener.communicate()[1] for opener in openers] == [b""] * 8
    assert {opener.returncode for opener in openers} == {0}
    connection = open_room(file)
    applied = connection.execute("SELECT name FROM _sqlite_migrations").fetchall()
    assert sorted(row["name"] for row in applied) == sorted(ROOM_MIGRATIONS)
    connection.close()


def test_a_later_migration_is_added_and_a_failing_one_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    steps = {"m001": "CREATE TABLE a (x INTEGER) STRICT;\n"}
    _open(file, "x", steps).close()
    steps["m002"] = "CREATE TABLE b (y INTEGER) STRICT;\nCREATE TABLE a (z INTEGER) STRICT;\n"
    with pytest.raises(Unavailable):
        _open(file, "x", steps)
    steps["m002"] = "CREATE TABLE b (y INTEGER) STRICT;\n"
    connection = _open(file, "x", steps)
    names = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"a", "b"} <= names
    connection.close()


def test_what_is_not_a_database_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "answers.db"
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(Unavailable) as refused:
        open_answers(file)
    assert "answers.db" in str(refused.value)
    assert file.read_bytes() == b"not a database at all" * 100


def test_a_transaction_that_fails_is_undone_whole(tmp_path: Path) -> None:
    connection = open_room(tmp_path / "room.db")
    with pytest.raises(sqlite3.IntegrityError), transaction(connection):
        connection.execute("INSERT INTO meta VALUES ('a', '1')")
        connection.execute("INSERT INTO meta VALUES ('a', '2')")
    assert connection.execute("SELECT count(*) FROM meta").fetchone()[0] == 0
    connection.close()


def test_a_busy_store_is_unavailable_not_a_crash(tmp_path: Path) -> None:
    one, other = open_room(tmp_path / "room.db"), open_room(tmp_path / "room.db")
    other.execute("PRAGMA busy_timeout = 50")
    with transaction(one), pytest.raises(Unavailable) as busy, transaction(other):
        pass
    assert busy.value.code == "store_busy"
    one.close()
    other.close()


def test_a_disk_that_is_full_in_the_middle_is_unavailable_and_nothing_is_written(tmp_path: Path) -> None:
    connection = open_room(tmp_path / "room.db")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable) as full, transaction(connection):
        connection.execute("INSERT INTO meta VALUES ('a', '1')")
        connection.execute("INSERT INTO meta VALUES ('b', ?)", ("x" * 100_000,))
    assert full.value.code == "store_unavailable"
    assert "full" in full.value.sentence("en")
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM meta").fetchone()[0] == 0
    with pytest.raises(sqlite3.OperationalError, match="no such table"), transaction(connection):
        connection.execute("INSERT INTO no_such VALUES (1)")
    connection.close()
