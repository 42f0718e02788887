"""The sample of a spot check: the same for the same seed anywhere, by its published rule; every minute can come."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.sampling import MOST, Drawn, Stretch, draw, population_digest, stretches
from edge.errors import BadInput

T0 = 1_780_000_020_000
DIGEST = "250ec2a17def7de5e0c0cf3e912094fdb46c2e60f2b5a0f5ef5cf169eab090c7"
KNOWN = [Drawn("S-1", "door", 1780001280000), Drawn("S-1", "hall", 1780001340000)]
POPULATION = [Stretch("S-1", "door", T0, 90), Stretch("S-1", "hall", T0, 90), Stretch("S-2", "door", T0 * 2, 30)]


def by_the_rule(seed: str, population: list[Stretch], count: int) -> list[Drawn]:
    """The published rule, written again from its words alone."""
    rows = sorted((s.session, s.camera, s.from_ms, s.minutes) for s in population)
    form = [{"camera": c, "from_ms": f, "minutes": m, "session": s} for s, c, f, m in rows]
    digest = hashlib.sha256(json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
    minutes = [Drawn(s, c, f + 60_000 * n) for s, c, f, m in rows for n in range(m)]
    key, counter, found = f"examroom sample 1\n{seed}\n{digest}".encode(), 0, list[Drawn]()
    while len(found) < count:
        value = int.from_bytes(hashlib.sha256(key + counter.to_bytes(8, "big")).digest()[:8], "big")
        counter += 1
        if value < 2**64 - 2**64 % len(minutes) and (one := minutes[value % len(minutes)]) not in found:
            found.append(one)
    return found


def test_a_draw_is_what_the_published_rule_gives() -> None:
    for seed in ("", "03 07 12 19 28 31 + 05", "双色球 2026138"):
        assert draw(seed, POPULATION, 25) == by_the_rule(seed, POPULATION, 25)
    # a value written down once: a change of the rule would be a change of every sample ever drawn
    assert population_digest(POPULATION) == DIGEST
    assert draw("03 07 12", POPULATION, 2) == KNOWN


@given(st.text(max_size=20), st.permutations(POPULATION), st.integers(1, MOST))
def test_the_order_of_the_population_is_nobodys_choice(seed: str, population: list[Stretch], count: int) -> None:
    found = draw(seed, population, count)
    assert found == draw(seed, POPULATION, count)
    assert len(set(found)) == count


def test_every_minute_comes_about_as_often() -> None:
    small = [Stretch("S-1", "door", T0, 7), Stretch("S-1", "hall", T0, 3)]
    seen = Counter(one for n in range(600) for one in draw(str(n), small, 2))
    assert len(seen) == 10
    assert all(70 < times < 170 for times in seen.values())  # 120 each, give or take five standard deviations
    assert set(draw("x", small, 10)) == {
        Drawn("S-1", s.camera, T0 + n * 60_000) for s in small for n in range(s.minutes)
    }


def test_another_population_gives_another_sample() -> None:
    shorter = [*POPULATION[:2], Stretch("S-2", "door", T0 * 2, 29)]
    assert draw("seed", POPULATION, 20) != draw("seed", shorter, 20)


@pytest.mark.parametrize(("population", "count"), [([], 1), (POPULATION, 0), (POPULATION, 211), (POPULATION, MOST + 1)])
def test_more_than_there_is_cannot_be_drawn(population: list[Stretch], count: int) -> None:
    with pytest.raises(BadInput) as error:
        draw("seed", population, count)
    assert error.value.code == "sample_count"


@pytest.mark.parametrize(
    ("opened", "closed", "first", "minutes"),
    [(T0, T0 + 60_000, T0, 1), (T0 + 1, T0 + 60_001, T0, 2), (T0 + 59_999, T0 + 120_000, T0, 2), (T0, T0, T0, 1)],
)
def test_each_minute_that_a_session_touches_is_one(opened: int, closed: int, first: int, minutes: int) -> None:
    assert stretches("S-1", "door", [(opened, closed)]) == [Stretch("S-1", "door", first, minutes)]


def test_no_minute_that_a_clock_left_out_can_come_and_none_twice() -> None:
    hour = 3_600_000
    spans = [(T0, T0 + 600_000), (T0 + 15 * hour, T0 + 17 * hour), (T0 + 17 * hour + 1, T0 + 17 * hour + 60_000)]
    assert stretches("S-1", "door", spans) == [
        Stretch("S-1", "door", T0, 10), Stretch("S-1", "door", T0 + 15 * hour, 121)
    ]  # fmt: skip
