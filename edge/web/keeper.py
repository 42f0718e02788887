"""What `web` does beside answering: takes over changes of the room store, ticks the exam clock, writes behind.

Two threads, because one of them may wait for the room store and the other must not.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty

from edge import clock
from edge.errors import ExamroomError
from edge.exam import stations, timeacts, unlock, written
from edge.exam.arrivals import take_in_arrivals
from edge.exam.purge import empty_log, purge_due
from edge.recording import retention
from edge.recording.certificate import issue_due
from edge.store import bundles, holds, sessions
from edge.store.db import connect, data_version
from edge.store.status import write_status
from edge.web.disk import DiskWatch, give_room
from edge.web.recorders import RecorderWatch
from edge.web.room import Later, Room

log = logging.getLogger("examroom.web.keeper")
WATCH_SECONDS = 0.25
TICK_SECONDS = 1.0
WRITE_SECONDS = 2.0
PURGE_SECONDS = 3600.0
DISK_SECONDS = 3.0
LOCK_SECONDS = 60.0
STATION_SECONDS = 5.0
ARRIVALS_SECONDS = 20.0
FOOTAGE_SECONDS = 3600.0
CERTIFY_SECONDS = 20.0
EXPORTS_SECONDS = 60.0


@dataclass(frozen=True)
class Keeper:
    """The threads at work, and how they end."""

    room: Room
    threads: list[threading.Thread]
    writer: _Writer

    def finish(self, seconds: float) -> None:
        """Once they are told to stop: wait for both, then write to the ledger what was noted last; `seconds` at most.

        What is still held then is lost, and said in the log.
        """
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
        if not any(thread.is_alive() for thread in self.threads):
            self.writer.write_last(end)
        if left := self.writer.held():
            log.error("%d notes for the ledger were not written", left)


def start(room: Room, stop: threading.Event) -> Keeper:
    """Start both threads; they end soon after `stop` is set."""
    writer = _Writer(room)
    threads = [
        threading.Thread(target=_loop, args=(room, stop, work, pause), name=name, daemon=True)
        for name, work, pause in (("watch", _Watcher(room), WATCH_SECONDS), ("write", writer, WRITE_SECONDS))
    ]
    for thread in threads:
        thread.start()
    return Keeper(room, threads, writer)


def _loop(room: Room, stop: threading.Event, work: Callable[[sqlite3.Connection], None], pause: float) -> None:
    connection = connect(room.config.paths.room_db)
    try:
        while not stop.wait(pause):
            try:
                work(connection)
            except (ExamroomError, sqlite3.Error) as error:
                log.warning("will try again: %s", error)
            except Exception:  # whatever it was, the exam clock and the ledger need this thread tomorrow too
                log.exception("will try again")
    finally:
        connection.close()


class _Watcher:
    """Reads only: what the room store says now, and the clock, which lives beside the answers."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._version = -1
        self._ticked = 0.0
        self._disk = DiskWatch(room, room.reserve) if room.reserve is not None else None
        self._disk_looked = -DISK_SECONDS
        self._recorders = RecorderWatch(room)

    def __call__(self, connection: sqlite3.Connection) -> None:
        if self._disk is not None and time.monotonic() - self._disk_looked >= DISK_SECONDS:
            self._disk_looked = time.monotonic()
            self._disk()
        version = data_version(connection)
        if version != self._version:
            self._room.live.refresh(connection)
            self._version = version
        if time.monotonic() - self._ticked >= TICK_SECONDS:
            self._ticked = time.monotonic()
            self._room.live.tick()
            self._recorders()
            write_status(self._room.config.paths.status, "web", state="serving", flushes=self._room.journal.flushes())
            if self._room.mirror is not None:
                state, reason = self._room.mirror.state()
                write_status(self._room.config.paths.status, "mirror", state=state, reason=reason)


class _Writer:
    """Writes to the room store; may wait there without anybody noticing."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._purged = -PURGE_SECONDS
        self._stations_ticked = 0.0
        self._arrived, self._arrivals_tried = "", 0.0
        self._locks_looked = 0.0
        self._footage_swept = time.monotonic()
        self._certified, self._certified_upto = 0.0, 0
        self._exports_tidied = 0.0
        self._note: Later | None = None

    def __call__(self, connection: sqlite3.Connection) -> None:
        jobs = (self._notes, self._digests, self._finished, self._time, self._stations, self._arrivals)
        for job in (*jobs, self._locks, self._certify, self._purge, self._footage, self._exports):
            try:
                job(connection)
            except (ExamroomError, sqlite3.Error) as error:
                log.warning("will try again: %s", error)
                give_room(self._room, error)
            except Exception:  # one job that is broken must not keep the others from theirs
                log.exception("will try again")

    def _notes(self, connection: sqlite3.Connection) -> None:
        """A note leaves the queue once it is in the ledger."""
        with suppress(Empty):
            while True:
                self._note = self._note or self._room.later.get_nowait()
                self._note(connection)
                self._note = None

    def write_last(self, end: float) -> None:
        """The notes once more, until `end` (monotonic seconds); the thread itself is over."""
        while self.held() and (left := end - time.monotonic()) > 0:
            connection = connect(self._room.config.paths.room_db)
            try:
                connection.execute(f"PRAGMA busy_timeout = {int(left * 1000)}")
                self._notes(connection)
            except (ExamroomError, sqlite3.Error) as error:
                log.warning("will try again: %s", error)
                give_room(self._room, error)
                time.sleep(0.05)
            finally:
                connection.close()

    def held(self) -> int:
        """How many notes are not in the ledger yet."""
        return self._room.later.qsize() + (self._note is not None)

    def _digests(self, connection: sqlite3.Connection) -> None:
        written.ledger_digests(self._room.journal, connection)

    def _finished(self, connection: sqlite3.Connection) -> None:
        for session in {s.session.id for s in self._room.live.all_sittings()}:
            written.finish_candidates(self._room.live, connection, session)

    def _time(self, connection: sqlite3.Connection) -> None:
        timeacts.write_behind(self._room.live, self._room.journal, connection)

    def _stations(self, connection: sqlite3.Connection) -> None:
        if time.monotonic() - self._stations_ticked >= STATION_SECONDS:
            self._stations_ticked = time.monotonic()
            stations.tick(connection)

    def _arrivals(self, connection: sqlite3.Connection) -> None:
        """What waits is opened whole to be tried again: when anything has come, and now and then for its time."""
        now, here = time.monotonic(), bundles.mark(connection)
        if here != self._arrived or now - self._arrivals_tried >= ARRIVALS_SECONDS:
            self._arrivals_tried = now
            take_in_arrivals(connection, self._room.config.paths)
            self._arrived = here

    def _locks(self, connection: sqlite3.Connection) -> None:
        if time.monotonic() - self._locks_looked >= LOCK_SECONDS:
            self._locks_looked = time.monotonic()
            unlock.lock_left_open(connection)

    def _footage(self, connection: sqlite3.Connection) -> None:
        """Each camera's process sweeps the footage of all; this does in a room that has none left, but in no exam."""
        if time.monotonic() - self._footage_swept < FOOTAGE_SECONDS:
            return
        if any(not one.practice for one in sessions.all_sessions(connection, "running")):
            return
        self._footage_swept = time.monotonic()
        config, stopping = self._room.config, self._room.stopping
        holds.forget_words(connection, clock.wall_ms())
        try:
            retention.sweep(
                connection,
                config.paths.recordings,
                retention.rules_of(config),
                clock.now(),
                tidy=True,
                halt=lambda: stopping.is_set() or time.monotonic() - self._footage_swept > WRITE_SECONDS,
            )
        except OSError as error:
            log.warning("footage: %s", error)

    def _exports(self, connection: sqlite3.Connection) -> None:
        if time.monotonic() - self._exports_tidied >= EXPORTS_SECONDS:
            self._exports_tidied = time.monotonic()
            try:
                self._room.exports.tidy(connection)
            except OSError as error:
                log.warning("exports: %s", error)

    def _certify(self, connection: sqlite3.Connection) -> None:
        if time.monotonic() - self._certified >= CERTIFY_SECONDS:
            self._certified = time.monotonic()
            self._certified_upto = issue_due(connection, self._room.config, self._certified_upto)

    def _purge(self, connection: sqlite3.Connection) -> None:
        empty_log(connection)
        if time.monotonic() - self._purged >= PURGE_SECONDS:
            self._purged = time.monotonic()
            config = self._room.config
            purge_due(connection, self._room.journal, config.paths, uploads=bool(config.gateway.url))
