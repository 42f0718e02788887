"""Is the face at the door the one registered for the badge? Distances of a few frames in, one verdict with reason out.

The thresholds come from the face pack's manifest, where it says what they were measured on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge.errors import BadInput

Verdict = Literal["match", "no_match", "ask_again"]

# Above this size a face shows the network nothing more (its input is 150 pixels), so it counts no more either.
FULL_AREA = 150.0 * 150.0


@dataclass(frozen=True)
class Threshold:
    """Distances up to `accept` are the same person, from `refuse` on another; between them nothing is said."""

    accept: float
    refuse: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.refuse) and 0 < self.accept <= self.refuse):
            raise ValueError("a threshold needs 0 < accept <= refuse")


@dataclass(frozen=True)
class FitLimits:
    """Between what a face in a picture is fit to be compared (`edge.vision.quality` measures it).

    width: pixels, at least. sharpness: at least. light: mean grey levels, from and to. contrast: their deviation, at
    least. burnt: share of white, at most. yaw, tilt, nod: degrees to either side, at most. eyes_dark, eyes_flat: both
    eyes are hidden where their places are below these parts of the cheeks' light, and no more uneven than that.
    """

    width: float
    sharpness: float
    light: tuple[float, float]
    contrast: float
    burnt: float
    yaw: float
    tilt: float
    nod: float
    eyes_dark: float
    eyes_flat: float


@dataclass(frozen=True)
class Evidence:
    """One frame: the distance of its face to the registered one, its quality (0 to 1), its area in pixels squared."""

    distance: float
    quality: float
    area: float

    @property
    def weight(self) -> float:
        return self.quality * min(self.area, FULL_AREA)


@dataclass(frozen=True)
class FaceDecision:
    """The verdict, its reason's code, the weighted mean distance (None without evidence) and the frames that counted.

    The distance is for the caller's decision and measurements only: it is a face score, kept out of logs and ledger.
    """

    verdict: Verdict
    reason: str
    distance: float | None
    frames: int


def decide(evidence: Sequence[Evidence], threshold: Threshold) -> FaceDecision:
    """The verdict over all frames of one look.

    `match` when the mean distance, weighted by quality and area, is within `accept` and no single frame is as far as
    `refuse`: one good frame of somebody else is enough to look again, so a photograph held up beside the real face
    does not average out. `no_match` when the mean is at `refuse` or beyond; else `ask_again`, also without evidence.
    A smaller distance in any frame never makes the verdict worse. BadInput (`face_evidence_invalid`) for a number
    that is not finite or is below zero.
    """
    for one in evidence:
        if not all(math.isfinite(value) and value >= 0 for value in (one.distance, one.quality, one.area)):
            raise BadInput("face_evidence_invalid")
        if one.quality > 1:
            raise BadInput("face_evidence_invalid")
    counted = [one for one in evidence if one.weight > 0]
    if not counted:
        return FaceDecision("ask_again", "face_none", None, 0)
    total = sum(one.weight for one in counted)
    nearest, farthest = min(one.distance for one in counted), max(one.distance for one in counted)
    # Rounding must not carry a mean out of its own range: frames that all say the same decide the same.
    mean = min(max(sum(one.distance * (one.weight / total) for one in counted), nearest), farthest)
    if mean >= threshold.refuse:
        return FaceDecision("no_match", "face_other_person", mean, len(counted))
    if mean <= threshold.accept and farthest < threshold.refuse:
        return FaceDecision("match", "face_matched", mean, len(counted))
    return FaceDecision("ask_again", "face_unsure", mean, len(counted))
