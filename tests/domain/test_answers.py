"""What may be answered, and the one form in which it is kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.answers import Wrong, normalise, to_bank, to_shown

ENTRIES: dict[str, dict[str, Any]] = {
    "single": {"type": "single", "order": ["C", "A", "B"]},
    "judgement": {"type": "judgement", "order": ["A", "B"]},
    "multiple": {"type": "multiple", "order": ["C", "A", "B", "D"]},
    "order": {"type": "order", "order": ["C", "A", "B"]},
    "match": {"type": "match", "order": ["C", "A", "B"], "left": ["1", "2"]},
    "fill": {"type": "fill", "blanks": 2},
    "hotspot": {"type": "hotspot", "marks": 2},
    "case": {"type": "case", "items": []},
}


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("single", ["B"], ["B"]),
        ("multiple", ["D", "A"], ["A", "D"]),
        ("order", ["C", "A", "B"], ["C", "A", "B"]),
        ("match", ["2A", "1C"], ["1C", "2A"]),
        ("match", ["2A"], ["2A"]),
        ("match", ["1A", "2A"], ["1A", "2A"]),
        ("fill", [" １２.5 mm ", ""], ["１２.5 mm", ""]),
        ("fill", ["", "  "], []),
        ("hotspot", ["412,77", "9,1000"], ["9,1000", "412,77"]),
        ("hotspot", ["0,0"], ["0,0"]),
    ],
)
def test_what_is_kept(kind: str, value: list[str], kept: list[str]) -> None:
    assert normalise(ENTRIES[kind], value) == kept
    assert normalise(ENTRIES[kind], kept) == kept
    assert normalise(ENTRIES[kind], []) == []


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("single", ["D"], "option_not_on_item"),
        ("single", ["A", "B"], "one_option_only"),
        ("judgement", ["A", "A"], "option_not_on_item"),
        ("multiple", ["A", "E"], "option_not_on_item"),
        ("order", ["A", "B"], "answer_form_wrong"),
        ("order", ["A", "B", "B"], "option_not_on_item"),
        ("match", ["3A"], "option_not_on_item"),
        ("match", ["1D"], "option_not_on_item"),
        ("match", ["1A", "1B"], "answer_form_wrong"),
        ("match", ["1"], "option_not_on_item"),
        ("fill", ["one"], "answer_form_wrong"),
        ("fill", ["a\x00b", ""], "answer_form_wrong"),
        ("fill", ["x" * 101, ""], "answer_form_wrong"),
        ("hotspot", ["1001,5"], "answer_form_wrong"),
        ("hotspot", ["5, 5"], "answer_form_wrong"),
        ("hotspot", ["007,5"], "answer_form_wrong"),
        ("hotspot", ["1,1", "2,2", "3,3"], "answer_form_wrong"),
        ("case", ["A"], "item_not_on_paper"),
        ("multiple", ["A"] * 11, "answer_form_wrong"),
    ],
)
def test_what_is_refused(kind: str, value: list[str], code: str) -> None:
    with pytest.raises(Wrong) as wrong:
        normalise(ENTRIES[kind], value)
    assert wrong.value.code == code


@given(
    st.sampled_from(sorted(ENTRIES)),
    st.lists(st.one_of(st.text(max_size=5), st.sampled_from(["A", "B", "1A", "2C", "5,5", "12 mm"])), max_size=12),
)
def test_anything_is_kept_in_one_form_or_refused(kind: str, value: list[str]) -> None:
    try:
        kept = normalise(ENTRIES[kind], value)
    except Wrong:
        return
    assert normalise(ENTRIES[kind], kept) == kept
    assert to_shown(ENTRIES[kind], to_bank(ENTRIES[kind], kept)) == kept if kept else True


def test_letters_lead_back_to_the_banks_keys() -> None:
    assert to_bank(ENTRIES["multiple"], ["A", "B"]) == ["A", "C"]
    assert to_bank(ENTRIES["order"], ["B", "C", "A"]) == ["A", "B", "C"]
    assert to_bank(ENTRIES["match"], ["1A", "2B"]) == ["1C", "2A"]
    with pytest.raises(ValueError, match="option"):
        to_bank(ENTRIES["single"], ["D"])
