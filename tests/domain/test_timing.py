"""The exam clock over pauses, reboots and clocks that run backwards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.domain.timing import ExamClock, left_ms, state_of


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
    assert left_ms(60, 5 * 60_000, 64 * 60_000) == 60_000
    assert left_ms(60, 0, 61 * 60_000) == 0
    assert state_of("checkin", False, 10, False) == "waiting"
    assert state_of("running", True, 10, False) == "running"
    assert state_of("running", False, 10, False) == "paused"
    assert state_of("running", True, 0, False) == "closed"
    assert state_of("running", True, 10, True) == "done"
    assert state_of("signed", True, 10, False) == "closed"
