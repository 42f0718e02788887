"""Which places of a row are still free, and a free one at random: what drawing from a large bank needs.

What is taken away goes in whole runs (all items of a template, all of a lot), so a choice costs what was taken away,
however long the row is and however unevenly its items share their templates.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable

QUICK_TRIES = 8
"""Places drawn blindly before the free ones are counted: exact either way, quicker while most are free."""

Run = tuple[int, int]
"""Places from the first up to, but not with, the second."""


class Remaining:
    """The places 0 to `size` - 1 without the runs that were taken away."""

    def __init__(self, size: int, gone: Iterable[Run] = ()) -> None:
        self._size = size
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.free = size
        for run in gone:
            self.take_away(*run)

    def take_away(self, start: int, end: int) -> None:
        """The places `start` to `end` - 1; those that are gone already stay gone."""
        first, last = bisect_left(self._ends, start), bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        covered = sum(self._ends[first:last]) - sum(self._starts[first:last])
        self.free -= end - start - covered
        self._starts[first:last], self._ends[first:last] = [start], [end]

    def choose(self, below: Callable[[int], int]) -> int:
        """A free place, each as likely as any other; `below(n)` gives 0 to n-1. ValueError when none is free."""
        if self.free <= 0:
            raise ValueError("nothing is free")
        for _ in range(QUICK_TRIES):
            place = below(self._size)
            run = bisect_right(self._starts, place) - 1
            if run < 0 or self._ends[run] <= place:
                return place
        place = below(self.free)
        for start, end in zip(self._starts, self._ends, strict=True):
            if place < start:
                break
            place += end - start
        return place
