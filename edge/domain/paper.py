"""Drawing one candidate's paper: which items, in which order, with which option order, from a recorded seed.

The numbers come from SHA-256 in counter mode, not from a library's generator, so that the same seed gives the same
paper on every machine and Python version, now and in ten years. A paper depends on what is recorded and nothing else:
the bank, the blueprint, the share of local items, the items that rest, the seed.

`Pools` looks at the whole bank once a session; one candidate's paper then costs what its own items cost, however large
the bank is.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from edge.domain.filling import Filling, Lot
from edge.domain.remaining import Remaining, Run

LETTERS = "ABCDEFGH"
ALGORITHM = 4
"""The version of the drawing, in every paper and result: a change of what a seed gives is a new number."""


@dataclass(frozen=True)
class ItemFacts:
    """What drawing needs to know of an item; `options` are the bank's option keys, `template` the fact it tests.

    Empty `posts`, `levels` and `regimes` mean all. `left`: a match's left keys. `places`: blanks of a fill-in, marks of
    a hot spot. `subs`: the questions of a case.
    """

    id: str
    test: str
    type: str
    options: tuple[str, ...]
    points: int
    template: str
    topic: str = ""
    difficulty: int = 1
    posts: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    regimes: frozenset[str] = frozenset()
    local: bool = False
    exposure: int = 0
    left: tuple[str, ...] = ()
    places: int = 0
    subs: tuple[ItemFacts, ...] = ()


@dataclass(frozen=True)
class Shortage:
    """A draw asks for more than the bank has for it, however its items are shared out among the draws."""

    test: str
    type: str
    wanted: int
    have: int
    part: int = 0
    topics: tuple[str, ...] = ()
    difficulty: tuple[int, ...] = ()
    local_unused: int = 0
    """Local items that would fit, were more of them allowed."""

    @property
    def detail(self) -> str:
        """In signs that both languages read: `theory/single 脚手架 ★3,4 5/9`."""
        narrowed = "".join([f" {','.join(self.topics)}"] if self.topics else [])
        narrowed += "".join([f" ★{','.join(map(str, self.difficulty))}"] if self.difficulty else [])
        more = f" (local_bank_share: +{self.local_unused})" if self.local_unused else ""
        return f"{self.test}/{self.type}{narrowed} {self.have}/{self.wanted}{more}"


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


class _Tier:
    """Items of one draw in a row where those of a lot stand together, and within it those of a template."""

    def __init__(self, items: Iterable[ItemFacts], lot_of: Mapping[str, int]) -> None:
        self.items = sorted(items, key=lambda item: (lot_of[item.id], item.template, item.id))
        self._lot_of = lot_of

    @cached_property
    def place_of(self) -> dict[str, int]:
        return {item.id: place for place, item in enumerate(self.items)}

    @cached_property
    def lots(self) -> dict[int, Run]:
        found: dict[int, Run] = {}
        for place, item in enumerate(self.items):
            lot = self._lot_of[item.id]
            found[lot] = (found.get(lot, (place, place))[0], place + 1)
        return found

    @cached_property
    def templates(self) -> dict[str, list[Run]]:
        found: dict[str, list[Run]] = {}
        for place, item in enumerate(self.items):
            runs = found.setdefault(item.template, [])
            if runs and runs[-1][1] == place and self._lot_of[self.items[place - 1].id] == self._lot_of[item.id]:
                runs[-1] = (runs[-1][0], place + 1)
            else:
                runs.append((place, place + 1))
        return found


@dataclass
class _Draw:
    """One line of a blueprint with the items that it may take, those that rest last."""

    part: int
    place: int
    rule: Mapping[str, Any]
    items: list[ItemFacts]
    tiers: list[_Tier] = field(default_factory=list)


class Pools:
    """A bank sorted by what a blueprint asks of it, once; papers are drawn from it.

    `rested`: ids that are used only when there are no others. `worn`: ids that are not used. `local_share`: per cent of
    each part's items that may be local, rounded down. A local item that several parts could have counts against one.
    """

    def __init__(
        self,
        items: Iterable[ItemFacts],
        blueprint: Mapping[str, Any],
        *,
        rested: Collection[str] = (),
        worn: Collection[str] = (),
        local_share: int = 0,
    ) -> None:
        self.blueprint = blueprint
        groups: dict[tuple[str, str], list[ItemFacts]] = {}
        worn = frozenset(worn)
        for item in sorted(items, key=lambda one: one.id):
            if item.id not in worn and _for_blueprint(item, blueprint):
                groups.setdefault((item.test, item.type), []).append(item)
        parts = blueprint["parts"]
        self.caps = [sum(rule["count"] for rule in part["draw"]) * local_share // 100 for part in parts]
        self._draws = [
            _Draw(
                number, place, rule, [one for one in groups.get((part["test"], rule["type"]), ()) if _fits(one, rule)]
            )
            for number, part in enumerate(parts)
            for place, rule in enumerate(part["draw"])
        ]
        # the narrowest first: a shortage is said of the widest draw that it can be said of
        self._draws.sort(key=lambda draw: (len(draw.items), draw.part, draw.place))
        self._lots, self._lot_of = self._sorted_out()
        self._filling = self._filled(self.caps)
        self.short = self._shortages()
        resting = frozenset(rested)
        for at, draw in enumerate(self._draws):
            usable = [item for item in draw.items if at in self._lots[self._lot_of[item.id]].draws]
            tiers = [[i for i in usable if i.id not in resting], [i for i in usable if i.id in resting]]
            draw.tiers = [_Tier(tier, self._lot_of) for tier in tiers if tier]

    def _sorted_out(self) -> tuple[list[Lot], dict[str, int]]:
        """The lots, and which each item is in."""
        draws_of: dict[str, list[int]] = {}
        local: set[str] = set()
        for at, draw in enumerate(self._draws):
            for item in draw.items:
                draws_of.setdefault(item.id, []).append(at)
                if item.local:
                    local.add(item.id)
        sizes: dict[tuple[tuple[int, ...], int | None], int] = {}
        lot_of: dict[str, int] = {}
        seen: Counter[tuple[int, ...]] = Counter()
        places: dict[tuple[tuple[int, ...], int | None], int] = {}
        for name, draws in draws_of.items():
            key: tuple[tuple[int, ...], int | None] = (tuple(draws), None)
            if name in local:
                own = sorted({self._draws[at].part for at in draws}, key=lambda part: (not self.caps[part], part))
                own = [part for part in own if self.caps[part]] or own[:1]
                part = own[seen[key[0]] % len(own)]
                seen[key[0]] += 1
                key = (tuple(at for at in draws if self._draws[at].part == part), part)
            lot_of[name] = places.setdefault(key, len(places))
            sizes[key] = sizes.get(key, 0) + 1
        return [Lot(size, draws, part) for (draws, part), size in sizes.items()], lot_of

    def _filled(self, caps: Sequence[int]) -> Filling:
        return Filling(self._lots, [draw.rule["count"] for draw in self._draws], caps)

    def _shortages(self) -> list[Shortage]:
        """What no way of sharing the items out can give."""
        wanted = [draw.rule["count"] for draw in self._draws]
        if list(self._filling.found) == wanted:
            return []
        free = self._filled([sum(wanted)] * len(self.caps))
        found: list[tuple[tuple[int, int], Shortage]] = []
        for draw, have, more in zip(self._draws, self._filling.found, free.found, strict=True):
            if have < draw.rule["count"]:
                missing = Shortage(
                    self.blueprint["parts"][draw.part]["test"],
                    draw.rule["type"],
                    draw.rule["count"],
                    have,
                    draw.part,
                    tuple(draw.rule.get("topics") or ()),
                    tuple(draw.rule.get("difficulty") or ()),
                    max(0, more - have),
                )
                found.append(((draw.part, draw.place), missing))
        return [shortage for _, shortage in sorted(found, key=lambda one: one[0])]

    def draw(self, seed: str) -> dict[str, Any]:
        """The paper of one seed; `draw_paper` says what it holds."""
        if self.short:
            raise ValueError("the bank falls short of the blueprint")
        filling = self._filling.begin()
        parts = self.blueprint["parts"]
        used: set[str] = set()
        templates: list[set[str]] = [set() for _ in parts]
        chosen: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for at, draw in enumerate(self._draws):
            stream = Stream(f"{seed}/{draw.part}/{draw.place}")
            picked = self._pick(at, stream, used, templates[draw.part], filling)
            chosen[draw.part, draw.place] = [_entry(item, stream, draw.rule.get("points")) for item in picked]
        return {
            "version": ALGORITHM,
            "parts": [
                {
                    "test": part["test"],
                    "title": part["title"],
                    "minutes": part.get("minutes"),
                    "items": [entry for place in range(len(part["draw"])) for entry in chosen[number, place]],
                }
                for number, part in enumerate(parts)
            ],
        }

    def _pick(self, at: int, stream: Stream, used: set[str], templates: set[str], filling: Filling) -> list[ItemFacts]:
        """`count` items nobody has drawn for this paper: first those that do not rest, in each lot no two of one
        template while there are others, and none that a draw to come cannot do without."""
        draw = self._draws[at]
        wanted = draw.rule["count"]
        picked: list[ItemFacts] = []
        full: set[int] = set()
        for tier in draw.tiers:
            for twins in (False, True):
                gone = [(place, place + 1) for name in used if (place := tier.place_of.get(name)) is not None]
                gone += [tier.lots[lot] for lot in full if lot in tier.lots]
                if not twins:
                    gone += [run for name in templates for run in tier.templates.get(name, ())]
                left = Remaining(len(tier.items), gone)
                while len(picked) < wanted and left.free:
                    item = tier.items[left.choose(stream.below)]
                    lot = self._lot_of[item.id]
                    if not filling.take(at, lot):
                        full.add(lot)
                        left.take_away(*tier.lots[lot])
                        continue
                    used.add(item.id)
                    templates.add(item.template)
                    picked.append(item)
                    place = tier.place_of[item.id]
                    for run in [(place, place + 1)] if twins else tier.templates[item.template]:
                        left.take_away(*run)
        return picked


def _for_blueprint(item: ItemFacts, blueprint: Mapping[str, Any]) -> bool:
    """Whether the item is for this post, level and regime, and not used too often."""
    limit = blueprint.get("max_exposure")
    return (
        _meant(item.posts, blueprint.get("post"))
        and _meant(item.levels, blueprint.get("level"))
        and _meant(item.regimes, blueprint.get("regime"))
        and (limit is None or item.exposure <= limit)
    )


def _meant(only: frozenset[str], wanted: str | None) -> bool:
    return not only or wanted is None or wanted in only


def _fits(item: ItemFacts, rule: Mapping[str, Any]) -> bool:
    topics, difficulty = rule.get("topics"), rule.get("difficulty")
    return (not topics or item.topic in topics) and (not difficulty or item.difficulty in difficulty)


def _entry(item: ItemFacts, stream: Stream, points: int | None) -> dict[str, Any]:
    """One item as drawn. Judgement keeps its options' order; a case keeps its own points and its questions' order."""
    entry: dict[str, Any] = {"id": item.id, "type": item.type, "points": points or item.points}
    if item.type == "case":
        return entry | {"points": item.points, "items": [_entry(sub, stream, None) for sub in item.subs]}
    if item.type == "fill":
        return entry | {"blanks": item.places}
    if item.type == "hotspot":
        return entry | {"marks": item.places}
    entry["order"] = list(item.options) if item.type == "judgement" else stream.shuffled(item.options)
    if item.type == "match":
        entry["left"] = list(item.left)
    return entry


def shortages(items: Iterable[ItemFacts], blueprint: Mapping[str, Any], local_share: int = 0) -> list[Shortage]:
    """What the bank lacks for `blueprint`; empty when every candidate's paper can be drawn."""
    return Pools(items, blueprint, local_share=local_share).short


def draw_paper(pools: Pools, seed: str) -> dict[str, Any]:
    """One paper: {"version", "parts": [{"test", "title", "minutes", "items": [{"id", "type", "points", ...}]}]}.

    An item has `order`, the bank's option keys in the order shown as A, B, C... (choice, order, match), `left` (match),
    `blanks` (fill), `marks` (hotspot), or `items`, its questions (case). ValueError where the bank falls short.
    """
    return pools.draw(seed)


def responses_of(paper: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every entry of a drawn paper that is answered under its own id, in order: a case's questions for the case."""
    for part in paper["parts"]:
        for entry in part["items"]:
            yield from entry.get("items") or (entry,)


def first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """Where two papers part, as a path like `parts.1.items.4.order`; None when they are the same."""
    return _difference(one, other, "")


def _difference(one: Any, other: Any, where: str) -> str | None:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        pairs: Iterable[tuple[Any, Any, Any]] = (
            (key, one.get(key), other.get(key)) for key in sorted({*one, *other}, key=str)
        )
    elif _is_list(one) and _is_list(other) and len(one) == len(other):
        pairs = ((at, left, right) for at, (left, right) in enumerate(zip(one, other, strict=True)))
    else:
        return None if one == other else (where or ".")
    for key, left, right in pairs:
        if (found := _difference(left, right, f"{where}.{key}" if where else str(key))) is not None:
            return found
    return None


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
