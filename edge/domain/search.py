"""Which of many is it? The nearest of a gallery, when it is near enough and nobody else is nearly as near."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import BadInput


@dataclass(frozen=True)
class SearchThreshold:
    """Mean distances up to `accept` are found, if the next person is at least `apart` farther and beyond `accept`.
    `gallery`: so many people at most, since every further one is a further chance of a false match."""

    accept: float
    apart: float
    gallery: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.accept) and math.isfinite(self.apart) and self.accept > 0 and self.apart >= 0):
            raise ValueError("a search needs 0 < accept and 0 <= apart")
        if self.gallery < 1:
            raise ValueError("a search needs a gallery")


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
    if len(means) != len(farthest) or not all(math.isfinite(one) and one >= 0 for one in (*means, *farthest)):
        raise BadInput("face_evidence_invalid")
    if len(means) > limits.gallery:
        return Found(None, "search_too_many")
    order = sorted(range(len(means)), key=lambda place: means[place])
    if not order:
        return Found(None, "search_none")
    best = order[0]
    if means[best] > limits.accept or farthest[best] >= refuse:
        return Found(None, "search_none", means[best])
    if len(order) > 1 and means[order[1]] < max(means[best] + limits.apart, limits.accept):
        return Found(None, "search_ambiguous", means[best])
    return Found(best, "face_found", means[best])
