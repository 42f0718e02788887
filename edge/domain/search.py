"""Which of many is it? The nearest of a gallery, when it is near enough and nobody else is nearly as near.

How near is near enough follows the size of the gallery: everybody in it is one more chance of a false match.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from edge.errors import BadInput


@dataclass(frozen=True)
class Strangers:
    """The distances between two people's templates, as a search takes them to be: the length of a normal difference in
    so many independent `dimensions`, `mean` on average (a chi distribution, scaled). Of fewer dimensions they spread
    wider, and more of them are small."""

    mean: float
    dimensions: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and self.mean > 0 and self.dimensions >= 2):
            raise ValueError("strangers need a mean above 0 and at least 2 dimensions")

    @property
    def scale(self) -> float:
        """The standard deviation of the difference in each dimension."""
        half = self.dimensions / 2
        return self.mean / (math.sqrt(2) * math.exp(math.lgamma(half + 0.5) - math.lgamma(half)))

    def share_within(self, distance: float) -> float:
        """The share of pairs of strangers that are at most `distance` apart: the false match rate there."""
        return _gamma_below(self.dimensions / 2, (distance / self.scale) ** 2 / 2)

    def distance_of(self, share: float) -> float:
        """The distance within which that share of pairs of strangers lies; `share` above 0 and below 1."""
        low, high = 0.0, 4 * self.mean
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if self.share_within(middle) <= share else (low, middle)
        return low


def _gamma_below(shape: float, at: float) -> float:
    """The regularised lower incomplete gamma function, by its series: no digit is lost where it is tiny."""
    if at <= 0:
        return 0.0
    term = total = 1 / shape
    place = shape
    while term > total * 1e-15:
        place += 1
        term *= at / place
        total += term
    return min(1.0, total * math.exp(shape * math.log(at) - at - math.lgamma(shape)))


@dataclass(frozen=True)
class SearchThreshold:
    """Mean distances up to `within(people)` are found, if the next person is at least `apart` farther and beyond it.

    `accept`: the most it ever is. fpir: how often a search may find somebody for a stranger, whatever the size, where
    distances are as `strangers` says. `gallery`: so many people at most, since no more were tried."""

    accept: float
    apart: float
    gallery: int
    fpir: float
    strangers: Strangers

    def __post_init__(self) -> None:
        if not (math.isfinite(self.accept) and math.isfinite(self.apart) and self.accept > 0 and self.apart >= 0):
            raise ValueError("a search needs 0 < accept and 0 <= apart")
        if self.gallery < 1 or not 0 < self.fpir < 1:
            raise ValueError("a search needs a gallery, and a rate between 0 and 1")

    def within(self, people: int) -> float:
        """The distance up to which one of so many people is found."""
        return _within(self, people)


@lru_cache(maxsize=256)
def _within(limits: SearchThreshold, people: int) -> float:
    each = -math.expm1(math.log1p(-limits.fpir) / max(people, 1))  # 1 - (1 - each)^people is fpir
    return min(limits.accept, limits.strangers.distance_of(each))


@dataclass(frozen=True)
class Found:
    """`place`: of the one in the gallery who was found; else None with the reason's code. `distance` is a face score,
    kept out of logs and ledger."""

    place: int | None
    reason: str
    distance: float | None = None


def pick(means: Sequence[float], farthest: Sequence[float], limits: SearchThreshold, refuse: float) -> Found:
    """Whom one look found in a gallery: for each person of it the mean and the farthest distance over its frames.

    A frame as far as `refuse`, where comparing one to one says another person, finds nobody either. `search_none`,
    `search_ambiguous` with two who are nearly as near, `search_too_many` beyond the size the limits rest on; BadInput
    (`face_evidence_invalid`) for a number that is not finite or below zero.
    """
    _check(means, farthest)
    if len(means) > limits.gallery:
        return Found(None, "search_too_many")
    order = sorted(range(len(means)), key=lambda place: means[place])
    if not order:
        return Found(None, "search_none")
    best, accept = order[0], limits.within(len(means))
    if means[best] > accept or farthest[best] >= refuse:
        return Found(None, "search_none", means[best])
    if len(order) > 1 and means[order[1]] < max(means[best] + limits.apart, accept):
        return Found(None, "search_ambiguous", means[best])
    return Found(best, "face_found", means[best])


def suspect(means: Sequence[float], farthest: Sequence[float], limits: SearchThreshold, refuse: float) -> int | None:
    """The place of whoever of a gallery may be the same person under another name: the nearest that `pick` would find,
    whoever else is near and however many there are, since a person judges it. BadInput as `pick`."""
    _check(means, farthest)
    place = min(range(len(means)), key=lambda one: means[one], default=None)
    if place is None or means[place] > limits.within(len(means)) or farthest[place] >= refuse:
        return None
    return place


def _check(means: Sequence[float], farthest: Sequence[float]) -> None:
    if len(means) != len(farthest) or not all(math.isfinite(one) and one >= 0 for one in (*means, *farthest)):
        raise BadInput("face_evidence_invalid")
