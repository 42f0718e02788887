"""Who may enter, and what the door says: facts about a badge, a person and a face in; a decision and its reason out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from edge.domain.badges import Strength
from edge.domain.liveness import LiveVerdict

Credential = Literal["badge", "card", "ticket"]
"""What was shown: a badge, a resident's identity card, a signed ticket."""

_UNKNOWN: Final = {"badge": "badge_unknown", "card": "idcard_unknown", "ticket": "ticket_unknown"}
_ELSEWHERE: Final = {
    "badge": "badge_other_session",
    "card": "idcard_other_session",
    "ticket": "ticket_other_session",
}


@dataclass(frozen=True)
class BadgeFacts:
    """What the room knows about a badge the moment it is tapped.

    `person_state` is the candidate's state in the session that is checking in, None when the badge is not on its
    roster, and `finished` also where they handed in at one that is over; `other_session` whether another session in
    this room has that badge. `strength` says how hard it is to copy, for a policy that asks more of whoever shows a
    weak one, which `weak_matters` says. `liveness_ready`: whether what policy asks for to tell a person from a picture
    is there.
    """

    checkin_open: bool
    person_state: str | None
    other_session: bool = False
    consent: bool | None = None
    has_template: bool = False
    minor: bool = False
    face_ready: bool = True
    credential: Credential = "badge"
    strength: Strength = "uid"
    weak_matters: bool = False
    liveness_ready: bool = True

    @property
    def weak(self) -> bool:
        """Whether this badge needs a matching face or the proctor."""
        return self.weak_matters and self.credential == "badge" and self.strength == "uid"


@dataclass(frozen=True)
class Decision:
    """`outcome`: admitted, refused, waiting (for the proctor), retry, consent or look; `reason`: its code."""

    outcome: str
    reason: str
    route: str | None = None


def decide_badge(facts: BadgeFacts) -> Decision:
    """What happens after the tap. Where no face will be compared, a weak badge is said to be one."""
    decision = _decide_badge(facts)
    if facts.weak and decision.outcome == "waiting" and decision.route == "policy":
        return Decision("waiting", "face_minor" if facts.minor else "badge_weak", "manual")
    return decision


def _decide_badge(facts: BadgeFacts) -> Decision:
    if facts.person_state == "finished":
        return Decision("refused", "already_finished")
    if not facts.checkin_open:
        return Decision("refused", "checkin_closed")
    if facts.person_state is None:
        return Decision("refused", (_ELSEWHERE if facts.other_session else _UNKNOWN)[facts.credential])
    if facts.person_state == "admitted":
        return Decision("refused", "ticket_used" if facts.credential == "ticket" else "already_admitted")
    if facts.person_state == "absent":
        return Decision("waiting", "marked_absent", "manual")
    if facts.minor:
        return Decision("waiting", "face_minor", "policy")
    if facts.consent is False:
        return Decision("waiting", "face_declined", "manual")
    if not facts.has_template:
        return Decision("waiting", "no_template", "policy")
    if not facts.liveness_ready:  # before anybody is asked for a consent that would be of no use
        return Decision("waiting", "liveness_unavailable", "policy")
    if facts.consent is None:
        return Decision("consent", "consent_wanted")
    if not facts.face_ready:
        return Decision("waiting", "face_unavailable", "policy")
    return Decision("look", "look_here")


def decide_face(
    verdict: str, reason: str, tries_left: bool, live: LiveVerdict | None = None, weak: bool = False
) -> Decision:
    """What happens after the look. `verdict` is of `edge.domain.faces`: match, no_match or ask_again.

    live: of `edge.domain.liveness`, None where policy does not ask. A picture held up is the proctor's to see, whoever
    is on it; nobody enters while it is unsure. weak: a badge that is easily copied, whose holder the proctor sees too.
    """
    if live == "spoof":
        return Decision("waiting", "liveness_spoof", "manual")
    if verdict == "no_match":
        return Decision("waiting", "badge_weak_other", "manual") if weak else Decision("refused", reason)
    if verdict == "match" and live == "unsure":
        return Decision("retry", "liveness_unsure") if tries_left else liveness_failed()
    if verdict == "match":
        return Decision("admitted", reason, "face")
    return Decision("retry", reason) if tries_left else Decision("waiting", "face_unsure_proctor", "manual")


def liveness_failed() -> Decision:
    """Twice it was not certain that a person stands there, or the movements were not made."""
    return Decision("waiting", "liveness_failed", "manual")
