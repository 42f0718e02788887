"""Which lots of items can fill which draws of a paper: a flow, kept up while the paper is drawn.

Items are alike when they fit the same draws: a lot. A plan says how many items of each lot each draw is to take; as
long as there is a plan the paper can be finished. An item is taken when the plan has it or can be changed to have it.
Sizes are of lots and draws, never of the bank.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

Move = tuple[int, int, int]
"""Draw, lot, and how many more items (1 or -1) the draw is to take of it."""


@dataclass(frozen=True)
class Lot:
    """Items that fit the same draws; `part` is whose share of local items they count against, None for others."""

    size: int
    draws: tuple[int, ...]
    part: int | None = None


class Filling:
    """A plan for `counts` items, one count a draw, from `lots`, with at most `caps` local ones, a cap a part."""

    def __init__(self, lots: Sequence[Lot], counts: Sequence[int], caps: Sequence[int]) -> None:
        self._lots, self._caps, self._counts = lots, caps, counts
        self._lots_of = [[at for at, lot in enumerate(lots) if draw in lot.draws] for draw in range(len(counts))]
        self._locals = [[at for at, lot in enumerate(lots) if lot.part == part] for part in range(len(caps))]
        self._plan: list[dict[int, int]] = [{} for _ in counts]
        self._used = [0] * len(lots)
        self._local = [0] * len(caps)
        for draw, count in enumerate(counts):
            for _ in range(count):
                moves = self._route({draw: []}, None)
                if moves is None:
                    break
                self._apply(moves)
        self.found = tuple(sum(plan.values()) for plan in self._plan)
        """How many items each draw can have, earlier draws first."""

    def begin(self) -> Filling:
        """The same plan, to be used up by one paper."""
        one = Filling.__new__(Filling)
        one.__dict__.update(self.__dict__)
        one._plan = [dict(plan) for plan in self._plan]
        one._used, one._local = list(self._used), list(self._local)
        return one

    def take(self, draw: int, lot: int) -> bool:
        """Let `draw` have one item of `lot`, if the paper can still be finished then. A no stays a no for this draw."""
        plan = self._plan[draw]
        if plan.get(lot):
            plan[lot] -= 1
            return True
        if not self._spare(lot) or not self._room(lot):
            holders = self._holders(lot)
            own = next((held for holder, held in holders if holder == draw), None)
            if own is None:
                starts: dict[int, list[Move]] = {}
                for holder, held in holders:
                    starts.setdefault(holder, [(holder, held, -1)])
                moves = self._route(starts, draw)
                if moves is None:
                    return False
                self._apply(moves)
                own = None if moves[-1] == (draw, moves[-1][1], -1) else self._first(draw)
        else:
            own = self._first(draw)
        if own is not None:
            self._apply([(draw, own, -1)])
        self._count(lot, 1)
        return True

    def _first(self, draw: int) -> int:
        return next(lot for lot, count in self._plan[draw].items() if count)

    def _spare(self, lot: int) -> bool:
        return self._used[lot] < self._lots[lot].size

    def _room(self, lot: int) -> bool:
        part = self._lots[lot].part
        return part is None or self._local[part] < self._caps[part]

    def _holders(self, lot: int) -> list[tuple[int, int]]:
        """Draws, each with the lot of which it would have to give an item up, so that there is one of `lot`."""
        part = self._lots[lot].part
        held = self._locals[part] if part is not None and self._spare(lot) else [lot]
        return [(draw, one) for one in held for draw in self._lots[one].draws if self._plan[draw].get(one)]

    def _route(self, starts: dict[int, list[Move]], surplus: int | None) -> list[Move] | None:
        """What to change so that one of the draws in `starts` has one item more; `surplus` is one that can give one up.

        The shortest way, by breadth; None when there is none.
        """
        seen = dict(starts)
        queue = deque(starts)
        while queue:
            draw = queue.popleft()
            for lot in self._lots_of[draw]:
                if self._spare(lot) and self._room(lot):
                    return [*seen[draw], (draw, lot, 1)]
                for holder, held in self._holders(lot):
                    if holder not in seen:
                        seen[holder] = [*seen[draw], (draw, lot, 1), (holder, held, -1)]
                        if holder == surplus:
                            return seen[holder]
                        queue.append(holder)
        return None

    def _apply(self, moves: Sequence[Move]) -> None:
        for draw, lot, more in moves:
            self._plan[draw][lot] = self._plan[draw].get(lot, 0) + more
            self._count(lot, more)

    def _count(self, lot: int, more: int) -> None:
        part = self._lots[lot].part
        self._used[lot] += more
        if part is not None:
            self._local[part] += more
