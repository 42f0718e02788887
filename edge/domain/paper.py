"""Drawing one candidate's paper: which items, in which order, with which option order, from a recorded seed.

The numbers come from SHA-256 in counter mode, not from a library's generator, so that the same seed gives the same
paper on every machine and Python version, now and in ten years.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class ItemFacts:
    """What drawing needs to know of an item; `options` are the bank's option keys, `template` the fact it tests."""

    id: str
    test: str
    type: str
    options: tuple[str, ...]
    points: int
    template: str


@dataclass(frozen=True)
class Shortage:
    """A blueprint asks for more than the bank has."""

    test: str
    type: str
    wanted: int
    have: int


class Stream:
    """Uniform integers from a seed: SHA-256(seed || counter), by rejection, so no value is favoured."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._counter = 0

    def below(self, bound: int) -> int:
        limit = (1 << 64) - (1 << 64) % bound
        while True:
            block = hashlib.sha256(self._seed + self._counter.to_bytes(8, "big")).digest()
            self._counter += 1
            value = int.from_bytes(block[:8], "big")
            if value < limit:
                return value % bound

    def shuffled(self, things: Iterable[str]) -> list[str]:
        """Fisher and Yates, from the end."""
        order = list(things)
        for last in range(len(order) - 1, 0, -1):
            chosen = self.below(last + 1)
            order[last], order[chosen] = order[chosen], order[last]
        return order


def shortages(items: Iterable[ItemFacts], blueprint: Mapping[str, Any]) -> list[Shortage]:
    """What the bank lacks for `blueprint`; empty when every candidate's paper can be drawn."""
    stock: dict[tuple[str, str], int] = {}
    for item in items:
        stock[(item.test, item.type)] = stock.get((item.test, item.type), 0) + 1
    return [
        Shortage(part["test"], draw["type"], draw["count"], stock.get((part["test"], draw["type"]), 0))
        for part in blueprint["parts"]
        for draw in part["draw"]
        if stock.get((part["test"], draw["type"]), 0) < draw["count"]
    ]


def draw_paper(items: Iterable[ItemFacts], blueprint: Mapping[str, Any], seed: str) -> dict[str, Any]:
    """One paper: {"parts": [{"test", "title", "items": [{"id", "type", "points", "order": [bank option keys]}]}]}.

    `order` lists the bank's option keys in the order shown as A, B, C...; judgement items keep theirs. No two items of
    one template stand in one part while the bank has others. ValueError where the bank falls short.
    """
    by_id = {item.id: item for item in items}
    if shortages(by_id.values(), blueprint):
        raise ValueError("the bank falls short of the blueprint")
    parts = []
    for number, part in enumerate(blueprint["parts"]):
        chosen: list[dict[str, Any]] = []
        templates: set[str] = set()
        for draw in part["draw"]:
            stream = Stream(f"{seed}/{number}/{draw['type']}")
            pool = sorted(i.id for i in by_id.values() if (i.test, i.type) == (part["test"], draw["type"]))
            for item in _pick(stream.shuffled(pool), draw["count"], by_id, templates):
                order = list(item.options) if item.type == "judgement" else stream.shuffled(item.options)
                chosen.append({"id": item.id, "type": item.type, "points": item.points, "order": order})
        parts.append({"test": part["test"], "title": part["title"], "items": chosen})
    return {"parts": parts}


def _pick(order: list[str], count: int, by_id: Mapping[str, ItemFacts], templates: set[str]) -> list[ItemFacts]:
    fresh: list[ItemFacts] = []
    again: list[ItemFacts] = []
    for item_id in order:
        item = by_id[item_id]
        if len(fresh) < count and item.template not in templates:
            templates.add(item.template)
            fresh.append(item)
        else:
            again.append(item)
    return (fresh + again)[:count]


def to_bank_keys(order: Sequence[str], letters: Iterable[str]) -> list[str]:
    """The bank's option keys behind the letters a candidate chose; ValueError for a letter not shown."""
    shown = dict(zip(LETTERS, order, strict=False))
    try:
        return sorted(shown[letter] for letter in letters)
    except KeyError as error:
        raise ValueError("no such option on this paper") from error
