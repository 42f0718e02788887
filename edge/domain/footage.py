"""What footage is, apart from its bytes: fragments with their hashes and times, and how complete a span is.

A segment is one file; a fragment is about one second of it, hashed by itself, so that an altered second can be named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from edge.domain import merkle

SYNCHRONISED = "synchronised"  # the one quality of time that is true wall time
JOIN_MS = 250  # stretches nearer than this join: less than the shortest sensible frame interval of a slow camera


class Cause(StrEnum):
    """Why a segment ended, and therefore why a gap after it is there."""

    ROTATED = "rotated"
    STOPPED = "stopped"
    KILLED = "killed"
    POWER = "power"
    CLOCK_STEP = "clock-step"
    CAMERA_MISSING = "camera-missing"
    CAMERA_STALLED = "camera-stalled"
    RESERVE = "disk-reserve"
    DISK_ERROR = "disk-error"
    DISK_SLOW = "disk-slow"
    NOT_STARTED = "not-started"
    NOT_INDEXED = "not-indexed"
    UNKNOWN = "unknown"

    @property
    def reason(self) -> str:
        """The code of its sentence in the catalogue."""
        return "gap_" + self.value.replace("-", "_")


@dataclass(frozen=True)
class Fragment:
    """One moof and mdat: its place in the file, hex SHA-256 of its bytes, and the time of its first picture.

    `key`: whether it can be decoded by itself, which it cannot where a source's key frames lie far apart.
    """

    n: int
    offset: int
    length: int
    sha256: str
    wall_ms: int
    mono_ms: int
    duration_ms: int
    key: bool = True

    @property
    def ended_ms(self) -> int:
        return self.wall_ms + self.duration_ms


def fragments_root(digests: Sequence[str]) -> str:
    """Hex RFC 6962 root whose leaf entries are the fragments' raw 32-byte SHA-256 values, in order."""
    leaves = [merkle.leaf_hash(bytes.fromhex(digest)) for digest in digests]
    return merkle.root(len(leaves), merkle.tree_of(leaves)).hex()


def covering(fragments: Iterable[Fragment], from_ms: int, until_ms: int) -> tuple[Fragment, ...]:
    """The whole fragments of a segment that touch the wall-clock span [from_ms, until_ms).

    Those before are added from the last one on that can be decoded by itself.
    """
    found, lead = list[Fragment](), list[Fragment]()
    for fragment in fragments:
        if fragment.wall_ms < until_ms and fragment.ended_ms > from_ms:
            found += [] if fragment.key else lead
            found.append(fragment)
            lead = []
        elif not found:
            lead = [fragment] if fragment.key else [*lead, fragment]
    return tuple(found)


class Stretch(Protocol):
    """What `completeness` needs of a segment. `started_mono_ms` is 0, and `boot_id` empty, where nobody knows it."""

    @property
    def started_ms(self) -> int: ...
    @property
    def ended_ms(self) -> int: ...
    @property
    def cause(self) -> str: ...
    @property
    def boot_id(self) -> str: ...
    @property
    def started_mono_ms(self) -> int: ...
    @property
    def quality(self) -> str: ...
    @property
    def ledger_seq(self) -> int | None: ...


_S = TypeVar("_S", bound=Stretch)


def takes(stretches: Iterable[_S]) -> list[tuple[int, _S]]:
    """(take, stretch) in the order they were recorded; the take counts up wherever the wall clock shows again what it
    has shown before, having been set back."""
    found, take, shown = list[tuple[int, _S]](), 0, None
    for stretch in _in_order(stretches):
        if shown is not None and stretch.started_ms < shown - JOIN_MS:
            take, shown = take + 1, stretch.ended_ms
        shown = stretch.ended_ms if shown is None else max(shown, stretch.ended_ms)
        found.append((take, stretch))
    return found


@dataclass(frozen=True)
class Moment:
    """Wall time and, where known, the clock that only goes forward, the boot it counts from, and if wall was true."""

    wall_ms: int
    mono_ms: int | None = None
    boot_id: str = ""
    synchronised: bool = False


@dataclass(frozen=True)
class Gap:
    """A stretch of time without footage; `cause` is a value of `Cause`.

    `from_ms` and `until_ms` are what the wall clock showed at either end. Where it was set in between, the gap is
    shorter than they say by `stepped_ms` (or longer, when negative). `doubt_ms`: how far its length may be wrong,
    which within one boot it is not.
    """

    from_ms: int
    until_ms: int
    cause: str
    stepped_ms: int = 0
    doubt_ms: int = 0

    @property
    def ms(self) -> int:
        """How long it really was."""
        return self.until_ms - self.from_ms - self.stepped_ms

    @property
    def seconds(self) -> float:
        return self.ms / 1000


@dataclass(frozen=True)
class Completeness:
    """Of one camera over one span, in milliseconds of time that really passed."""

    expected_ms: int
    recorded_ms: int
    gaps: tuple[Gap, ...]

    @property
    def expected_s(self) -> float:
        return self.expected_ms / 1000

    @property
    def recorded_s(self) -> float:
        return self.recorded_ms / 1000

    @property
    def hundredths(self) -> int:
        return hundredths(self.expected_ms, self.recorded_ms, len(self.gaps))


def hundredths(expected_ms: int, recorded_ms: int, gaps: int) -> int:
    """The share recorded in hundredths of a percent, rounded down; 10000 only where there is no gap at all."""
    share = recorded_ms * 10_000 // expected_ms if expected_ms > 0 else 10_000
    return min(share, 9_999) if gaps or recorded_ms < expected_ms else 10_000


def completeness(
    stretches: Iterable[Stretch],
    start: int | Moment,
    end: int | Moment,
    *,
    leading: str = Cause.NOT_STARTED,
    trailing: str = Cause.NOT_INDEXED,
) -> Completeness:
    """How much of [start, end) was recorded, and why each gap of more than JOIN_MS is there.

    Inside a boot time is counted by the clock that only goes forward: setting the wall clock makes no gap and hides
    none. From one boot to the next only wall time goes on; it counts from where each boot's clock was synchronised,
    if it ever was, and otherwise the gap's length is in doubt. A new boot's footage lies behind its gap at least by
    how long it had been up.

    Give it the segments of one camera that touch the span. A gap is explained by the segment it follows: `start` as a
    wall time takes the segment before the span too; with a Moment its cause is given as `leading`. `trailing` is the
    cause of a gap at the end that follows a segment which made way for the next. Overlaps count once.
    """
    begin, finish = _moment(start), _moment(end)
    ordered = [(s, *_edges(s)) for s in _in_order(stretches) if s.ended_ms > s.started_ms]
    ruler = _Ruler([begin, finish, *(first for _, first, _ in ordered)])
    here, cause, gaps, expected = begin, str(leading), list[Gap](), 0
    for stretch, first, last in ordered:
        if ruler.ms(first, finish)[0] <= 0:
            continue
        if ruler.ms(begin, last)[0] <= 0:
            cause = stretch.cause
            continue
        waited, doubt = ruler.ms(here, first)
        if waited > 0:
            expected += waited
            gaps += _gap(here, first, waited, doubt, _explained(cause, Cause.UNKNOWN))
            here = first
        piece = ruler.ms(here, last)[0]
        if piece >= 0:
            expected += max(0, min(piece, ruler.ms(here, finish)[0]))
            here, cause = last, stretch.cause
    waited, doubt = ruler.ms(here, finish)
    if waited > 0:
        expected += waited
        gaps += _gap(here, finish, waited, doubt, _explained(cause, trailing))
    return Completeness(expected, expected - sum(gap.ms for gap in gaps), tuple(gaps))


class _Ruler:
    """Measures from one moment to another. `_true`: each boot's wall minus monotonic time when it was synchronised."""

    def __init__(self, moments: Iterable[Moment]) -> None:
        self._true = {m.boot_id: m.wall_ms - m.mono_ms for m in moments if m.synchronised and m.mono_ms is not None}

    def ms(self, a: Moment, b: Moment) -> tuple[int, int]:
        """How long from `a` to `b` (negative when b is first), and how far that may be wrong."""
        if a.mono_ms is None or b.mono_ms is None:
            return b.wall_ms - a.wall_ms, 0
        if a.boot_id == b.boot_id:
            return b.mono_ms - a.mono_ms, 0
        by_wall = self._wall(b, b.mono_ms) - self._wall(a, a.mono_ms)
        length = max(by_wall, b.mono_ms)
        known = a.boot_id in self._true and b.boot_id in self._true
        return length, 0 if known else max(abs(by_wall), length)

    def _wall(self, moment: Moment, mono_ms: int) -> int:
        true = self._true.get(moment.boot_id)
        return moment.wall_ms if true is None else mono_ms + true


def _moment(at: int | Moment) -> Moment:
    return at if isinstance(at, Moment) else Moment(at)


def _edges(stretch: Stretch) -> tuple[Moment, Moment]:
    """Its first and last moment. Inside a segment no clock is set: a step closes it."""
    synchronised = stretch.quality == SYNCHRONISED
    mono = stretch.started_mono_ms if stretch.boot_id and stretch.started_mono_ms > 0 else None
    until = None if mono is None else mono + stretch.ended_ms - stretch.started_ms
    return (
        Moment(stretch.started_ms, mono, stretch.boot_id, synchronised),
        Moment(stretch.ended_ms, until, stretch.boot_id, synchronised),
    )


def _in_order(stretches: Iterable[_S]) -> list[_S]:
    """As they were recorded: boots in the order of the ledger, since a clock may begin anew; in each by its time."""
    boots = dict[str, list[_S]]()
    for stretch in stretches:
        boots.setdefault(stretch.boot_id if stretch.started_mono_ms > 0 else "", []).append(stretch)
    never = 1 << 62
    ordered = sorted(
        boots.items(),
        key=lambda item: (
            min(never if s.ledger_seq is None else s.ledger_seq for s in item[1]),
            min(s.started_ms for s in item[1]),
        ),
    )
    return [
        stretch
        for boot, own in ordered
        for stretch in sorted(own, key=lambda s: (s.started_mono_ms if boot else s.started_ms, s.ended_ms))
    ]


def _gap(since: Moment, until: Moment, length: int, doubt: int, cause: str) -> list[Gap]:
    if length <= JOIN_MS:
        return []
    return [Gap(since.wall_ms, until.wall_ms, cause, until.wall_ms - since.wall_ms - length, doubt)]


def _explained(cause: str, otherwise: str) -> str:
    """A segment that made way for the next explains no gap."""
    return str(otherwise) if cause == Cause.ROTATED else cause
