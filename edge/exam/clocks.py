"""The server's clocks: one for each exam, one for each candidate who needs their own, and what they say of an answer.

Everything here is held in memory and written to answers.db by the group commit; nothing waits for the room store. A
part with a limit counts from when the candidate opens it. An answer to a part that was never opened opens it: the
answer is worth more than the missing word, and the part's clock runs from then at the latest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edge import clock
from edge.domain.timing import (
    Contact,
    ExamClock,
    Limits,
    Opened,
    OwnClock,
    Reboot,
    in_pause,
    jitter_ms,
    outage_between,
    ruling,
    state_of,
)
from edge.exam.journal import AnswerJournal
from edge.store import timing as rows

OUTAGE_MS = 5_000
"""A running clock is written every second; silence from here on is an outage."""


@dataclass(frozen=True)
class Judged:
    """What the clocks say of one operation. `opens`: the part it opens, and when.

    `for_time`: a hand-in that only the end of the time brought about; more time takes it back, as it does the room's.
    """

    elapsed_ms: int
    own_ms: int
    late: bool
    grace: bool
    opens: tuple[int, Opened] | None = None
    for_time: bool = False
    flag: str | None = None
    """As in `edge.store.journal.Recorded`."""


class ExamClocks:
    """One a process. Every method may be called from any thread; times are milliseconds."""

    def __init__(self, journal: AnswerJournal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._change_lock = threading.Lock()
        self._clocks: dict[str, ExamClock] = journal.submit(rows.clocks)
        self._own: dict[str, OwnClock] = journal.submit(rows.own_clocks)
        self._opened: dict[str, dict[int, Opened]] = journal.submit(rows.parts_opened)
        self._reboots: dict[str, Reboot] = journal.submit(rows.reboots)
        self._contacts: dict[str, Contact] = {}
        self._told_paused: dict[str, int] = {}
        self._written: set[str] = set()
        self.outages_wait = threading.Event()
        """Set while there may be outages that the room store has not heard of."""
        self.outages_wait.set()

    # ---- the room's clock

    def elapsed(self, session: str) -> int:
        return self._clock(session).elapsed(clock.boot_id(), clock.mono_ms())

    def running(self, session: str) -> bool:
        return self._clock(session).running

    def known(self, session: str) -> bool:
        """Whether this clock was ever started."""
        with self._lock:
            return session in self._clocks

    def last_op(self, session: str) -> str | None:
        """The act that last started or stopped this clock."""
        return self._clock(session).op_id

    def set_running(self, session: str, running: bool, op_id: str | None = None) -> None:
        """Start, pause or resume; on disk when this returns."""

        def change(value: ExamClock) -> ExamClock:
            return replace(value.set_running(running, clock.boot_id(), clock.mono_ms()), op_id=op_id)

        self.change(session, change)

    def tick(self) -> None:
        """Write running clocks down: one commit for each exam that runs."""
        for session, value in list(self._clocks.items()):
            if value.running:
                self.change(session, lambda now: now.tick(clock.boot_id(), clock.mono_ms()))

    def change(self, session: str, change: Callable[[ExamClock], ExamClock]) -> None:
        """One change at a time, from reading to disk: a tick must not write over a pause that was faster.

        A gap since the clock was last written is measured here, and kept in the same commit.
        """
        with self._change_lock:
            before = self._clock(session)
            outage = outage_between(
                before,
                clock.boot_id(),
                clock.mono_ms(),
                clock.wall_ms(),
                wall_held=clock.quality().held,
                own=session in self._written,
                at_least_ms=OUTAGE_MS,
            )
            value = replace(change(before), wall_ms=clock.wall_ms())

            def work(connection: Any) -> None:
                rows.save_clock(connection, session, value)
                if outage is not None:
                    rows.add_outage(connection, session, outage)

            self._journal.submit(work, keeps=True)
            with self._lock:
                self._clocks[session] = value
                self._written.add(session)
                if outage is not None and outage.cause == "reboot":
                    self._reboots[session] = Reboot(value.mono_ms, outage.ms)
            if outage is not None:
                self.outages_wait.set()

    def _clock(self, session: str) -> ExamClock:
        with self._lock:
            return self._clocks.get(session) or ExamClock(0, False, clock.boot_id(), clock.mono_ms())

    # ---- one candidate's

    def of(self, attempt: str) -> OwnClock:
        with self._lock:
            return self._own.get(attempt, OwnClock())

    def own(self, attempt: str, session: str) -> int:
        """The candidate's own time by now."""
        return self.of(attempt).own(self.elapsed(session))

    def pause(self, attempt: str, session: str, paused: bool, op_id: str | None = None) -> None:
        """Stop one candidate's time, or let it go on; on disk when this returns. No change where it is so already."""
        with self._change_lock:
            at, before = self.elapsed(session), self.of(attempt)
            self._save_own({attempt: before.pause(at, op_id) if paused else before.resume(at, op_id)})

    def note_late(self, attempts: Mapping[str, str]) -> None:
        """Start the full time of people who came in late: {attempt: session}, each counted once."""
        with self._change_lock:
            fresh = {a: s for a, s in attempts.items() if self.of(a).late_ms is None}
            if fresh:
                self._save_own({a: replace(self.of(a), late_ms=self.elapsed(s)) for a, s in fresh.items()})

    def forget_late(self, attempt: str) -> None:
        """Whose admission was taken back comes in anew: their full time has not begun."""
        with self._change_lock:
            own = self.of(attempt)
            if own.late_ms is not None:
                self._save_own({attempt: replace(own, late_ms=None)})

    def reopen(self, attempts: Mapping[str, tuple[str, Limits]]) -> None:
        """Take back the room's own hand-ins, {attempt: (session, limits so far)}, in one commit.

        What passed since their time was over is not theirs: time added now is theirs in full.
        """
        with self._change_lock:
            changed = {
                attempt: self.of(attempt).forgive(self.own(attempt, session) - limits.end_ms)
                for attempt, (session, limits) in attempts.items()
            }

            def work(connection: Any) -> None:
                rows.reopen(connection, list(attempts))
                rows.save_own(connection, changed)

            self._journal.submit(work)
            with self._lock:
                self._own.update(changed)

    def _save_own(self, changed: Mapping[str, OwnClock]) -> None:
        self._journal.submit(lambda c: rows.save_own(c, changed), keeps=True)
        with self._lock:
            self._own.update(changed)

    # ---- what is left, and what comes too late

    def left(self, attempt: str, session: str, limits: Limits) -> int:
        return limits.left(self.own(attempt, session))

    def over(self, attempt: str, session: str, limits: Limits) -> bool:
        """Whether the exam is over for this candidate, grace included."""
        return self.own(attempt, session) >= limits.end_ms + limits.grace_ms

    def grace_left(self, attempt: str, session: str, limits: Limits) -> int:
        """What is left of the grace, once the exam is over for this candidate."""
        own = self.own(attempt, session)
        return max(0, limits.end_ms + limits.grace_ms - own) if own >= limits.end_ms else 0

    def part_ends(self, attempt: str, limits: Limits) -> dict[int, int]:
        """Own time at which each opened part with a limit is over."""
        with self._lock:
            opened = dict(self._opened.get(attempt, {}))
        ends = {index: limits.part_end(index, at, self.of(attempt)) for index, at in sorted(opened.items())}
        return {index: end for index, end in ends.items() if end is not None}

    def part_used(self, attempt: str, session: str, limits: Limits, part: int) -> int:
        """How much of part `part` this candidate has used, while it is open; 0 before, and once its time is over."""
        with self._lock:
            opened = self._opened.get(attempt, {}).get(part)
        if opened is None:
            return 0
        own, end = self.own(attempt, session), self.part_ends(attempt, limits).get(part)
        return 0 if end is not None and own >= end else max(0, own - opened.own_ms)

    def parts_left(self, attempt: str, session: str, limits: Limits) -> dict[int, int]:
        """What is left of each opened part with a limit."""
        own = self.own(attempt, session)
        return {index: max(0, end - own) for index, end in self.part_ends(attempt, limits).items()}

    def poll(self, attempt: str, session: str, session_state: str, limits: Limits, handed_in: bool) -> dict[str, Any]:
        """A tablet's clock: "s", "left", "now"; "p" left of parts, "g" grace still open, "j" jitter of the hand-in."""
        own_clock = self.of(attempt)
        own = own_clock.own(self.elapsed(session))
        left = limits.left(own)
        running = self.running(session) and not own_clock.paused
        state = state_of(session_state, running, left, handed_in)
        found: dict[str, Any] = {"s": state, "left": left, "now": clock.wall_ms()}
        if state in ("running", "paused"):
            if parts := self.parts_left(attempt, session, limits):
                found["p"] = {str(index): ms for index, ms in parts.items()}
            found["j"] = jitter_ms(attempt, limits.grace_ms)
        elif state == "closed" and session_state == "running" and own < limits.end_ms + limits.grace_ms:
            found["g"] = limits.end_ms + limits.grace_ms - own
            found["j"] = jitter_ms(attempt, limits.grace_ms)
        return found

    def told_paused(self, attempt: str, session: str) -> None:
        """From now on this candidate's tablet knows of the pause it is in."""
        since, told = self._paused_since(attempt, session), self._told_paused.get(attempt)
        if since is not None and (told is None or told < since):
            self._told_paused[attempt] = clock.mono_ms()

    def heard(self, tablet: str) -> None:
        """A tablet asked for something: how long it had been silent bounds what it may say of its answers' age."""
        now = clock.mono_ms()
        with self._lock:
            before = self._contacts.get(tablet)
            self._contacts[tablet] = before.hear(now) if before else Contact.first(now)

    def judge(
        self,
        attempt: str,
        session: str,
        limits: Limits,
        *,
        tablet: str,
        kind: str,
        part: int | None,
        age_ms: int | None,
    ) -> Judged:
        """Whether an operation that has just arrived is in time. `part`: of the answer's item, or the part to open."""
        elapsed, now = self.elapsed(session), clock.mono_ms()
        own_clock = self.of(attempt)
        own = own_clock.own(elapsed)
        with self._lock:
            contact = self._contacts.get(tablet)
            opened = self._opened.get(attempt, {}).get(part) if part is not None else None
        if age_ms is not None and contact is not None and not contact.believes(now, age_ms):
            age_ms = None
        if kind == "handin":  # within the grace it changes no answer: mostly the page's own, after its jitter
            late, after = own >= limits.end_ms + limits.grace_ms, own >= limits.end_ms
            return Judged(elapsed, own, late, after, for_time=own - (age_ms or 0) >= limits.end_ms)
        opens, end = None, limits.end_ms
        if part is not None and opened is None and (kind == "part" or _limited(limits, part)):
            opened = Opened(max(0, elapsed - (age_ms or 0)), max(0, own - (age_ms or 0)))
            opens = (part, opened)
        if part is not None and opened is not None and kind == "answer":
            part_end = limits.part_end(part, opened, own_clock)
            end = end if part_end is None else part_end
        # what was given within a part's time but out of reach comes in, flagged, as long as the exam takes answers
        word = ruling(own, end, limits.end_ms + limits.grace_ms - end, age_ms)
        if word == "late":
            return Judged(elapsed, own, True, False)
        flag = self._flag(attempt, session, contact, age_ms)
        if flag == "paused":
            return Judged(elapsed, own, True, False, flag=flag)
        return Judged(elapsed, own, False, word == "grace", opens, flag=flag)

    def _flag(self, attempt: str, session: str, contact: Contact | None, age_ms: int | None) -> str | None:
        """What is to be said of an answer that is in time: given in a pause, or while the power was off."""
        now, since = clock.mono_ms(), self._paused_since(attempt, session)
        if since is not None:
            word = in_pause(now, since, self._told_paused.get(attempt), contact, age_ms)
            if word is not None:
                return word
        with self._lock:
            reboot = self._reboots.get(session)
        return "outage" if reboot is not None and reboot.covers(now, age_ms or 0) else None

    def _paused_since(self, attempt: str, session: str) -> int | None:
        """Since when, by the monotonic clock, this candidate has been paused, by the room or alone; None: is not."""
        if not self.known(session):
            return None
        value, own, now = self._clock(session), self.of(attempt), clock.mono_ms()
        # written when it stopped; in a boot before this one, the wall clock has to say how long ago
        here = value.boot_id == clock.boot_id()
        written = value.mono_ms if here else min(0, now - max(0, clock.wall_ms() - value.wall_ms))
        began = [] if value.running else [written]
        if own.paused_at_ms is not None:
            began.append((now if value.running else written) - (self.elapsed(session) - own.paused_at_ms))
        return min(began, default=None)

    def opened(self, attempt: str, part: int, at: Opened) -> None:
        """What the journal has just kept."""
        with self._lock:
            self._opened[attempt] = {**self._opened.get(attempt, {}), part: at}


def _limited(limits: Limits, part: int) -> bool:
    return part < len(limits.parts) and limits.parts[part] is not None
