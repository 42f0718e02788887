"""How the cost of one candidate's paper grows with the bank: 500 items beside 50,000, drawn in turn.

    python tests/bench/papers.py [--json] [--record]

Each bank is looked through once a session, before anybody is drawn for (`prepare_ms`); a paper is then drawn for one
candidate after another, and the quickest of several rounds counts. The banks hold the same mix of kinds, topics,
templates, local and resting items; the blueprint draws 100 items with filters.

The figure that counts is the cost for a candidate (`small_ms`, `large_ms`, `ratio`), and the same where few templates
stand behind nearly all items and one in twenty has its own (`skewed_ratio`). What comes once is beside it and
grows with the bank: `prepare_*` a session's pools from facts that are in memory; `cold_*` all that one paper takes on a
machine that has just parsed the bank, as `paper replay` does: facts of every item, pools, the drawing. Reading, opening
and parsing the bank itself are in none of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import report
from edge.bank.build import sample_bank
from edge.domain.canonical import canonical
from edge.domain.paper import ItemFacts, Pools, draw_paper

SMALL, LARGE = 500, 50_000
ROUNDS, PAPERS = 9, 40
KINDS = ("judgement", "single", "multiple", "fill", "order", "match")
TOPICS = 10
DRAWS = [
    {"type": "judgement", "count": 20},
    {"type": "single", "count": 30, "difficulty": [1, 2, 3]},
    {"type": "single", "count": 5, "topics": ["t1", "t2", "t3", "t4"]},
    {"type": "multiple", "count": 20, "points": 2},
    {"type": "fill", "count": 10, "topics": [f"t{n}" for n in range(6)]},
    {"type": "order", "count": 5},
    {"type": "match", "count": 10},
]
BLUEPRINT: dict[str, Any] = {
    "post": "架子工",
    "level": "五级",
    "regime": "skilled-worker",
    "max_exposure": 900,
    "parts": [{"test": "theory", "title": {}, "draw": DRAWS}],
}


def even(number: int) -> str:
    """Every template stands behind two items."""
    return f"f{number // 12 * 6 + number % 6}"


def skewed(number: int) -> str:
    """Six templates stand behind nearly all items; one in twenty has its own."""
    return f"f{number}" if number // 6 % 20 == 0 else f"common{number % 6}"


def bank_of(size: int, template: Callable[[int], str] = even) -> list[ItemFacts]:
    """`size` items, one in ten local."""
    return [
        ItemFacts(
            id=f"i{number:06}",
            test="theory",
            type=KINDS[number % len(KINDS)],
            options=() if KINDS[number % len(KINDS)] == "fill" else tuple("ABCD"),
            points=1,
            template=template(number),
            topic=f"t{number // 6 % TOPICS}",
            difficulty=1 + number // 7 % 5,
            posts=frozenset({"架子工"} if number % 3 else ()),
            local=number % 10 == 9,
            exposure=number % 800,
            left=("1", "2", "3"),
            places=2,
        )
        for number in range(size)
    ]


def prepared(items: list[ItemFacts]) -> tuple[Pools, float]:
    """The pools of a bank in which one item in five rests, and the milliseconds it took."""
    start = time.perf_counter()
    pools = Pools(items, BLUEPRINT, rested={item.id for item in items[::5]}, local_share=20)
    if pools.short:
        raise RuntimeError(f"the bank falls short: {pools.short[0].detail}")
    return pools, 1000 * (time.perf_counter() - start)


def cold(items: list[ItemFacts]) -> float:
    """Milliseconds from a parsed bank to one paper, of a bank as large as `items`."""
    single = next(item for item in sample_bank().items if item.type == "single")
    bank = [
        single.model_copy(
            update={
                **{
                    name: getattr(facts, name) for name in ("id", "test", "topic", "difficulty", "exposure", "template")
                },
                "type": facts.type,
                "posts": sorted(facts.posts),
                "levels": [],
                "local": facts.local,
            }
        )
        for facts in items
    ]
    rested = {item.id for item in items[::5]}
    start = time.perf_counter()
    pools = Pools((item.facts() for item in bank), BLUEPRINT, rested=rested, local_share=20)
    canonical(draw_paper(pools, "cold"))
    return 1000 * (time.perf_counter() - start)


def quickest(banks: Sequence[Pools]) -> list[float]:
    """Seconds a paper from each."""
    best = [float("inf")] * len(banks)
    for number in range(ROUNDS):
        for place, pools in enumerate(banks):
            start = time.perf_counter()
            for paper in range(PAPERS):
                canonical(draw_paper(pools, f"{number}/{paper}"))
            best[place] = min(best[place], (time.perf_counter() - start) / PAPERS)
    return best


def paper_figures() -> dict[str, Any]:
    banks = [bank_of(size) for size in (SMALL, LARGE)]
    (small, small_ready), (large, large_ready) = map(prepared, banks)
    small_cold, large_cold = map(cold, banks)
    uneven = [prepared(bank_of(size, skewed))[0] for size in (SMALL, LARGE)]
    best, slanted = quickest([small, large]), quickest(uneven)
    return {
        "items_small": SMALL,
        "items_large": LARGE,
        "paper_items": sum(draw["count"] for draw in DRAWS),  # type: ignore[misc]
        "ratio": round(best[1] / best[0], 2),
        "skewed_ratio": round(slanted[1] / slanted[0], 2),
        "small_ms": round(1000 * best[0], 2),
        "large_ms": round(1000 * best[1], 2),
        "skewed_small_ms": round(1000 * slanted[0], 2),
        "skewed_large_ms": round(1000 * slanted[1], 2),
        "prepare_small_ms": round(small_ready, 1),
        "prepare_large_ms": round(large_ready, 1),
        "cold_small_ms": round(small_cold, 1),
        "cold_large_ms": round(large_cold, 1),
    }


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(as_json: bool, keep: bool) -> None:
    """Benchmark the drawing of papers."""
    report("papers", paper_figures(), as_json, keep)


if __name__ == "__main__":
    main()
