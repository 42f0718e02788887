"""What the exam page says of candidates leaving it, kept without ever being in the way of an answer.

Counts are gathered in memory and written behind, all of them in one transaction; the ledger hears of the first of a
kind and then once an hour how many there were. What the last two seconds before a kill held is lost: it is a hint for
the proctor's eyes, not a record that decides anything.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable

from edge import clock
from edge.errors import Conflict
from edge.exam.acts import Op, settle
from edge.exam.seb import demanded
from edge.store import ledger, people, sessions
from edge.store import lockdown as rows
from edge.store.db import transaction
from edge.store.records import keep_reason

KINDS = ("page_hidden", "window_blur", "fullscreen_left", "not_fullscreen", "copy", "paste", "print")
HEARD = 256
NOTE_EVERY_MS = 3_600_000

Later = Callable[[sqlite3.Connection], object]


class Lockdown:
    """One a process of `web`. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[rows.Watched, tuple[int, int]] = {}
        self._refused: set[rows.Watched] = set()
        self._exempt: set[tuple[str, str]] = set()
        self._heard: dict[str, deque[str]] = {}
        self._away: dict[str, int] = {}

    def add(self, what: rows.Watched, count: int, lasted_ms: int, later: Callable[[Later], object]) -> None:
        """Count it; `later` is asked to run the writing once for all that gathers until then."""
        with self._lock:
            first = not self._waiting
            before = self._waiting.get(what, (0, 0))
            self._waiting[what] = (before[0] + count, before[1] + lasted_ms)
        if first:
            later(self.write)

    def is_new(self, tablet: str, event: str | None) -> bool:
        """Whether the tablet tells this event for the first time; one without a name always is."""
        if event is None:
            return True
        with self._lock:
            heard = self._heard.setdefault(tablet, deque(maxlen=HEARD))
            known = event in heard
            if not known:
                heard.append(event)
            return not known

    def set_away(self, attempt: str, lasted_ms: int | None) -> None:
        """The candidate has been away from the page for so long by now, or (None) is here."""
        with self._lock:
            if lasted_ms is None:
                self._away.pop(attempt, None)
            else:
                self._away[attempt] = clock.wall_ms() - lasted_ms

    def away(self) -> dict[str, int]:
        """attempt -> since when (wall ms) its page says that nobody looks at it."""
        with self._lock:
            return dict(self._away)

    def refuse(self, what: rows.Watched, later: Callable[[Later], object]) -> None:
        """Note once that this tablet was refused."""
        with self._lock:
            known = what in self._refused
            self._refused.add(what)
        if not known:
            self.add(what, 1, 0, later)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what has gathered. When the store does not let us, it waits on for the next try."""
        with self._lock:
            work, self._waiting = self._waiting, {}
        try:
            with transaction(connection):
                here = sessions.ids(connection)
                for what, (count, lasted_ms) in work.items():
                    if what.session not in here:
                        continue  # a practice session deleted meanwhile: nothing is left to count for
                    _keep(connection, what, count, lasted_ms)
        except BaseException:
            with self._lock:
                for what, (count, lasted_ms) in work.items():
                    now = self._waiting.get(what, (0, 0))
                    self._waiting[what] = (now[0] + count, now[1] + lasted_ms)
            raise

    def is_exempt(self, session: str, person: str, room_db: Callable[[], sqlite3.Connection]) -> bool:
        """Whether the proctor let them go on in any browser; read from the store until it is so."""
        with self._lock:
            if (session, person) in self._exempt:
                return True
        if not rows.is_exempt(room_db(), session, person):
            return False
        with self._lock:
            self._exempt.add((session, person))
        return True


def _keep(connection: sqlite3.Connection, what: rows.Watched, count: int, lasted_ms: int) -> None:
    now = rows.add(connection, what, count, lasted_ms)
    refused = what.kind == rows.REFUSED
    if not now.count:  # only the end of an absence whose beginning was not heard
        return
    if now.noted and (refused or clock.wall_ms() - now.noted_ms < NOTE_EVERY_MS):
        return
    body = {"tablet": what.tablet} if refused else {"what": what.kind, "count": now.count, "ms": now.lasted_ms}
    kind = rows.REFUSED if refused else "focus_lost"
    ledger.append(connection, kind, body, subject=what.person, session=what.session)
    rows.set_noted(connection, what, now.count)


def exempt(
    connection: sqlite3.Connection, session_id: str, person: str, reason: str, by: str, op: Op | None = None
) -> None:
    """Let one candidate answer in any browser. Conflict where the session does not ask for one."""
    with transaction(connection):
        session = sessions.find(connection, session_id)
        sessions.need_state(session, "planned", "checkin", "running")
        if not demanded(session.policy):
            raise Conflict("seb_not_asked")
        people.candidate(connection, session_id, person)
        if rows.exempt(connection, session_id, person, by):
            body = {"reason_sha256": keep_reason(connection, session_id, "seb_exempted", reason, by)}
            ledger.append(connection, "seb_exempted", body, subject=person, session=session_id, by=by)
        settle(connection, op)
