"""The server's clocks and the answers they judge: parts, grace, late starts, reboots, outages, the cost of a tick."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.clock import TimeQuality
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.errors import BadInput, Conflict
from edge.exam import marking, written
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.papers import index
from edge.store import db, ledger, people, records, timing
from edge.store import journal as rows
from edge.store.answers_schema import ANSWERS_MIGRATIONS
from edge.store.db import open_answers, transaction
from edge.trust import enrolment
from support.rooms import DeskRoom, TabletHand, make_desk_room
from support.timed import BY, MINUTE, HeldTime, TimedExam, set_policy


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldTime:
    return HeldTime().hold(monkeypatch)


@pytest.fixture
def exam(desk: DeskRoom, held: HeldTime) -> Iterator[TimedExam]:
    """60 minutes, the first part 20 of them, the second without a limit of its own; five are in."""
    made = TimedExam.open(desk, held, parts=(20, None))
    made.start()
    yield made
    made.journal.close()


def given(hand: TabletHand, item: str, value: list[str], age_ms: int | None, base: int = 0) -> rows.Recorded:
    op = hand.op(item, value, base)
    return hand.live.save(hand.tablet, rows.Operation(**{**vars(op), "age_ms": age_ms}))


def opened(hand: TabletHand, part: int, age_ms: int | None = None) -> rows.Recorded:
    op = hand.op("", [str(part)], 0, "part")
    return hand.live.save(hand.tablet, rows.Operation(**{**vars(op), "age_ms": age_ms}))


# ---- the room's clock


@pytest.mark.parametrize("step_ms", [-86_400_000, 86_400_000, 5_000, -5_000])
def test_wall_clock_steps_change_nothing(exam: TimedExam, held: HeldTime, step_ms: int) -> None:
    exam.go(10 * MINUTE, step=4000)
    held.wall += step_ms
    assert exam.left(1) == 50 * MINUTE
    exam.go(MINUTE)
    assert exam.left(1) == 49 * MINUTE
    exam.restart()
    assert exam.left(1) == 49 * MINUTE
    exam.write_behind()
    assert timing.outages(exam.desk.db, exam.desk.session) == []


def test_elapsed_time_stands_still_while_the_power_is_off(exam: TimedExam, held: HeldTime) -> None:
    exam.go(10 * MINUTE, step=4000)
    held.boot, held.mono, held.wall = "boot-2", 3_000, held.wall + 7 * MINUTE
    exam.restart()
    assert exam.left(1) == 50 * MINUTE
    exam.live.tick()
    held.go(2_000)
    assert exam.left(1) == 50 * MINUTE - 2_000
    exam.write_behind()
    (outage,) = timing.outages(exam.desk.db, exam.desk.session)
    assert (outage["cause"], outage["seconds"], outage["proposed_seconds"]) == ("reboot", 420, 0)
    assert outage["quality"] == "synchronised"


@pytest.mark.parametrize("quality", [TimeQuality.UNKNOWN, TimeQuality.FLOOR])
def test_a_reboot_without_a_clock_to_believe_has_no_length(
    exam: TimedExam, held: HeldTime, quality: TimeQuality
) -> None:
    exam.go(5_000)
    held.quality = quality
    held.boot, held.mono, held.wall = "boot-2", 3_000, 86_400_000
    exam.restart()
    exam.live.tick()
    exam.write_behind()
    (outage,) = timing.outages(exam.desk.db, exam.desk.session)
    assert (outage["cause"], outage["seconds"], outage["proposed_seconds"]) == ("reboot", None, 0)


def test_a_killed_web_measures_how_long_it_was_gone(exam: TimedExam, held: HeldTime) -> None:
    exam.go(10 * MINUTE, step=4000)
    began = held.wall
    held.go(95_000)
    held.wall -= 40_000  # a step in it does not matter
    exam.restart()
    assert exam.left(1) == 50 * MINUTE - 95_000
    exam.live.tick()
    exam.live.tick()
    exam.write_behind()
    (outage,) = timing.outages(exam.desk.db, exam.desk.session)
    assert (outage["cause"], outage["seconds"], outage["proposed_seconds"]) == ("stopped", 95, 95)
    assert outage["from_ms"] == began and outage["credited"] is None
    exam.restart()
    exam.write_behind()
    assert len(timing.outages(exam.desk.db, exam.desk.session)) == 1
    (entry,) = ledger.entries(exam.desk.db, session=exam.desk.session, kinds=("outage_measured",))
    assert entry.body["ms"] == 95_000


def test_a_stall_is_measured_and_a_pause_is_none(exam: TimedExam, held: HeldTime) -> None:
    exam.go(3_000)
    held.go(30_000)  # nobody wrote the clock: the disk hung
    exam.live.set_running(exam.desk.session, False)
    held.go(10 * MINUTE)
    exam.live.set_running(exam.desk.session, True)
    exam.go(4_000)
    exam.write_behind()
    causes = [(o["cause"], o["seconds"]) for o in timing.outages(exam.desk.db, exam.desk.session)]
    assert causes == [("stalled", 30)]


# ---- answers in a pause, and while the power was off


def at_poll(exam: TimedExam, hand: TabletHand) -> None:
    """The tablet asks for the time, as its page does."""
    exam.live.clocks.heard(hand.tablet.binding.tablet)
    exam.live.tell_clock(hand.tablet.sitting)


def test_a_pause_gives_no_free_time_to_a_tablet_that_knows_of_it(exam: TimedExam, held: HeldTime) -> None:
    known, away, alone = exam.hand(1), exam.hand(2), exam.hand(3)
    for _ in range(5):
        exam.go(2_000)
        for hand in (known, away, alone):
            at_poll(exam, hand)
    exam.live.set_running(exam.desk.session, False)
    held.go(1_000)
    crossed = given(known, exam.singles(1)[0], ["A"], 0)
    assert (crossed.outcome, crossed.flag) == ("applied", "pause")  # the page could not know yet
    for _ in range(15):
        at_poll(exam, known)
        held.go(4_000)
    exam.live.clocks.heard(known.tablet.binding.tablet)
    op = known.op(exam.singles(1)[1], ["A"], 0)
    kept = exam.live.save(known.tablet, op)
    assert (kept.outcome, kept.flag, kept.current) == ("late", "paused", [])
    assert exam.live.save(known.tablet, op) == kept
    before = given(known, exam.singles(1)[2], ["B"], 62_000)
    assert (before.outcome, before.flag) == ("late", "paused")  # in reach all the time: no such age is believed
    at_poll(exam, away)
    first = given(away, exam.singles(2)[0], ["A"], 62_000)
    assert (first.outcome, first.flag) == ("applied", None)  # before the pause
    second = given(away, exam.singles(2)[1], ["A"], 30_000)
    assert (second.outcome, second.flag) == ("applied", "pause")
    exam.live.set_running(exam.desk.session, True)
    again = given(known, exam.singles(1)[1], ["A"], 0)
    assert (again.outcome, again.flag) == ("applied", None)
    # one candidate alone
    exam.live.clocks.pause(alone.tablet.binding.attempt, exam.desk.session, True)
    exam.go(10_000)
    exam.live.clocks.heard(alone.tablet.binding.tablet)
    at_poll(exam, alone)
    held.go(1_000)
    own = given(alone, exam.singles(3)[0], ["A"], 0)
    assert (own.outcome, own.flag) == ("late", "paused")
    facts = next(r for r in marking.score_written(
        exam.journal, exam.sitting(2).attempt, exam.sitting(2).session, index(exam.bank).items
    ) if "given_in_pause" in r.facts).facts  # fmt: skip
    assert facts["given_in_pause"] == 1
    exam.live.set_running(exam.desk.session, False)
    exam.desk.db.execute("UPDATE sessions SET state = 'closed'")
    exam.refresh()
    held.go(60_000)
    known.tablet = exam.live.tablet(known.secret)
    at_poll(exam, known)
    after = given(known, exam.singles(1)[3], ["A"], 0)
    assert (after.outcome, after.flag) == ("late", None)


def test_an_answer_from_the_time_without_power_is_taken_and_flagged(exam: TimedExam, held: HeldTime) -> None:
    hand = exam.hand(1)
    exam.go(10 * MINUTE, step=4000)
    held.boot, held.mono, held.wall = "boot-2", 40_000, held.wall + 7 * MINUTE
    exam.restart()
    hand.live = exam.live
    exam.live.tick()
    exam.restart()  # web alone: what it knew of the power cut is on disk
    hand.live = exam.live
    exam.live.clocks.heard(hand.tablet.binding.tablet)
    words = [given(hand, exam.singles(1)[n], ["A"], age) for n, age in enumerate((7 * MINUTE + 1, 3 * MINUTE, 0))]
    assert [(one.outcome, one.flag) for one in words] == [("applied", None), ("applied", "outage"), ("applied", None)]


# ---- parts


def test_a_part_counts_from_when_it_is_opened_and_late_answers_to_it_do_not_apply(
    exam: TimedExam, held: HeldTime
) -> None:
    hand = exam.hand(1)
    first, second = exam.singles(1, 0), exam.singles(1, 1)
    assert "p" not in exam.poll(1)
    exam.jump(5)
    assert opened(hand, 0).outcome == "applied"
    assert exam.poll(1)["p"] == {"0": 20 * MINUTE}
    exam.jump(7)
    assert opened(hand, 0).outcome == "applied"  # again: it is open already
    assert exam.poll(1)["p"] == {"0": 13 * MINUTE}
    shown = exam.live.paper(hand.tablet)["parts"]
    assert [(part["minutes"], part["left_ms"]) for part in shown] == [(20, 13 * MINUTE), (None, None)]
    assert hand.answer(first[0], ["A"]).outcome == "applied"
    exam.restart()
    hand.live = exam.live
    assert exam.poll(1)["p"] == {"0": 13 * MINUTE}
    exam.jump(13)
    assert exam.poll(1)["p"] == {"0": 0} and exam.poll(1)["s"] == "running"
    assert hand.answer(first[0], ["B"], base=1).outcome == "late"
    assert hand.answer(second[0], ["B"]).outcome == "applied"
    assert opened(hand, 1).outcome == "applied"
    assert exam.poll(1)["p"] == {"0": 0}  # a part without a limit has no clock
    with pytest.raises(BadInput) as wrong:
        opened(hand, 2)
    assert wrong.value.code == "part_unknown"


def test_an_answer_opens_its_part_and_a_repeat_opens_nothing_twice(exam: TimedExam) -> None:
    hand = exam.hand(1)
    op = hand.op(exam.singles(1, 0)[0], ["A"])
    assert exam.live.save(hand.tablet, op).outcome == "applied"
    exam.jump(3)
    assert exam.live.save(hand.tablet, op).outcome == "applied"
    assert exam.poll(1)["p"] == {"0": 17 * MINUTE}
    part = hand.op("", ["1"], 0, "part")
    assert [exam.live.save(hand.tablet, part).outcome for _ in range(2)] == ["applied"] * 2
    other = rows.Operation(**{**vars(part), "value": ["0"]})
    with pytest.raises(Conflict) as reused:
        exam.live.save(hand.tablet, other)
    assert reused.value.code == "op_id_reused"


def test_a_part_opened_out_of_reach_counts_from_then(exam: TimedExam, held: HeldTime) -> None:
    hand = exam.hand(1)
    exam.go(2 * MINUTE, step=4000)  # the tablet was silent
    exam.live.clocks.heard(hand.tablet.binding.tablet)
    opened(hand, 0, age_ms=90_000)
    assert exam.poll(1)["p"] == {"0": 20 * MINUTE - 90_000}


def test_what_was_given_within_a_part_and_out_of_reach_comes_in_flagged(exam: TimedExam, held: HeldTime) -> None:
    hand = exam.hand(1)
    first, second = exam.singles(1, 0), exam.singles(1, 1)
    assert opened(hand, 0).outcome == "applied"
    exam.jump(5)
    exam.live.clocks.heard(hand.tablet.binding.tablet)
    exam.go(30 * MINUTE, step=4000)  # out of reach for 30 minutes, over the end of the part
    exam.live.clocks.heard(hand.tablet.binding.tablet)
    kept = given(hand, first[0], ["A"], age_ms=20 * MINUTE)
    assert (kept.outcome, kept.grace) == ("applied", True)
    assert given(hand, first[1], ["A"], age_ms=14 * MINUTE).outcome == "late"  # the part was over then
    assert given(hand, first[1], ["A"], age_ms=31 * MINUTE).outcome == "late"  # it was in reach then
    between = given(hand, second[0], ["A"], age_ms=10 * MINUTE)
    assert (between.outcome, between.grace) == ("applied", False)


# ---- grace


def test_queued_answers_are_taken_in_the_grace_and_flagged(exam: TimedExam, held: HeldTime) -> None:
    hand, idle = exam.hand(1), exam.hand(2)
    items = exam.singles(1, 1)
    exam.jump(59)
    exam.live.clocks.heard(hand.tablet.binding.tablet)
    for at in range(0, 90_000, 2_000):  # out of reach for 90 s, until 30 s after the end; the other asks all the time
        if at == 58_000:
            assert hand.answer(items[0], ["A"]).outcome == "applied"
        exam.go(2_000)
        exam.live.clocks.heard(idle.tablet.binding.tablet)
    assert exam.poll(1)["s"] == "closed"
    assert exam.poll(1)["g"] == 30_000 and "j" in exam.poll(1)
    exam.live.clocks.heard(hand.tablet.binding.tablet)
    kept = given(hand, items[1], ["A"], age_ms=40_000)
    assert (kept.outcome, kept.grace) == ("applied", True)
    assert given(hand, items[2], ["A"], age_ms=29_000).outcome == "late"  # given when it was over
    assert given(hand, items[2], ["A"], age_ms=None).outcome == "late"
    assert given(hand, items[2], ["A"], age_ms=130_000).outcome == "late"  # the tablet was in reach then
    assert given(idle, exam.singles(2, 1)[0], ["A"], age_ms=40_000).outcome == "late"  # could have sent it then
    exam.go(30_000)
    assert "g" not in exam.poll(1)
    assert exam.live.handins().keys() == {exam.sitting(n).id for n in range(1, 6)}
    assert given(hand, items[3], ["A"], age_ms=100_000).outcome == "late"
    marking.close(exam.desk.db, exam.journal, exam.live, exam.desk.session, exam.bank, "时间到", BY)
    tests = records.tests_of(exam.desk.db, exam.desk.session)
    facts = {name: record.facts for name, record in tests[exam.person(1)].items()}
    part = exam.sitting(1).attempt.paper["parts"][1]["test"]
    assert facts[part]["grace"] == {"answers": 1, "from_second": 3630}
    assert [name for name in facts if "grace" in facts[name]] == [part]
    assert not any("grace" in record.facts for record in tests[exam.person(2)].values())


def test_the_page_hands_in_within_the_grace_and_the_room_waits_for_it(exam: TimedExam) -> None:
    hand = exam.hand(1)
    exam.jump(60)
    with pytest.raises(Conflict) as wait:
        marking.close(exam.desk.db, exam.journal, exam.live, exam.desk.session, exam.bank, "时间到", BY)
    assert wait.value.code == "grace_open" and wait.value.facts == {"seconds": 60}
    exam.go(exam.poll(1)["j"])
    assert exam.sitting(1).id not in exam.live.handins()
    assert hand.hand_in().outcome == "applied"
    assert exam.poll(1)["s"] == "done"


def test_no_grace_where_the_policy_gives_none(desk: DeskRoom, held: HeldTime) -> None:
    set_policy(desk.db, desk.session, grace_seconds=0)
    exam = TimedExam.open(desk, held)
    exam.start()
    hand = exam.hand(1)
    exam.jump(60)
    exam.live.clocks.heard(hand.tablet.binding.tablet)
    assert given(hand, exam.singles(1)[0], ["A"], age_ms=4_000).outcome == "late"
    assert exam.poll(1)["s"] == "closed" and "g" not in exam.poll(1)
    assert exam.poll(1).get("j", 0) == 0
    exam.journal.close()


# ---- coming late, leaving early


@pytest.mark.parametrize(("rule", "left"), [("room-time", 45), ("full-time", 60)])
def test_late_people_have_the_rooms_time_or_their_own(desk: DeskRoom, held: HeldTime, rule: str, left: int) -> None:
    set_policy(desk.db, desk.session, late_join=rule)
    exam = TimedExam.open(desk, held, admit=3)
    exam.start()
    exam.go(15 * MINUTE, step=4000)
    exam.admit(4)
    exam.refresh()
    assert exam.left(4) == left * MINUTE
    assert exam.left(1) == 45 * MINUTE
    exam.go(5 * MINUTE, step=4000)
    exam.restart()
    assert exam.left(4) == (left - 5) * MINUTE
    exam.journal.close()


def test_who_was_in_before_the_start_is_never_late_however_long_web_was_gone(desk: DeskRoom, held: HeldTime) -> None:
    set_policy(desk.db, desk.session, late_join="full-time")
    exam = TimedExam.open(desk, held, admit=3)
    exam.start()
    held.go(9 * MINUTE)
    exam.restart()
    assert exam.left(1) == 51 * MINUTE
    exam.journal.close()


def test_after_the_latest_minute_only_the_proctor_lets_in(desk: DeskRoom, held: HeldTime) -> None:
    set_policy(desk.db, desk.session, late_join_minutes=30)
    exam = TimedExam.open(desk, held, admit=3)
    exam.start()
    exam.jump(29)
    exam.write_behind()
    exam.admit(4)
    exam.jump(1)
    exam.write_behind()
    exam.write_behind()
    with pytest.raises(Conflict) as over:
        exam.admit(5)
    assert over.value.code == "late_join_over"
    assert people.candidate(desk.db, desk.session, exam.person(5)).state == "expected"
    exam.admit(5, late=True)
    assert ledger.last(desk.db, "checkin", 1)[0].body["late"] is True
    assert len(ledger.entries(desk.db, kinds=("late_gate_closed",))) == 1
    exam.journal.close()


def test_nobody_hands_in_before_the_earliest_minute(desk: DeskRoom, held: HeldTime) -> None:
    set_policy(desk.db, desk.session, earliest_handin_minutes=30)
    exam = TimedExam.open(desk, held)
    exam.start()
    hand = exam.hand(1)
    exam.jump(28.5)
    op = hand.op("", [], 0, "handin")
    with pytest.raises(Conflict) as early:
        exam.live.save(hand.tablet, op)
    assert early.value.code == "handin_too_early" and early.value.facts == {"minutes": 2}
    exam.jump(1.5)
    assert exam.live.save(hand.tablet, op).outcome == "applied"  # the refusal used up nothing
    exam.journal.close()


# ---- cost, and two at a time


def test_a_tick_over_two_hundred_attempts_is_one_commit_and_closing_them_one_more(
    tmp_path: Path, held: HeldTime
) -> None:
    desk = replace(make_desk_room(tmp_path), session="S-200")
    roster = cast.roster("S-200", held.wall, size=1)
    roster["class"]["id"] = "C-200"
    roster["candidates"] = [c | {"badge": None, "seat": None} for c in cast.candidates(200)]
    for number, who in enumerate(roster["candidates"]):
        who["number"], who["document"] = number + 1, {"type": "passport", "number": f"P{number:05}"}
    roster["seats"] = [{"seat": f"A{n + 1}", "row": n // 20 + 1, "column": n % 20 + 1} for n in range(200)]
    bank_file, key = "bank-1.bundle", enrolment.load(desk.config.paths).keys.data
    facts: dict[str, Any] = {"room": "room-1", "bank_file": bank_file, "data_key": key}
    take_in(desk.db, parse_roster(canonical(roster)), parse_policy(canonical(cast.POLICY)), **facts)
    exam = TimedExam.open(desk, held, admit=0)
    with transaction(desk.db):
        desk.db.execute("UPDATE candidates SET state = 'admitted' WHERE session_id = 'S-200'")
    exam.start()
    before = exam.journal.submitted
    exam.live.tick()
    assert exam.journal.submitted - before == 1
    exam.jump(61)
    before = exam.journal.submitted
    exam.live.tick()
    assert exam.journal.submitted - before == 2
    assert len(exam.live.handins()) == 200
    before = exam.journal.submitted
    marking.close(desk.db, exam.journal, exam.live, desk.session, exam.bank, "时间到", BY)
    assert exam.journal.submitted - before <= 4 + 2 * 200  # two readings a person, and a few commits for all
    exam.journal.close()
    desk.db.close()


def test_a_tick_never_undoes_a_pause_of_one_person(exam: TimedExam) -> None:
    stop = threading.Event()

    def keep_ticking() -> None:
        while not stop.is_set():
            exam.live.tick()

    ticking = threading.Thread(target=keep_ticking)
    ticking.start()
    try:
        for _ in range(60):
            exam.live.clocks.pause(exam.sitting(1).id, exam.desk.session, True)
            assert exam.journal.submit(timing.own_clocks)[exam.sitting(1).id].paused
            exam.live.clocks.pause(exam.sitting(1).id, exam.desk.session, False)
    finally:
        stop.set()
        ticking.join()
    assert exam.live.clocks.running(exam.desk.session)


def test_an_older_journal_is_taken_over_with_all_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = ANSWERS_MIGRATIONS
    shipped = {"m001_answers": now["m001_answers"]}
    monkeypatch.setattr(db, "ANSWERS_MIGRATIONS", shipped)
    old: Any = open_answers(tmp_path / "answers.db")
    old.execute(
        "INSERT INTO journal VALUES (7, 'op-op-op', 'a', 't', 1, 'answer', 'i', 0, '[\"A\"]', 'applied', 1, 5, 6)"
    )
    old.execute("INSERT INTO responses VALUES ('a', 'i', 1, '[\"A\"]', 5, 7)")
    old.execute("INSERT INTO handins VALUES ('a', 7, 5, 'candidate')")
    old.execute("INSERT INTO exam_clock VALUES ('s', 5, 1, 'b', 1, 2)")
    before = rows.digest_of(rows.find_ops(old, "a"))
    old.close()
    monkeypatch.setattr(db, "ANSWERS_MIGRATIONS", now)
    new = open_answers(tmp_path / "answers.db")
    assert rows.digest_of(rows.find_ops(new, "a")) == before  # what the ledger says of it still holds
    assert rows.responses(new, "a")["i"].value == ["A"]
    assert rows.handed_in(new, "a") == 5
    assert timing.clocks(new)["s"].elapsed_ms == 5
    assert new.execute("PRAGMA foreign_key_check").fetchall() == []
    assert "journal_timed" not in "".join(r[0] or "" for r in new.execute("SELECT sql FROM sqlite_master"))
    new.close()


def test_the_writer_does_not_finish_who_is_opened_again_beside_it(
    exam: TimedExam, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam.jump(61)
    exam.live.tick()
    seen_first, again = [exam.live.handins()], exam.live.handins
    exam.live.reopen([exam.sitting(1)])
    monkeypatch.setattr(exam.live, "handins", lambda: seen_first.pop() if seen_first else again())
    written.finish_candidates(exam.live, exam.desk.db, exam.desk.session)
    assert people.candidate(exam.desk.db, exam.desk.session, exam.person(1)).state == "admitted"
    assert people.candidate(exam.desk.db, exam.desk.session, exam.person(2)).state == "finished"
    told = ledger.entries(exam.desk.db, kinds=("handed_in",))
    assert len(told) == 4 and all(e.body["for_time"] for e in told)
