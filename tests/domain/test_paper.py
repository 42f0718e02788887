"""Papers: the same seed the same paper, fair draws, shortages found before anybody sits down."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bank.build import sample_bank
from edge.domain.paper import (
    ItemFacts,
    Pools,
    Stream,
    draw_paper,
    first_difference,
    responses_of,
    shortages,
)

BANK = sample_bank()
ITEMS = [item.facts() for item in BANK.items]
BLUEPRINT = BANK.blueprints[0].model_dump()
POOLS = Pools(ITEMS, BLUEPRINT)


def one(number: int, **facts: Any) -> ItemFacts:
    """Item `number` of a made-up bank, of a fact of its own."""
    values: dict[str, Any] = {"id": f"i{number:03}", "test": "safety", "type": "single", "options": tuple("ABCD")}
    return ItemFacts(**({**values, "points": 1, "template": f"t{number}"} | facts))


def asks(*draws: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """A blueprint of one part."""
    return {"parts": [{"test": "safety", "title": {}, "draw": [{"type": "single", **draw} for draw in draws]}], **rest}


def ids(paper: dict[str, Any]) -> list[str]:
    return [entry["id"] for part in paper["parts"] for entry in part["items"]]


@given(st.text(max_size=40))
def test_same_seed_same_paper_whatever_the_bank_order(seed: str) -> None:
    paper = draw_paper(POOLS, seed)
    assert paper == draw_paper(Pools(list(reversed(ITEMS)), BLUEPRINT), seed)
    for part, wanted in zip(paper["parts"], BLUEPRINT["parts"], strict=True):
        counts: Counter[str] = Counter()
        for draw in wanted["draw"]:
            counts[draw["type"]] += draw["count"]
        assert Counter(i["type"] for i in part["items"]) == counts
        assert len({i["id"] for i in part["items"]}) == len(part["items"])


def test_this_paper_never_changes() -> None:
    """Drawn once and written down: a change of the drawing would make every recorded seed worthless."""
    subs = (one(1, id="c1.1"), one(2, id="c1.2", type="fill", options=(), places=2))
    items = [
        *(one(n) for n in range(20)),
        *(one(50 + n, type="match", left=("1", "2"), local=n == 0) for n in range(3)),
        one(60, id="c1", type="case", options=(), subs=subs, points=2),
        one(61, type="hotspot", options=(), places=3),
    ]
    draws = (
        {"count": 4, "points": 3},
        {"type": "match", "count": 1},
        {"type": "case", "count": 1},
        {"type": "hotspot", "count": 1},
    )
    paper = draw_paper(Pools(items, asks(*draws), rested={"i006", "i015"}, local_share=50), "seed")
    drawn = paper["parts"][0]["items"]
    assert [f"{e['id']} {e['points']} {''.join(e.get('order', ''))}".strip() for e in drawn] == EXPECTED
    assert drawn[5]["items"] == [
        {"id": "c1.1", "type": "single", "points": 1, "order": list(EXPECTED_SUB)},
        {"id": "c1.2", "type": "fill", "points": 1, "blanks": 2},
    ]
    assert drawn[4]["left"] == ["1", "2"]
    assert drawn[6]["marks"] == 3
    assert paper["version"] == 4


EXPECTED = ["i000 3 BADC", "i018 3 CADB", "i014 3 BDCA", "i003 3 CDAB", "i050 1 CABD", "c1 2", "i061 1"]
EXPECTED_SUB = "ACDB"


def test_another_process_draws_the_same_bytes() -> None:
    """Whatever Python's hashing makes of sets and dictionaries."""
    script = (
        "from edge.bank.build import sample_bank; from edge.domain.paper import Pools, draw_paper;"
        "from edge.domain.canonical import canonical; import sys; bank = sample_bank();"
        "pools = Pools([i.facts() for i in bank.items], bank.blueprints[0].model_dump());"
        "sys.stdout.buffer.write(canonical(draw_paper(pools, 'elsewhere')))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert [json.loads(paper) for paper in made] == [draw_paper(POOLS, "elsewhere")]


def test_a_short_bank_is_said_and_never_drawn_from() -> None:
    few = [item for item in ITEMS if item.type != "multiple"]
    assert {(s.test, s.type, s.have) for s in shortages(few, BLUEPRINT)} == {
        ("safety", "multiple", 0),
        ("theory", "multiple", 0),
    }
    with pytest.raises(ValueError, match="short"):
        draw_paper(Pools(few, BLUEPRINT), "x")


def test_every_filter_narrows_and_is_named_when_it_leaves_too_few() -> None:
    items = [one(n, topic=f"T{n % 2}", difficulty=1 + n % 3, exposure=n) for n in range(30)]
    paper = draw_paper(Pools(items, asks({"count": 5, "topics": ["T1"], "difficulty": [2, 3]}, max_exposure=25)), "s")
    assert all(int(i[1:]) % 2 == 1 and int(i[1:]) % 3 in (1, 2) and int(i[1:]) <= 25 for i in ids(paper))
    short = shortages(items, asks({"count": 5}, {"count": 3, "topics": ["T1"], "difficulty": [2]}, max_exposure=10))
    assert [s.detail for s in short] == ["safety/single T1 ★2 2/3"]


def test_post_level_and_regime_choose_and_nothing_said_is_for_all() -> None:
    items = [
        one(1, posts=frozenset({"架子工"})),
        one(2, posts=frozenset({"钢筋工"})),
        one(3, levels=frozenset({"五级"})),
        one(4, levels=frozenset({"四级"})),
        one(5, regimes=frozenset({"site-professional"})),
        one(6),
    ]
    here = {"post": "架子工", "level": "五级", "regime": "skilled-worker"}
    assert sorted(ids(draw_paper(Pools(items, asks({"count": 3}, **here)), "s"))) == ["i001", "i003", "i006"]
    assert shortages(items, asks({"count": 4}, **here))[0].have == 3
    assert shortages(items, asks({"count": 5}, **(here | {"level": None}))) != []
    assert shortages(items, asks({"count": 4}, **(here | {"level": None}))) == []


def test_points_of_the_blueprint_count_and_a_case_keeps_its_own() -> None:
    subs = (one(1, id="c.1", points=2), one(2, id="c.2", points=3))
    items = [one(3), one(4, id="c", type="case", options=(), points=5, subs=subs)]
    paper = draw_paper(Pools(items, asks({"count": 1, "points": 7}, {"type": "case", "count": 1, "points": 9})), "s")
    assert [entry["points"] for entry in paper["parts"][0]["items"]] == [7, 5]
    assert [entry["points"] for entry in responses_of(paper)] == [7, 2, 3]


@given(st.integers(0, 100), st.integers(0, 8), st.text(max_size=8))
def test_the_share_of_local_items_is_never_passed(share: int, own: int, seed: str) -> None:
    items = [one(n, local=n >= 8) for n in range(8 + own)]
    pools = Pools(items, asks({"count": 7}), local_share=share)
    assert not pools.short
    assert sum(int(i[1:]) >= 8 for i in ids(draw_paper(pools, seed))) <= 7 * share // 100


def test_local_items_are_for_nothing_by_default_and_fill_up_where_they_may() -> None:
    items = [one(n, local=n >= 4) for n in range(10)]
    (short,) = shortages(items, asks({"count": 6}))
    assert (short.have, short.wanted, short.local_unused) == (4, 6, 2)
    assert "local_bank_share" in short.detail
    assert shortages(items, asks({"count": 6}), 33)[0].have == 5
    pools = Pools(items, asks({"count": 6}), local_share=34)
    for seed in range(20):
        assert sum(int(i[1:]) >= 4 for i in ids(draw_paper(pools, str(seed)))) == 2


def test_a_draw_that_needs_local_items_is_left_them() -> None:
    """A draw before it may not use up the share."""
    items = [one(n, local=n % 2 == 0, topic="wide") for n in range(20)] + [one(90, local=True, topic="narrow")]
    blueprint = asks({"count": 9, "topics": ["wide"]}, {"count": 1, "topics": ["narrow"]})
    pools = Pools(items, blueprint, local_share=10)
    assert not pools.short
    for seed in range(30):
        paper = draw_paper(pools, str(seed))
        assert ids(paper)[-1] == "i090"
        assert all(int(i[1:]) % 2 for i in ids(paper)[:-1])


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 6), st.integers(1, 6), st.integers(0, 100), st.text())
def test_what_is_not_short_can_always_be_drawn(a: int, both: int, x: int, y: int, share: int, seed: str) -> None:
    """Draws that overlap, local items, resting ones: said beforehand, or every seed gives a whole paper."""
    items = [one(n, topic="A", local=n % 3 == 0, template=f"t{n % 4}") for n in range(a)]
    items += [one(50 + n, topic="B", local=n % 2 == 0, template=f"t{n % 3}") for n in range(both)]
    pools = Pools(items, asks({"count": x}, {"count": y, "topics": ["A"]}), rested={"i001", "i051"}, local_share=share)
    if not pools.short:
        found = ids(draw_paper(pools, seed))
        assert len(set(found)) == x + y


def test_a_bank_that_can_be_shared_out_is_not_short() -> None:
    """Whichever items a draw takes, the others are left theirs."""
    items = [one(n, difficulty=stars) for n, stars in enumerate((1, 2, 3, 3, 3))]
    pools = Pools(items, asks({"count": 1, "difficulty": [1, 2]}, {"count": 4, "difficulty": [2, 3]}))
    assert not pools.short
    for seed in range(20):
        assert ids(draw_paper(pools, str(seed)))[0] == "i000"
    (short,) = shortages(items[1:], asks({"count": 1, "difficulty": [1, 2]}, {"count": 4, "difficulty": [2, 3]}))
    assert short.detail == "safety/single ★2,3 3/4"


def shared_out(items: list[ItemFacts], draws: list[tuple[int, list[int]]], cap: int) -> bool:
    """Whether some way of giving items to draws fills them all, tried one by one."""
    slots = [stars for count, stars in draws for _ in range(count)]

    def place(at: int, used: frozenset[str], cap: int) -> bool:
        return at == len(slots) or any(
            place(at + 1, used | {item.id}, cap - item.local)
            for item in items
            if item.id not in used and item.difficulty in slots[at] and cap >= item.local
        )

    return place(0, frozenset(), cap)


STARS = st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=6),
    st.lists(st.tuples(st.integers(1, 2), STARS), min_size=1, max_size=3),
    st.integers(0, 100),
    st.text(max_size=3),
)
def test_short_means_that_no_way_of_sharing_out_exists(
    bank: list[tuple[int, bool]], draws: list[tuple[int, list[int]]], share: int, seed: str
) -> None:
    items = [one(n, difficulty=stars, local=local, template="t") for n, (stars, local) in enumerate(bank)]
    blueprint = asks(*({"count": count, "difficulty": stars} for count, stars in draws))
    wanted = sum(count for count, _ in draws)
    pools = Pools(items, blueprint, local_share=share, rested={"i001", "i004"})
    assert shared_out(items, draws, wanted * share // 100) == (not pools.short)
    if not pools.short:
        found = ids(draw_paper(pools, seed))
        assert len(set(found)) == wanted
        assert sum(items[int(name[1:])].local for name in found) <= wanted * share // 100


def test_two_parts_of_one_test_share_the_local_items_out() -> None:
    items = [one(n, local=n < 4) for n in range(6)]
    part = {"test": "safety", "title": {}, "draw": [{"type": "single", "count": 3}]}
    pools = Pools(items, {"parts": [part, part]}, local_share=67)
    assert not pools.short
    for seed in range(20):
        paper = draw_paper(pools, str(seed))
        assert [sum(int(e["id"][1:]) < 4 for e in one_["items"]) for one_ in paper["parts"]] == [2, 2]


def test_items_that_rest_wait_until_there_are_no_others() -> None:
    items = [one(n) for n in range(12)]
    resting = {f"i{n:03}" for n in range(6)}
    for seed in range(20):
        assert not set(ids(draw_paper(Pools(items, asks({"count": 6}), rested=resting), str(seed)))) & resting
    drawn = ids(draw_paper(Pools(items, asks({"count": 8}), rested=resting), "x"))
    assert len(set(drawn) & resting) == 2


def test_one_fact_is_asked_once_while_the_bank_has_others() -> None:
    items = [one(n, template=f"fact{n % 5}") for n in range(50)]
    for seed in range(30):
        drawn = ids(draw_paper(Pools(items, asks({"count": 2}, {"count": 3})), str(seed)))
        assert len({int(i[1:]) % 5 for i in drawn}) == 5
    assert len(set(ids(draw_paper(Pools(items, asks({"count": 9})), "more")))) == 9


def test_judgement_keeps_its_order_and_others_are_shuffled_in_cases_too() -> None:
    sub = one(1, id="c.1")
    items = [
        one(2, type="judgement", options=("A", "B")),
        one(3, type="order"),
        one(4, id="c", type="case", options=(), subs=(sub, replace(sub, id="c.2"))),
    ]
    draws = ({"type": "judgement", "count": 1}, {"type": "order", "count": 1}, {"type": "case", "count": 1})
    pools = Pools(items, asks(*draws))
    seen: dict[str, set[str]] = {}
    for seed in range(60):
        for entry in responses_of(draw_paper(pools, str(seed))):
            seen.setdefault(entry["id"], set()).add("".join(entry["order"]))
    assert seen["i002"] == {"AB"}
    assert all(len(seen[name]) > 10 for name in ("i003", "c.1", "c.2"))


def test_no_item_is_favoured() -> None:
    pools = Pools([one(n) for n in range(20)], asks({"count": 5}))
    counts = Counter(i for seed in range(2000) for i in ids(draw_paper(pools, str(seed))))
    assert len(counts) == 20
    assert max(counts.values()) - min(counts.values()) < 140


def test_the_stream_favours_nobody() -> None:
    stream = Stream("fair")
    counts = Counter(stream.below(7) for _ in range(7000))
    assert set(counts) == set(range(7))
    assert max(counts.values()) - min(counts.values()) < 250


def test_a_paper_costs_what_its_own_items_cost() -> None:
    """Counted, not timed: a bank a hundred times as large is asked for no more random numbers."""

    def asked(size: int, templates: int) -> int:
        count = 0

        class Counting(Stream):
            def below(self, bound: int) -> int:
                nonlocal count
                count += 1
                return super().below(bound)

        # all but the last item share `templates` facts
        items = [one(n, id=f"i{n:06}", template=f"t{n % templates if n < size - 1 else n}") for n in range(size)]
        pools = Pools(items, asks({"count": 20}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("edge.domain.paper.Stream", Counting)
            draw_paper(pools, "cost")
        return count

    assert asked(30_000, 30_000) <= asked(300, 300) + 5
    for few in (1, 10, 19):
        assert asked(30_000, few) <= 250


def test_the_first_difference_has_a_place() -> None:
    paper = draw_paper(POOLS, "a")
    assert first_difference(paper, json.loads(json.dumps(paper))) is None
    other = json.loads(json.dumps(paper))
    other["parts"][1]["items"][3]["id"] = "X"
    assert first_difference(paper, other) == "parts.1.items.3.id"
    other["parts"][0]["items"].pop()
    assert first_difference(paper, other) == "parts.0.items"
