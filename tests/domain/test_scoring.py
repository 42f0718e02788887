"""Points, rubrics and verdicts."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bank.build import sample_bank
from edge.domain.answers import Wrong, normalise, to_bank, to_shown
from edge.domain.keys import BlankKey, Key, RegionKey
from edge.domain.paper import Pools, draw_paper
from edge.domain.scoring import Score, answer_points, verdict
from support.rooms import right_answer


def choice(kind: str = "multiple", rule: str = "policy", right: str = "AC") -> Key:
    return Key(kind, tuple(right), rule=rule)


def number(value: str, tolerance: str = "0", *units: str, asked: bool = False) -> BlankKey:
    return BlankKey("number", (), Decimal(value), Decimal(tolerance), units, asked)


def asked(*units: str) -> BlankKey:
    return number("12.5", "0", *units, asked=True)


def text(*accepted: str) -> BlankKey:
    return BlankKey("text", accepted)


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
    assert answer_points(choice(rule=rule), chosen, 2) == points
    assert answer_points(choice(), chosen, 2, policy=rule) == points


def test_partial_credit_of_choices_is_for_multiple_choice_only() -> None:
    assert answer_points(choice("single", "partial", "A"), "", 1) == 0
    assert answer_points(choice("single", "partial", "A"), "B", 1) == 0
    assert answer_points(choice("single", "partial", "A"), "A", 1) == 100


def test_an_items_own_rule_stands_above_the_policy() -> None:
    assert answer_points(choice(rule="all-or-nothing"), "A", 2, policy="partial") == 0
    assert answer_points(choice(rule="partial"), "A", 2, policy="all-or-nothing") == 100


@pytest.mark.parametrize(
    ("blank", "given", "right"),
    [
        (text("安全帽"), " 安全 帽 ", True),
        (text("PE 管"), "ｐｅ管", True),
        (text("（一）"), "(一)", True),
        (text("甲", "乙"), "乙", True),
        (text("甲"), "甲乙", False),
        (text("甲"), "", False),
        (number("12.5", "0", "mm", "毫米"), "12.5 mm", True),
        (number("12.5", "0", "mm", "毫米"), "12.5mm", True),
        (number("12.5", "0", "mm", "毫米"), "１２.5 毫米", True),
        (number("12.5", "0", "mm", "毫米"), "12。5MM", True),
        (number("12.5", "0", "mm"), "12.5", True),
        (number("12.5", "0", "mm"), "12.5mm mm", True),
        (number("12.5", "0", "kN / m²"), "12.5 kN/m2 kN / m²", True),
        (number("12.5", "0", "m"), "12.5 m m", True),
        (number("12.5", "0", "m"), "12.5 mm", False),
        (number("12.5", "0", "m"), "12.5mm m", False),
        (number("12.5", "0", "m"), "12.5 m m m", False),
        (number("12.5", "0", "mm"), "12.5cm mm", False),
        (asked("mm", "毫米"), "12.5", False),
        (asked("mm", "毫米"), "12.5 mm", True),
        (asked("mm", "毫米"), "12.5毫米 毫米", True),
        (asked("mm", "毫米"), "12.5cm cm", False),
        (asked("mm", "毫米"), "12.5 cm", False),
        (asked("MPa"), "12.5 MPa", True),
        (asked("MPa"), "12.5 ＭＰａ", True),
        (asked("MPa"), "12.5 mPa", False),
        (asked("MPa"), "12.5mpa MPa", True),
        (asked("MPa"), "12.5MPa mPa", False),
        (asked("kN / m²"), "12.5kn/m2 kN / m²", True),
        (number("12.5", "0", "MPa"), "12.5 mpa MPA", True),
        (number("12.5", "0", "mm"), "12.5 cm", False),
        (number("12.5", "0", "mm"), "mm", False),
        (number("1200", "0", "N·m"), "1,200 N·m", True),
        (number("1200"), "1200 mm", False),
        (number("1200"), "1,20,0", False),
        (number("40", "1.5"), "41.5", True),
        (number("40", "1.5"), "38.5", True),
        (number("40", "1.5"), "41.50000000000000000000000000000000001", False),
        (number("0.1"), ".1", True),
        (number("-5"), "－5", True),
        (number("-5"), "\u22125", True),
        (number("5"), "5.", True),
        (number("5"), "5e0", False),
        (number("5"), "nan", False),
        (number("2", "0", "m²"), "2m2", True),
    ],
)
def test_blanks(blank: BlankKey, given: str, right: bool) -> None:
    assert answer_points(Key("fill", blanks=(blank,)), [given], 1) == 100 * right


def test_equal_shares_are_rounded_down_and_all_is_all() -> None:
    blanks = Key("fill", blanks=(text("a"), text("b"), text("c")), rule="partial")
    assert answer_points(blanks, ["a", "", "x"], 1) == 33
    assert answer_points(blanks, ["a", "b", ""], 1) == 66
    assert answer_points(blanks, ["a", "b", "c"], 1) == 100
    assert answer_points(Key("fill", blanks=blanks.blanks, rule="all-or-nothing"), ["a", "b", ""], 1) == 0
    pairs = Key("match", ("1A", "2B", "3A"), rule="partial")
    assert answer_points(pairs, ["1A", "2A", "3A"], 2) == 133
    assert answer_points(pairs, ["1A", "1B", "3A"], 2) == 66
    assert answer_points(Key("order", tuple("BAC")), list("BAC"), 2) == 200
    assert answer_points(Key("order", tuple("BAC"), rule="partial"), list("ABC"), 2, "partial") == 0


CIRCLE = RegionKey("circle", (500, 500, 100))
RECT = RegionKey("rect", (0, 0, 100, 200))
POLY = RegionKey("poly", (600, 600, 900, 600, 900, 900))


@pytest.mark.parametrize(
    ("marks", "aspect", "points"),
    [
        (["500,500"], 1000, 33),
        (["600,500"], 1000, 33),
        (["601,500"], 1000, 0),
        (["500,650"], 500, 33),  # half as high as wide: 150 thousandths of the height are 75 of the width
        (["500,701"], 500, 0),
        (["100,200"], 1000, 33),
        (["850,650"], 1000, 33),
        (["650,850"], 1000, 0),
        (["750,750"], 1000, 33),  # on the long side
        (["500,500", "500,501"], 1000, 33),  # one place is found once
        (["500,500", "50,50", "850,650"], 1000, 100),
        (["500,500", "50,50", "850,650", "1,1"], 1000, 0),  # more marks than places
    ],
)
def test_places_on_a_picture(marks: list[str], aspect: int, points: int) -> None:
    key = Key("hotspot", regions=(CIRCLE, RECT, POLY), aspect=aspect, rule="partial")
    assert answer_points(key, marks, 1) == points


def test_overlapping_places_do_not_depend_on_the_order_of_the_marks() -> None:
    wide, narrow = RegionKey("rect", (0, 0, 500, 500)), RegionKey("rect", (0, 0, 100, 100))
    for regions in ((wide, narrow), (narrow, wide)):
        for marks in (["50,50", "400,400"], ["400,400", "50,50"]):
            assert answer_points(Key("hotspot", regions=regions), marks, 1) == 100


ITEMS = [item for case in sample_bank().items for item in getattr(case, "items", [case])]


@given(st.sampled_from(ITEMS), st.sampled_from(["partial", "all-or-nothing"]), st.randoms(use_true_random=False))
def test_right_is_full_in_any_order_shown(item: Any, policy: str, chance: random.Random) -> None:
    """Whatever order the options are shown in, the right answer gets everything and no answer nothing."""
    pools = Pools([item.facts()], blueprint_of(item))
    (entry,) = draw_paper(pools, str(chance.random()))["parts"][0]["items"]
    right = normalise(entry, to_shown(entry, right_answer(item.key())))
    assert answer_points(item.key(), to_bank(entry, right), item.points, policy) == item.points * 100
    assert answer_points(item.key(), [], item.points, policy) == 0


@given(st.sampled_from(ITEMS), st.sampled_from(["partial", "all-or-nothing"]), st.data())
def test_points_are_never_below_nothing_nor_above_full(item: Any, policy: str, data: st.DataObject) -> None:
    (entry,) = draw_paper(Pools([item.facts()], blueprint_of(item)), "x")["parts"][0]["items"]
    letters = st.sampled_from("ABCDEFGH"[: len(entry.get("order", "A"))])
    parts = {
        "fill": st.one_of(st.text(max_size=10), st.sampled_from(["1.2 m", "180", "安全帽"])),
        "match": st.tuples(st.sampled_from(entry.get("left", ["1"])), letters).map("".join),
        "hotspot": st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(lambda at: f"{at[0]},{at[1]}"),
    }
    value = data.draw(st.lists(parts.get(item.type, letters), max_size=8))
    try:
        kept = normalise(entry, value)
    except Wrong:
        return
    points = answer_points(item.key(), to_bank(entry, kept), item.points, policy)
    assert 0 <= points <= item.points * 100


def blueprint_of(item: Any) -> dict[str, Any]:
    draw = {"type": item.type, "count": 1}
    return {"parts": [{"test": item.test, "title": {}, "draw": [draw]}]}


@pytest.mark.parametrize(("points", "passes"), [(2100, True), (2099, False)])
def test_the_pass_mark_is_exact(points: int, passes: bool) -> None:
    assert Score(points, 3500).passes(60) is passes


def test_nothing_to_reach_is_not_passed() -> None:
    assert not Score(0, 0).passes(0)


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


def test_only_the_tests_that_policy_needs_count() -> None:
    assert verdict({"theory": True}, ["theory"]) == "passed"
    assert verdict({"theory": True, "practical": False}, ["theory"]) == "passed"
    assert verdict({"theory": True}, ["theory", "safety"]) == "incomplete"
