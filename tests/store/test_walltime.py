"""When a session was, read from a real ledger: opening, close, and what the recorders entered between."""

from __future__ import annotations

from typing import Any

import pytest

from edge.store import ledger, walltime
from edge.store.db import transaction
from edge.store.purge import delete_session
from support.clocked import MINUTE, ClockedSession
from support.rooms import DeskRoom
from support.timed import HeldTime

HOUR = 60 * MINUTE
T = 500_000 * HOUR


@pytest.fixture
def session(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> ClockedSession:
    return ClockedSession(desk, HeldTime(wall=T).hold(monkeypatch))


def spans(session: ClockedSession) -> list[tuple[int, int]]:
    """In minutes after the door opened."""
    when = walltime.when(session.desk.db, session.desk.session)
    assert when is not None
    assert walltime.every(session.desk.db) == {session.desk.session: when}
    return [(round((a - T) / MINUTE), round((b - T) / MINUTE)) for a, b in when.counted()]


def test_of_a_session_that_has_not_opened_nothing_is_said(session: ClockedSession) -> None:
    assert walltime.when(session.desk.db, session.desk.session) is None
    assert walltime.when(session.desk.db, "S-9") is None
    assert walltime.every(session.desk.db) == {}


def test_a_session_whose_clock_nobody_set_costs_the_same_however_long_it_was(
    session: ClockedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.opens()
    session.films(30)
    assert spans(session) == [(0, 30)], "it goes on"
    session.closes()
    session.films(5)
    asked, real = list[Any](), ledger.entries
    monkeypatch.setattr(ledger, "entries", lambda *a, **more: asked.append(more.get("kinds")) or real(*a, **more))
    assert spans(session) == [(0, 30)]
    assert set(asked) == {("clock",)}, "and no other entry is read"


def test_a_ledger_that_lost_entries_still_keeps_what_it_tells_of(session: ClockedSession) -> None:
    session.opens()
    session.films(4)
    session.is_set(-24 * HOUR)
    session.films(4)
    session.closes()
    last = ledger.size(session.desk.db) - 1
    session.desk.db.execute("DELETE FROM ledger WHERE seq > ? AND seq < ?", (last - 8, last))
    assert spans(session) == [(8 - 24 * 60, 8 - 24 * 60), (0, 8)]


@pytest.mark.parametrize(("cameras", "until"), [((), 3), (("door",), 2), (("door", "hall", "yard"), 2)])
def test_a_clock_put_right_from_a_day_ahead(session: ClockedSession, cameras: tuple[str, ...], until: int) -> None:
    """Where no camera saw it, the old clock counts on to the next entry."""
    session.opens()
    session.films(2)
    session.is_set(-24 * HOUR, *cameras)
    session.films(20)
    day = 24 * 60
    assert spans(session) == [(until - day, 22 - day), (0, until)]
    session.closes()
    session.films(30)
    assert spans(session) == [(until - day, 22 - day), (0, until)]
    when = walltime.when(session.desk.db, session.desk.session)
    assert when is not None and len(when.showings) == 2


def test_a_clock_that_went_astray_and_was_put_back(session: ClockedSession) -> None:
    session.opens()
    session.films(10)
    session.is_set(100 * HOUR, "door", "hall")
    session.films(10)
    session.is_set(-100 * HOUR, "door", "hall")
    session.films(10)
    session.closes()
    assert spans(session) == [(0, 10), (20, 30), (6010, 6020)]


def test_a_power_cut_in_between_and_a_saved_clock_that_is_put_right(session: ClockedSession) -> None:
    session.opens()
    session.films(10)
    session.boots(T + 9 * MINUTE)  # 15 h later, by the time last saved
    session.films(5)
    session.is_set(15 * HOUR, "door")
    session.films(60)
    session.closes()
    assert spans(session) == [(0, 909), (914, 974)], "the session went on without power"


def test_rows_that_somebody_altered_take_nothing_out_of_a_session(session: ClockedSession) -> None:
    session.opens()
    session.films(10)
    session.closes()
    session.desk.db.execute("UPDATE sessions SET opened_ms = ?, closed_ms = ?", (T + HOUR, T + 2 * HOUR))
    assert spans(session) == [(0, 10), (60, 120)]


def test_a_practice_session_that_was_deleted_still_has_its_time_and_another_of_its_name_its_own(
    session: ClockedSession,
) -> None:
    db, name = session.desk.db, session.desk.session
    session.opens()
    session.films(10)
    with transaction(db):
        delete_session(db, name)
        ledger.append(db, "practice_deleted", {}, session=name)
    session.films(10)
    gone = walltime.when(db, name)
    assert gone is not None and not gone.open
    assert [(a - T, b - T) for a, b in gone.counted()] == [(0, 10 * MINUTE)]
    with transaction(db):
        ledger.append(db, "checkin_opened", {}, session=name)
        ledger.append(db, "exam_closed", {}, session=name)
    again = walltime.when(db, name)
    assert again is not None and [(a - T, b - T) for a, b in again.counted()] == [(20 * MINUTE, 20 * MINUTE)]
