"""When a session was, from what its ledger's entries say of the clocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.walltime import Reading, When, showings, without_the_ledger

HOUR = 3_600_000
T = 500_000 * HOUR
A, B = "a" * 32, "b" * 32


def at(wall: int, mono: int, boot: str = A, true: bool = False) -> Reading:
    return Reading(T + wall, mono, boot, true)


def told(*readings: Reading) -> list[tuple[int, int, int]]:
    return [(s.early_ms - T, s.from_ms - T, s.until_ms - T) for s in showings(readings)]


def test_one_clock_is_one_showing_also_where_it_drifts() -> None:
    assert told(at(0, 10)) == [(0, 0, 0)]
    assert told(at(0, 10), at(2 * HOUR, 10 + 2 * HOUR)) == [(0, 0, 2 * HOUR)]
    assert told(at(0, 10), at(2 * HOUR - 7000, 10 + 2 * HOUR)) == [(0, 0, 2 * HOUR - 7000)]
    assert told(at(0, 10), at(-20_000, 10_010)) == [(-20_000, -20_000, 0)], "set back by half a minute"


def test_a_clock_set_back_shows_its_session_twice() -> None:
    fast = (at(24 * HOUR, 10), at(25 * HOUR, 10 + HOUR))
    right = (at(HOUR, 10 + HOUR), at(5 * HOUR, 10 + 5 * HOUR))
    assert told(*fast, *right) == [(24 * HOUR, 24 * HOUR, 25 * HOUR), (HOUR, HOUR, 5 * HOUR)]


def test_when_nobody_saw_the_step_both_clocks_may_have_shown_that_time_and_it_is_counted_once() -> None:
    found = told(at(24 * HOUR, 10), at(5 * HOUR, 10 + 5 * HOUR))
    assert found == [(24 * HOUR, 24 * HOUR, 29 * HOUR), (0, 5 * HOUR, 5 * HOUR)]


@pytest.mark.parametrize(
    ("true", "shown", "first"),
    [
        (True, 3 * HOUR, 3 * HOUR),  # two hours without power, by two clocks that were right
        (False, 3 * HOUR, 3 * HOUR),
        (False, 900 * HOUR, HOUR),  # nobody can tell how long: not a month
        (False, -5 * HOUR, HOUR),
    ],
)
def test_power_that_was_away_counts_as_far_as_the_clocks_tell(true: bool, shown: int, first: int) -> None:
    before = (at(0, 10, A, true), at(HOUR, 10 + HOUR, A, true))
    again = (at(shown + 100, 100, B, true), at(shown + HOUR, HOUR, B, true))
    assert told(*before, *again) == [(0, 0, first), (shown, shown, shown + HOUR)]


def test_a_clock_that_stood_still_without_power_and_was_set_later_tells_how_long_it_was_away() -> None:
    before = (at(0, 10, A, True), at(HOUR, 10 + HOUR, A, True))
    saved = (at(HOUR + 100, 100, B), at(HOUR + 60_000, 60_000, B))
    put_right = (at(3 * HOUR + 60_000, 60_000, B, True), at(5 * HOUR, 2 * HOUR, B, True))
    assert told(*before, *saved, *put_right) == [
        (0, 0, 3 * HOUR), (HOUR, HOUR, HOUR + 60_000), (3 * HOUR + 60_000, 3 * HOUR + 60_000, 5 * HOUR),
    ]  # fmt: skip


def test_what_is_counted_is_counted_once_and_within_a_pass() -> None:
    when = When(showings((at(24 * HOUR, 0), at(25 * HOUR, HOUR), at(HOUR, HOUR), at(5 * HOUR, 5 * HOUR))), False)
    both = [(T + HOUR, T + 5 * HOUR), (T + 24 * HOUR, T + 25 * HOUR)]
    assert when.counted() == both == when.spans()
    assert when.counted((T + 2 * HOUR, T + 3 * HOUR)) == [(T + 2 * HOUR, T + 3 * HOUR)]
    assert when.counted((T + 6 * HOUR, T + 7 * HOUR)) == []
    assert when.touches(T + 23 * HOUR, T + 24 * HOUR + 1) and not when.touches(T + 6 * HOUR, T + 23 * HOUR)
    assert when.touches(T + 6 * HOUR, T + 23 * HOUR, 2 * HOUR)


def test_two_wall_times_that_contradict_each_other_are_a_day() -> None:
    (one,) = without_the_ledger(T, T + HOUR, 0)
    assert (one.early_ms, one.until_ms) == (T, T + HOUR)
    (one,) = without_the_ledger(T, None, T + HOUR)
    assert (one.early_ms, one.until_ms) == (T, T + HOUR)
    (one,) = without_the_ledger(T, T - HOUR, 0)
    assert (one.early_ms, one.until_ms) == (T - 25 * HOUR, T - HOUR)


@given(st.lists(st.tuples(st.integers(0, 3 * HOUR), st.integers(-48 * HOUR, 48 * HOUR)), min_size=1, max_size=6))
def test_every_moment_is_kept_under_the_clock_that_showed_it(parts: list[tuple[int, int]]) -> None:
    readings, mono, shown = list[Reading](), 1000, list[tuple[int, int]]()
    for length, offset in parts:  # the clock is set at once from one reading to the next, as an entry of the step tells
        readings.append(at(mono + offset, mono))
        shown.append((T + mono + offset, T + mono + offset + length))
        mono += length
        readings.append(at(mono + offset, mono))
    when = When(showings(readings), False)
    for start, end in shown:
        assert any(a - 60_000 <= start and end <= b + 60_000 for a, b in when.spans())
    real = sum(length for length, _ in parts)
    assert sum(end - start for start, end in when.counted()) <= real + 60_000 * len(parts)
