"""The flow at the door: a tap, a question of consent, a look, a decision, told on the kiosk and on the panel.

One thread, one `step` at a time; everything it waits for is a poll, so a missing reader, camera or proctor holds up
nobody else. Decisions are made in `edge.domain`; every one of them reaches the ledger in the transaction that shows it
on the kiosk. What was tapped, touched or decided stays until that has committed: a step that the store refuses is made
again from where it stopped.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from edge import clock
from edge.checkin import alive, search
from edge.checkin.credentials import whose
from edge.checkin.enrol import enrol_next, enrol_now
from edge.checkin.eye import Eye
from edge.checkin.sign import PASSING, Sign
from edge.checkin.still import keeper
from edge.checkin.templates import read_template
from edge.checkin.twins import RosterCheck, alarm
from edge.checkin.verdict import judge, two_names
from edge.checkin.visit import OPEN_STATES, Visit, any_open, badge_facts, lacks_liveness, purposes, rules_of, to_ask
from edge.config import Config
from edge.domain.admission import Decision, decide_badge, liveness_failed
from edge.domain.consents import ONE_TO_ONE, notice
from edge.errors import BadInput, ExamroomError, Unavailable, VerificationFailed
from edge.hardware.badge import BadgeReader, Tap
from edge.hardware.panel import Panel
from edge.store import checkins, ledger, people, sessions
from edge.store.checkins import KioskAct
from edge.store.db import data_version, transaction
from edge.trust.roomkeys import RoomKeys
from edge.trust.ticket import TicketTrust
from edge.vision.face_pack import FacePack
from edge.vision.liveness import Liveness

CONSENT_SECONDS = 120.0
"""The notice is read in full before it is answered."""
READ_MS = 1500
"""Why the movements have to be made again is read before the next is asked for."""
ENROL_EVERY_SECONDS = 2.0
ENROL_PAUSE_SECONDS = 0.2
"""Between two photographs, so that the recording gets the core too."""
NO_TEMPLATE = Decision("waiting", "no_template", "policy")
SETTLED = ("already_admitted", "already_finished")
"""Said to whoever is in already, whatever else there is about their credential."""
HEARD = 16
"""Taps kept while the store is held; whoever came before them has been told to wait or see the proctor."""


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
        tickets: TicketTrust | None = None,
        liveness: Liveness | None = None,
    ) -> None:
        self._config = config
        self._tickets = tickets
        self._db = connection
        self._keys = keys
        self._reader = reader
        self._panel = panel
        self._pack = pack
        self._sign = Sign(connection, panel, config.checkin.camera, config.checkin.show_seconds)
        self._eye = Eye(config, pack, liveness)
        self._roster = RosterCheck(connection, pack, keys.data) if pack is not None else None
        self.lack: str | None = None
        self._visit: Visit | None = None
        self._heard: deque[Tap | None] = deque(maxlen=HEARD)  # None: the button
        self._version = -1
        self._enrol_due = 0.0
        self._misread_due = 0.0
        self._listening = False

    # ---- one step

    def step(self, wait_s: float = 0.1) -> None:
        """Take in what happened at the reader, the panel and the screen, then go on with whoever stands there.

        Unavailable when the store lets nothing be written now: nothing is lost, and the next step tries again.
        """
        self._hear(wait_s)
        try:
            self._go()
        except Unavailable:
            raise
        except ExamroomError:  # of no use to try again
            self._visit = None
            self._heard.clear()
            raise

    def close(self) -> None:
        self._eye.close()

    def _hear(self, wait_s: float) -> None:
        looking = self._visit is not None and not self._visit.asking
        for tap in self._reader.poll(0.02 if looking else wait_s):
            last = self._heard[-1] if self._heard else None
            if last is None or tap.holds is None or last.holds != tap.holds:  # held to it again while we are busy
                self._heard.append(tap)
        self._heard.extend([None] * self._panel.poll_presses(0))

    def _go(self) -> None:
        if not self._listening:  # what was touched while nobody listened is not meant for the next person
            self._drop(checkins.pending_acts(self._db))
            self._listening = True
        for act in checkins.pending_acts(self._db):  # before the taps: of who stood there before
            self._touched(act)
        while self._heard:
            tap = self._heard[0]
            if tap is None:
                self._pressed()
            else:
                self._tapped(tap)
            self._heard.popleft()
        if self._visit is not None:
            self._go_on(self._visit)
        else:
            self._rest()

    # ---- what people do

    def _tapped(self, tap: Tap) -> None:
        visit = self._visit
        if tap.holds is None:
            self._misread(tap.reason or "badge_frame_broken")
            return
        found = whose(self._db, tap, self._tickets)
        who = found.who
        if visit is not None and found.kind == "ticket":  # it hangs in the picture while its holder is looked at
            if found.refusal is not None:
                self._sign.note("retry", found.refusal.reason)
                return
            if visit.is_of(who):
                return
        if visit is not None and not visit.is_of(who):
            self._leave(visit)
        ready = self._eye.liveness is not None
        facts = badge_facts(self._db, self._pack, who, found.elsewhere, found.kind, tap.strength, ready)
        decision = decide_badge(facts)
        if found.refusal is not None and facts.checkin_open and decision.reason not in SETTLED:
            decision = found.refusal
        if decision.outcome == "look" and who is not None:
            self._begin(who, facts.weak)
        elif decision.outcome == "consent" and who is not None:
            now = time.monotonic()
            asked = Visit(who, now + CONSENT_SECONDS, now, weak=facts.weak, asking=True, asked=to_ask(self._db, who))
            asked.entry = checkins.newest(self._db)
            self._sign.show("consent", decision.reason, asked.shown)
            self._visit = asked
        else:
            self._settle(who, decision)

    def _misread(self, reason: str) -> None:
        """A reader that gives rubbish without end fills no ledger, and leaves a while in which the door is ready."""
        now = time.monotonic()
        if now < self._misread_due:
            return
        # it takes nothing from whoever is being looked at
        self._sign.note("retry", reason, show="try_again" if self._visit is None else None)
        self._misread_due = now + self._config.checkin.show_seconds + ENROL_EVERY_SECONDS

    def _pressed(self, act: KioskAct | None = None) -> None:
        """The button without a badge: a face is looked for among those who agreed to that, where policy has it."""
        if self._visit is not None or not any_open(self._db):
            self._drop([act] if act is not None else [])
            return
        found = search.among(self._db, self._pack, self._eye.liveness is not None)
        if isinstance(found, str):
            self._sign.note("retry", found, show="see_proctor", also=lambda: self._take(act))
            return
        now = time.monotonic()
        visit = Visit(None, now + self._config.checkin.look_seconds, now, rules=found.rules, among=found.sessions)
        visit.entry, visit.told = checkins.newest(self._db), "search_look"
        self._eye.begin(visit)
        self._sign.show("look", visit.told, visit.shown)
        self._visit = visit
        self._drop([act] if act is not None else [])

    def _touched(self, act: KioskAct) -> None:
        """Carry out a touch and take it up, in one transaction; one that was meant for another visit does nothing."""
        visit = self._visit
        if act.act == "press":
            self._pressed(act)
        elif visit is None or visit.number != act.v:
            self._drop([act])
        elif act.act == "cancel":
            self._leave(visit, show=True, act=act)
        elif act.act == "decline":
            self._declined(visit, act)
        elif act.act == "consent" and visit.asking and visit.who is not None:
            with transaction(self._db):
                stands = sessions.find(self._db, visit.who.session).state in OPEN_STATES
                if stands:
                    self._consented(visit, visit.who, True, act)
                else:  # nobody asks any more
                    self._take(act)
            visit.asking, visit.agreed = not stands, stands
        else:
            self._drop([act])

    def _declined(self, visit: Visit, act: KioskAct) -> None:
        who = visit.who
        if who is None:  # nobody knows who it is, and nothing is asked of them
            self._end(visit, Decision("waiting", "button_no_badge"), also=lambda: self._take(act))
            return
        decision = Decision("waiting", "face_declined", "manual")
        self._settle(who, decision, also=lambda: self._consented(visit, who, False, act))

    def _consented(self, visit: Visit, who: people.Candidate, given: bool, act: KioskAct) -> None:
        """Within the transaction. Refusing stops the comparing at once; nothing is deleted on a badge's word alone.

        Each purpose asked for has its own answer; what was not touched is no. Declining is an answer to all of them.
        """
        said = notice()
        asked = purposes(self._db, who) if not given else (visit.asked or (ONE_TO_ONE,))
        for purpose in asked:
            agreed = given and (purpose == ONE_TO_ONE or purpose in act.purposes)
            people.set_consent(self._db, who.person, purpose, agreed, said.version, said.sha256, "kiosk")
            body = {"purpose": purpose, "given": agreed, "notice": said.version, "notice_sha256": said.sha256}
            ledger.append(self._db, "consent", body | {"via": "kiosk"}, subject=who.person, session=who.session)
        self._take(act)

    def _take(self, act: KioskAct | None) -> None:
        if act is not None:
            checkins.take_acts(self._db, act.id)

    def _drop(self, acts: list[KioskAct]) -> None:
        if acts:
            with transaction(self._db):
                self._take(acts[-1])

    def _leave(self, visit: Visit, *, show: bool = False, act: KioskAct | None = None) -> None:
        """A visit ends undecided: they went back or away, or somebody else came."""
        self._sign.note(
            "retry",
            "visit_left",
            visit=visit,
            show="ready" if show else None,
            says="kiosk_ready",
            also=lambda: self._take(act),
        )
        self._visit = None

    # ---- the look

    def _begin(self, who: people.Candidate, weak: bool, asked: Visit | None = None) -> None:
        template = None
        try:
            if self._pack is not None:
                template = read_template(self._db, self._pack, self._keys.data, who.person)
                if template is None and enrol_now(self._db, self._pack, self._keys.data, who.person):
                    template = read_template(self._db, self._pack, self._keys.data, who.person)
        except (VerificationFailed, BadInput):
            self._settle(who, Decision("waiting", "template_unreadable", "policy"))
            return
        if template is None:
            self._settle(who, Decision("waiting", "badge_weak", "manual") if weak else NO_TEMPLATE)
            return
        if self._pack is not None:
            other = search.twin(self._db, self._pack, self._keys.data, who, template)
            if other is not None:
                tell = partial(alarm, self._db, who, other, "face_two_names")
                self._settle(who, two_names("face_two_names"), also=tell)
                return
        now = time.monotonic()
        rules = rules_of(self._db, who)
        visit = Visit(who, now + self._config.checkin.look_seconds, now, template, rules, weak)
        visit.entry = checkins.newest(self._db)
        if asked is not None:
            visit.number, visit.entry = asked.number, asked.entry
        self._eye.begin(visit)
        self._sign.show("look", "look_here", visit.shown)
        self._visit = visit

    def _go_on(self, visit: Visit) -> None:
        now = time.monotonic()
        if self._is_over(visit):
            return
        if visit.asking and now > visit.until:
            self._leave(visit, show=True)
            return
        shown = checkins.shown(self._db)
        if shown is None or shown.v != visit.number:  # the kiosk is theirs while they stand there
            self._sign.show(*(("consent", "consent_wanted") if visit.asking else ("look", visit.told)), visit.shown)
        if visit.asking:
            return
        if visit.agreed and visit.who is not None:
            self._begin(visit.who, visit.weak, visit)
            return
        told = self._eye.look(visit) if not self._eye.has_enough(visit) else None
        if told is not None and told != visit.told:
            self._sign.show("look", told, visit.shown)
            visit.told = told
        if (why := alive.failed(visit)) is not None:
            self._unproven(visit, why)
        elif self._eye.blind(visit):  # before any decision: what was compared may have been a copy
            self._end(visit, Decision("waiting", "camera_blind", "policy"))
        elif self._eye.has_enough(visit):
            if not checkins.pending_acts(self._db):  # whoever declined while we compared is heard first
                self._decide(visit)
        elif now > visit.until:
            self._out_of_time(visit)

    def _is_over(self, visit: Visit) -> bool:
        """Whether something happened elsewhere that ends the visit, whatever is asked or looked at now."""
        who = visit.who
        if who is None:
            if not any_open(self._db):
                self._end(visit, Decision("refused", "checkin_closed"))
            return self._visit is None
        state = people.candidate(self._db, who.session, who.person).state
        given = people.consent(self._db, who.person, ONE_TO_ONE)
        if sessions.find(self._db, who.session).state not in OPEN_STATES:
            self._settle(who, Decision("refused", "checkin_closed"))
        elif state == "admitted":
            self._welcomed(who)
        elif state == "absent":
            self._settle(who, Decision("waiting", "marked_absent", "manual"))
        elif checkins.decided_since(self._db, who.session, who.person, visit.entry) is not None:
            self._sign.note("retry", "visit_overruled", visit=visit, show="see_proctor")
            self._visit = None
        elif given is False or (given is None and not visit.asking):  # withdrawn while we looked
            self._settle(who, Decision("waiting", "consent_withdrawn", "manual"))
        return self._visit is None

    def _welcomed(self, who: people.Candidate) -> None:
        """The proctor let them in meanwhile, and as a rule the kiosk says so already."""
        shown = checkins.shown(self._db)
        if shown is not None and shown.state == "welcome" and shown.is_of(who.session, who.number):
            self._visit = None
            self._sign.taken_over("welcome")
        else:
            self._settle(who, Decision("refused", "already_admitted"))

    def _decide(self, visit: Visit) -> None:
        if self._pack is None:
            return
        found = judge(self._db, self._pack, self._keys.data, visit, self._eye.alive(visit))
        who, decision = found.who, found.decision
        if decision.outcome == "retry":
            self._again(visit, decision.reason, found.score)
        elif who is None:
            self._end(visit, decision, found.score)
        elif found.other is not None:
            self._settle(who, decision, found.score, partial(alarm, self._db, who, found.other, decision.reason))
        else:
            kept = keeper(self._db, self._keys.data, visit, who) if decision.outcome == "admitted" else None
            self._settle(who, decision, found.score, kept)

    def _unproven(self, visit: Visit, reason: str) -> None:
        """The movements were not made as asked."""
        if not visit.retried:
            self._again(visit, reason, None)
            visit.since_mono_ms = clock.mono_ms() + READ_MS
        else:
            self._end(visit, liveness_failed())

    def _out_of_time(self, visit: Visit) -> None:
        """Log and board say what stood in the way; at the door it was said while it did, and now the proctor is."""
        if not visit.retried:
            self._again(visit, visit.hindrance or "face_unsure", None)
        else:
            why = visit.hindrance or "face_unsure_proctor"
            self._end(visit, Decision("waiting", why, "manual"), says="face_unsure_proctor")

    def _again(self, visit: Visit, reason: str, score: float | None) -> None:
        """One more look, once a visit."""
        self._sign.note("retry", reason, visit=visit, score=score, show="look")
        visit.seen.clear()
        visit.challenge, visit.told, visit.hindrance = None, reason, "face_none"
        visit.retried = True
        visit.until = time.monotonic() + self._config.checkin.look_seconds

    # ---- telling

    def _settle(
        self,
        who: people.Candidate | None,
        decision: Decision,
        score: float | None = None,
        also: Callable[[], None] | None = None,
        says: str | None = None,
    ) -> None:
        since = self._visit.entry if self._visit is not None else None
        self._sign.settle(who, decision, score, also, since, says)
        self._visit = None

    def _end(
        self,
        visit: Visit,
        decision: Decision,
        score: float | None = None,
        also: Callable[[], None] | None = None,
        says: str | None = None,
    ) -> None:
        """A visit ends; one of somebody unknown settles nothing for anybody. `says`: what the kiosk says instead."""
        if visit.who is not None:
            self._settle(visit.who, decision, score, also, says)
            return
        show = "try_again" if decision.reason == "search_ambiguous" else "see_proctor"
        self._sign.note("retry", decision.reason, visit=visit, score=score, show=show, says=says, also=also)
        self._visit = None

    def _rest(self) -> None:
        """Nobody at the door: the sentence of the last visit stays a while, then the door is ready or closed."""
        now = time.monotonic()
        if self._sign.lingers(now):
            return
        version = data_version(self._db)
        if self._sign.state not in PASSING and version == self._version and now < self._enrol_due:
            return
        shown = checkins.shown(self._db)
        if shown is not None and shown.state in PASSING and self._sign.fresh(shown, now):
            return
        if now >= self._enrol_due:
            more = self._pack is not None and enrol_next(self._db, self._pack, self._keys.data)
            if self._roster is not None:
                self._roster.go_on()
            self._enrol_due = now + (ENROL_PAUSE_SECONDS if more else ENROL_EVERY_SECONDS)
        self.lack = None if self._eye.liveness is not None else lacks_liveness(self._db)
        state, reason = ("ready", "kiosk_ready") if any_open(self._db) else ("closed", "checkin_closed")
        reader = self._reader.state()
        if state == "ready" and reader.fault is not None:  # of several, the others go on
            state, reason = ("ready", "kiosk_ready_partly") if reader.present else ("fault", reader.fault)
        self._sign.reader_fault(reader.fault is not None)
        if shown is None or (shown.state, shown.reason) != (state, reason) or self._sign.state != state:
            self._sign.show(state, reason)
        self._version = version

    def recording_fault(self, on: bool) -> None:
        """See `Sign.recording_fault`."""
        self._sign.recording_fault(on)

    @property
    def state(self) -> str:
        return self._sign.state
