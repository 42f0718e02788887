"""What sheets are worth: deductions, vetoes, measured values, time, and two examiners together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bank.build import sample_bank
from edge.domain.rubric import Marks, evaluate, measured_loss, missing, overtime, rubric_score, settle, step_times
from edge.domain.scoring import Score

RUBRIC = sample_bank().rubrics[0].model_dump(by_alias=True)
FULL = sum(step["points"] for step in RUBRIC["steps"]) * 100
MINUTE = 60_000

SPACING: dict[str, Any] = {
    "id": "m1",
    "target": "1.50",
    "bands": [{"within": "0.05", "deduct": 0}, {"within": "0.1", "deduct": 4}],
    "beyond": "zero",
}
GIVING: dict[str, Any] = SPACING | {
    "points": 8,
    "bands": [{"within": "0", "points": 8}, {"within": "1", "points": 3}],
    "beyond": 8,
}
SMALL: dict[str, Any] = {
    "minutes": 10,
    "over": {"per_minute": 2, "most": 5, "end_after": 10, "then": "veto"},
    "steps": [
        {
            "id": "s1",
            "points": 10,
            "deductions": [{"id": "d1", "points": 3}],
            "measures": [SPACING],
            "minutes": 2,
            "over": {"per_minute": 1, "most": None, "end_after": None, "then": "zero"},
        },
        {"id": "s2", "points": 20, "deductions": []},
    ],
    "vetoes": [{"id": "v1"}],
}


def test_deductions_stop_at_the_steps_points_and_a_veto_ends_it() -> None:
    step = RUBRIC["steps"][0]
    assert rubric_score(RUBRIC, {}, []) == Score(FULL, FULL)
    first = step["deductions"][0]
    assert rubric_score(RUBRIC, {first["id"]: 1}, []).points == FULL - first["points"] * 100
    assert rubric_score(RUBRIC, {first["id"]: 1000}, []).points == FULL - step["points"] * 100
    assert rubric_score(RUBRIC, {}, [RUBRIC["vetoes"][0]["id"]]).points == 0


@pytest.mark.parametrize(
    "marks", [Marks({"nope": 1}), Marks(vetoes=frozenset({"nope"})), Marks(measured={"nope": "1"})], ids=str
)
def test_marks_that_are_not_in_the_rubric(marks: Marks) -> None:
    with pytest.raises(ValueError, match="nope"):
        evaluate(SMALL, marks)


@pytest.mark.parametrize(
    ("measure", "text", "loss"),
    [
        (SPACING, "1.55", 0),
        (SPACING, "1.45", 0),
        (SPACING, "1.5501", 400),
        (SPACING, "1.60", 400),
        (SPACING, "1.601", "zero"),
        (GIVING, "1.5", 0),
        (GIVING, "1.6", 500),
        (GIVING, "9", 800),
        (SPACING, "1。5", 0),
        (SPACING, "１．５", 0),
        (SPACING, "1,500", "zero"),  # a thousand and more, not one and a half
        (SPACING | {"target": "1500"}, "1,500", 0),
    ],
)
def test_a_measured_value_falls_in_the_narrowest_band_that_holds_it(
    measure: dict[str, Any], text: str, loss: object
) -> None:
    assert measured_loss(measure, text) == loss


@pytest.mark.parametrize(
    "text", ["", "abc", "NaN", "Infinity", "1e99", "--1", "1,5", "1，5", "1,50", "1.5 mm", "1" * 10]
)
def test_a_measured_value_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        measured_loss(SPACING, text)


@pytest.mark.parametrize(
    ("taken", "loss"),
    [
        (10 * MINUTE, 0),
        (10 * MINUTE + 1, 200),
        (11 * MINUTE, 200),
        (11 * MINUTE + 1, 400),
        (13 * MINUTE, 500),
        (20 * MINUTE, 500),
        (20 * MINUTE + 1, "veto"),
    ],
)
def test_each_started_minute_over_costs(taken: int, loss: object) -> None:
    assert overtime(SMALL["over"], 10, taken) == loss


def test_a_sheet_with_everything() -> None:
    fine = evaluate(SMALL, Marks(measured={"m1": "1.5"}, step_ms={"s1": 2 * MINUTE}, elapsed_ms=10 * MINUTE))
    assert (fine.score, fine.vetoed, fine.why) == (Score(3000, 3000), False, ())
    worse = Marks({"d1": 1}, frozenset(), {"m1": "1.58"}, {"s1": 3 * MINUTE}, 12 * MINUTE)
    outcome = evaluate(SMALL, worse)
    assert outcome.steps == {"s1": 1000 - 300 - 400 - 100, "s2": 2000}
    assert outcome.score.points == 2200 - 400
    assert outcome.why == ("deduction:d1", "measure:m1", "time:s1", "time:sheet")
    far = evaluate(SMALL, Marks(measured={"m1": "3"}))
    assert far.steps["s1"] == 0 and not far.vetoed
    late = evaluate(SMALL, Marks(measured={"m1": "1.5"}, elapsed_ms=21 * MINUTE))
    assert late.vetoed and late.score.points == 0 and not late.passes(0)


def test_what_is_missing_before_signing() -> None:
    assert missing(SMALL, Marks()) == ["m1"]
    assert missing(SMALL, Marks(vetoes=frozenset({"v1"}))) == []
    assert missing(SMALL, Marks(measured={"m1": "1"})) == []


def test_a_steps_time_runs_from_the_step_before() -> None:
    assert step_times({"a": 1000, "c": 5000, "b": 4000}, ["a", "b", "c"]) == {"a": 1000, "b": 3000, "c": 1000}
    assert step_times({"a": 1000, "b": 1000}, ["a", "b"]) == {"a": 1000, "b": 0}
    assert step_times({}, []) == {}


counts = st.dictionaries(
    st.sampled_from([d["id"] for s in RUBRIC["steps"] for d in s["deductions"]]), st.integers(0, 9)
)


@given(counts, st.data())
def test_a_score_stays_in_its_bounds_and_one_more_mark_never_helps(marks: dict[str, int], data: st.DataObject) -> None:
    before = rubric_score(RUBRIC, marks, [])
    assert 0 <= before.points <= before.full == FULL
    more = data.draw(st.sampled_from([d["id"] for s in RUBRIC["steps"] for d in s["deductions"]]))
    after = rubric_score(RUBRIC, marks | {more: marks.get(more, 0) + 1}, [])
    assert after.points <= before.points


@given(st.integers(0, 10**8), st.integers(0, 10**6))
def test_more_time_never_helps(taken: int, more: int) -> None:
    rank = {"zero": 10**6, "veto": 10**7}
    first, second = (overtime(SMALL["over"], 10, ms) for ms in (taken, taken + more))
    assert rank.get(str(first), first) <= rank.get(str(second), second)  # type: ignore[operator]


@given(st.decimals("-5", "5", places=3), st.decimals("0", "3", places=3))
def test_a_value_further_off_never_costs_less(value: Any, further: Any) -> None:
    rank = {"zero": 10**6}
    off = abs(value - 1)
    near, far = (
        measured_loss(SPACING | {"target": "1"}, str(1 + off)),
        measured_loss(SPACING | {"target": "1"}, str(1 + off + further)),
    )
    assert rank.get(str(near), near) <= rank.get(str(far), far)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("sheets", "state", "points", "why"),
    [
        ([], "waiting", None, ""),
        ([(8000, False)], "waiting", None, ""),
        ([(8000, False), (8001, False)], "settled", 8000, ""),
        ([(8000, False), (9000, False)], "settled", 8500, ""),
        ([(8000, False), (9001, False)], "disputed", None, "difference"),
        ([(5999, False), (6000, False)], "disputed", None, "pass"),
        ([(6000, False), (0, True)], "disputed", None, "veto"),
        ([(0, False), (0, True)], "disputed", None, "veto"),
        ([(0, True), (0, True)], "settled", 0, ""),
        ([(1000, False), (1500, False)], "settled", 1250, ""),
    ],
)
def test_two_examiners(sheets: list[tuple[int, bool]], state: str, points: int | None, why: str) -> None:
    found = settle(sheets, 10_000, 2, 10, 60)
    assert (found.state, found.points, found.why) == (state, points, why)


pair = st.tuples(st.integers(0, 10_000), st.booleans()).map(lambda s: (0, True) if s[1] else s)


@given(pair, pair, st.integers(0, 100), st.integers(0, 100))
def test_the_order_of_two_sheets_makes_no_difference(
    one: tuple[int, bool], two: tuple[int, bool], difference: int, percent: int
) -> None:
    found = settle([one, two], 10_000, 2, difference, percent)
    assert found == settle([two, one], 10_000, 2, difference, percent)
    if found.state == "settled":
        assert found.points is not None
        assert min(one[0], two[0]) <= found.points <= max(one[0], two[0])
        verdicts = {not veto and Score(worth, 10_000).passes(percent) for worth, veto in (one, two)}
        mean = not found.vetoed and Score(found.points, 10_000).passes(percent)
        assert verdicts == {mean}


@given(pair)
def test_one_examiner_is_always_right(sheet: tuple[int, bool]) -> None:
    found = settle([sheet], 10_000, 1, 0, 60)
    assert (found.state, found.points, found.vetoed) == ("settled", *sheet)
