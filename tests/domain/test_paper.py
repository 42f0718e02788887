"""Papers: the same seed the same paper, fair draws, shortages found before anybody sits down."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bank.build import sample_bank
from edge.domain.paper import ItemFacts, Stream, draw_paper, shortages, to_bank_keys

BANK = sample_bank()
ITEMS = [item.facts() for item in BANK.items]
BLUEPRINT = BANK.blueprints[0].model_dump()


@given(st.text(max_size=40))
def test_same_seed_same_paper_whatever_the_bank_order(seed: str) -> None:
    paper = draw_paper(ITEMS, BLUEPRINT, seed)
    assert paper == draw_paper(reversed(ITEMS), BLUEPRINT, seed)
    for part, wanted in zip(paper["parts"], BLUEPRINT["parts"], strict=True):
        assert Counter(i["type"] for i in part["items"]) == {d["type"]: d["count"] for d in wanted["draw"]}
        assert len({i["id"] for i in part["items"]}) == len(part["items"])


def test_this_paper_never_changes() -> None:
    """Drawn once and written down: a change of the drawing would make every recorded seed worthless."""
    items = [ItemFacts(f"i{n:02}", "safety", "single", ("A", "B", "C", "D"), 1, f"t{n}") for n in range(20)]
    blueprint = {"parts": [{"test": "safety", "title": {}, "draw": [{"type": "single", "count": 4}]}]}
    drawn = draw_paper(items, blueprint, "seed")["parts"][0]["items"]
    assert [(i["id"], "".join(i["order"])) for i in drawn] == EXPECTED


EXPECTED = [("i06", "DCAB"), ("i15", "DABC"), ("i19", "CABD"), ("i18", "CBDA")]


def test_a_short_bank_is_said_and_never_drawn_from() -> None:
    few = [item for item in ITEMS if item.type != "multiple"]
    assert {(s.test, s.type, s.have) for s in shortages(few, BLUEPRINT)} == {
        ("safety", "multiple", 0),
        ("theory", "multiple", 0),
    }
    with pytest.raises(ValueError, match="short"):
        draw_paper(few, BLUEPRINT, "x")


def test_one_fact_is_asked_once_while_the_bank_has_others() -> None:
    items = [ItemFacts(f"i{n}", "safety", "single", ("A", "B"), 1, f"fact{n % 5}") for n in range(50)]
    blueprint = {"parts": [{"test": "safety", "title": {}, "draw": [{"type": "single", "count": 5}]}]}
    for seed in range(30):
        drawn = draw_paper(items, blueprint, str(seed))["parts"][0]["items"]
        assert len({int(i["id"][1:]) % 5 for i in drawn}) == 5


def test_the_stream_favours_nobody() -> None:
    stream = Stream("fair")
    counts = Counter(stream.below(7) for _ in range(7000))
    assert set(counts) == set(range(7))
    assert max(counts.values()) - min(counts.values()) < 250


def test_letters_lead_back_to_the_banks_keys() -> None:
    assert to_bank_keys(["C", "A", "B"], ["A", "B"]) == ["A", "C"]
    with pytest.raises(ValueError, match="option"):
        to_bank_keys(["C", "A"], ["C"])
