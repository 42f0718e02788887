"""How long footage stays and why, as spans of wall time: what a session, its signed policy or a hold keeps, and what
lies between.

Footage of a session goes so many days after its close as its policy says, once its results are signed and, where the
policy wants that, it has been inspected. All other footage, practice included, goes after the room's own days, or
earlier for want of space. Footage under a hold goes never.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge.domain.walltime import Run, Span, When, merged

MARGIN_MS = 10 * 60_000
"""Footage this near to a session is the session's."""
DAY_MS = 86_400_000
OPEN_END = 1 << 53
YOUNG_MS = 2 * 3_600_000
"""Footage younger than this does not go for want of space, so that there is time to put it on hold; no longer, or a
small disk would be full of last night when the exam begins."""
FORECAST_DAYS = 366


class Why(StrEnum):
    """What keeps footage."""

    RUNNING = "running"
    UNSIGNED = "unsigned"
    UNINSPECTED = "uninspected"
    POLICY = "policy"
    PRACTICE = "practice"
    HELD = "held"


@dataclass(frozen=True)
class Term:
    """A session whose door has opened, as far as its footage goes. `inspected`: also where nobody has to inspect."""

    session: str
    title: str
    opened_ms: int
    closed_ms: int | None
    signed: bool
    inspected: bool
    practice: bool
    purge_ms: int
    keep_days: int


@dataclass(frozen=True)
class Kept:
    """Footage that touches one of `spans`, of `camera` or (None) of every one, stays until `date_ms`; so does what the
    session's `run` of the ledger has, whatever the clock said then.

    `date_ms` None: until somebody does something about `why`. `session`: whose it is, or the one that a hold is about.
    """

    spans: tuple[Span, ...]
    date_ms: int | None
    why: Why
    session: str | None = None
    camera: str | None = None
    run: Run | None = None

    @property
    def from_ms(self) -> int:
        return min(start for start, _ in self.spans)

    def stands(self, now_ms: int) -> bool:
        return self.date_ms is None or self.date_ms > now_ms

    def touches(self, from_ms: int, until_ms: int) -> bool:
        return any(start <= until_ms and end >= from_ms for start, end in self.spans)


@dataclass(frozen=True)
class Stretch:
    """Segments that began after `after_ms` and ended before `before_ms`, and touch [from_ms, until_ms].

    None that one of `apart` has.
    """

    after_ms: int
    before_ms: int
    from_ms: int = -1
    until_ms: int = OPEN_END
    apart: tuple[Run, ...] = ()


def kept_by(term: Term, when: When) -> Kept:
    """What one session keeps, and until when."""
    date, why = date_of(term)
    return Kept(kept_spans(when), date, why, term.session, run=when.run)


def kept_spans(when: When) -> tuple[Span, ...]:
    """A session's own time and MARGIN_MS on either side; what is to come too, while it goes on."""
    spans = when.spans(MARGIN_MS)
    if when.open:
        spans = merged([*spans, (when.showings[-1].early_ms - MARGIN_MS, OPEN_END)])
    return tuple(spans)


def date_of(term: Term) -> tuple[int | None, Why]:
    """Until when one session keeps its footage, and why; no date before somebody has done something."""
    if term.practice:  # nobody signs or inspects it; its date is that of all it holds
        return term.purge_ms, Why.PRACTICE
    if term.closed_ms is None:
        return None, Why.RUNNING
    if not term.signed:
        return None, Why.UNSIGNED
    if not term.inspected:
        return None, Why.UNINSPECTED
    return term.closed_ms + term.keep_days * DAY_MS, Why.POLICY


def due(kept: Iterable[Kept], camera: str, now_ms: int, keep_ms: int) -> list[Stretch]:
    """The camera's footage whose date has come: of sessions by theirs, of no session after `keep_ms`.

    No segment is in two of the stretches.
    """
    every = [one for one in kept if one.camera in (None, camera)]
    stand = [one for one in every if one.stands(now_ms)]
    apart = tuple(sorted({one.run for one in stand if one.run is not None}))
    free = _between(stand, OPEN_END)
    old_ms = now_ms - keep_ms
    found = [Stretch(s.after_ms, min(s.before_ms, old_ms), apart=apart) for s in free if s.after_ms + 1 < old_ms]
    over = [one for one in every if one.why is Why.POLICY and not one.stands(now_ms)]
    behind = -1  # what touches the span before too has gone with that
    for start, end in _merged(over):  # a policy with fewer days than the room's own
        if end < old_ms:
            continue
        for s in free:
            if s.after_ms < end and s.before_ms > start:
                found.append(Stretch(max(s.after_ms, behind), s.before_ms, max(start, old_ms), end, apart))
        behind = end
    return found


def spare(kept: Iterable[Kept], camera: str, now_ms: int, keep_ms: int) -> list[Stretch]:
    """The camera's footage that nothing but the room's own days keeps: it goes early where space is short."""
    return due(kept, camera, now_ms, min(keep_ms, YOUNG_MS))


def _between(kept: Iterable[Kept], before_ms: int) -> list[Stretch]:
    """What lies between these, up to `before_ms`."""
    found, after = list[Stretch](), -1
    for start, end in _merged(kept):
        if start - after > 1:
            found.append(Stretch(after, min(start, before_ms)))
        after = max(after, end)
    if after + 1 < before_ms:
        found.append(Stretch(after, before_ms))
    return found


def _merged(kept: Iterable[Kept]) -> list[Span]:
    return merged(span for one in kept for span in one.spans)


def spans(kept: Iterable[Kept], camera: str, now_ms: int) -> list[Span]:
    """The spans of the camera that something keeps now, none overlapping another."""
    return _merged(one for one in kept if one.camera in (None, camera) and one.stands(now_ms))


@dataclass(frozen=True)
class Forecast:
    """`full_ms`: when kept footage leaves no room to record, None: not within a year. `reach_days`: how far
    back footage of no session can reach, as things are. `untouched_ms`: when the disk would be full if nothing went.
    """

    full_ms: int | None
    reach_days: float | None
    untouched_ms: int | None


def forecast(
    now_ms: int,
    *,
    capacity: int,
    free: int,
    day_bytes: int,
    kept: Sequence[tuple[int | None, int]],
    session_day_bytes: int,
    session_days: int,
) -> Forecast:
    """What becomes of `capacity` bytes for footage, of which `free` are unused.

    `kept`: (date, bytes) of what is kept now; `day_bytes`: recorded a day; `session_day_bytes`: of it, the sessions'
    on an average day, which stays for `session_days`.
    """
    if not day_bytes:
        return Forecast(None, None, None)
    held = sum(size for date, size in kept if date is None or date > now_ms)
    reach = max(0.0, (capacity - held) / day_bytes)
    untouched = now_ms + max(0, free) * DAY_MS // day_bytes
    for day in range(FORECAST_DAYS):
        then = now_ms + day * DAY_MS
        stays = sum(size for date, size in kept if date is None or date > then)
        if stays + session_day_bytes * min(day, session_days) + day_bytes * YOUNG_MS // DAY_MS > capacity:
            return Forecast(then, reach, untouched)
    return Forecast(None, reach, untouched)
