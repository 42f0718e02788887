"""Completeness counts what is there and says why the rest is not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from edge.domain import merkle
from edge.domain.footage import (
    JOIN_MS,
    Cause,
    Fragment,
    Gap,
    Moment,
    completeness,
    covering,
    fragments_root,
    hundredths,
    takes,
)
from edge.domain.reasons import REASONS


@dataclass(frozen=True)
class Part:
    started_ms: int
    ended_ms: int
    cause: str
    boot_id: str = ""
    started_mono_ms: int = 0
    quality: str = "rtc"
    ledger_seq: int | None = None


def test_a_whole_span() -> None:
    found = completeness([Part(0, 60_000, "rotated"), Part(60_100, 120_000, "stopped")], 1000, 119_000)
    assert (found.expected_s, found.recorded_s, found.gaps) == (118.0, 118.0, ())


def test_each_gap_has_the_cause_of_the_segment_before_it() -> None:
    parts = [
        Part(10_000, 20_000, "killed"),
        Part(25_000, 30_000, "camera-missing"),
        Part(34_000, 34_000, "killed"),  # a file without a fragment explains nothing
        Part(40_000, 50_000, "rotated"),
        Part(55_000, 60_000, "rotated"),
    ]
    found = completeness(parts, 0, 70_000)
    assert found.gaps == (
        Gap(0, 10_000, "not-started"),
        Gap(20_000, 25_000, "killed"),
        Gap(30_000, 40_000, "camera-missing"),
        Gap(50_000, 55_000, "unknown"),
        Gap(60_000, 70_000, "not-indexed"),
    )
    assert found.recorded_ms == 30_000
    assert found.gaps[1].seconds == 5.0


def test_the_segment_before_the_span_explains_its_first_gap() -> None:
    found = completeness([Part(0, 5_000, "power"), Part(12_000, 20_000, "stopped")], 10_000, 20_000)
    assert found.gaps == (Gap(10_000, 12_000, "power"),)


def test_nothing_at_all() -> None:
    assert completeness([], 5, 1005).gaps == (Gap(5, 1005, "not-started"),)
    assert completeness([], 5, 5).expected_ms == 0


def test_a_clock_set_back_counts_once() -> None:
    found = completeness([Part(0, 10_000, "clock-step"), Part(5_000, 15_000, "stopped")], 0, 15_000)
    assert (found.recorded_ms, found.gaps) == (15_000, ())


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 900)), max_size=8),
    st.integers(0, 3000),
    st.integers(0, 3000),
)
def test_it_agrees_with_counting_milliseconds(parts: list[tuple[int, int]], start: int, length: int) -> None:
    stretches = [Part(a, a + n, "killed") for a, n in parts]
    found = completeness(stretches, start, start + length)
    covered = {ms for p in stretches for ms in range(p.started_ms, p.ended_ms)} & set(range(start, start + length))
    missing = sorted(set(range(start, start + length)) - covered)
    runs: list[list[int]] = []
    for ms in missing:
        if runs and ms == runs[-1][-1] + 1:
            runs[-1].append(ms)
        else:
            runs.append([ms])
    assert [(g.from_ms, g.until_ms) for g in found.gaps] == [
        (run[0], run[-1] + 1) for run in runs if len(run) > JOIN_MS
    ]
    assert found.recorded_ms == length - sum(len(run) for run in runs if len(run) > JOIN_MS)


def test_a_clock_set_forward_makes_no_gap() -> None:
    parts = [Part(0, 10_000, "clock-step", "a", 50_000), Part(3_610_000, 3_620_000, "stopped", "a", 60_000)]
    found = completeness(parts, 0, 3_620_000)
    assert (found.gaps, found.recorded_ms, found.expected_ms, found.hundredths) == ((), 20_000, 20_000, 10_000)


def test_a_clock_set_back_hides_no_gap() -> None:
    parts = [Part(0, 60_000, "killed", "a", 50_000), Part(10_000, 20_000, "stopped", "a", 115_000)]
    found = completeness(parts, Moment(0, 50_000, "a"), Moment(20_000, 125_000, "a"))
    assert [(g.from_ms, g.until_ms, g.ms, g.cause, g.doubt_ms) for g in found.gaps] == [
        (60_000, 10_000, 5_000, "killed", 0)
    ]
    assert (found.expected_ms, found.recorded_ms, found.hundredths) == (75_000, 70_000, 9_333)


def test_times_that_come_twice_are_takes_of_their_own() -> None:
    a = Part(0, 60_000, "clock-step", "a", 1_000, ledger_seq=1)
    back = Part(30_000, 50_000, "rotated", "a", 61_000, ledger_seq=2)
    goes_on = Part(50_000, 90_000, "power", "a", 81_000, ledger_seq=3)
    rebooted = Part(80_000, 95_000, "stopped", "b", 9_000, ledger_seq=4)
    joined = Part(94_900, 99_000, "stopped", "b", 23_900, ledger_seq=5)
    assert takes([rebooted, goes_on, a, joined, back]) == [(0, a), (1, back), (1, goes_on), (2, rebooted), (2, joined)]
    assert takes([]) == []


def test_a_session_is_counted_from_its_opening_to_its_close_by_the_monotonic_clock() -> None:
    parts = [Part(5, 5 + 30_000, "rotated", "a", 1_000_000)]
    start, end = Moment(777, 1_010_000, "a"), Moment(888, 1_050_000, "a")
    found = completeness(parts, start, end, leading="power", trailing="killed")
    assert (found.expected_ms, found.recorded_ms) == (40_000, 20_000)
    assert [(g.ms, g.cause) for g in found.gaps] == [(20_000, "killed")]
    late = completeness([Part(5, 5 + 30_000, "rotated", "a", 1_030_000)], start, end, leading="power")
    assert [(g.ms, g.cause) for g in late.gaps] == [(20_000, "power")]
    assert completeness([], start, end).gaps[0].ms == 40_000


def test_between_boots_wall_time_counts_and_its_doubt_is_said() -> None:
    before = Part(100_000, 160_000, "power", "a", 5_000, "synchronised", 1)
    after = Part(400_000, 460_000, "rotated", "b", 20_000, "unknown", 2)
    unsure = completeness([after, before], 100_000, 460_000).gaps
    assert [(g.ms, g.doubt_ms, g.cause) for g in unsure] == [(240_000, 240_000, "power")]
    # a synchronised minute later in the same boot says how wrong its clock was: by 40 s
    later = Part(500_000, 560_000, "stopped", "b", 80_000, "synchronised", 3)
    sure = completeness([before, after, later], 100_000, 560_000).gaps
    assert [(g.from_ms, g.until_ms, g.ms, g.doubt_ms) for g in sure] == [(160_000, 400_000, 280_000, 0)]


def test_a_boot_with_a_clock_in_the_past_comes_after_the_one_before_it_all_the_same() -> None:
    before = Part(1_000_000, 1_060_000, "power", "z", 5_000, "rtc", 1)
    after = Part(500, 60_500, "rotated", "b", 30_000, "unknown", 2)
    (gap,) = completeness([after, before], Moment(1_000_000, 5_000, "z"), Moment(60_500, 90_000, "b")).gaps
    assert gap.ms == 30_000  # it had been up for so long, and what was before that nobody knows
    assert gap.doubt_ms == 1_059_500  # as far as its clock went back


def test_a_hundred_percent_has_no_gap() -> None:
    assert hundredths(10_000_000, 9_999_999, 1) == 9_999
    assert hundredths(10_000_000, 10_000_000, 1) == 9_999
    assert hundredths(3, 2, 1) == 6_666
    assert (hundredths(5, 5, 0), hundredths(0, 0, 0)) == (10_000, 10_000)


@given(
    st.lists(st.tuples(st.integers(260, 2000), st.integers(1, 900), st.integers(-5000, 5000)), min_size=1, max_size=8),
    st.integers(0, 500),
)
def test_the_wall_clock_may_be_set_at_will(steps: list[tuple[int, int, int]], rest: int) -> None:
    mono, wall, parts, missing = 10_000, 900_000, list[Part](), 0
    for wait, length, step in steps:
        mono, wall, missing = mono + wait, wall + wait + step, missing + wait
        parts.append(Part(wall, wall + length, "killed", "a", mono))
        mono, wall = mono + length, wall + length
    end = Moment(wall + rest, mono + rest, "a")
    found = completeness(reversed(parts), Moment(900_000, 10_000, "a"), end)
    assert found.expected_ms == mono + rest - 10_000
    assert found.expected_ms - found.recorded_ms == missing + (rest if rest > JOIN_MS else 0)
    assert sum(g.ms for g in found.gaps) == found.expected_ms - found.recorded_ms


def test_covering_takes_whole_fragments() -> None:
    parts = [Fragment(n, 0, 1, "", n * 1000, n * 1000, 1000) for n in range(5)]
    assert [f.n for f in covering(parts, 1500, 3000)] == [1, 2]
    assert [f.n for f in covering(parts, 3000, 3001)] == [3]
    assert covering(parts, 5000, 9000) == ()
    rare = [replace(f, key=f.n in (0, 3)) for f in parts]
    assert [f.n for f in covering(rare, 2500, 3500)] == [0, 1, 2, 3]
    assert [f.n for f in covering(rare, 4500, 4600)] == [3, 4]
    assert [f.n for f in covering(rare, 3000, 3001)] == [3]
    assert covering(rare, 5000, 9000) == ()


def test_the_root_is_over_the_raw_hashes() -> None:
    digests = [hashlib.sha256(bytes([n])).digest() for n in range(3)]
    leaves = [merkle.leaf_hash(d) for d in digests]
    by_hand = merkle.node_hash(merkle.node_hash(leaves[0], leaves[1]), leaves[2])
    assert fragments_root([d.hex() for d in digests]) == by_hand.hex()
    assert fragments_root([]) == hashlib.sha256(b"").hexdigest()


def test_every_cause_has_a_sentence() -> None:
    assert all(cause.reason in REASONS for cause in Cause)
