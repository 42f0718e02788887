"""Completeness counts what is there and says why the rest is not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from edge.domain import merkle
from edge.domain.footage import JOIN_MS, Cause, Fragment, Gap, completeness, covering, fragments_root
from edge.domain.reasons import REASONS


@dataclass(frozen=True)
class Part:
    started_ms: int
    ended_ms: int
    cause: str


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
