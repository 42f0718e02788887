"""The exam clock over pauses, reboots and clocks that run backwards; limits, grace and what a tablet may claim."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.domain.timing import (
    FLUSH_MS,
    JITTER_MS,
    LAG_MS,
    Contact,
    Credit,
    ExamClock,
    Limits,
    Opened,
    OwnClock,
    Reboot,
    in_pause,
    jitter_ms,
    outage_between,
    ruling,
    state_of,
)
from support.examples import examples

MINUTE = 60_000


def test_runs_pauses_and_resumes() -> None:
    clock = ExamClock(0, False, "b", 1000).set_running(True, "b", 2000)
    assert clock.elapsed("b", 5000) == 3000
    paused = clock.set_running(False, "b", 5000)
    assert paused.elapsed("b", 9000) == 3000
    assert paused.set_running(True, "b", 9000).elapsed("b", 10_000) == 4000


def test_a_reboot_goes_on_from_what_was_written_down() -> None:
    clock = ExamClock(60_000, True, "before", 900_000)
    assert clock.elapsed("after", 50) == 60_000
    assert clock.tick("after", 50).elapsed("after", 1050) == 61_000


@given(st.lists(st.integers(-1000, 1000), max_size=20))
def test_never_runs_backwards(steps: list[int]) -> None:
    clock, at, before = ExamClock(0, True, "b", 0), 0, 0
    for step in steps:
        at += step
        clock = clock.tick("b", max(at, clock.mono_ms))
        assert clock.elapsed_ms >= before
        before = clock.elapsed_ms


def test_what_is_left_and_shown() -> None:
    assert Limits(60 * MINUTE, 5 * MINUTE).left(64 * MINUTE) == MINUTE
    assert Limits(60 * MINUTE).left(61 * MINUTE) == 0
    assert state_of("checkin", False, 10, False) == "waiting"
    assert state_of("running", True, 10, False) == "running"
    assert state_of("running", False, 10, False) == "paused"
    assert state_of("running", True, 0, False) == "closed"
    assert state_of("running", True, 10, True) == "done"
    assert state_of("signed", True, 10, False) == "closed"


class ARoomsTime(RuleBasedStateMachine):
    """Everything that may happen to a candidate's time, in any order: left never grows but by an act."""

    def __init__(self) -> None:
        super().__init__()
        self.boot, self.mono = 1, 5_000
        self.room = ExamClock(0, False, "1", self.mono)
        self.own = OwnClock()
        self.limits = Limits(60 * MINUTE, parts=(20 * MINUTE, None))
        self.worked = 0  # kept apart, by the plainest arithmetic there is
        self.before = self.left()

    def elapsed(self) -> int:
        return self.room.elapsed(str(self.boot), self.mono)

    def left(self) -> int:
        return self.limits.left(self.own.own(self.elapsed()))

    @rule(ms=st.integers(0, 90_000))
    def time_passes(self, ms: int) -> None:
        self.mono += ms
        if self.room.running and self.room.boot_id == str(self.boot) and not self.own.paused:
            self.worked += ms

    @rule()
    def tick(self) -> None:
        self.room = self.room.tick(str(self.boot), self.mono)

    @rule(running=st.booleans())
    def room_stops_or_goes_on(self, running: bool) -> None:
        self.room = self.room.set_running(running, str(self.boot), self.mono)

    @rule()
    def person_stops(self) -> None:
        self.own = self.own.pause(self.elapsed())

    @rule()
    def person_goes_on(self) -> None:
        self.own = self.own.resume(self.elapsed())

    @rule(off=st.integers(0, 1_000_000))
    def the_power_goes_right_after_a_tick(self, off: int) -> None:
        self.room = self.room.tick(str(self.boot), self.mono)
        self.boot, self.mono = self.boot + 1, off % 7_000

    @rule(minutes=st.integers(1, 30))
    def more_time(self, minutes: int) -> None:
        self.limits = Limits(
            self.limits.whole_ms, self.limits.extra_ms + minutes * MINUTE, self.limits.parts, self.limits.credits
        )
        self.before = self.left()

    @precondition(lambda self: self.left() == 0 and not self.own.paused)
    @rule(minutes=st.integers(1, 10))
    def opened_again_with_more_time(self, minutes: int) -> None:
        over = self.own.own(self.elapsed()) - self.limits.end_ms
        self.own = self.own.forgive(over)
        self.worked -= over
        self.more_time(minutes)
        assert self.left() == minutes * MINUTE

    @invariant()
    def left_is_right(self) -> None:
        assert self.own.own(self.elapsed()) == self.worked
        assert 0 <= self.left() <= self.before
        assert self.left() == max(0, self.limits.end_ms - self.worked)
        self.before = self.left()


TestARoomsTime = ARoomsTime.TestCase
TestARoomsTime.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)


def test_outages_are_measured_by_the_clock_that_can_be_believed() -> None:
    clock = ExamClock(60_000, True, "b", 100_000, wall_ms=1_000_000)

    def gap(
        boot: str, mono: int, wall: int, held: bool = True, own: bool = False
    ) -> tuple[int | None, str, int] | None:
        found = outage_between(clock, boot, mono, wall, wall_held=held, own=own, at_least_ms=5000)
        return None if found is None else (found.ms, found.cause, found.proposed_ms)

    assert gap("b", 104_999, 9_000_000) is None
    assert gap("b", 130_000, 0) == (30_000, "stopped", 30_000)  # whatever the wall clock says
    assert gap("b", 130_000, 0, own=True) == (30_000, "stalled", 30_000)
    assert gap("c", 5, 1_090_000) == (90_000, "reboot", 0)  # the exam clock stood still: nothing is lost
    assert gap("c", 5, 1_090_000, held=False) == (None, "reboot", 0)
    assert gap("c", 5, 990_000) == (None, "reboot", 0)  # a clock that went backwards says nothing
    still = ExamClock(60_000, False, "b", 100_000)
    assert outage_between(still, "b", 900_000, 0, wall_held=True, own=False, at_least_ms=5000) is None


def test_extra_time_goes_to_parts_in_proportion_and_credits_in_full_to_those_they_hit() -> None:
    opened, own = Opened(10 * MINUTE, 10 * MINUTE), OwnClock()
    parts = (20 * MINUTE, None, 40 * MINUTE)
    assert Limits(60 * MINUTE, 0, parts).part_end(0, opened, own) == 30 * MINUTE
    assert Limits(60 * MINUTE, 0, parts).part_end(1, opened, own) is None
    assert Limits(60 * MINUTE, 30 * MINUTE, parts).part_end(0, opened, own) == 40 * MINUTE
    hit = Limits(60 * MINUTE, 5 * MINUTE, parts, (Credit(15 * MINUTE, 5 * MINUTE),))
    assert hit.part_end(0, opened, own) == 35 * MINUTE
    before = Limits(60 * MINUTE, 5 * MINUTE, parts, (Credit(2 * MINUTE, 5 * MINUTE),))
    assert before.part_end(0, opened, own) == 30 * MINUTE  # over before the part was opened
    after = Limits(60 * MINUTE, 5 * MINUTE, parts, (Credit(50 * MINUTE, 5 * MINUTE),))
    assert after.part_end(0, opened, own) == 30 * MINUTE  # the part was over by then
    assert Limits(60 * MINUTE, 0, parts).part_end(2, Opened(50 * MINUTE, 50 * MINUTE), own) == 60 * MINUTE
    # somebody let in after that outage on full time: their own 30 minutes are not made less by what others were given
    later = OwnClock(late_ms=20 * MINUTE)
    others = Limits(60 * MINUTE, 30 * MINUTE, parts, (Credit(15 * MINUTE, 20 * MINUTE),))
    assert others.part_end(0, Opened(30 * MINUTE, 10 * MINUTE), later) == 40 * MINUTE


@pytest.mark.parametrize(
    ("own", "age", "word"),
    [
        (999, None, "in_time"),
        (1000, None, "late"),
        (1000, 0, "late"),  # given when it was over
        (1000, 1, "grace"),
        (1500, 500, "late"),
        (1500, 501, "grace"),
        (1999, 3000, "grace"),
        (2000, 3000, "late"),  # the grace is over, however old the answer is
    ],
)
def test_grace_is_for_what_was_given_before_the_end(own: int, age: int | None, word: str) -> None:
    assert ruling(own, 1000, 1000, age) == word


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.one_of(st.none(), st.integers(0, 3_600_000)))
def test_nothing_is_taken_after_the_grace(own: int, grace: int, age: int | None) -> None:
    word = ruling(own, 5000, grace, age)
    assert (word == "in_time") == (own < 5000)
    assert word != "grace" or 5000 <= own < 5000 + grace


def test_an_age_is_believed_only_of_a_tablet_that_was_out_of_reach() -> None:
    contact = Contact.first(0)
    for at in range(2000, 60_001, 2000):
        contact = contact.hear(at)
    assert contact.believes(60_100, LAG_MS)
    assert not contact.believes(60_100, LAG_MS + 1)  # it has been polling all the while
    back = contact.hear(100_000).hear(100_200)  # silent for 40 s, then its queue comes
    assert back.believes(100_200, 40_000)
    assert back.believes(100_200, 6_000)
    assert not back.believes(100_200, 40_200 + LAG_MS + 1)  # that would have been while it was in reach
    assert not back.hear(102_000).hear(104_000).believes(100_000 + FLUSH_MS + 1, 35_000 + FLUSH_MS)
    fresh = Contact.first(500_000)  # this process has only just begun
    assert fresh.believes(501_000, 300_000)
    assert not fresh.believes(500_000 + FLUSH_MS + 1, 300_000)


def test_hand_ins_at_the_end_are_spread_within_the_grace() -> None:
    found = [jitter_ms(f"attempt-{n}", 60_000) for n in range(200)]
    assert found == [jitter_ms(f"attempt-{n}", 60_000) for n in range(200)]
    assert min(found) >= 0 and max(found) <= JITTER_MS
    in_second = [sum(at // 1000 == second for at in found) for second in range(20)]
    assert max(in_second) <= 30 and min(in_second) >= 1
    assert max(jitter_ms(f"a{n}", 10_000) for n in range(200)) <= 5_000
    none = [jitter_ms(f"a{n}", 0) for n in range(200)]  # the room hands in then; pages that say so still take turns
    assert max(none) <= 5_000 and len({one // 500 for one in none}) == 10


def heard_at(*moments: int, first: int | None = None) -> Contact:
    """Of a tablet in reach at these moments; `first`: since the process began."""
    contact = Contact(moments[0], moments[0], moments[0]) if first is None else Contact.first(first)
    for at in moments:
        contact = contact.hear(at)
    return contact


def test_an_answer_in_a_pause_counts_as_far_as_its_tablet_could_not_know() -> None:
    since, now = 100_000, 160_000
    in_reach = heard_at(*range(90_000, now + 1, 2000))
    away = heard_at(96_000, 98_000, now)  # a silence from before the pause until now
    assert in_pause(now, since, None, in_reach, 61_000) is None  # given before it began
    assert in_pause(now, since, None, in_reach, 0) == "paused"
    assert in_pause(now, since, None, in_reach, None) == "paused"
    assert in_pause(since + 4_000, since, None, heard_at(*range(90_000, 104_001, 2000)), 0) == "pause"
    assert in_pause(now, since, None, away, 30_000) == "pause"
    assert in_pause(now + 3_000, since, None, away.hear(now + 3_000), 33_000) == "pause"  # it empties its queue
    assert in_pause(now + 3_000, since, None, away.hear(now + 3_000), 1_000) == "paused"  # by now it knows
    assert in_pause(now, since, None, heard_at(since + 20_000, now), 30_000) == "paused"  # it had been in reach
    # told in answer to a poll: from then on, whatever it says of its silence
    assert in_pause(now, since, since + 200, away, 30_000) == "paused"
    assert in_pause(since + 400, since, since + 200, in_reach, 0) == "pause"  # the answer crossed that word
    assert in_pause(now, since, since - 5_000, away, 30_000) == "pause"  # that was of the pause before


def test_an_answer_given_while_the_power_was_off_is_told_from_one_before() -> None:
    cut = Reboot(resumed_ms=30_000, ms=420_000)
    assert not cut.covers(40_000, 10_000) and cut.covers(40_000, 10_001)
    assert cut.covers(40_000, 430_000) and not cut.covers(40_000, 430_001)
    assert Reboot(30_000, None).covers(40_000, 5_000_000)
