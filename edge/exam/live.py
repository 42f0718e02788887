"""The exam while it runs: seat codes, tablets, papers, answers, the clock. Nothing here waits for the room store.

What a tablet needs is held in memory, read from room.db when it has changed; what a tablet says goes to answers.db
through the group commit. So another process stopped in mid-transaction can hold up the console, never an answer.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from edge.bank.model import BankDocument, MediaFile
from edge.domain.canonical import canonical_text
from edge.domain.timing import Opened
from edge.errors import BadInput, Conflict, NotFound, NotSignedIn, Refused
from edge.exam.clocks import ExamClocks, Judged
from edge.exam.journal import AnswerJournal, Pending
from edge.exam.papers import Index, checked_value, index, media_file, page_parts
from edge.exam.sittings import Sitting, Sittings
from edge.exam.tally import Tally
from edge.store import journal as rows
from edge.store import sessions, timing, undoing
from edge.store.saving import Asked

BankOf = Callable[[sessions.Session], BankDocument]


@dataclass(frozen=True)
class Tablet:
    """A tablet that has claimed a seat, and the sitting it writes to."""

    binding: rows.Binding
    sitting: Sitting


class OtherDevice(Refused):
    """A good cookie, from another device than the one that claimed the seat with it."""

    def __init__(self, binding: rows.Binding) -> None:
        super().__init__("tablet_other")
        self.binding = binding


class LiveExam:
    """Owned by `web`, one a process. Every public method may be called from any thread."""

    def __init__(self, journal: AnswerJournal, bank_of: BankOf) -> None:
        self._journal = journal
        self._bank_of = bank_of
        self._lock = threading.Lock()
        self._refresh_lock = threading.Lock()
        self._bank_lock = threading.Lock()
        self._releases = 0
        self._reader = Sittings()
        self._sittings: dict[str, Sitting] = {}
        self._banks: dict[str, Index] = {}
        self._bindings: dict[str, rows.Binding] = {}
        self._handed_in = journal.submit(rows.all_handins)
        self._closed_for_time = journal.submit(timing.closed_for_time)
        self._held: frozenset[str] = frozenset()
        self._giving_lock = threading.Lock()
        self._closing_lock = threading.Lock()
        self.clocks, self.tally = ExamClocks(journal), Tally()
        self.version = 0
        self.other_devices = journal.submit(rows.other_devices)
        """Attempts whose cookie was used on a second device, until the proctor lets the tablet go."""

    def note_other_device(self, binding: rows.Binding) -> tuple[Sitting, bool] | None:
        """Whose seat it is, and whether this is the first time; None for one that holds no seat."""
        if not binding.active:
            return None
        first = self._journal.submit(lambda c: rows.note_other_device(c, binding.id), keeps=True)
        self.other_devices.add(binding.attempt)
        return self._sitting(binding.attempt), first

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Take over what room.db says of the sessions that are open: one reader at a time, one snapshot each."""
        with self._refresh_lock:
            connection.execute("BEGIN")
            try:
                found = self._reader.read(connection)
            finally:
                connection.execute("COMMIT")
            with self._lock:
                self._sittings = found
                self.version += 1
        running = [s for s in found.values() if s.limits.late_full and s.session.state == "running"]
        self.clocks.note_late({s.id: s.session.id for s in running if s.candidate.state == "admitted"})

    # ---- a tablet becomes a candidate's

    def claim(self, code: str, own_secret: str | None = None, device: str | None = None) -> tuple[str, Tablet]:
        """(secret for the tablet's cookie, the tablet). NotFound for a wrong code, Conflict when another is active.

        With the same `own_secret`, `device` and code again: the same tablet again.
        """
        sitting = next(
            (s for s in self.all_sittings() if s.candidate.seat_code == code and s.session.state != "closed"), None
        )
        if sitting is None or sitting.candidate.state not in ("admitted", "finished"):
            raise NotFound("seat_code_wrong")
        secret, tablet = own_secret or secrets.token_urlsafe(24), secrets.token_hex(8)
        hashed = _hash(secret)
        binding = self._journal.submit(lambda c: rows.bind(c, sitting.id, tablet, hashed, device))
        with self._lock:
            self._bindings[hashed] = binding
        return secret, Tablet(binding, sitting)

    def attempt_of(self, code: str) -> str | None:
        """The attempt behind a seat code, or None."""
        return next((s.id for s in self.all_sittings() if s.candidate.seat_code == code), None)

    def tablet(self, secret: str, device: str | None = None, released: bool = False) -> Tablet:
        """The tablet behind a cookie. NotSignedIn when there is none, Refused when the exam has moved elsewhere.

        `device`: what the page calls itself; Refused when that is not who claimed the seat. `released`: a tablet whose
        exam has moved is meant, too.
        """
        hashed = _hash(secret)
        with self._lock:
            binding, releases = self._bindings.get(hashed), self._releases
        if binding is None:
            binding = self._journal.submit(lambda c: rows.binding_of(c, hashed))
            if binding is None:
                raise NotSignedIn("tablet_unknown")
            with self._lock:
                if releases == self._releases:  # a release meanwhile may have been this one's
                    self._bindings[hashed] = binding
        if binding.device is not None and binding.device != device:
            raise OtherDevice(binding)
        if not binding.active and not released:
            raise Refused("tablet_released")
        return Tablet(binding, self._sitting(binding.attempt))

    def release(self, attempt: str) -> bool:
        """Let another tablet claim this seat."""
        released = self._journal.submit(lambda c: rows.release(c, attempt))
        with self._lock:
            self._releases += 1
            self.other_devices.discard(attempt)
            for hashed in [h for h, b in self._bindings.items() if b.attempt == attempt]:
                del self._bindings[hashed]
        return released

    # ---- what a tablet asks

    def paper(self, tablet: Tablet) -> dict[str, Any]:
        """The paper as this candidate sees it: letters in the drawn order, no key, no source; answers so far."""
        sitting = tablet.sitting
        self._may_see(sitting)
        bank = self._items(sitting.session)
        parts = page_parts(sitting.attempt.paper, bank)
        lefts = self.clocks.parts_left(sitting.id, sitting.session.id, sitting.limits)
        for number, part in enumerate(parts):
            part["left_ms"] = lefts.get(number)
        attempt, device = sitting.id, tablet.binding.tablet
        saved, next_seq = self._journal.submit(
            lambda c: (rows.responses(c, attempt), rows.next_seq(c, attempt, device))
        )
        responses = {i: {"version": r.version, "value": r.value, "at_ms": r.at_ms} for i, r in saved.items()}
        return {"parts": parts, "responses": responses, "next_seq": next_seq}

    def media(self, tablet: Tablet, name: str) -> MediaFile:
        """A file of this candidate's paper, while the paper may be seen; NotFound for every other name."""
        sitting = tablet.sitting
        self._may_see(sitting)
        return media_file(sitting.attempt.paper, self._items(sitting.session), name)

    def _may_see(self, sitting: Sitting) -> None:
        """Conflict before the start and after the hand-in."""
        state = self.clock(sitting)["s"]
        if state == "waiting":
            raise Conflict("exam_not_started")
        if state == "done":
            raise Conflict("already_finished")

    def clock(self, sitting: Sitting) -> dict[str, Any]:
        """{"s": state, "left": ms, "now": server's wall ms, "v": changes when limits do}, and what else applies.

        "k" stands for what staff have set for this person's paper, and is left out where they have not.
        """
        handed_in = sitting.id in self._handed_in
        found = self.clocks.poll(sitting.id, sitting.session.id, sitting.session.state, sitting.limits, handed_in)
        wanted = {"k": zlib.crc32(canonical_text(dict(sitting.settings)).encode())} if sitting.settings else {}
        return found | {"v": self.version} | wanted

    def tell_clock(self, sitting: Sitting) -> dict[str, Any]:
        """As `clock`, for the candidate's own tablet: from then on it knows of a pause."""
        found = self.clock(sitting)
        if found["s"] == "paused":
            self.clocks.told_paused(sitting.id, sitting.session.id)
        return found

    def left(self, sitting: Sitting) -> int:
        return self.clocks.left(sitting.id, sitting.session.id, sitting.limits)

    def save(self, tablet: Tablet, op: rows.Operation) -> rows.Recorded:
        """Keep one operation; what comes back is on disk. BadInput for what is not on this paper."""
        sitting = tablet.sitting
        op, judged = self.admissible(tablet, op)
        asked = _asked(sitting, op, judged)
        if op.kind == "answer" and judged.opens is None:
            return self._journal.save(asked)
        by = "room" if judged.for_time else "candidate"

        def work(connection: sqlite3.Connection) -> tuple[rows.Recorded, Opened | None, tuple[int, str] | None]:
            kept = rows.record(connection, *asked[:-1], by, asked.flag)
            opened = standing = None
            active = rows.is_active(connection, op.attempt, op.tablet)
            if judged.opens is not None and kept.outcome != "late" and active:
                opened = timing.open_part(connection, sitting.id, *judged.opens)
            if op.kind == "handin":
                standing = timing.handed_in_by(connection, sitting.id)
            return kept, opened, standing

        recorded, opened, standing = self._journal.submit(work)
        if judged.opens is not None and opened is not None:
            self.clocks.opened(sitting.id, judged.opens[0], opened)
        if standing is not None:  # not so for the repeat of a hand-in that has been taken back since
            self._handed_in[sitting.id] = standing[0]
            if standing[1] == "room":
                self._closed_for_time.add(sitting.id)
        return recorded

    def begin(self, tablet: Tablet, op: rows.Operation) -> Pending | None:
        """As `save`, for an answer in the ordinary course and without waiting for the disk; None for anything else."""
        op, judged = self.admissible(tablet, op)
        if op.kind != "answer" or judged.opens is not None:
            return None
        return self._journal.begin(_asked(tablet.sitting, op, judged))

    def admissible(self, tablet: Tablet, op: rows.Operation) -> tuple[rows.Operation, Judged]:
        """The operation in the form in which it is kept, and what the clocks say of it. BadInput or Conflict if not."""
        if op.op_id.startswith(rows.ROOM_OPS):
            raise Conflict("op_id_reused")  # the room's own are its word that something was done
        if op.kind == "answer":
            value = checked_value(tablet.sitting.options, op.item, op.value)
            op = op if value == op.value else replace(op, value=value)
        return op, self._judge(tablet, op)

    def _judge(self, tablet: Tablet, op: rows.Operation) -> Judged:
        """What the clocks say of an operation. Conflict before the start, or for a hand-in that comes too early."""
        sitting = tablet.sitting
        session, limits = sitting.session, sitting.limits
        if session.state in ("planned", "checkin"):
            raise Conflict("exam_not_started")
        part = sitting.part_of.get(op.item) if op.kind == "answer" else None
        if op.kind == "part":
            part = int(op.value[0])
            if part >= len(limits.parts):
                raise BadInput("part_unknown")
        device = tablet.binding.tablet
        judged = self.clocks.judge(
            sitting.id, session.id, limits, tablet=device, kind=op.kind, part=part, age_ms=op.age_ms
        )
        early = min(limits.earliest_ms, limits.end_ms) - judged.own_ms
        if op.kind == "handin" and early > 0 and session.state == "running" and sitting.id not in self._handed_in:
            raise Conflict("handin_too_early", minutes=-(-early // 60_000))
        return judged

    # ---- the clock

    def elapsed(self, session: str) -> int:
        return self.clocks.elapsed(session)

    def running(self, session: str) -> bool:
        return self.clocks.running(session)

    def set_running(self, session: str, running: bool, op_id: str | None = None) -> None:
        """Start, pause or resume; on disk when this returns."""
        self.clocks.set_running(session, running, op_id)

    def tick(self) -> None:
        """Write running clocks down, and close the attempts whose time and grace are over: one commit for them all."""
        for session in {s.session.id for s in self.all_sittings() if s.session.state == "running"}:
            if not self.clocks.known(session):  # a kill came between the start's two stores
                self.clocks.set_running(session, True)
        self.clocks.tick()
        with self._closing_lock:
            over = [
                s.id
                for s in self.all_sittings()
                if s.session.state == "running"
                and s.candidate.state in ("admitted", "finished")
                and s.id not in self._handed_in
                and s.id not in self._held
                and self.clocks.over(s.id, s.session.id, s.limits)
            ]
            if over:
                self.close_attempts(over, "room")

    def grace_left(self, session: str) -> int:
        """How long answers given before the end may still come in, of those whose time is over; 0 when none may.

        A clock that is stopped has none to wait for: its grace would never be over.
        """
        if not self.running(session):
            return 0
        open_now = [s for s in self.sittings(session) if s.id not in self._handed_in and self.left(s) == 0]
        waiting = [s for s in open_now if not self.clocks.of(s.id).paused]
        return max((self.clocks.grace_left(s.id, session, s.limits) for s in waiting), default=0)

    def close_attempt(self, attempt: str) -> None:
        """What was acknowledged stands as the candidate's paper."""
        self.close_attempts([attempt], "proctor")

    def close_attempts(self, attempts: Sequence[str], by: str) -> None:
        """Hand in for these, in one commit. `by`: `room` when their time is over, `proctor` at the session's end."""
        self._handed_in.update(self._journal.submit(lambda c: {a: rows.close_attempt(c, a, by) for a in attempts}))
        if by == "room":
            self._closed_for_time.update(attempts)

    @contextmanager
    def holding(self, sittings: Sequence[Sitting]) -> Iterator[Sequence[Sitting]]:
        """Nobody of these is closed for want of time while the block runs: it is about to give them some."""
        with self._giving_lock:
            with self._closing_lock:
                self._held = frozenset(s.id for s in sittings)
            try:
                yield sittings
            finally:
                self._held = frozenset()

    def closed_for_time(self, session: str | None = None, person: str | None = None) -> list[Sitting]:
        """Those that the room has handed in because their time was over: more time opens them again."""
        found = [s for s in self.all_sittings() if s.id in self._closed_for_time]
        return [s for s in found if session in (None, s.session.id) and person in (None, s.candidate.person)]

    def reopen(self, sittings: Sequence[Sitting]) -> None:
        """Take the room's hand-in of these back, in one commit. Call it while `holding` them."""
        if not sittings:
            return
        self.clocks.reopen({s.id: (s.session.id, s.limits) for s in sittings})
        for sitting in sittings:
            self._handed_in.pop(sitting.id, None)
            self._closed_for_time.discard(sitting.id)

    def reopen_attempt(self, attempt: str) -> bool:
        """Take back a hand-in that the room made for a candidate; False when there is none of the room's."""
        if not self._journal.submit(lambda c: undoing.reopen_attempt(c, attempt)):
            return False
        self._handed_in.pop(attempt, None)
        self._closed_for_time.discard(attempt)
        return True

    # ---- what the room asks

    def handins(self) -> dict[str, int]:
        return dict(self._handed_in)

    def sittings(self, session: str) -> list[Sitting]:
        return [s for s in self.all_sittings() if s.session.id == session]

    def forget_bank(self, session: sessions.Session) -> None:
        """Drop the plain bank from memory once the session no longer needs it."""
        with self._lock:
            self._banks.pop(session.id, None)

    def all_sittings(self) -> list[Sitting]:
        with self._lock:
            return list(self._sittings.values())

    def _sitting(self, attempt: str) -> Sitting:
        with self._lock:
            found = self._sittings.get(attempt)
        if found is None:
            raise NotSignedIn("tablet_unknown")
        return found

    def _items(self, session: sessions.Session) -> Index:
        with self._lock:
            found = self._banks.get(session.id)
        if found is not None:
            return found
        with self._bank_lock:  # at the start everybody asks at once, and the bank is unsealed once
            with self._lock:
                found = self._banks.get(session.id)
            if found is None:
                found = index(self._bank_of(session))
                with self._lock:
                    self._banks[session.id] = found
        return found


def _asked(sitting: Sitting, op: rows.Operation, judged: Judged) -> Asked:
    closed = sitting.session.state in ("closed", "signed")
    flag = None if closed else judged.flag
    return Asked(op, judged.elapsed_ms, judged.late or closed, judged.own_ms, judged.grace, flag)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
