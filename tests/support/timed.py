"""A started exam whose time the test holds in its hand: monotonic clock, wall clock and boot are what it says."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from edge import clock
from edge.bank.model import BankDocument
from edge.clock import TimeQuality
from edge.domain.canonical import canonical_text
from edge.exam import conduct, timeacts
from edge.exam.banks import open_bank
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.exam.sittings import Sitting
from edge.store import admissions, people, sessions
from support.rooms import DeskRoom, TabletHand

BY = "P-001"
MINUTE = 60_000


@dataclass
class HeldTime:
    """What `edge.clock` says, until the test moves it."""

    mono: int = 1_000_000
    wall: int = field(default_factory=clock.wall_ms)
    boot: str = "boot-1"
    quality: TimeQuality = TimeQuality.SYNCHRONISED

    def hold(self, monkeypatch: pytest.MonkeyPatch) -> HeldTime:
        monkeypatch.setattr(clock, "mono_ms", lambda: self.mono)
        monkeypatch.setattr(clock, "wall_ms", lambda: self.wall)
        monkeypatch.setattr(clock, "boot_id", lambda: self.boot)
        monkeypatch.setattr(clock, "quality", lambda: self.quality)
        return self

    def go(self, ms: int) -> None:
        self.mono += ms
        self.wall += ms


class CountedJournal(AnswerJournal):
    """Counts what is submitted; each piece of work is a commit when nobody else waits."""

    submitted = 0

    def submit(self, *work: Any, **options: Any) -> Any:
        self.submitted += 1
        return super().submit(*work, **options)


@dataclass
class TimedExam:
    """A desk room's session, and the one process that serves it."""

    desk: DeskRoom
    time: HeldTime
    bank: BankDocument
    journal: CountedJournal
    live: LiveExam

    @classmethod
    def open(cls, desk: DeskRoom, time: HeldTime, admit: int = 5, parts: tuple[int | None, ...] = ()) -> TimedExam:
        """Check-in opened, some let in, not started. `parts`: minutes of the papers' parts, in their order."""
        bank = open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
        if parts:
            blueprint = json.loads(json.dumps(sessions.find(desk.db, desk.session).blueprint))
            for part, minutes in zip(blueprint["parts"], parts, strict=True):
                part["minutes"] = minutes
            desk.db.execute("UPDATE sessions SET blueprint = ?", (canonical_text(blueprint),))
        conduct.open_checkin(desk.db, desk.session, bank, BY)
        journal = CountedJournal(desk.config.paths.answers_db)
        exam = cls(desk, time, bank, journal, LiveExam(journal, lambda s: bank))
        for number in range(1, admit + 1):
            exam.admit(number)
        return exam

    def admit(self, number: int, late: bool = False) -> None:
        person = self.person(number)
        facts: dict[str, Any] = {"route": "policy", "reason": "admitted_manual", "by": BY, "late": late}
        admissions.admit(self.desk.db, self.desk.session, person, **facts)
        self.refresh()

    def start(self) -> None:
        conduct.start(self.desk.db, self.desk.session, BY)
        self.live.set_running(self.desk.session, True)
        self.refresh()

    def restart(self) -> None:
        """As after a kill: nothing but the files is left."""
        self.journal.close()
        self.journal = CountedJournal(self.desk.config.paths.answers_db)
        self.live = LiveExam(self.journal, lambda s: self.bank)
        self.refresh()

    def refresh(self) -> None:
        self.live.refresh(self.desk.db)

    def go(self, ms: int, step: int = 1000) -> None:
        """Time passes with the room's ticks in it."""
        while ms > 0:
            self.time.go(min(step, ms))
            ms -= step
            self.live.tick()

    def jump(self, minutes: float) -> None:
        """The exam clock is further on, as if it had been ticked all the way."""

        ms = round(minutes * MINUTE)
        self.live.clocks.change(self.desk.session, lambda now: replace(now, elapsed_ms=now.elapsed_ms + ms))

    def write_behind(self) -> None:
        timeacts.write_behind(self.live, self.journal, self.desk.db)

    def person(self, number: int) -> str:
        return next(c.person for c in people.candidates(self.desk.db, self.desk.session) if c.number == number)

    def hand(self, number: int) -> TabletHand:
        code = people.candidate(self.desk.db, self.desk.session, self.person(number)).seat_code
        assert code is not None
        hand = TabletHand(self.live, code)
        self.live.clocks.heard(hand.tablet.binding.tablet)
        return hand

    def sitting(self, number: int) -> Sitting:
        return next(s for s in self.live.sittings(self.desk.session) if s.candidate.number == number)

    def poll(self, number: int) -> dict[str, Any]:
        return self.live.clock(self.sitting(number))

    def left(self, number: int) -> int:
        return self.live.left(self.sitting(number))

    def singles(self, number: int, part: int | None = None) -> list[str]:
        """Single-choice items of this paper, of one part where given."""
        sitting = self.sitting(number)
        found = [i for i, (kind, _) in sitting.options.items() if kind == "single"]
        return [i for i in found if part is None or sitting.part_of[i] == part]


def set_policy(db: sqlite3.Connection, session: str, **rules: Any) -> None:
    """Before check-in: the session's signed rules, as another province would have written them."""
    policy = dict(sessions.find(db, session).policy) | rules
    db.execute("UPDATE sessions SET policy = ? WHERE id = ?", (canonical_text(policy), session))
