"""What the proctor does to time: once by its op id, in the ledger, and no candidate the worse for a repeat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edge.errors import BadInput, Conflict, NotFound, Unavailable
from edge.exam import conduct, lesstime, timeacts, written
from edge.exam.acts import Op, carry_out, make_op
from edge.store import journal as rows
from edge.store import ledger, people, timing
from support.rooms import DeskRoom
from support.timed import BY, MINUTE, HeldTime, TimedExam, set_policy


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldTime:
    return HeldTime().hold(monkeypatch)


@pytest.fixture
def exam(desk: DeskRoom, held: HeldTime) -> Iterator[TimedExam]:
    made = TimedExam.open(desk, held, parts=(20, None))
    made.start()
    yield made
    made.journal.close()


def make(op_id: str, act: str, **body: Any) -> Op:
    return make_op(op_id, "S-1", act, body, BY)


def add(exam: TimedExam, op_id: str, person: str | None, minutes: int) -> None:
    op = make(op_id, "add-time", person=person, minutes=minutes)

    def work() -> dict[str, int]:
        found = timeacts.add_time(exam.desk.db, exam.live, exam.desk.session, person, minutes, "设备故障", BY, op)
        return {"reopened": found}

    carry_out(exam.desk.db, op, work)


def turn(exam: TimedExam, op_id: str, person: str | None, running: bool) -> None:
    op = make(op_id, "resume" if running else "pause", person=person)

    def work() -> None:
        timeacts.set_clock(exam.desk.db, exam.live, exam.desk.session, person, running, "停电了", BY, op)

    carry_out(exam.desk.db, op, work)
    exam.refresh()


def credit(exam: TimedExam, op_id: str, outage: str, ms: int | None = None) -> None:
    op = make(op_id, "credit-outage", outage=outage, ms=ms)

    def work() -> dict[str, Any]:
        return timeacts.credit_outage(exam.desk.db, exam.live, exam.desk.session, outage, ms, "停电了", BY, op)

    carry_out(exam.desk.db, op, work)


def kinds(exam: TimedExam, *names: str) -> list[tuple[str, str | None]]:
    return [(e.kind, e.subject) for e in ledger.entries(exam.desk.db, kinds=names)]


def test_time_is_added_once_to_one_or_to_all(exam: TimedExam) -> None:
    add(exam, "op-00000001", exam.person(1), 10)
    add(exam, "op-00000001", exam.person(1), 10)
    assert (exam.left(1), exam.left(2)) == (70 * MINUTE, 60 * MINUTE)
    add(exam, "op-00000002", None, 5)
    add(exam, "op-00000002", None, 5)
    assert (exam.left(1), exam.left(2)) == (75 * MINUTE, 65 * MINUTE)
    with pytest.raises(Conflict) as reused:
        add(exam, "op-00000002", None, 6)
    assert reused.value.code == "act_reused"
    with pytest.raises(BadInput):
        add(exam, "op-00000003", None, 0)
    assert exam.left(2) == 65 * MINUTE
    assert len(kinds(exam, "time_added")) == 2


def test_time_is_added_before_the_start_too(desk: DeskRoom, held: HeldTime) -> None:
    planned = next(c.person for c in people.candidates(desk.db, desk.session) if c.number == 1)
    conduct.add_time(desk.db, desk.session, planned, 7, "残疾考生", BY)
    exam = TimedExam.open(desk, held)
    add(exam, "op-00000001", exam.person(2), 10)
    add(exam, "op-00000001", exam.person(2), 10)
    exam.start()
    assert [exam.left(n) for n in (1, 2, 3)] == [67 * MINUTE, 70 * MINUTE, 60 * MINUTE]
    exam.journal.close()


def test_added_time_opens_again_whom_the_room_had_closed(exam: TimedExam, held: HeldTime) -> None:
    hand, own = exam.hand(1), exam.hand(2)
    item = exam.singles(1, 1)[0]
    assert hand.answer(item, ["A"]).outcome == "applied"
    own.hand_in()
    exam.jump(61)
    exam.live.tick()
    assert exam.poll(1)["s"] == "done"
    written.finish_candidates(exam.live, exam.desk.db, exam.desk.session)
    exam.refresh()
    exam.jump(25)  # the room goes on for others; none of it is this candidate's
    add(exam, "op-00000001", exam.person(1), 10)
    add(exam, "op-00000001", exam.person(1), 10)
    assert exam.poll(1)["s"] == "running" and exam.left(1) == 10 * MINUTE
    assert people.candidate(exam.desk.db, exam.desk.session, exam.person(1)).state == "admitted"
    assert exam.poll(3)["s"] == "done"
    hand.tablet = exam.live.tablet(hand.secret)
    assert hand.answer(item, ["B"], base=1).outcome == "applied"
    exam.restart()
    hand.live = exam.live
    assert exam.poll(1)["s"] == "running" and exam.left(1) == 10 * MINUTE
    assert kinds(exam, "attempt_reopened") == [("attempt_reopened", exam.person(1))]
    with pytest.raises(Conflict) as theirs:  # their own hand-in stays
        add(exam, "op-00000002", exam.person(2), 10)
    assert theirs.value.code == "time_is_over"
    add(exam, "op-00000003", None, 5)
    assert {n for n in range(1, 6) if exam.poll(n)["s"] == "running"} == {1, 3, 4, 5}
    assert exam.left(1) == 15 * MINUTE and exam.left(3) == 5 * MINUTE
    exam.jump(15.5)
    exam.live.tick()
    assert written.finish_candidates(exam.live, exam.desk.db, exam.desk.session) == 3
    exam.jump(1)
    exam.live.tick()
    assert exam.sitting(1).id in exam.live.handins()


def test_a_hand_in_that_the_end_brought_about_is_opened_again_and_ones_own_is_not(exam: TimedExam) -> None:
    by_page, own, silent = exam.hand(1), exam.hand(2), exam.hand(3)
    exam.jump(59.5)
    exam.go(40_000)
    assert by_page.hand_in().outcome == "applied"  # 10 s over: the page did it, not the person
    for hand in (own, silent):
        exam.live.clocks.heard(hand.tablet.binding.tablet)
    queued = own.op("", [], 0, "handin")
    queued = rows.Operation(**{**vars(queued), "age_ms": 20_000})  # handed in out of reach, before the end
    assert exam.live.save(own.tablet, queued).outcome == "applied"
    repeat = by_page.op("", [], 0, "handin")
    add(exam, "op-00000001", None, 10)
    assert [exam.poll(n)["s"] for n in (1, 2, 3)] == ["running", "done", "running"]
    exam.restart()
    assert [exam.poll(n)["s"] for n in (1, 2, 3)] == ["running", "done", "running"]
    by_page.live, by_page.tablet = exam.live, exam.live.tablet(by_page.secret)
    first = exam.journal.submit(lambda c: rows.find_ops(c, by_page.tablet.binding.attempt))[0]
    late_copy = rows.Operation(first["op_id"], first["attempt_id"], first["tablet_id"], 1, "handin", "", 0, [])
    assert exam.live.save(by_page.tablet, late_copy).outcome == "applied"  # as it was answered before
    assert exam.poll(1)["s"] == "running"  # and nothing is done twice
    assert exam.live.save(by_page.tablet, repeat).outcome == "applied"
    assert exam.poll(1)["s"] == "done"


def test_a_busy_room_store_leaves_everybody_as_closed_as_before(exam: TimedExam) -> None:
    exam.jump(61)
    exam.live.tick()
    before = exam.live.handins()
    blocker = __import__("sqlite3").connect(exam.desk.config.paths.room_db, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    exam.desk.db.execute("PRAGMA busy_timeout = 50")
    with pytest.raises(Unavailable):
        add(exam, "op-00000001", None, 10)
    assert exam.live.handins().keys() == before.keys()
    blocker.execute("ROLLBACK")
    blocker.close()
    add(exam, "op-00000001", None, 10)
    assert {exam.poll(n)["s"] for n in range(1, 6)} == {"running"}
    assert exam.left(1) == 10 * MINUTE


def test_the_room_and_one_person_pause_and_go_on_once_each(exam: TimedExam) -> None:
    person = exam.person(1)
    exam.go(10 * MINUTE, step=4000)
    turn(exam, "op-00000001", person, False)
    assert exam.poll(1)["s"] == "paused" and exam.poll(2)["s"] == "running"
    exam.go(5 * MINUTE, step=4000)
    assert (exam.left(1), exam.left(2)) == (50 * MINUTE, 45 * MINUTE)
    exam.restart()
    assert exam.poll(1)["s"] == "paused" and exam.left(1) == 50 * MINUTE
    turn(exam, "op-00000002", None, False)
    exam.go(5 * MINUTE, step=4000)
    turn(exam, "op-00000003", person, True)
    assert exam.poll(1)["s"] == "paused"  # the room's own pause holds
    turn(exam, "op-00000004", None, True)
    for op_id, who, running in (  # every one of them again, late and out of order
        ("op-00000002", None, False),
        ("op-00000001", person, False),
        ("op-00000004", None, True),
        ("op-00000003", person, True),
    ):
        turn(exam, op_id, who, running)
    assert exam.poll(1)["s"] == "running"
    exam.go(MINUTE, step=4000)
    assert (exam.left(1), exam.left(2)) == (49 * MINUTE, 44 * MINUTE)
    with pytest.raises(Conflict) as already:
        turn(exam, "op-00000005", None, True)
    assert already.value.code == "already_paused"
    assert kinds(exam, "exam_paused", "exam_resumed", "candidate_paused", "candidate_resumed") == [
        ("candidate_paused", person),
        ("exam_paused", None),
        ("candidate_resumed", person),
        ("exam_resumed", None),
    ]


def test_a_pause_cut_off_before_the_ledger_is_finished_by_its_repeat(exam: TimedExam) -> None:
    exam.live.set_running(exam.desk.session, False, "op-00000001")  # and then web was killed
    exam.restart()
    assert kinds(exam, "exam_paused") == []
    with pytest.raises(Conflict):
        turn(exam, "op-00000009", None, False)
    turn(exam, "op-00000001", None, False)
    assert kinds(exam, "exam_paused") == [("exam_paused", None)]
    assert not exam.live.running(exam.desk.session)


def test_an_outage_is_credited_once_and_in_full_to_the_part_it_hit(exam: TimedExam, held: HeldTime) -> None:
    first, second, third = exam.hand(1), exam.hand(2), exam.hand(3)
    third.hand_in()
    part = first.op("", ["0"], 0, "part")
    exam.live.save(first.tablet, part)
    exam.go(10 * MINUTE, step=4000)
    held.go(3 * MINUTE)  # web was gone, and the clocks ran on
    exam.restart()
    first.live = second.live = exam.live
    exam.live.tick()
    exam.write_behind()
    exam.live.save(second.tablet, second.op("", ["0"], 0, "part"))
    assert exam.left(1) == 47 * MINUTE and exam.poll(1)["p"] == {"0": 7 * MINUTE}
    (outage,) = timing.outages(exam.desk.db, exam.desk.session)
    for bad in (0, 241 * MINUTE):
        with pytest.raises(BadInput):
            credit(exam, "op-0000000x", outage["id"], bad)
    with pytest.raises(NotFound):
        credit(exam, "op-0000000x", "o9")
    credit(exam, "op-00000001", outage["id"])
    credit(exam, "op-00000001", outage["id"])
    with pytest.raises(Conflict) as twice:
        credit(exam, "op-00000002", outage["id"])
    assert twice.value.code == "outage_credited"
    assert exam.left(1) == 50 * MINUTE and exam.poll(1)["p"] == {"0": 10 * MINUTE}
    assert exam.left(2) == 50 * MINUTE and exam.poll(2)["p"] == {"0": 20 * MINUTE}  # opened after it: lost nothing
    assert timing.outages(exam.desk.db, exam.desk.session)[0]["credited"] == 180
    (entry,) = ledger.entries(exam.desk.db, kinds=("time_credited",))
    assert entry.body["people"] == 5 and entry.body["ms"] == 3 * MINUTE  # all but who had handed in
    exam.restart()
    assert exam.poll(1)["p"] == {"0": 10 * MINUTE}


def test_a_credit_opens_again_and_skips_who_came_later_on_full_time(desk: DeskRoom, held: HeldTime) -> None:
    set_policy(desk.db, desk.session, late_join="full-time")
    exam = TimedExam.open(desk, held, admit=3)
    exam.start()
    exam.go(10_000)
    held.go(2 * MINUTE)
    exam.restart()
    exam.live.tick()
    exam.write_behind()
    exam.admit(4)
    exam.jump(58.9)
    exam.live.tick()
    assert {n for n in (1, 2, 3, 4) if exam.poll(n)["s"] == "done"} == {1, 2, 3}
    (outage,) = timing.outages(desk.db, desk.session)
    left = exam.left(4)
    credit(exam, "op-00000001", outage["id"], 90_000)
    assert [exam.left(n) for n in (1, 2, 3)] == [90_000] * 3
    assert exam.left(4) == left
    assert len(kinds(exam, "attempt_reopened")) == 3
    exam.journal.close()


def test_time_acts_keep_nobodys_words_and_go_with_the_session(exam: TimedExam, held: HeldTime) -> None:
    from edge.store.purge import purge_session

    held.go(MINUTE)
    exam.live.tick()
    exam.write_behind()
    add(exam, "op-00000001", exam.person(1), 10)
    turn(exam, "op-00000002", exam.person(1), False)
    everything = b"".join(e.entry for e in ledger.entries(exam.desk.db)).decode()
    assert "设备故障" not in everything and "停电了" not in everything
    assert timing.outages(exam.desk.db, exam.desk.session)
    exam.desk.db.execute("BEGIN")
    purge_session(exam.desk.db, exam.desk.session)
    exam.desk.db.execute("COMMIT")
    assert timing.outages(exam.desk.db, exam.desk.session) == []
    ledger.check(exam.desk.db)


# ---- less of it


def power_cut(exam: TimedExam, held: HeldTime, minutes: int) -> str:
    """The box was off and is back; the id of the outage."""
    held.boot, held.mono, held.wall = held.boot + "+", 3_000, held.wall + minutes * MINUTE
    exam.restart()
    exam.live.tick()
    exam.write_behind()
    return str(timing.outages(exam.desk.db, exam.desk.session)[-1]["id"])


def settle_cut(exam: TimedExam, op_id: str, outage: str, seconds: int) -> dict[str, Any]:
    op = make(op_id, "settle-standstill", outage=outage, seconds=seconds)

    def work() -> dict[str, Any]:
        ms = seconds * 1000
        return lesstime.settle_standstill(
            exam.desk.db, exam.live, exam.desk.session, outage, ms, "考生继续作答", BY, op
        )

    return carry_out(exam.desk.db, op, work)


def test_what_a_standing_clock_gave_is_confirmed_or_taken_back_once(exam: TimedExam, held: HeldTime) -> None:
    exam.hand(5).hand_in()
    exam.jump(10)
    exam.live.tick()
    cut = power_cut(exam, held, 7)
    before = exam.poll(1)
    for _ in range(2):
        assert settle_cut(exam, "op-00000001", cut, 420)["people"] == len(exam.live.sittings(exam.desk.session)) - 1
    assert (before["left"], exam.left(1)) == (50 * MINUTE, 43 * MINUTE)
    assert exam.poll(1)["v"] != before["v"]  # the next poll says so
    assert timing.outages(exam.desk.db, exam.desk.session)[0]["credited"] == -420
    for again in (0, 420):
        with pytest.raises(Conflict) as twice:
            settle_cut(exam, f"op-0000010{again}", cut, again)
        assert twice.value.code == "outage_credited"
    second = power_cut(exam, held, 5)
    for too_much in (301, 14_400):
        with pytest.raises(BadInput):
            settle_cut(exam, f"op-000002{too_much}", second, too_much)
    left = exam.left(1)
    settle_cut(exam, "op-00000003", second, 0)
    assert exam.left(1) == left
    exam.restart()
    assert exam.left(1) == left
    assert kinds(exam, "time_taken_back", "standstill_confirmed") == [
        ("time_taken_back", None),
        ("standstill_confirmed", None),
    ]
    assert all("作答" not in e.entry.decode() for e in ledger.entries(exam.desk.db, kinds=("time_taken_back",)))


def test_time_can_be_made_less_and_nobody_is_cut_off(exam: TimedExam) -> None:
    db, session = exam.desk.db, exam.desk.session
    exam.jump(40)
    add(exam, "op-00000001", exam.person(2), 30)
    assert lesstime.shorten(db, exam.live, session, exam.person(2), 5, "设错了", BY) == {"people": 1}
    assert (exam.left(1), exam.left(2)) == (20 * MINUTE, 45 * MINUTE)
    lesstime.shorten(db, exam.live, session, None, 25, "设错了", BY)
    assert (exam.left(1), exam.left(2)) == (MINUTE, 20 * MINUTE)
    with pytest.raises(Conflict) as nothing:
        lesstime.shorten(db, exam.live, session, exam.person(1), 5, "设错了", BY)
    assert nothing.value.code == "nothing_to_shorten" and exam.poll(1)["s"] == "running"
    assert len(kinds(exam, "time_shortened")) == 2


def test_a_parts_limit_can_be_changed_as_far_as_nobody_has_used_more(exam: TimedExam) -> None:
    db, session, hand = exam.desk.db, exam.desk.session, exam.hand(1)
    hand.live.save(hand.tablet, hand.op("", ["0"], 0, "part"))
    exam.jump(9.5)
    assert exam.poll(1)["p"] == {"0": 10.5 * MINUTE}
    with pytest.raises(Conflict) as used:
        lesstime.set_part_limit(db, exam.live, session, 0, 10, "设错了", BY)
    assert used.value.code == "part_limit_used" and used.value.facts["minutes"] == 11
    lesstime.set_part_limit(db, exam.live, session, 0, 12, "设错了", BY)
    assert exam.poll(1)["p"] == {"0": 2.5 * MINUTE}
    lesstime.set_part_limit(db, exam.live, session, 0, 30, "设错了", BY)
    exam.restart()
    assert exam.poll(1)["p"] == {"0": 20.5 * MINUTE}
    with pytest.raises(BadInput):
        lesstime.set_part_limit(db, exam.live, session, 1, 30, "设错了", BY)
    assert len(kinds(exam, "part_limit_set")) == 2
