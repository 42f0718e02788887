"""What `web` does every second or two besides answering costs no more in a room that has much behind it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from edge.errors import Unavailable
from edge.exam import lockdown, score_board, written
from edge.exam.purge import purge_due
from edge.store import bundles, progress, sessions
from edge.store import journal as journal_rows
from edge.store import lockdown as rows
from edge.store.db import open_answers, transaction
from edge.web import keeper
from edge.web.app import open_the_room
from support.rooms import DeskRoom


@contextmanager
def statements(db: sqlite3.Connection) -> Iterator[list[str]]:
    found: list[str] = []
    db.set_trace_callback(found.append)
    try:
        yield found
    finally:
        db.set_trace_callback(None)


def test_rosters_that_wait_are_opened_again_when_something_comes_and_now_and_then(
    desk: DeskRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(keeper, "take_in_arrivals", lambda *args: opened.append(args))
    room = open_the_room(desk.config)
    writer = keeper._Writer(room)
    for _ in range(3):
        writer(desk.db)
    assert len(opened) == 1
    for sha256 in ("0" * 64, "1" * 64):  # a policy, and the same one sealed anew
        with transaction(desk.db):
            bundles.put(desk.db, "policy", "policy", 1, "policy.bundle", sha256)
        writer(desk.db)
        writer(desk.db)
    assert len(opened) == 3
    monkeypatch.setattr(keeper, "ARRIVALS_SECONDS", 0.0)
    writer(desk.db)
    assert len(opened) == 4, "time alone may be what one waited for"

    def fails(*_: Any) -> None:
        opened.append(None)
        raise OSError

    monkeypatch.setattr(keeper, "ARRIVALS_SECONDS", 1000.0)
    monkeypatch.setattr(keeper, "take_in_arrivals", fails)
    with transaction(desk.db):
        bundles.put(desk.db, "policy", "policy", 2, "policy.bundle", "2" * 64)
    writer(desk.db)
    writer(desk.db)
    assert len(opened) == 6, "what failed is tried again at once"
    room.journal.close()


def test_digests_that_are_in_the_ledger_are_not_gone_through_again(desk: DeskRoom) -> None:
    """There are some two thousand more with every hour of exams, and the thread that asks commits the answers."""
    answers = open_answers(desk.config.paths.answers_db)
    for ask in (journal_rows.unledgered, progress.undigested):
        with statements(answers) as asked:
            ask(answers)
        plan = [row["detail"] for row in answers.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
        assert any("digests_unledgered" in step for step in plan) and "SCAN digests" not in plan
    answers.close()


def test_counting_who_left_the_page_reads_no_session(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "session_of", None)
    what = rows.Watched(desk.session, "person-1", "attempt-1", "tablet-1", "copy")
    lockdown.Lockdown().add(what, 1, 500, lambda job: job(desk.db))
    assert rows.times_away(desk.db, desk.session) == {"attempt-1": {"copy": 1}}


def test_the_examiners_list_asks_for_the_stations_once(desk: DeskRoom) -> None:
    session = sessions.find(desk.db, desk.session)
    with statements(desk.db) as asked:
        shown = score_board.board(desk.db, session, "E-001")
    assert len(shown["candidates"]) == 6
    assert sum("FROM stations" in one for one in asked) == 1


def test_the_thread_that_commits_answers_sums_up_none(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an outage there are ten thousands: they are read beside it, in blocks that give way, to the same digest."""
    room = open_the_room(desk.config)
    monkeypatch.setattr(journal_rows, "DIGEST_BLOCK", 4)
    pauses: list[int] = []
    monkeypatch.setattr(written, "_give_way", lambda: pauses.append(1))

    def answer(connection: sqlite3.Connection) -> None:
        connection.executemany(
            "INSERT INTO journal (op_id, attempt_id, tablet_id, tablet_seq, kind, item_id, base_version, value,"
            " outcome, version, at_ms, elapsed_ms)"
            " VALUES ('op-' || ?1, 'a', 't', ?1, 'answer', 'i', 0, '[]', 'applied', 1, 1, 1)",
            [(n,) for n in range(10)],
        )

    room.journal.submit(answer)
    lines: dict[str, int] = {}
    line = journal_rows._line

    def by(row: dict[str, Any]) -> str:
        me = threading.current_thread().name
        lines[me] = lines.get(me, 0) + 1
        return line(row)

    monkeypatch.setattr(journal_rows, "_line", by)
    assert written.ledger_digests(room.journal, desk.db) == 1
    assert lines == {threading.current_thread().name: 10} and len(pauses) == 3
    with room.journal.reading() as answers:
        whole = journal_rows.digest_of(answers.execute("SELECT * FROM journal ORDER BY n").fetchall())
        assert [(d.from_n, d.upto_n, d.digest) for d, _ in journal_rows.ledgered(answers)] == [(1, 10, whole)]
    with pytest.raises(Unavailable), room.journal.reading() as answers:
        answers.execute("DELETE FROM digests")
    assert written.ledger_digests(room.journal, desk.db) == 0
    room.journal.close()


def test_the_hourly_look_for_old_answers_is_not_the_committing_thread_s(
    desk: DeskRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, asked = open_the_room(desk.config), list[str]()
    monkeypatch.setattr("edge.store.purge.clock_is_held", lambda *_: True)
    monkeypatch.setattr(journal_rows, "attempts_seen", lambda _: asked.append(threading.current_thread().name) or set())
    assert purge_due(desk.db, room.journal, desk.config.paths, uploads=False) == []
    assert asked == [threading.current_thread().name]
    room.journal.close()


def test_two_who_sum_up_at_once_keep_each_row_once(desk: DeskRoom) -> None:
    answers = open_answers(desk.config.paths.answers_db)
    first, second = journal_rows.Digest(1, 10, "a"), journal_rows.Digest(1, 12, "b")
    assert journal_rows.keep_run(answers, first) and not journal_rows.keep_run(answers, second)
    assert journal_rows.keep_run(answers, journal_rows.Digest(11, 12, "c"))
    assert [digest.upto_n for digest in journal_rows.unledgered(answers)] == [10, 12]
    answers.close()
