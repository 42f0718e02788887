"""Which minutes of footage a spot check looks at: drawn from a public seed, so that anyone can draw them again.

The population is every minute that each camera ought to have recorded, gaps included: a minute that is missing can be
drawn like any other. A session whose clock was set is several stretches of a camera. It is counted in a fixed order,
stretch by stretch, and `count` different numbers below its size come from `Stream` (SHA-256 in counter mode): its key
is the line `examroom sample 1`, the seed, and the SHA-256 of the population's canonical JSON in hex, with a line feed
between. A number that has come already is passed over.

Since the key depends on the population, nobody can tell from a draw of one what another would give; since the seed is
named before it is known, and the population with it, nobody can look for a draw that pleases them.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate

from edge.domain.canonical import canonical
from edge.domain.paper import Stream
from edge.domain.walltime import Span, merged
from edge.errors import BadInput

MINUTE_MS = 60_000
MOST = 200
"""The most minutes of one sample."""
_LEAD = "examroom sample 1"


@dataclass(frozen=True, order=True)
class Stretch:
    """`minutes` minutes of one camera in one session, from `from_ms` on (ms since 1970 UTC, a whole minute)."""

    session: str
    camera: str
    from_ms: int
    minutes: int


@dataclass(frozen=True)
class Drawn:
    """One minute that was drawn."""

    session: str
    camera: str
    from_ms: int


def stretches(session: str, camera: str, spans: Iterable[Span]) -> list[Stretch]:
    """Every minute that the session's time touches, from that in which a span of it begins to that in which it ends;
    each once, and none of what lies between two spans: a clock that was set forward left those out."""
    minutes = merged((start // MINUTE_MS, max(start, end - 1) // MINUTE_MS + 1) for start, end in spans)
    return [Stretch(session, camera, first * MINUTE_MS, end - first) for first, end in minutes]


def population_digest(population: Sequence[Stretch]) -> str:
    """SHA-256, hex, of the canonical JSON of the stretches in order."""
    return hashlib.sha256(canonical([asdict(one) for one in sorted(population)])).hexdigest()


def draw(seed: str, population: Sequence[Stretch], count: int) -> list[Drawn]:
    """`count` different minutes, in the order in which they came. BadInput (`sample_count`) for more than there are."""
    ordered = sorted(population)
    ends = list(accumulate(one.minutes for one in ordered))
    size = ends[-1] if ends else 0
    if not 1 <= count <= min(size, MOST):
        raise BadInput("sample_count", count=count, most=min(size, MOST))
    stream = Stream(f"{_LEAD}\n{seed}\n{population_digest(ordered)}")
    taken: dict[int, None] = {}
    while len(taken) < count:
        taken.setdefault(stream.below(size))
    return [_minute(ordered, ends, number) for number in taken]


def _minute(ordered: Sequence[Stretch], ends: Sequence[int], number: int) -> Drawn:
    at = bisect_right(ends, number)
    one = ordered[at]
    within = number - (ends[at] - one.minutes)
    return Drawn(one.session, one.camera, one.from_ms + within * MINUTE_MS)
