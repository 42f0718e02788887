"""What the door says, on the kiosk and on the panel, each time in one transaction with what it says it of."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any

from edge.checkin.visit import Visit, facts_shown
from edge.domain.admission import Decision
from edge.errors import Conflict, ExamroomError, Unavailable
from edge.hardware.panel import Panel, Pattern
from edge.store import admissions, checkins, people
from edge.store.checkins import KioskState
from edge.store.db import transaction

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
PASSING = ("welcome", "see_proctor", "refused", "try_again")
"""What stays a while and then gives way."""
_AT_REST = ("ready", "closed")


class Sign:
    """The kiosk and the panel as the door last set them. Every method that writes raises Unavailable for the store:
    then nothing was written, and nothing has changed here either."""

    def __init__(self, connection: sqlite3.Connection, panel: Panel, camera: str, show_seconds: float) -> None:
        self._db = connection
        self._panel = panel
        self._camera = camera
        self._show_seconds = show_seconds
        self.state, self._shown_at = "", 0.0
        self._recording_fault = self._reader_fault = False
        self._seen: tuple[KioskState | None, float] = (None, 0.0)

    def recording_fault(self, on: bool) -> None:
        """Whether a camera does not record as it should: the lamp says so while nobody stands at the door."""
        if on != self._recording_fault:
            self._recording_fault = on
            if self.state in _AT_REST:
                self._panel.show(self._pattern(self.state))

    def reader_fault(self, on: bool) -> None:
        """Whether a reader that is wanted is not there: the lamp says so while the door is ready."""
        if on != self._reader_fault:
            self._reader_fault = on
            if self.state == "ready":
                self._panel.show(self._pattern(self.state))

    def show(self, state: str, reason: str, facts: Mapping[str, Any] | None = None) -> None:
        with transaction(self._db):
            shown = checkins.show(self._db, state, reason, dict(facts or {}))
        self._stands(shown)

    def note(
        self,
        outcome: str,
        reason: str,
        *,
        visit: Visit | None = None,
        score: float | None = None,
        show: str | None = None,
        says: str | None = None,
        also: Callable[[], None] | None = None,
    ) -> None:
        """What happened without settling anything: an entry, and where `show` is a state, the kiosk's.

        `says`: another sentence than the entry's for the kiosk; `also` runs in the transaction too.
        """
        shown: list[KioskState] = []

        def then(_outcome: str, _reason: str) -> None:
            if also is not None:
                also()
            if show is not None:
                facts = visit.shown if visit is not None and show == "look" else {}
                shown.append(checkins.show(self._db, show, says or reason, facts))

        admissions.note(
            self._db,
            outcome,
            reason,
            session=visit.session if visit else None,
            person=visit.who.person if visit and visit.who else None,
            camera=self._camera if visit else None,
            score=score,
            then=then,
        )
        for state in shown:
            self._stands(state)

    def settle(
        self,
        who: people.Candidate | None,
        decision: Decision,
        score: float | None = None,
        also: Callable[[], None] | None = None,
        since: int | None = None,
        says: str | None = None,
    ) -> None:
        """The end of a visit: the decision, its entry and what is told of it; `also` runs in the transaction too.

        `since`: the last entry when the visit began. Nobody enters whom a proctor has sent away since. `says`: another
        sentence than the decision's for the kiosk.
        """
        if decision.outcome == "admitted" and who is not None:
            try:
                self._admit(who, decision, score, also, since)
            except Unavailable:
                raise
            except ExamroomError as error:  # the rules say no, whatever the camera says
                self.settle(who, Decision("waiting", error.code, "manual"))
            return
        shown: list[KioskState] = []

        def then(outcome: str, reason: str) -> None:
            if also is not None:
                also()
            facts = facts_shown(people.candidate(self._db, who.session, who.person)) if who else {}
            state = "see_proctor" if outcome == "waiting" else "refused"
            told = says if says is not None and reason == decision.reason else reason
            shown.append(checkins.show(self._db, state, told, facts))

        admissions.note(
            self._db,
            decision.outcome,
            decision.reason,
            session=who.session if who else None,
            person=who.person if who else None,
            route=decision.route,
            camera=self._camera,
            score=score,
            then=then,
        )
        self._stands(shown[0])

    def _admit(
        self,
        who: people.Candidate,
        decision: Decision,
        score: float | None,
        also: Callable[[], None] | None,
        since: int | None,
    ) -> None:
        """The seat code is on the kiosk as soon as it is theirs, whenever this process ends."""
        shown: list[KioskState] = []

        def undecided() -> None:
            if since is not None and checkins.decided_since(self._db, who.session, who.person, since) is not None:
                raise Conflict("visit_overruled")

        def then(_before: people.Candidate, after: people.Candidate) -> None:
            if also is not None:
                also()
            facts = facts_shown(after) | {"seat_code": after.seat_code}
            shown.append(checkins.show(self._db, "welcome", "welcome", facts))

        admissions.admit(
            self._db,
            who.session,
            who.person,
            route=decision.route or "face",
            reason=decision.reason,
            by=None,
            camera=self._camera,
            score=score,
            first=undecided,
            then=then,
        )
        self._stands(shown[0])

    def taken_over(self, state: str) -> None:
        """Somebody else has shown `state` on the kiosk just now."""
        self.state, self._shown_at = state, time.monotonic()
        self._seen = checkins.shown(self._db), self._shown_at

    def lingers(self, now: float) -> bool:
        """Whether the sentence of the last visit still has its while."""
        return self.state in PASSING and now - self._shown_at < self._show_seconds

    def fresh(self, shown: KioskState, now: float) -> bool:
        """Whether it was first seen a short while ago: the proctor shows things too, and wall clocks are set."""
        seen, at = self._seen
        if seen is None or (shown.at_ms, shown.state) != (seen.at_ms, seen.state):
            self._seen = shown, now
            return True
        return now - at < self._show_seconds

    def _stands(self, shown: KioskState) -> None:
        """It has committed: the panel follows, and it stays for its while."""
        if shown.state != self.state:
            self._panel.show(self._pattern(shown.state))
        self.state, self._shown_at = shown.state, time.monotonic()
        self._seen = shown, self._shown_at

    def _pattern(self, state: str) -> Pattern:
        if self._recording_fault and state in _AT_REST:
            return Pattern.RECORDING_FAULT
        return Pattern.FAULT if self._reader_fault and state == "ready" else _PATTERNS[state]
