"""What one look comes to: whose face it is, whether a person stands there, whether they are in already by another name.

Facts are gathered here; the rules are those of `edge.domain`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from edge.checkin import search
from edge.checkin.visit import Visit, badge_facts
from edge.domain.admission import Decision, decide_badge, decide_face
from edge.domain.faces import decide
from edge.domain.liveness import LiveVerdict
from edge.store import people
from edge.trust.roomkeys import DataKey
from edge.vision.face_pack import FacePack
from edge.vision.template import Template

UNJUDGED = ("already_admitted", "already_finished", "liveness_spoof")
"""Where nobody asks for a second name: they are in, or it is no face at all."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """`who`: None for a face that nobody was found for; `other`: who has entered already with this face. `score`: the
    mean distance, for the room's own store."""

    who: people.Candidate | None
    decision: Decision
    score: float | None = None
    other: search.Entry | None = None


def judge(
    connection: sqlite3.Connection, pack: FacePack, key: DataKey, visit: Visit, live: LiveVerdict | None
) -> Outcome:
    """Of a visit with enough frames. live: the networks' word on them, None where policy does not ask."""
    if visit.who is not None and visit.template is not None:
        found = _compared(pack, visit, visit.who, visit.template, live)
    else:
        found = _searched(connection, pack, key, visit, live)
    if found.who is None or found.decision.reason in UNJUDGED:
        return found
    other = search.entered(connection, pack, key, visit, found.who)
    return found if other is None else replace(found, decision=two_names("face_entered"), other=other)


def two_names(reason: str) -> Decision:
    """One face under two names is a suspicion, and a person's to judge."""
    return Decision("waiting", reason, "manual")


def _compared(
    pack: FacePack, visit: Visit, who: people.Candidate, template: Template, live: LiveVerdict | None
) -> Outcome:
    verdict = decide([one.evidence(pack, template) for one in visit.seen], pack.threshold)
    decision = decide_face(verdict.verdict, verdict.reason, not visit.retried, live, visit.weak)
    return Outcome(who, decision, verdict.distance)


def _searched(
    connection: sqlite3.Connection, pack: FacePack, key: DataKey, visit: Visit, live: LiveVerdict | None
) -> Outcome:
    """A face without a badge: one person, or the badge or the proctor is asked for."""
    tries = not visit.retried
    if live == "spoof":  # and nobody is named for a picture
        return Outcome(None, decide_face("match", "face_found", tries, live))
    found = search.find(connection, pack, key, visit)
    if found.who is None:
        again = found.reason == "search_none" and tries
        return Outcome(None, Decision("retry", "search_again") if again else _nobody(found.reason), found.distance)
    decision = decide_badge(badge_facts(connection, pack, found.who, False, strength="signed", liveness=True))
    if decision.outcome == "look":
        decision = decide_face("match", found.reason, tries, live)
    return Outcome(found.who, decision, found.distance)


def _nobody(reason: str) -> Decision:
    return Decision("waiting", reason, "manual")
