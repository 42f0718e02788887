"""Points, rubrics and verdicts."""

from __future__ import annotations

import pytest

from edge.bank.build import sample_bank
from edge.domain.scoring import Score, item_points, rubric_score, verdict

RUBRIC = sample_bank().rubrics[0].model_dump(by_alias=True)


@pytest.mark.parametrize(
    ("chosen", "rule", "points"),
    [
        ("AC", "all-or-nothing", 200),
        ("A", "all-or-nothing", 0),
        ("A", "partial", 100),
        ("AB", "partial", 0),
        ("", "partial", 0),
        ("ABC", "partial", 0),
    ],
)
def test_multiple_choice(chosen: str, rule: str, points: int) -> None:
    assert item_points("multiple", "AC", chosen, 2, rule) == points


def test_partial_credit_is_for_multiple_choice_only() -> None:
    assert item_points("single", "A", "", 1, "partial") == 0


@pytest.mark.parametrize(("points", "passes"), [(2100, True), (2099, False)])
def test_the_pass_mark_is_exact(points: int, passes: bool) -> None:
    assert Score(points, 3500).passes(60) is passes


def test_nothing_to_reach_is_not_passed() -> None:
    assert not Score(0, 0).passes(0)


def test_deductions_stop_at_the_steps_points_and_a_veto_ends_it() -> None:
    step = RUBRIC["steps"][0]
    full = sum(s["points"] for s in RUBRIC["steps"]) * 100
    assert rubric_score(RUBRIC, {}, []) == Score(full, full)
    first = step["deductions"][0]
    assert rubric_score(RUBRIC, {first["id"]: 1}, []).points == full - first["points"] * 100
    assert rubric_score(RUBRIC, {first["id"]: 1000}, []).points == full - step["points"] * 100
    assert rubric_score(RUBRIC, {}, [RUBRIC["vetoes"][0]["id"]]).points == 0


@pytest.mark.parametrize(("marks", "vetoes"), [({"nope": 1}, []), ({}, ["nope"])])
def test_marks_that_are_not_in_the_rubric(marks: dict[str, int], vetoes: list[str]) -> None:
    with pytest.raises(ValueError, match="nope"):
        rubric_score(RUBRIC, marks, vetoes)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"safety": True, "theory": True, "practical": True}, "passed"),
        ({"safety": True, "theory": False, "practical": True}, "failed"),
        ({"safety": True, "theory": True}, "incomplete"),
        ({}, "incomplete"),
        ({"theory": False}, "failed"),
    ],
)
def test_verdict(records: dict[str, bool], expected: str) -> None:
    assert verdict(records) == expected
