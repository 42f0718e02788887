"""Whether a person stands at the door, as the session's policy asks: the networks' verdict, a challenge, or both.

The frames that are compared are those of the challenge's own pauses, while it watches that nobody takes the place of
whoever makes the movements: a picture held up afterwards comes too late, and one before does not move.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from edge.checkin.look import Glance
from edge.checkin.visit import Visit
from edge.domain.liveness import MOVE_MS, ChallengeLimits, LiveDecision, LiveVerdict, begin, passive, watch
from edge.vision.liveness import Liveness, observe

MOVEMENTS = 2
WATCHED = 2
"""Frames compared during the challenge, at least: else nobody knows whose movements they were."""
CHALLENGE_SECONDS = 2 * MOVEMENTS * MOVE_MS / 1000
"""At most: each movement with its pause before."""


def follow(visit: Visit, seen: Glance, at_ms: int, limits: ChallengeLimits) -> None:
    """Show a frame to the visit's challenge, which begins with the first frame that is fit; `limits`: of the pack."""
    if not visit.rules.active:
        return
    if visit.challenge is None:
        if seen.guidance is not None:
            return
        visit.challenge = begin(at_ms, secrets.randbelow, limits, MOVEMENTS)
        visit.until += CHALLENGE_SECONDS
    before = visit.challenge
    visit.challenge = watch(before, observe(seen.faces, at_ms))
    if before.status == "asking" and visit.challenge.status == "passed" and len(visit.seen) < WATCHED:
        visit.challenge = replace(visit.challenge, status="failed", reason="liveness_interrupted")


def counts(visit: Visit) -> bool:
    """Whether a fit frame of now is compared: the face is straight, and it is still whom the challenge watches."""
    challenge = visit.challenge
    if challenge is None:
        return not visit.rules.active
    return challenge.status == "passed" or (challenge.status == "asking" and challenge.resting)


def asked(visit: Visit) -> str | None:
    """The movement to ask for, as a reason's code, while a challenge is under way."""
    challenge = visit.challenge
    return challenge.reason if challenge is not None and challenge.status == "asking" else None


def failed(visit: Visit) -> str | None:
    """Why the challenge ended badly, as a reason's code."""
    challenge = visit.challenge
    return challenge.reason if challenge is not None and challenge.status == "failed" else None


def made(visit: Visit) -> bool:
    """Whether the movements are made, or none are asked for."""
    return not visit.rules.active or (visit.challenge is not None and visit.challenge.status == "passed")


def verdict(visit: Visit, liveness: Liveness | None, frames: int) -> LiveVerdict | None:
    """Over all frames that were compared; None where policy asks for no networks. Without them nobody is alive."""
    if not visit.rules.passive:
        return None
    scores = [one.live for one in visit.seen if one.live is not None]
    if liveness is None or len(scores) < len(visit.seen):
        return "unsure"
    found: LiveDecision = passive(scores, liveness.threshold, frames)
    return found.verdict
