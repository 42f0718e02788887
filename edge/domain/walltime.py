"""When a session was by wall time: what the clocks showed from the opening of its door to its close.

A session is bounded by two entries of the ledger, not by two wall times: while it goes on the clock may be set, back
too, or the box may start again with another one. So it is a list of showings, one for each setting of each clock. What
asks which footage is a session's, or which minutes it had, asks here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

STEP_MS = 60_000
"""A clock set by less shows one span: its margins are wider."""
_DAY_MS = 86_400_000
"""No session is longer, nor is power away for longer during one: what says so is a clock that was wrong."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """What the clocks showed at one moment: wall time, and the clock that only goes forward with the boot it counts
    from. `true`: whether wall time was synchronised."""

    wall_ms: int
    mono_ms: int
    boot_id: str
    true: bool = False

    def same_clock(self, other: Reading) -> bool:
        """Whether nobody set the clock in between, as far as these two tell."""
        return self.boot_id == other.boot_id and abs(self._offset - other._offset) < STEP_MS

    @property
    def _offset(self) -> int:
        return self.wall_ms - self.mono_ms


@dataclass(frozen=True)
class Showing:
    """One setting of one clock, which showed [from_ms, until_ms]. It may have been set already at `early_ms`, so what
    is kept begins there; what is counted begins at `from_ms`, and no moment is counted twice."""

    early_ms: int
    from_ms: int
    until_ms: int


@dataclass(frozen=True, order=True)
class Run:
    """A session's part of the ledger: from entry `first` to entry `last`, made in these boots of the box."""

    first: int
    last: int
    boots: tuple[str, ...]

    def has(self, ledger_seq: int, boot_id: str, salvaged: bool) -> bool:
        """Whether footage entered under this number was recorded then, whatever the clock said: in one of the boots, or
        in one of which nothing is known but what was salvaged of its footage."""
        return self.first <= ledger_seq <= self.last and (salvaged or boot_id in self.boots)


@dataclass(frozen=True)
class When:
    """A session whose door has opened. `run`: None where the ledger has no word of it.

    `showings` are in the order in which they were; the last of a session that goes on (`open`) ends now.
    """

    showings: tuple[Showing, ...]
    open: bool
    run: Run | None = None

    def spans(self, margin_ms: int = 0) -> list[Span]:
        """All wall time that was the session's, with a margin on either side, in order; none touches another."""
        return merged((one.early_ms - margin_ms, one.until_ms + margin_ms) for one in self.showings)

    def counted(self, within: Span | None = None) -> list[Span]:
        """The time that passed, none of it twice, as far as it lies in `within`."""
        since, until = within or (min(one.from_ms for one in self.showings), max(one.until_ms for one in self.showings))
        cut = ((max(one.from_ms, since), min(one.until_ms, until)) for one in self.showings)
        return merged(span for span in cut if span[0] <= span[1])

    def touches(self, from_ms: int, until_ms: int, margin_ms: int = 0) -> bool:
        return any(start < until_ms and end > from_ms for start, end in self.spans(margin_ms))


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in as few spans as it can be said in, in order."""
    found = list[Span]()
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def showings(readings: Sequence[Reading]) -> tuple[Showing, ...]:
    """Of a session from its first reading to its last, in the order in which they were made.

    Between two readings of different clocks the older one is counted on: within a boot for as long as it really was,
    to another boot for as long as power was away, where that can be told.
    """
    true = {one.boot_id: one.wall_ms - one.mono_ms for one in readings if one.true}
    first = readings[0]
    found = [Showing(first.wall_ms, first.wall_ms, first.wall_ms)]
    for before, after in pairwise(readings):
        here = found[-1]
        if before.same_clock(after):
            found[-1] = _on(here, after.wall_ms)
        elif before.boot_id == after.boot_id:
            passed = after.mono_ms - before.mono_ms
            found[-1] = _on(here, before.wall_ms + passed)
            found.append(Showing(after.wall_ms - passed, after.wall_ms, after.wall_ms))
        else:
            began = after.wall_ms - after.mono_ms
            found[-1] = _on(here, before.wall_ms + _away_ms(before, after, true))
            found.append(Showing(began, began, after.wall_ms))
    return tuple(found)


def _on(here: Showing, wall_ms: int) -> Showing:
    """The clock shows this too: a little earlier than before where it was set back by less than STEP_MS."""
    return replace(
        here,
        early_ms=min(here.early_ms, wall_ms),
        from_ms=min(here.from_ms, wall_ms),
        until_ms=max(here.until_ms, wall_ms),
    )


def _away_ms(before: Reading, after: Reading, true: dict[str, int]) -> int:
    """How long before the boot of `after` began; 0 where no clock tells."""
    last = before.mono_ms + true.get(before.boot_id, before.wall_ms - before.mono_ms)
    began = true.get(after.boot_id, after.wall_ms - after.mono_ms)
    return began - last if 0 < began - last <= _DAY_MS else 0


def without_the_ledger(opened_ms: int, closed_ms: int | None, now_ms: int) -> tuple[Showing, ...]:
    """Of a session of which only two wall times are known; a day long where they show that the clock was set back."""
    end = now_ms if closed_ms is None else closed_ms
    start = opened_ms if opened_ms <= end else end - _DAY_MS
    return (Showing(start, start, end),)
