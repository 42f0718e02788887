"""When a rehearsal is good enough, and for whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.domain.rehearsal import Held, Limits, Measured, covers, percentile, shortcomings

LIMITS = Limits(load_ms=5000, save_ms=1000, handin_ms=5000)
GOOD = Measured(300, 0, 0, 0, 0, 120.0, 40.0, 90.0)
HOUR = 3_600_000


def test_a_good_one_has_no_shortcoming() -> None:
    assert shortcomings(GOOD, LIMITS) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lost_acks": 1}, "rehearsal_lost"),
        ({"changed": 1}, "rehearsal_lost"),
        ({"doubled": 1}, "rehearsal_doubled"),
        ({"unfinished": 1}, "rehearsal_unfinished"),
        ({"saves": 0, "save_p99_ms": None}, "rehearsal_nothing_saved"),
        ({"save_p99_ms": 1000.1}, "rehearsal_slow"),
        ({"load_p99_ms": 5000.1}, "rehearsal_slow"),
        ({"handin_p99_ms": 5000.1}, "rehearsal_slow"),
        ({"faults_missed": True}, "rehearsal_no_faults"),
        ({"unsignalled": True}, "rehearsal_others_late"),
    ],
)
def test_each_shortcoming_has_its_reason(change: dict[str, object], reason: str) -> None:
    assert shortcomings(replace(GOOD, **change), LIMITS) == [reason]  # type: ignore[arg-type]


def test_exactly_the_limit_is_enough() -> None:
    assert shortcomings(replace(GOOD, save_p99_ms=1000.0), LIMITS) == []


def test_percentiles_are_values_that_occurred() -> None:
    hundred = [float(n) for n in range(1, 101)]
    assert [percentile(hundred, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50.0, 95.0, 99.0, 100.0]
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("change", "enough"),
    [
        ({}, True),
        ({"at_ms": -23 * HOUR}, True),
        ({"at_ms": -25 * HOUR}, False),
        ({"at_ms": HOUR}, False),
        ({"candidates": 29}, False),
        ({"version": "0"}, False),
        ({"drawn_from": "other papers"}, False),
        ({"drawn_from": None}, False),
        ({"answers": 1}, False),
        ({"answers": 9}, False),
        ({"pace_ms": 50}, True),
        ({"pace_ms": 5001}, False),
    ],
)
def test_one_counts_for_the_same_papers_hard_enough_and_not_for_ever(change: dict[str, Any], enough: bool) -> None:
    now = 1_800_000_000_000
    held = replace(Held(0, 30, "1", "papers", 10, 5000), **change)
    held = replace(held, at_ms=now + held.at_ms)
    assert covers([held], 30, "1", "papers", now, 24) is enough
