"""Somebody at the door, and what the room knows of the badge they hold."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from edge import clock
from edge.checkin.look import Seen
from edge.domain.admission import BadgeFacts, Credential
from edge.domain.badges import Strength
from edge.domain.consents import ONE_TO_ONE, purposes_asked
from edge.domain.facerules import FaceRules, face_rules
from edge.domain.liveness import Challenge
from edge.domain.masking import mask_name
from edge.store import people, sessions
from edge.store.ring import Frame
from edge.vision.face_pack import FacePack
from edge.vision.template import Template

OPEN_STATES = ("checkin", "running")
NO_RULES = FaceRules()


@dataclass
class Visit:
    """Who the badge says, what was seen so far, until when (monotonic seconds) we ask or look.

    Without a badge `who` is None until a face is found in the sessions `among`.

    `number` is what a touch on the kiosk names, so that nobody's touch is taken for another's. `asking`: for consent
    to the purposes `asked`; `agreed`: just given, and the template not fetched yet. `picture`: the last one that was
    compared, in memory alone; `before`: the pixels of the last one looked at, or that was there at the tap. `weak`: the
    badge is easily copied, and policy minds. `challenge`: where policy asks for movements. `entry`: the last one in the
    check-in log when it began. `hindrance`: the code of what kept the last picture from being compared, None for one
    that was fit.
    """

    who: people.Candidate | None
    until: float
    started: float
    template: Template | None = None
    rules: FaceRules = NO_RULES
    weak: bool = False
    challenge: Challenge | None = None
    among: tuple[str, ...] = ()
    number: int = field(default_factory=lambda: secrets.randbits(48))
    seen: list[Seen] = field(default_factory=list)
    since_mono_ms: int = field(default_factory=clock.mono_ms)
    last_frame: int = 0
    retried: bool = False
    told: str = "look_here"
    asking: bool = False
    agreed: bool = False
    asked: tuple[str, ...] = ()
    picture: Frame | None = None
    before: bytes = field(default=b"", repr=False)
    entry: int = 0
    hindrance: str | None = "face_none"

    @property
    def session(self) -> str | None:
        """Whose it is, as far as that is known."""
        if self.who is not None:
            return self.who.session
        return self.among[0] if len(self.among) == 1 else None

    def is_of(self, who: people.Candidate | None) -> bool:
        mine = self.who
        return mine is not None and who is not None and (who.session, who.person) == (mine.session, mine.person)

    @property
    def shown(self) -> dict[str, Any]:
        """The facts that the kiosk shows while it lasts."""
        if self.who is None:
            return {"visit": self.number}
        found = facts_shown(self.who) | {"visit": self.number}
        return found | {"asked": list(self.asked)} if self.asking else found


def facts_shown(who: people.Candidate) -> dict[str, Any]:
    """What the kiosk shows of them; their session is for its notice, its map and who waits before them."""
    return {"name_masked": mask_name(who.name), "seat": who.seat or "-", "number": who.number, "session": who.session}


def any_open(connection: sqlite3.Connection) -> bool:
    return bool(sessions.all_sessions(connection, *OPEN_STATES))


def under_way(connection: sqlite3.Connection) -> dict[str, sessions.Session]:
    """The sessions whose candidates may come, by id."""
    return {s.id: s for s in sessions.all_sessions(connection, *OPEN_STATES)}


def of_several(connection: sqlite3.Connection, everybody: list[people.Candidate]) -> people.Candidate | None:
    """Who of those that one credential names is meant at the door.

    Of several sessions under way it is the one that checks in, then the one that still expects them, then the earlier.
    Without one it is the last that is over in which they handed in, unless another has yet to come.
    """
    open_now = under_way(connection)

    def order(who: people.Candidate) -> tuple[bool, bool, int, int]:
        session = open_now[who.session]
        settled = who.state not in ("expected", "waiting")
        return session.state != "checkin", settled, session.planned_ms, who.number

    here = [who for who in everybody if who.session in open_now]
    return min(here, key=order, default=None) or _finished(connection, everybody)


def _finished(connection: sqlite3.Connection, everybody: list[people.Candidate]) -> people.Candidate | None:
    over = {s.id: s.planned_ms for s in sessions.all_sessions(connection, "closed", "signed")}
    if any(who.session not in over for who in everybody):
        return None
    done = [who for who in everybody if who.state == "finished"]
    return max(done, key=lambda who: over[who.session], default=None)


def holder(connection: sqlite3.Connection, badge: str) -> tuple[people.Candidate | None, bool]:
    """The candidate at the door with this badge, and whether any session of the room has it."""
    everybody = people.by_badge(connection, badge)
    return of_several(connection, everybody), bool(everybody)


def badge_facts(
    connection: sqlite3.Connection,
    pack: FacePack | None,
    who: people.Candidate | None,
    elsewhere: bool,
    credential: Credential = "badge",
    strength: Strength = "uid",
    liveness: bool = False,
) -> BadgeFacts:
    """What decides a tap. `elsewhere`: whether some session of the room has the badge; `liveness`: whether the networks
    are there that tell a person from a picture."""
    consent, template, minor = None, False, False
    rules = rules_of(connection, who) if who is not None else NO_RULES
    if who is not None and pack is not None:
        consent = people.consent(connection, who.person, ONE_TO_ONE)
        stored = people.template(connection, who.person, pack.name, pack.version)
        template = stored is not None or people.photo(connection, who.person) is not None
        minor = people.is_minor(connection, who.session, who.person)
    return BadgeFacts(
        checkin_open=any_open(connection),
        person_state=who.state if who else None,
        other_session=elsewhere and who is None,
        consent=consent,
        has_template=template,
        face_ready=pack is not None,
        credential=credential,
        strength=strength,
        minor=minor,
        weak_matters=rules.weak_badge == "face-or-proctor",
        liveness_ready=liveness or not rules.passive,
    )


def rules_of(connection: sqlite3.Connection, who: people.Candidate) -> FaceRules:
    """What the signed policy of their session asks."""
    return face_rules(sessions.find(connection, who.session).policy)


def lacks_liveness(connection: sqlite3.Connection) -> str | None:
    """Without the networks: the code to report where a session that is to come or under way asks for them."""
    found = sessions.all_sessions(connection, "planned", *OPEN_STATES)
    return "liveness_missing" if any(face_rules(session.policy).passive for session in found) else None


def purposes(connection: sqlite3.Connection, who: people.Candidate) -> tuple[str, ...]:
    """What the session's policy has for a face: comparing, and what it turns on besides."""
    policy = sessions.find(connection, who.session).policy
    return purposes_asked(dict(policy.get("face") or {}))


def to_ask(connection: sqlite3.Connection, who: people.Candidate) -> tuple[str, ...]:
    """Of those, which they have not answered under the notice of now."""
    return tuple(
        purpose
        for purpose in purposes(connection, who)
        if purpose == ONE_TO_ONE or not people.consent_asked(connection, who.person, purpose)
    )
