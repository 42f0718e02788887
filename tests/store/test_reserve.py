"""The reserve of the databases: made, let go step by step, made again; the room it puts into a database's log."""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path

import pytest

from edge.exam.journal import AnswerJournal
from edge.exam.readiness import BYTES_A_SAVE
from edge.store import journal
from edge.store.db import open_answers, open_room
from edge.store.reserve import LOG_MB, MB, STEP, Reserve, disk_full, hold_log
from edge.store.saving import Asked


def blocks(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_it_holds_real_blocks_and_gives_them_back_a_step_at_a_time(tmp_path: Path) -> None:
    room = open_room(tmp_path / "room.db")
    reserve = Reserve(tmp_path, 10)
    assert reserve.missing == 10 * MB
    assert reserve.make() and not reserve.missing
    file = next(tmp_path.glob("reserve*"))
    assert blocks(file) >= 10 * MB
    before = blocks(tmp_path / "room.db-wal")
    assert reserve.use(tmp_path / "room.db")
    assert reserve.held == 10 * MB - STEP
    assert blocks(tmp_path / "room.db-wal") >= before + STEP // 2, "half of it is the log's at once"
    assert [reserve.use(tmp_path / "room.db") for _ in range(3)] == [True, True, False]
    assert reserve.held == 0
    assert reserve.make() and reserve.held == 10 * MB
    room.close()


def test_none_and_less_than_before_are_given_back(tmp_path: Path) -> None:
    assert Reserve(tmp_path, 8).make()
    assert Reserve(tmp_path, 5).make()
    assert Reserve(tmp_path, 5).held == 5 * MB
    assert Reserve(tmp_path, 0).make()
    assert list(tmp_path.iterdir()) == []


def test_a_log_with_room_of_its_own_is_read_as_before(tmp_path: Path) -> None:
    """What is committed before and after stands, also for who opens the files after a crash."""
    path = tmp_path / "answers.db"
    db = open_answers(path)
    db.execute("PRAGMA wal_autocheckpoint = 0")
    journal.bind(db, "a1", "t1", "h1")
    hold_log(path)
    log = path.with_name("answers.db-wal")
    assert log.stat().st_size == LOG_MB * MB
    journal.bind(db, "a2", "t2", "h2")
    spare = tmp_path / "spare"
    spare.mkdir()
    (spare / path.name).write_bytes(path.read_bytes())
    (spare / log.name).write_bytes(log.read_bytes())
    found = sqlite3.connect(spare / path.name)
    assert found.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert [row[0] for row in found.execute("SELECT attempt_id FROM bindings ORDER BY 1")] == ["a1", "a2"]
    found.close()
    db.close()


def test_only_a_full_disk_is_one(tmp_path: Path) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    broken = sqlite3.OperationalError("disk I/O error")
    broken.sqlite_errorcode = sqlite3.SQLITE_IOERR
    assert disk_full(full, tmp_path)
    assert not any(disk_full(error, tmp_path) for error in (busy, broken, ValueError("full")))


@pytest.mark.parametrize("value", [["A", "C"], ["φ12 mm", "双排脚手架", "1.8 m"]])
def test_an_answer_takes_no_more_than_is_reckoned_with(value: list[str], tmp_path: Path) -> None:
    """On the disk for good; `edge.exam.readiness` asks for that much for each."""
    path = tmp_path / "answers.db"
    book = AnswerJournal(path)
    attempts, rounds = 10, 100
    for at in range(attempts):
        book.submit(lambda c, at=at: journal.bind(c, f"{at:024x}", f"{at:016x}", f"{at:064x}"))
    for number in range(rounds):
        for at in range(attempts):
            item = f"ITEM-{number % 50:04}"
            op = journal.Operation(
                str(uuid.uuid4()), f"{at:024x}", f"{at:016x}", number + 1, "answer", item, number // 50, value, 900
            )
            assert book.save(Asked(op, 1_000_000, False, 900_000, False)).outcome == "applied"
    book.close()
    a_save = path.stat().st_size / (attempts * rounds)
    assert 100 < a_save <= BYTES_A_SAVE, a_save
