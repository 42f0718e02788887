"""The end of a session against everything that happens at the same moment, and starts and ends cut off half way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from edge.errors import BadInput, Conflict
from edge.exam import conduct, marking, timeacts
from edge.exam.acts import Op, carry_out, make_op
from edge.store import acts, ledger, people, records, sessions
from edge.store import journal as rows
from edge.store.db import connect
from support.rooms import DeskRoom
from support.timed import BY, MINUTE, HeldTime, TimedExam


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldTime:
    return HeldTime().hold(monkeypatch)


@pytest.fixture
def exam(desk: DeskRoom, held: HeldTime) -> Iterator[TimedExam]:
    made = TimedExam.open(desk, held, admit=2)
    yield made
    made.journal.close()


def close(exam: TimedExam, op: Op | None = None) -> None:
    marking.close(exam.desk.db, exam.journal, exam.live, exam.desk.session, exam.bank, "时间到", BY, op)


def add_time(exam: TimedExam, minutes: int = 10) -> int:
    return timeacts.add_time(exam.desk.db, exam.live, exam.desk.session, None, minutes, "停电了", BY)


def test_nobody_is_opened_again_while_the_session_is_being_closed(
    exam: TimedExam, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More time for people whose time was over, asked for in the middle of the close: it comes too late."""
    exam.start()
    exam.jump(62)
    exam.live.tick()
    assert exam.poll(1)["s"] == "done"
    outcome: list[Any] = []

    def give() -> None:
        own = connect(exam.desk.config.paths.room_db)
        try:
            timeacts.add_time(own, exam.live, exam.desk.session, None, 10, "停电了", BY)
            outcome.append("given")
        except Conflict as refused:
            outcome.append(refused.code)
        finally:
            own.close()

    asked = threading.Thread(target=give)
    score = marking.score_written

    def score_slowly(*facts: Any) -> list[records.TestRecord]:
        if asked.ident is None:
            asked.start()
            asked.join(0.3)
        assert set(exam.live.handins()) >= {exam.sitting(n).id for n in (1, 2)}, "opened again after the last score"
        return score(*facts)

    monkeypatch.setattr(marking, "score_written", score_slowly)
    close(exam)
    asked.join()
    assert outcome == ["session_state"]
    assert exam.live.closed_for_time() != []
    assert ledger.entries(exam.desk.db, kinds=("attempt_reopened",)) == []


def test_time_that_is_refused_opens_nobody(exam: TimedExam) -> None:
    exam.start()
    exam.jump(62)
    exam.live.tick()
    before = exam.live.clocks.of(exam.sitting(1).id)
    for minutes in (0, 241):
        with pytest.raises(BadInput):
            add_time(exam, minutes)
    close(exam)
    with pytest.raises(Conflict):
        add_time(exam)
    assert exam.live.clocks.of(exam.sitting(1).id) == before


def test_an_exam_that_is_paused_within_the_grace_can_be_closed(exam: TimedExam) -> None:
    exam.start()
    exam.jump(60.2)
    with pytest.raises(Conflict) as waits:
        close(exam)
    assert waits.value.code == "grace_open"
    exam.live.clocks.pause(exam.sitting(1).id, exam.desk.session, True)
    with pytest.raises(Conflict):
        close(exam)
    exam.live.set_running(exam.desk.session, False)
    exam.go(5 * MINUTE, MINUTE)
    close(exam)
    assert sessions.find(exam.desk.db, exam.desk.session).state == "closed"


def test_one_person_paused_within_the_grace_holds_up_nobody(exam: TimedExam) -> None:
    exam.start()
    exam.jump(60.2)
    exam.live.clocks.pause(exam.sitting(1).id, exam.desk.session, True)
    exam.go(2 * MINUTE)
    assert (exam.poll(1)["s"], exam.poll(2)["s"]) == ("closed", "done")
    close(exam)
    assert len(records.tests_of(exam.desk.db, exam.desk.session)) == 2


def test_a_start_cut_off_between_the_stores_is_finished_by_the_next_tick(exam: TimedExam) -> None:
    conduct.start(exam.desk.db, exam.desk.session, BY)
    exam.restart()
    assert not exam.live.running(exam.desk.session)
    exam.live.tick()
    assert exam.live.running(exam.desk.session)
    exam.live.set_running(exam.desk.session, False)
    exam.restart()
    exam.live.tick()
    assert not exam.live.running(exam.desk.session), "a pause is not undone by a restart"


def test_a_close_and_who_confirmed_it_are_one_transaction(exam: TimedExam) -> None:
    exam.start()
    op = make_op("op-close-1", exam.desk.session, "close", {"reason": "时间到"}, BY, "E-001")
    close(exam, op)
    assert acts.find(exam.desk.db, op.op_id) is not None
    assert ledger.entries(exam.desk.db, kinds=("act_confirmed",))[0].content["by"] == "E-001"
    assert carry_out(exam.desk.db, op, lambda: close(exam, op)) == {}
    assert len(ledger.entries(exam.desk.db, kinds=("exam_closed",))) == 1


def test_a_tablet_cannot_speak_in_the_rooms_name(exam: TimedExam) -> None:
    """An op id of the room's own would make a kept answer look accepted, or a hand-in look made."""
    exam.start()
    hand = exam.hand(1)
    item = exam.singles(1)[0]
    hand.answer(item, ["A"])
    kept = hand.op(item, ["B"])
    assert exam.live.save(hand.tablet, kept).outcome == "stale"
    binding = hand.tablet.binding
    for name in ("room-kept-2", f"room-close-{binding.attempt}"):
        forged = rows.Operation(name, binding.attempt, binding.tablet, 3, "answer", item, 1, ["C"])
        with pytest.raises(Conflict) as refused:
            exam.live.save(hand.tablet, forged)
        assert refused.value.code == "op_id_reused"
    assert people.candidate(exam.desk.db, exam.desk.session, exam.person(1)).state == "admitted"
