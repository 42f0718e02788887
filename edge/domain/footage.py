"""What footage is, apart from its bytes: fragments with their hashes and times, and how complete a span is.

A segment is one file; a fragment is about one second of it, hashed by itself, so that an altered second can be named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from edge.domain import merkle

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
    """What `completeness` needs of a segment."""

    @property
    def started_ms(self) -> int: ...
    @property
    def ended_ms(self) -> int: ...
    @property
    def cause(self) -> str: ...


@dataclass(frozen=True)
class Gap:
    """A stretch of wall time without footage; `cause` is a value of `Cause`."""

    from_ms: int
    until_ms: int
    cause: str

    @property
    def seconds(self) -> float:
        return (self.until_ms - self.from_ms) / 1000


@dataclass(frozen=True)
class Completeness:
    """Of one camera over one span, in milliseconds of wall time."""

    expected_ms: int
    recorded_ms: int
    gaps: tuple[Gap, ...]

    @property
    def expected_s(self) -> float:
        return self.expected_ms / 1000

    @property
    def recorded_s(self) -> float:
        return self.recorded_ms / 1000


def completeness(stretches: Iterable[Stretch], from_ms: int, until_ms: int) -> Completeness:
    """How much of [from_ms, until_ms) was recorded, and why each gap of more than JOIN_MS is there.

    Give it the segments of one camera that touch the span, and the one before it: a gap is explained by the segment
    it follows. Overlaps (a clock set back) count once.
    """
    reached, cause, gaps = from_ms, str(Cause.NOT_STARTED), list[Gap]()
    for stretch in sorted(stretches, key=lambda s: (s.started_ms, s.ended_ms)):
        if stretch.ended_ms <= stretch.started_ms or stretch.started_ms >= until_ms:
            continue
        if stretch.ended_ms > from_ms and stretch.started_ms - reached > JOIN_MS:
            gaps.append(Gap(reached, stretch.started_ms, _explained(cause, Cause.UNKNOWN)))
        if stretch.ended_ms >= reached or reached == from_ms:
            reached, cause = max(reached, stretch.ended_ms), stretch.cause
    if until_ms - reached > JOIN_MS:
        gaps.append(Gap(reached, until_ms, _explained(cause, Cause.NOT_INDEXED)))
    expected = max(0, until_ms - from_ms)
    return Completeness(expected, expected - sum(g.until_ms - g.from_ms for g in gaps), tuple(gaps))


def _explained(cause: str, otherwise: Cause) -> str:
    """A segment that made way for the next explains no gap."""
    return str(otherwise) if cause == Cause.ROTATED else cause
