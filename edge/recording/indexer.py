"""The recorder's clerk: a thread that writes the index and the ledger, so that recording never waits for either.

Work waits in memory while the store is busy or gone. What still waits when the process dies is on the disk as a file
without a row, which the next start salvages.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from edge import clock
from edge.domain.footage import Cause
from edge.errors import ExamroomError, Unavailable
from edge.recording import files, retention, salvage
from edge.recording.retention import Rules
from edge.recording.thumbs import Thumbs
from edge.recording.writer import Place
from edge.store import segments, sessions
from edge.store.db import SHORT_BUSY_MS, open_room, patience
from edge.store.segments import Segment

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_AGAIN_S = 0.5
_IDLE_S = 5.0
_SWEEP_MS = 60_000
_TIDY_MS = 3_600_000
_SURE_MS = 30_000
"""So long what the store said of sound last holds. It ends then: people are not to be heard after their exam because
nobody can ask whether it is over."""
_HELD_MS = (5_000, 600_000)
"""So soon what the disk did not let us mend is tried again, and at last so seldom: a bad sector takes long to read."""


@dataclass(frozen=True)
class Closed:
    """A segment closed in good order."""

    segment: Segment


@dataclass(frozen=True)
class Abandoned:
    """A segment that could not be closed; `dropped` as in `Segment`. `cause` None: an earlier process left it."""

    place: Place
    cause: Cause | None
    dropped: int = 0


@dataclass(frozen=True)
class Note:
    """A ledger entry by itself."""

    kind: str
    body: dict[str, object]


Job = Closed | Abandoned | Note


class Indexer:
    """`salvaged`, `waiting` and `trouble` (the code of what holds it up, or None) are for the status.

    `sound`: whether a session's policy wants it now, as the store said last: looked up with each job, between
    deletions and every five seconds, so that sound begins and ends so much behind check-in's opening and the session's
    close. Not before the store was asked, and not once it could not be asked for 30 s (`sound_unsure`).
    """

    def __init__(
        self,
        room_db: Path,
        recordings: Path,
        camera: str,
        first_own: int,
        rules: Rules | None = None,
        thumbs: Thumbs | None = None,
    ) -> None:
        self._room_db, self._recordings, self._camera = room_db, recordings, camera
        self._first_own = first_own
        self._rules, self._thumbs = rules or Rules(), thumbs or Thumbs()
        self._boot_id = clock.boot_id()
        self._jobs: deque[Job] = deque()
        self._held: list[Abandoned] = []  # whose disk does not let us mend them yet
        self._held_wait_ms, self._held_ms = _HELD_MS[0], 0  # how long they wait, and until when
        self._wake = threading.Condition()
        self._closing = False
        self._give_up_ms: int | None = None
        self._swept_ms: int | None = None
        self._tidied_ms: int | None = None
        self.salvaged = 0
        self._sound = False, 0  # what the store said last, and when
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"indexer-{camera}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, job: Job) -> None:
        with self._wake:
            self._jobs.append(job)
            self._wake.notify()

    @property
    def waiting(self) -> int:
        return len(self._jobs) + len(self._held)

    @property
    def sound(self) -> bool:
        wanted, at_ms = self._sound
        return wanted and clock.mono_ms() - at_ms <= _SURE_MS

    @property
    def sound_unsure(self) -> bool:
        """Whether sound ended for no other reason than that the store does not say if it is still wanted."""
        wanted, at_ms = self._sound
        return wanted and clock.mono_ms() - at_ms > _SURE_MS

    def close(self, timeout_s: float) -> bool:
        """Finish what waits, within `timeout_s`; False when something is left for the next start's salvage."""
        with self._wake:
            self._closing = True
            self._give_up_ms = clock.mono_ms() + round(timeout_s * 1000)
            self._wake.notify()
        self._thread.join(timeout_s + 0.5)
        return not self._jobs and not self._held

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        try:
            connection = self._patiently(self._open)
            if connection is None:
                return
            opened = connection
            self._look(opened)
            self._patiently(lambda: self._salvage(opened))
            while (job := self._next()) is not None:
                self._look(opened)
                if job == "idle":
                    self._again(opened)
                    self._retain(opened)
                    continue
                self._do(opened, self._jobs[0])
                if self._given_up():
                    return
            self._again(opened)
        finally:
            if connection is not None:
                connection.close()

    def _look(self, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):  # then as before, for a while
            self._sound = sessions.sound_wanted(connection), clock.mono_ms()

    def _next(self) -> str | None:
        """`work` or `idle`; None when there is nothing left to wait for."""
        with self._wake:
            if not self._jobs and not self._closing:
                self._wake.wait(timeout=_IDLE_S)
            if self._jobs:
                return "work"
            return None if self._closing else "idle"

    def _do(self, connection: sqlite3.Connection, job: Job) -> None:
        def work() -> bool:
            self._look(connection)  # a store that takes nothing may still say that sound is to end
            return self._write(connection, job)

        try:
            done = self._patiently(work)
        except (ExamroomError, sqlite3.Error, OSError) as error:  # this one only: the file stays on the disk
            _log.error("not indexed: %s", error)
            if isinstance(job, Abandoned) and isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                self._held.append(job)
            done = True
        if done:
            with self._wake:
                self._jobs.popleft()

    def _again(self, connection: sqlite3.Connection) -> None:
        """Those that the disk did not let us mend (full, read-only): it may by now."""
        if not self._held or (clock.mono_ms() < self._held_ms and not self._closing):
            return
        held, self._held = self._held, []
        for job in held:
            self._look(connection)  # a bad sector takes long to read
            try:
                self._write(connection, job)
            except FileNotFoundError as error:
                _log.error("not indexed: %s", error)
            except (ExamroomError, sqlite3.Error, OSError):
                self._held.append(job)
        longer = min(2 * self._held_wait_ms, _HELD_MS[1])
        self._held_wait_ms = longer if len(self._held) == len(held) else _HELD_MS[0]
        self._held_ms = clock.mono_ms() + self._held_wait_ms

    def _write(self, connection: sqlite3.Connection, job: Job) -> bool:
        if isinstance(job, Note):
            segments.note(connection, job.kind, job.body)
            return True
        if isinstance(job, Closed):
            done = segments.index(connection, job.segment)
        else:
            left = salvage.salvage(job.place, self._boot_id, job.cause)
            done = segments.index(connection, replace(left, dropped=job.dropped))
            if job.cause is None:
                self.salvaged += 1
                return True
        try:
            self._thumbs.keep(self._recordings, done)
        except OSError as error:  # worth less than the footage, which is there
            _log.error("no small pictures: %s: %s", done.id, error)
        return True

    def _patiently(self, act: Callable[[], _T]) -> _T | None:
        """The result of `act`, tried until the store lets us; None when told to give up first."""
        while True:
            try:
                result = act()
            except (Unavailable, sqlite3.OperationalError) as error:
                self.trouble = error.code if isinstance(error, Unavailable) else "store_unavailable"
                if self._given_up():
                    return None
                with self._wake:
                    self._wake.wait(_AGAIN_S)
            else:
                self.trouble = None
                return result

    def _given_up(self) -> bool:
        return self._give_up_ms is not None and clock.mono_ms() >= self._give_up_ms

    def _open(self) -> sqlite3.Connection:
        connection = open_room(self._room_db)
        patience(connection, SHORT_BUSY_MS)
        return connection

    def _salvage(self, connection: sqlite3.Connection) -> None:
        """Index what an earlier process left; a file that the disk lets nobody read or mend now is tried again."""
        known = segments.known(connection, self._camera)
        left = salvage.left_over(self._recordings, self._camera, known, self._boot_id, self._first_own)
        self._take_in(connection, left)
        for folder in files.folders(self._recordings):
            if self._rules.bitrates and folder.name not in self._rules.bitrates:
                known = segments.known(connection, folder.name)
                self._take_in(connection, salvage.strays(self._recordings, folder.name, known))

    def _take_in(self, connection: sqlite3.Connection, places: list[Place]) -> None:
        for place in places:
            if self._closing:
                return
            self._look(connection)
            try:
                segments.index(connection, salvage.salvage(place, self._boot_id))
                self.salvaged += 1
            except Unavailable:
                raise
            except (ExamroomError, sqlite3.IntegrityError, OSError) as error:
                _log.error("not salvaged: %s: %s", place.relative, error)
                if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                    self._held.append(Abandoned(place, None))

    def _retain(self, connection: sqlite3.Connection) -> None:
        """Sweep the footage of all cameras; what has to be indexed meanwhile comes first."""

        def halt() -> bool:
            self._look(connection)
            return bool(self._jobs) or self._closing

        now = clock.mono_ms()
        if self._swept_ms is not None and now - self._swept_ms < _SWEEP_MS:
            return
        self._swept_ms = now
        tidy = self._tidied_ms is None or now - self._tidied_ms >= _TIDY_MS
        try:
            retention.sweep(
                connection,
                self._recordings,
                self._rules,
                clock.now(),
                tidy=tidy,
                halt=halt,
            )
            self._tidied_ms = now if tidy else self._tidied_ms
        except (ExamroomError, sqlite3.Error, OSError) as error:
            self._tidied_ms = None  # the next one finishes what this one began
            _log.error("retention: %s", error)
