"""What `web` holds of the open sessions: kept up with every change of room.db, at the cost of what has changed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from edge.demo import people as cast
from edge.domain.canonical import canonical, canonical_text
from edge.domain.paper import responses_of
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.sittings import Sittings
from edge.store import sessions, sittings
from support.rooms import DeskRoom
from support.timed import HeldTime, TimedExam


@pytest.fixture
def exam(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> Iterator[TimedExam]:
    running = TimedExam.open(desk, HeldTime().hold(monkeypatch), admit=3)
    running.start()
    yield running
    running.journal.close()


@contextmanager
def counted(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[Any]]]:
    """The statements that are run on `db` meanwhile, and the attempts whose papers are parsed."""
    found: dict[str, list[Any]] = {"statements": [], "papers": []}
    read = sessions.papers_of

    def papers_of(connection: sqlite3.Connection, ids: Any) -> Any:
        for attempt, paper in read(connection, ids):
            found["papers"].append(attempt)
            yield attempt, paper

    with monkeypatch.context() as patched:
        patched.setattr(sessions, "papers_of", papers_of)
        db.set_trace_callback(found["statements"].append)
        try:
            yield found
        finally:
            db.set_trace_callback(None)


def plan_another(desk: DeskRoom, state: str) -> None:
    """A second session in this state, with the first one's papers under ids of its own."""
    roster = parse_roster(canonical(cast.roster("S-2", 1, size=3, photos=False)))
    bank_file = sessions.find(desk.db, desk.session).bank_file
    data_key = desk.identity.keys.data
    policy = parse_policy(canonical(cast.POLICY))
    take_in(desk.db, roster, policy, room="room-1", bank_file=bank_file, data_key=data_key)
    sessions.set_state(desk.db, "S-2", state)
    desk.db.execute(
        "INSERT INTO papers (session_id, person_id, attempt_id, seed, paper, digest) SELECT c.session_id, c.person_id,"
        " 'again-' || c.number, p.seed, p.paper, p.digest FROM candidates c JOIN papers p ON p.rowid = c.number"
        " WHERE c.session_id = 'S-2'"
    )


def test_a_refresh_costs_what_has_changed(exam: TimedExam, monkeypatch: pytest.MonkeyPatch) -> None:
    db = exam.desk.db
    plan_another(exam.desk, "closed")
    with counted(db, monkeypatch) as first:
        exam.refresh()
    assert sorted(first["papers"]) == ["again-1", "again-2", "again-3"]  # the others were held already
    before = {s.id: s for s in exam.live.all_sittings()}
    assert len(before) == 9
    db.execute("INSERT INTO meta (key, value) VALUES ('anything', 'else')")
    with counted(db, monkeypatch) as second:
        exam.refresh()
    assert second["papers"] == []
    # the transaction's two, all open sessions in one, and one for each of them
    assert len(second["statements"]) == 2 + 1 + 2, second["statements"]
    assert all(s is before[s.id] for s in exam.live.all_sittings())
    exam.admit(4)
    with counted(db, monkeypatch) as third:
        exam.refresh()
    assert third["papers"] == []
    after = {s.id: s for s in exam.live.all_sittings()}
    assert all(after[id_] is one for id_, one in before.items() if one.session.id == "S-2")
    assert all(after[id_].options is one.options for id_, one in before.items())
    sessions.set_state(db, "S-2", "signed")
    exam.refresh()
    assert {s.session.id for s in exam.live.all_sittings()} == {exam.desk.session}


def test_one_paper_drawn_anew_is_the_one_that_is_read(exam: TimedExam, monkeypatch: pytest.MonkeyPatch) -> None:
    db, old = exam.desk.db, exam.sitting(1)
    paper = json.loads(json.dumps(old.attempt.paper))
    gone = next(responses_of(paper))["id"]
    paper["parts"][0]["items"].pop(0)
    digest = hashlib.sha256(canonical(paper)).hexdigest()
    values = (canonical_text(paper), digest, old.id)
    db.execute("UPDATE papers SET paper = ?, digest = ? WHERE attempt_id = ?", values)
    with counted(db, monkeypatch) as found:
        exam.refresh()
    assert found["papers"] == [old.id]
    now = exam.sitting(1)
    assert gone in old.options and gone not in now.options and gone not in now.part_of
    assert now.attempt.paper == paper


CHANGES = {
    "more time": "UPDATE papers SET extra_ms = 60000 WHERE rowid = 1",
    "another seed": "UPDATE papers SET seed = 'other' WHERE rowid = 1",
    "another attempt": "UPDATE papers SET attempt_id = 'anew' WHERE rowid = 1",
    "no paper": "DELETE FROM papers WHERE rowid = 1",
    "number": "UPDATE candidates SET number = 77 WHERE number = 1",
    "badge": "UPDATE candidates SET badge = 'other' WHERE number = 1",
    "seat": "UPDATE candidates SET seat = NULL WHERE number = 1",
    "state": "UPDATE candidates SET state = 'finished' WHERE number = 1",
    "route": "UPDATE candidates SET route = 'manual' WHERE number = 1",
    "admitted": "UPDATE candidates SET admitted_ms = 5 WHERE number = 1",
    "seat code": "UPDATE candidates SET seat_code = '000001' WHERE number = 1",
    "name": "UPDATE people SET name = name || '二' WHERE id = (SELECT min(person_id) FROM candidates)",
    "document type": "UPDATE people SET document_type = 'passport' WHERE id = (SELECT min(person_id) FROM candidates)",
    "document": "UPDATE people SET document_number = '1' WHERE id = (SELECT min(person_id) FROM candidates)",
    "salt": "UPDATE people SET salt = '1' WHERE id = (SELECT min(person_id) FROM candidates)",
    "settings": "INSERT INTO person_settings (session_id, person_id, settings) SELECT session_id, person_id,"
    " '{\"size\": 2}' FROM candidates WHERE number = 1",
    "credit": "INSERT INTO outages (id, session_id, from_ms, to_ms, elapsed_ms, ms, proposed_ms, cause, quality,"
    " credited_ms) SELECT 'o1', id, 1, 2, 10, 5, 5, 'web', 'rtc', 5 FROM sessions",
    "part": "INSERT INTO part_limits (session_id, part, ms) SELECT id, 0, 1000 FROM sessions",
    "late": "UPDATE checkins SET ledger_seq = ledger_seq + 1000",
    "minutes": "UPDATE sessions SET minutes = minutes + 1",
    "policy": "UPDATE sessions SET policy = json_set(policy, '$.grace_seconds', 7)",
    "closed": "UPDATE sessions SET state = 'closed', closed_ms = 9",
    "signed": "UPDATE sessions SET state = 'signed', signed_ms = 9",
    "class": "UPDATE classes SET title = title || '二'",
    "school": "UPDATE institutions SET name = name || '二'",
    "unlocked": "INSERT INTO unlocks (session_id, bank, version, sealed, at_ms) SELECT id, bank_id, 1, x'01', 1"
    " FROM sessions",
}


@pytest.fixture
def limited(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> Iterator[TimedExam]:
    desk.db.execute("""UPDATE sessions SET policy = json_set(policy, '$.late_join', 'full-time')""")
    parts = len(sessions.find(desk.db, desk.session).blueprint["parts"])
    running = TimedExam.open(desk, HeldTime().hold(monkeypatch), admit=3, parts=(20,) * parts)
    running.start()
    yield running
    running.journal.close()


def test_nothing_that_changes_is_missed(limited: TimedExam) -> None:
    """Each change alone: what is kept up says the same as what is read for the first time."""
    db, kept = limited.desk.db, Sittings()
    before = kept.read(db)
    for what, statement in CHANGES.items():
        db.execute("BEGIN")
        assert db.execute(statement).rowcount > 0, what
        now = kept.read(db)
        assert now == Sittings().read(db), what
        assert now != before, what
        db.execute("ROLLBACK")
        assert kept.read(db) == before, what


def test_every_part_of_a_candidate_is_in_the_mark(exam: TimedExam) -> None:
    """One that the roster's reader learns to give later must not be held back by an old mark."""
    who = exam.sitting(1).candidate
    told = sittings.mark(exam.desk.db, exam.desk.session)
    row = next(row for row in json.loads(told.partition("][")[0].rstrip("]") + "]]") if row[0] == who.person)
    assert sorted(map(str, row)) == sorted(str(v) for name, v in vars(who).items() if name != "session")


def test_heads_are_read_without_the_papers_own_pages(exam: TimedExam) -> None:
    plan = exam.desk.db.execute(
        "EXPLAIN QUERY PLAN SELECT attempt_id, person_id, seed, digest, extra_ms FROM papers WHERE session_id = 'S-1'"
    ).fetchall()
    assert "COVERING INDEX papers_heads" in plan[0]["detail"]
