"""The exam while it runs: seat codes, tablets, papers, answers, the clock. Nothing here waits for the room store.

What a tablet needs is held in memory, read from room.db when it has changed; what a tablet says goes to answers.db
through the group commit. So another process stopped in mid-transaction can hold up the console, never an answer.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.bank.model import BankDocument, Item
from edge.domain.masking import mask_name
from edge.domain.paper import LETTERS
from edge.domain.timing import ExamClock, left_ms, state_of
from edge.errors import BadInput, Conflict, NotFound, NotSignedIn, Refused
from edge.exam.journal import AnswerJournal
from edge.store import journal as rows
from edge.store import people, sessions

BankOf = Callable[[sessions.Session], BankDocument]


@dataclass(frozen=True)
class Sitting:
    """One attempt with all a tablet may need of it."""

    attempt: sessions.Attempt
    session: sessions.Session
    candidate: people.Candidate
    options: Mapping[str, tuple[str, int]]
    """item id -> (type, number of options)"""

    @property
    def id(self) -> str:
        return self.attempt.id


@dataclass(frozen=True)
class Tablet:
    """A tablet that has claimed a seat, and the sitting it writes to."""

    binding: rows.Binding
    sitting: Sitting


class LiveExam:
    """Owned by `web`, one a process. Every public method may be called from any thread."""

    def __init__(self, journal: AnswerJournal, bank_of: BankOf) -> None:
        self._journal = journal
        self._bank_of = bank_of
        self._lock = threading.Lock()
        self._clock_lock = threading.Lock()
        self._refresh_lock = threading.Lock()
        self._releases = 0
        self._sittings: dict[str, Sitting] = {}
        self._banks: dict[tuple[str, int], dict[str, Item]] = {}
        self._bindings: dict[str, rows.Binding] = {}
        self._handed_in = journal.submit(rows.all_handins)
        self._clocks: dict[str, ExamClock] = journal.submit(rows.clocks)
        self._version = 0

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Take over what room.db says of the sessions that are open: one reader at a time, one snapshot each."""
        with self._refresh_lock:
            connection.execute("BEGIN")
            try:
                found = self._read(connection)
            finally:
                connection.execute("COMMIT")
            with self._lock:
                self._sittings = found
                self._version += 1

    @staticmethod
    def _read(connection: sqlite3.Connection) -> dict[str, Sitting]:
        found: dict[str, Sitting] = {}
        for session in sessions.all_sessions(connection, "checkin", "running", "closed"):
            everyone = {who.person: who for who in people.candidates(connection, session.id)}
            for person, attempt in sessions.attempts(connection, session.id).items():
                shown = {
                    item["id"]: (item["type"], len(item["order"]))
                    for part in attempt.paper["parts"]
                    for item in part["items"]
                }
                found[attempt.id] = Sitting(attempt, session, everyone[person], shown)
        return found

    # ---- a tablet becomes a candidate's

    def claim(self, code: str, own_secret: str | None = None) -> tuple[str, Tablet]:
        """(secret for the tablet's cookie, the tablet). NotFound for a wrong code, Conflict when another is active.

        With the same `own_secret` and code again: the same tablet again.
        """
        sitting = next((s for s in self._all() if s.candidate.seat_code == code and s.session.state != "closed"), None)
        if sitting is None or sitting.candidate.state not in ("admitted", "finished"):
            raise NotFound("seat_code_wrong")
        secret, tablet = own_secret or secrets.token_urlsafe(24), secrets.token_hex(8)
        hashed = _hash(secret)
        binding = self._journal.submit(lambda c: rows.bind(c, sitting.id, tablet, hashed))
        with self._lock:
            self._bindings[hashed] = binding
        return secret, Tablet(binding, sitting)

    def tablet(self, secret: str) -> Tablet:
        """The tablet behind a cookie. NotSignedIn when there is none, Refused when the exam has moved elsewhere."""
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
        if not binding.active:
            raise Refused("tablet_released")
        return Tablet(binding, self._sitting(binding.attempt))

    def release(self, attempt: str) -> bool:
        """Let another tablet claim this seat."""
        released = self._journal.submit(lambda c: rows.release(c, attempt))
        with self._lock:
            self._releases += 1
            for hashed in [h for h, b in self._bindings.items() if b.attempt == attempt]:
                del self._bindings[hashed]
        return released

    # ---- what a tablet asks

    def paper(self, tablet: Tablet) -> dict[str, Any]:
        """The paper as this candidate sees it: letters in the drawn order, no key, no source; answers so far."""
        sitting = tablet.sitting
        state = self.clock(sitting)["s"]
        if state == "waiting":
            raise Conflict("exam_not_started")
        if state == "done":
            raise Conflict("already_finished")
        bank = self._items(sitting.session)
        number = 0
        parts = []
        for part in sitting.attempt.paper["parts"]:
            shown = []
            for drawn in part["items"]:
                number += 1
                shown.append(_shown(bank[drawn["id"]], drawn, number))
            parts.append({"test": part["test"], "title": part["title"], "items": shown})
        attempt, device = sitting.id, tablet.binding.tablet
        saved, next_seq = self._journal.submit(
            lambda c: (rows.responses(c, attempt), rows.next_seq(c, attempt, device))
        )
        responses = {i: {"version": r.version, "value": r.value, "at_ms": r.at_ms} for i, r in saved.items()}
        return {"parts": parts, "responses": responses, "next_seq": next_seq}

    def clock(self, sitting: Sitting) -> dict[str, Any]:
        """{"s": state, "left": ms, "now": server's wall ms, "v": changes when limits do}."""
        left = self.left(sitting)
        running = self._clock(sitting.session.id).running
        state = state_of(sitting.session.state, running, left, sitting.id in self._handed_in)
        return {"s": state, "left": left, "now": clock.wall_ms(), "v": self._version}

    def left(self, sitting: Sitting) -> int:
        return left_ms(sitting.session.minutes, sitting.attempt.extra_ms, self.elapsed(sitting.session.id))

    def save(self, tablet: Tablet, op: rows.Operation) -> rows.Recorded:
        """Keep one operation; what comes back is on disk. BadInput for what is not on this paper."""
        sitting = tablet.sitting
        if op.kind == "answer":
            _check_value(sitting, op)
        state = self.clock(sitting)["s"]
        if state == "waiting":
            raise Conflict("exam_not_started")
        elapsed, closed = self.elapsed(sitting.session.id), state == "closed"
        recorded = self._journal.submit(lambda c: rows.record(c, op, elapsed, closed))
        if op.kind == "handin" and recorded.outcome == "applied":
            self._handed_in[sitting.id] = recorded.at_ms
        return recorded

    # ---- the clock

    def elapsed(self, session: str) -> int:
        return self._clock(session).elapsed(clock.boot_id(), clock.mono_ms())

    def running(self, session: str) -> bool:
        return self._clock(session).running

    def set_running(self, session: str, running: bool) -> None:
        """Start, pause or resume; on disk when this returns."""
        self._change_clock(session, lambda value: value.set_running(running, clock.boot_id(), clock.mono_ms()))

    def tick(self) -> None:
        """Write running clocks down, and close the attempts whose time is over."""
        for session, value in list(self._clocks.items()):
            if value.running:
                self._change_clock(session, lambda now: now.tick(clock.boot_id(), clock.mono_ms()))
        for sitting in self._all():
            over = sitting.session.state == "running" and self.left(sitting) == 0
            if over and sitting.id not in self._handed_in and sitting.candidate.state == "admitted":
                self.close_attempt(sitting.id)

    def close_attempt(self, attempt: str) -> None:
        """What was acknowledged stands as the candidate's paper."""
        self._handed_in[attempt] = self._journal.submit(lambda c: rows.close_attempt(c, attempt))

    def _change_clock(self, session: str, change: Callable[[ExamClock], ExamClock]) -> None:
        """One change at a time, from reading to disk: a tick must not write over a pause that was faster."""
        with self._clock_lock:
            value = change(self._clock(session))
            self._journal.submit(lambda c: rows.save_clock(c, session, value))
            with self._lock:
                self._clocks[session] = value

    def _clock(self, session: str) -> ExamClock:
        with self._lock:
            return self._clocks.get(session) or ExamClock(0, False, clock.boot_id(), clock.mono_ms())

    # ---- what the room asks

    def handins(self) -> dict[str, int]:
        return dict(self._handed_in)

    def sittings(self, session: str) -> list[Sitting]:
        return [s for s in self._all() if s.session.id == session]

    def all_sittings(self) -> list[Sitting]:
        return self._all()

    def forget_bank(self, session: sessions.Session) -> None:
        """Drop the plain bank from memory once the session no longer needs it."""
        with self._lock:
            self._banks.pop((session.bank_id, session.bank_version), None)

    def _all(self) -> list[Sitting]:
        with self._lock:
            return list(self._sittings.values())

    def _sitting(self, attempt: str) -> Sitting:
        with self._lock:
            found = self._sittings.get(attempt)
        if found is None:
            raise NotSignedIn("tablet_unknown")
        return found

    def _items(self, session: sessions.Session) -> dict[str, Item]:
        key = (session.bank_id, session.bank_version)
        with self._lock:
            found = self._banks.get(key)
        if found is None:
            found = {item.id: item for item in self._bank_of(session).items}
            with self._lock:
                self._banks[key] = found
        return found


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _shown(item: Item, drawn: Mapping[str, Any], number: int) -> dict[str, Any]:
    texts = {option.key: option.text for option in item.options}
    options = [{"key": LETTERS[at], "text": texts[key]} for at, key in enumerate(drawn["order"])]
    return {
        "id": item.id,
        "n": number,
        "type": item.type,
        "stem": item.stem,
        "options": options,
        "points": drawn["points"],
    }


def _check_value(sitting: Sitting, op: rows.Operation) -> None:
    shown = sitting.options.get(op.item)
    if shown is None:
        raise BadInput("item_not_on_paper")
    kind, count = shown
    if len(set(op.value)) != len(op.value) or set(op.value) - set(LETTERS[:count]):
        raise BadInput("option_not_on_item")
    if kind != "multiple" and len(op.value) > 1:
        raise BadInput("one_option_only")


def masked(who: people.Candidate) -> dict[str, Any]:
    """A candidate as a tablet or kiosk may show them."""
    return {"name_masked": mask_name(who.name), "number": who.number, "seat": who.seat}
