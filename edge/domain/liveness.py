"""Is it a person who stands there? The verdict of the networks' scores, and a challenge that a print cannot follow.

Passive: scores of several frames in, one verdict out (`passive`). Active: the person is asked for a few movements in a
random order; `begin` draws them, `watch` takes one observation after the other and says what to ask for, until the
state is `passed` or `failed`. Turning the head moves the nose off the middle of the eyes; turning a flat picture does
not, however it is held. Coming nearer proves little by itself, so every challenge holds at least one turn. A screen
that plays a recording of the right movements at the right moment passes: the random order makes that a matter of luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from edge.errors import BadInput

LiveVerdict = Literal["live", "spoof", "unsure"]
Movement = Literal["left", "right", "nearer"]
Status = Literal["asking", "passed", "failed"]

MOVEMENTS: tuple[Movement, ...] = ("left", "right", "nearer")

# A movement counts once so many observations in a row show it: one false landmark is no turn.
HOLD = 2
# Milliseconds: for one movement; without a face before the person is taken to have gone.
MOVE_MS = 6_000
GONE_MS = 1_000
# Between two observations a face moves at most so many of its widths, and grows at most by this factor.
JUMP = 0.6
GROWTH = 1.5


@dataclass(frozen=True)
class LiveThreshold:
    """Mean scores from `live` on are a person, up to `spoof` a print, a screen or a mask; between, nothing is said."""

    live: float
    spoof: float

    def __post_init__(self) -> None:
        if not 0 < self.spoof <= self.live < 1:
            raise ValueError("a liveness threshold needs 0 < spoof <= live < 1")


@dataclass(frozen=True)
class ChallengeLimits:
    """What counts as a movement, in the yaw of one pack's landmarks; its manifest says what that was measured on.

    rest: degrees to either side, at most, of a face that looks straight. turn: degrees, at least. nearer: times the
    width at rest, at least.
    """

    rest: float
    turn: float
    nearer: float

    def __post_init__(self) -> None:
        if not (0 < self.rest < self.turn < 90 and math.isfinite(self.nearer) and self.nearer > 1):
            raise ValueError("a challenge needs 0 < rest < turn < 90 and nearer > 1")


@dataclass(frozen=True)
class LiveDecision:
    """The verdict, its reason's code, the mean score (None without frames; a measurement, kept out of the ledger)."""

    verdict: LiveVerdict
    reason: str
    score: float | None
    frames: int


def passive(scores: Sequence[float], threshold: LiveThreshold, frames: int = 3) -> LiveDecision:
    """The verdict over the live scores (0 to 1) of the frames of one look; `unsure` before there are `frames` of them.

    BadInput (`face_evidence_invalid`) for a score that is not between 0 and 1.
    """
    if not all(math.isfinite(score) and 0 <= score <= 1 for score in scores):
        raise BadInput("face_evidence_invalid")
    if len(scores) < max(1, frames):
        mean = sum(scores) / len(scores) if scores else None
        return LiveDecision("unsure", "liveness_unsure", mean, len(scores))
    # Rounding must not carry a mean out of its own range: frames that all say the same decide the same.
    mean = min(max(math.fsum(scores) / len(scores), min(scores)), max(scores))
    if mean >= threshold.live:
        return LiveDecision("live", "liveness_passed", mean, len(scores))
    if mean <= threshold.spoof:
        return LiveDecision("spoof", "liveness_spoof", mean, len(scores))
    return LiveDecision("unsure", "liveness_unsure", mean, len(scores))


@dataclass(frozen=True)
class Observation:
    """What one frame shows of the one face: when (monotonic milliseconds), yaw in degrees, place and width in pixels.

    yaw is positive towards the person's own left. `face` is False for a frame without exactly one face.
    """

    at_ms: int
    face: bool
    yaw: float = 0.0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0


@dataclass(frozen=True)
class Challenge:
    """Where a challenge stands. `reason` is the sentence to show: the movement asked for, or how it ended.

    asked: the movements, `done` of them made; `resting`: waiting for the face to be straight again before the next.
    """

    asked: tuple[Movement, ...]
    since_ms: int
    limits: ChallengeLimits
    status: Status = "asking"
    reason: str = "liveness_straight"
    done: int = 0
    resting: bool = True
    held: int = 0
    rest_width: float = 0.0
    last: Observation | None = None


def begin(at_ms: int, below: Callable[[int], int], limits: ChallengeLimits, movements: int = 2) -> Challenge:
    """A new challenge of 1 to 3 different movements, at least one of them a turn; `limits`: of the pack that watches.

    below(n) gives a random number from 0 to n-1; pass `secrets.randbelow`, so that nobody knows the order before.
    """
    if not 1 <= movements <= len(MOVEMENTS):
        raise ValueError("a challenge has one to three movements")
    asked: list[Movement] = []
    left = list(MOVEMENTS)
    for _ in range(movements):
        asked.append(left.pop(below(len(left))))
    if asked == ["nearer"]:
        asked = [("left", "right")[below(2)]]
    return Challenge(tuple(asked), at_ms, limits)


def watch(challenge: Challenge, seen: Observation) -> Challenge:
    """The challenge after one more observation. One that has ended stays as it is.

    It fails when a movement takes longer than six seconds (`liveness_too_slow`), when the opposite turn is made
    (`liveness_wrong_way`), when the face is gone for a second or another stands there at once (`liveness_interrupted`).
    BadInput (`face_evidence_invalid`) for numbers that are not finite or time that runs back.
    """
    if challenge.status != "asking":
        return challenge
    before = challenge.last
    if not all(math.isfinite(value) for value in (seen.yaw, seen.x, seen.y, seen.width)) or seen.width < 0:
        raise BadInput("face_evidence_invalid")
    if seen.at_ms < (before.at_ms if before else challenge.since_ms):
        raise BadInput("face_evidence_invalid")
    if not seen.face:
        if before is not None and seen.at_ms - before.at_ms > GONE_MS:
            return _end(challenge, "failed", "liveness_interrupted")
        return _in_time(replace(challenge, held=0), seen.at_ms)
    if before is not None and (seen.at_ms - before.at_ms > GONE_MS or _another(before, seen)):
        return _end(challenge, "failed", "liveness_interrupted")
    challenge = replace(challenge, last=seen)
    moved = _rests(challenge, seen) if challenge.resting else _moves(challenge, seen)
    if not challenge.resting and _opposite(challenge, seen):
        return _end(challenge, "failed", "liveness_wrong_way")
    held = challenge.held + 1 if moved else 0
    if held < HOLD:
        return _in_time(replace(challenge, held=held), seen.at_ms)
    if challenge.resting:
        reason = f"liveness_{challenge.asked[challenge.done]}"
        return replace(challenge, resting=False, held=0, rest_width=seen.width, since_ms=seen.at_ms, reason=reason)
    done = challenge.done + 1
    if done == len(challenge.asked):
        return _end(replace(challenge, done=done), "passed", "liveness_passed")
    return replace(challenge, done=done, resting=True, held=0, since_ms=seen.at_ms, reason="liveness_straight")


def _rests(challenge: Challenge, seen: Observation) -> bool:
    return abs(seen.yaw) <= challenge.limits.rest


def _moves(challenge: Challenge, seen: Observation) -> bool:
    asked, limits = challenge.asked[challenge.done], challenge.limits
    if asked == "nearer":
        return seen.width >= limits.nearer * challenge.rest_width and _rests(challenge, seen)
    return seen.yaw >= limits.turn if asked == "left" else seen.yaw <= -limits.turn


def _opposite(challenge: Challenge, seen: Observation) -> bool:
    asked, turn = challenge.asked[challenge.done], challenge.limits.turn
    return (asked == "left" and seen.yaw <= -turn) or (asked == "right" and seen.yaw >= turn)


def _another(before: Observation, seen: Observation) -> bool:
    """Whether this face cannot be the one of the observation before: it jumped, or changed its size at once."""
    width = max(before.width, seen.width)
    moved = math.hypot(seen.x - before.x, seen.y - before.y)
    return moved > JUMP * width or width > GROWTH * min(before.width, seen.width)


def _in_time(challenge: Challenge, at_ms: int) -> Challenge:
    if at_ms - challenge.since_ms > MOVE_MS:
        return _end(challenge, "failed", "liveness_too_slow")
    return challenge


def _end(challenge: Challenge, status: Status, reason: str) -> Challenge:
    return replace(challenge, status=status, reason=reason, held=0)
