"""The flow at the door: a tap, a question of consent, a look, a decision, told on the kiosk and on the panel.

One thread, one `step` at a time; everything it waits for is a poll, so a missing reader, camera or proctor holds up
nobody else. Decisions are made in `edge.domain`; every one of them reaches the ledger before the kiosk shows it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge import clock
from edge.checkin.enrol import enrol_person, enrol_waiting, read_template
from edge.checkin.look import Glance, glance
from edge.config import Config
from edge.domain.admission import BadgeFacts, Decision, decide_badge, decide_face
from edge.domain.faces import Evidence, decide
from edge.domain.masking import mask_name
from edge.errors import BadInput, ExamroomError, VerificationFailed
from edge.hardware.badge import BadgeReader, Tap
from edge.hardware.panel import Panel, Pattern
from edge.store import admissions, checkins, ledger, people, sessions
from edge.store.db import data_version, transaction
from edge.store.ring import RingReader
from edge.trust.roomkeys import RoomKeys
from edge.vision.face_pack import FacePack
from edge.vision.template import Template

NOTICE = "2025-06-01"
CONSENT_SECONDS = 30.0
BLIND_SECONDS = 3.0
ENROL_EVERY_SECONDS = 2.0
OPEN_STATES = ("checkin", "running")
_PATTERNS = {
    "ready": Pattern.READY,
    "look": Pattern.LOOK_HERE,
    "consent": Pattern.LOOK_HERE,
    "welcome": Pattern.WELCOME,
    "see_proctor": Pattern.SEE_PROCTOR,
    "refused": Pattern.SEE_PROCTOR,
    "try_again": Pattern.LOOK_HERE,
    "fault": Pattern.FAULT,
    "closed": Pattern.OFF,
}
_PASSING = ("welcome", "see_proctor", "refused", "try_again")


@dataclass
class Visit:
    """Somebody at the door: who the badge says, what was seen so far, until when we look."""

    who: people.Candidate
    template: Template | None
    until: float
    started: float
    evidence: list[Evidence] = field(default_factory=list)
    since_mono_ms: int = field(default_factory=clock.mono_ms)
    last_frame: int = 0
    retried: bool = False
    told: str = "look_here"
    asking: bool = False


class Door:
    """Owns the reader, the panel and the face pack of the check-in process."""

    def __init__(
        self,
        config: Config,
        connection: sqlite3.Connection,
        keys: RoomKeys,
        reader: BadgeReader,
        panel: Panel,
        pack: FacePack | None,
    ) -> None:
        self._config = config
        self._db = connection
        self._keys = keys
        self._reader = reader
        self._panel = panel
        self._pack = pack
        self._ring = RingReader(config.paths.ring(config.checkin.camera))
        self._visit: Visit | None = None
        self._state, self._shown_at = "", 0.0
        self._version = -1
        self._enrol_due = 0.0
        self._take_old_acts()

    # ---- one step

    def step(self, wait_s: float = 0.1) -> None:
        """Take in what happened at the reader, the panel and the screen, then go on with whoever stands there."""
        for act in self._screen_acts():  # before the taps: what was touched was meant for what was shown
            self._touched(act)
        for tap in self._reader.poll(0.02 if self._looking() else wait_s):
            self._tapped(tap)
        for _ in range(self._panel.poll_presses(0)):
            self._pressed()
        if self._visit is not None:
            self._go_on(self._visit)
        else:
            self._rest()

    def close(self) -> None:
        self._ring.close()

    def _looking(self) -> bool:
        return self._visit is not None and not self._visit.asking

    # ---- what people do

    def _tapped(self, tap: Tap) -> None:
        self._visit = None
        if tap.badge is None:
            reason = tap.reason or "badge_frame_broken"
            admissions.note(self._db, "retry", reason)
            self._show("try_again", reason)
            return
        who, elsewhere = self._find(tap.badge)
        decision = decide_badge(self._facts(who, elsewhere))
        if decision.outcome == "look" and who is not None:
            self._begin(who)
        elif decision.outcome == "consent" and who is not None:
            now = time.monotonic()
            self._visit = Visit(who, None, now + CONSENT_SECONDS, now, asking=True)
            self._show("consent", decision.reason, self._facts_shown(who))
        else:
            self._settle(who, decision)

    def _pressed(self) -> None:
        """The button without a badge: searching a face among all is a purpose of its own, off unless policy says so."""
        if self._visit is None and self._session_open():
            admissions.note(self._db, "retry", "button_no_badge")
            self._show("see_proctor", "button_no_badge")

    def _touched(self, act: str) -> None:
        visit = self._visit
        if act == "press":
            self._pressed()
        elif visit is None:
            return
        elif act == "cancel":
            self._visit = None
            self._show("ready", "kiosk_ready")
        elif act == "decline":
            self._consented(visit.who, False)
            self._settle(visit.who, Decision("waiting", "face_declined", "manual"))
        elif act == "consent" and visit.asking:
            self._consented(visit.who, True)
            if self._pack is not None:
                enrol_person(self._db, self._pack, self._keys.data, visit.who.person)
            self._begin(visit.who)

    def _consented(self, who: people.Candidate, given: bool) -> None:
        with transaction(self._db):
            people.set_consent(self._db, who.person, "face", given, NOTICE)
            if not given:
                people.delete_face_data(self._db, who.person)
            body = {"purpose": "face", "given": given, "notice": NOTICE}
            ledger.append(self._db, "consent", body, subject=who.person, session=who.session)

    # ---- the look

    def _begin(self, who: people.Candidate) -> None:
        template = None
        try:
            if self._pack is not None:
                template = read_template(self._db, self._pack, self._keys.data, who.person)
        except (VerificationFailed, BadInput):
            self._settle(who, Decision("waiting", "template_unreadable", "policy"))
            return
        if template is None:
            self._settle(who, Decision("waiting", "no_template", "policy"))
            return
        now = time.monotonic()
        self._visit = Visit(who, template, now + self._config.checkin.look_seconds, now)
        self._show("look", "look_here", self._facts_shown(who))

    def _go_on(self, visit: Visit) -> None:
        now = time.monotonic()
        if visit.asking:
            if now > visit.until:
                self._visit = None
                self._show("ready", "kiosk_ready")
            return
        if people.candidate(self._db, visit.who.session, visit.who.person).state == "admitted":
            self._visit = None  # the proctor let them in while we looked; the kiosk says so already
            self._state, self._shown_at = "welcome", now
            return
        seen = self._glance(visit)
        if seen is not None and seen.evidence is not None:
            visit.evidence.append(seen.evidence)
            if len(visit.evidence) >= self._config.checkin.frames:
                self._decide(visit)
                return
        elif seen is not None and seen.guidance is not None and seen.guidance != visit.told:
            visit.told = seen.guidance
            self._show("look", seen.guidance, self._facts_shown(visit.who))
        if self._blind(visit):
            self._settle(visit.who, Decision("waiting", "camera_blind", "policy"))
        elif now > visit.until:
            self._out_of_time(visit)

    def _glance(self, visit: Visit) -> Glance | None:
        frame = self._ring.latest()
        if frame is None or frame.number == visit.last_frame or not frame.bgr:
            return None
        if frame.mono_ms < visit.since_mono_ms:  # a picture from before the tap is of whoever stood there then
            return None
        if self._pack is None or visit.template is None:
            return None
        visit.last_frame = frame.number
        return glance(self._pack, frame, visit.template)

    def _decide(self, visit: Visit) -> None:
        if self._pack is None:
            return
        verdict = decide(visit.evidence, self._pack.threshold)
        decision = decide_face(verdict.verdict, verdict.reason, tries_left=not visit.retried)
        if decision.outcome == "retry":
            visit.evidence.clear()
            visit.retried = True
            visit.until = time.monotonic() + self._config.checkin.look_seconds
            self._show("look", decision.reason, self._facts_shown(visit.who))
            return
        self._settle(visit.who, decision, verdict.distance)

    def _out_of_time(self, visit: Visit) -> None:
        if not visit.retried:
            visit.retried = True
            visit.until = time.monotonic() + self._config.checkin.look_seconds
            admissions.note(
                self._db, "retry", "face_none", session=visit.who.session, person=visit.who.person, camera=self._camera
            )
            self._show("look", "face_none", self._facts_shown(visit.who))
            return
        self._settle(visit.who, Decision("waiting", "face_unsure_proctor", "manual"))

    # ---- telling

    def _settle(self, who: people.Candidate | None, decision: Decision, score: float | None = None) -> None:
        """The end of a visit: into the store and the ledger, then onto the kiosk."""
        self._visit = None
        facts: dict[str, Any] = self._facts_shown(who) if who else {}
        if decision.outcome == "admitted" and who is not None:
            try:
                admitted = admissions.admit(
                    self._db,
                    who.session,
                    who.person,
                    route=decision.route or "face",
                    reason=decision.reason,
                    by=None,
                    camera=self._camera,
                    score=score,
                )
            except ExamroomError as error:
                self._settle(who, Decision("waiting", error.code, "manual"))
                return
            facts = self._facts_shown(admitted) | {"seat_code": admitted.seat_code}
            self._show("welcome", "welcome", facts)
            return
        outcome, reason = admissions.note(
            self._db,
            decision.outcome,
            decision.reason,
            session=who.session if who else None,
            person=who.person if who else None,
            route=decision.route,
            camera=self._camera,
            score=score,
        )
        if who is not None:
            facts = self._facts_shown(people.candidate(self._db, who.session, who.person))
        self._show("see_proctor" if outcome == "waiting" else "refused", reason, facts)

    def _show(self, state: str, reason: str, facts: Mapping[str, Any] | None = None) -> None:
        with transaction(self._db):
            checkins.show(self._db, state, reason, dict(facts or {}))
        if state != self._state:
            self._panel.show(_PATTERNS[state])
        self._state, self._shown_at = state, time.monotonic()

    def _rest(self) -> None:
        """Nobody at the door: the sentence of the last visit stays a while, then the door is ready or closed."""
        now = time.monotonic()
        if self._state in _PASSING and now - self._shown_at < self._config.checkin.show_seconds:
            return
        version = data_version(self._db)
        if self._state not in _PASSING and version == self._version and now < self._enrol_due:
            return
        self._version = version
        shown = checkins.shown(self._db)
        fresh = shown is not None and clock.wall_ms() - shown.at_ms < self._config.checkin.show_seconds * 1000
        if shown is not None and shown.state in _PASSING and fresh:
            return
        if now >= self._enrol_due:
            self._enrol_due = now + ENROL_EVERY_SECONDS
            if self._pack is not None:
                enrol_waiting(self._db, self._pack, self._keys.data)
        state, reason = ("ready", "kiosk_ready") if self._session_open() else ("closed", "checkin_closed")
        if shown is None or shown.state != state or self._state != state:
            self._show(state, reason)

    # ---- facts

    def _find(self, badge: str) -> tuple[people.Candidate | None, bool]:
        """The candidate of the session at the door with this badge, and whether another session has it."""
        open_now = [s.id for s in sessions.all_sessions(self._db, *OPEN_STATES)]
        everybody = people.by_badge(self._db, badge)
        here = [who for who in everybody if who.session in open_now]
        return (here[0] if here else None), bool(everybody)

    def _facts(self, who: people.Candidate | None, elsewhere: bool) -> BadgeFacts:
        consent, template = None, False
        if who is not None and self._pack is not None:
            consent = people.consent(self._db, who.person, "face")
            stored = people.template(self._db, who.person, self._pack.name, self._pack.version)
            template = stored is not None or people.photo(self._db, who.person) is not None
        return BadgeFacts(
            checkin_open=self._session_open(),
            person_state=who.state if who else None,
            other_session=elsewhere and who is None,
            consent=consent,
            has_template=template,
            face_ready=self._pack is not None,
        )

    def _facts_shown(self, who: people.Candidate) -> dict[str, Any]:
        return {"name_masked": mask_name(who.name), "seat": who.seat or "-", "number": who.number}

    def _session_open(self) -> bool:
        return bool(sessions.all_sessions(self._db, *OPEN_STATES))

    def _screen_acts(self) -> list[str]:
        pending = checkins.pending_acts(self._db)
        if pending:
            with transaction(self._db):
                checkins.take_acts(self._db, pending[-1][0])
        return [act for _, act, _ in pending]

    def _take_old_acts(self) -> None:
        """What was touched while nobody listened is not meant for the next person."""
        self._screen_acts()

    def _blind(self, visit: Visit) -> bool:
        """Whether the camera has given no picture since the visit began."""
        return visit.last_frame == 0 and time.monotonic() - visit.started > BLIND_SECONDS

    @property
    def _camera(self) -> str:
        return self._config.checkin.camera

    @property
    def state(self) -> str:
        return self._state
