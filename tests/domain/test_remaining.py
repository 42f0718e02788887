from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.paper import Stream
from edge.domain.remaining import Remaining

RUNS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=12)


@given(RUNS, st.text(max_size=5))
def test_what_is_free_is_what_was_not_taken_away(runs: list[tuple[int, int]], seed: str) -> None:
    size, gone = 40, set()
    left, below = Remaining(size), Stream(seed).below
    for start, length in runs:
        left.take_away(start, start + length)
        gone |= set(range(start, start + length))
        assert left.free == size - len(gone)
    assert Remaining(size, [(start, start + length) for start, length in runs]).free == left.free
    drawn = []
    while left.free:
        drawn.append(left.choose(below))
        left.take_away(drawn[-1], drawn[-1] + 1)
    assert sorted(drawn) == sorted(set(range(size)) - gone)
    with pytest.raises(ValueError):
        left.choose(below)


@pytest.mark.parametrize("gone", [[], [(0, 5)], [(2, 4), (10, 17)], [(1, 90)]])
def test_every_free_place_is_as_likely(gone: list[tuple[int, int]]) -> None:
    left, below = Remaining(100, gone), Stream("fair").below
    counts = Counter(left.choose(below) for _ in range(300 * left.free))
    assert len(counts) == left.free
    assert max(counts.values()) < 300 + 90 and min(counts.values()) > 300 - 90
