"""Exports in the making: one at a time, on a thread of its own that lets the exam and the recorder go first.

What an export is stands in the room store (`edge.store.downloads`); here is only how far the one at work is. Files wait
in a folder beside the footage for a day, or until whoever asked deletes them.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.config import Config
from edge.errors import ExamroomError, TooMany, Unavailable
from edge.recording.aside import EXAM_BITS, step_back
from edge.recording.evidence import export_evidence
from edge.recording.files import EXPORTS
from edge.recording.retention import room_kept, rules_of
from edge.store import access, downloads, ledger
from edge.store.db import connect, transaction
from edge.store.downloads import Export
from edge.store.reserve import free_bytes
from edge.trust import enrolment
from edge.web.bucket import Bucket

log = logging.getLogger("examroom.web.exports")
MOST = 4
"""Exports that wait or are being made, of everybody together."""
_BLOCK = 1 << 20
_TRIES, _PAUSE_S = 6, 2.0


@dataclass
class Job:
    """What was asked. `done` and `total`: bytes written so far; `gone`: deleted before it was ready."""

    id: str
    session: str
    camera: str
    from_ms: int
    until_ms: int
    why: str
    by: str
    done: int = 0
    total: int = 0
    begun: bool = False
    gone: bool = False


class _Deleted(Exception):
    """Nobody wants this export any more."""


class Exports:
    """`in_exam`: whether people sit at an exam; `wait`: sleeps, and says whether the process is to end."""

    def __init__(self, config: Config, in_exam: Callable[[], bool], wait: Callable[[float], bool]) -> None:
        self._config, self._in_exam, self._wait = config, in_exam, wait
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._asking = 0
        self._working = False
        self._bucket = Bucket(lambda: EXAM_BITS)
        self.folder = config.paths.recordings / EXPORTS

    def file(self, export_id: str) -> Path:
        return self.folder / f"{export_id}.zip"

    def reserve(self, connection: sqlite3.Connection) -> int:
        """The bytes that no export takes."""
        return room_kept(connection, rules_of(self._config))

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among those that wait, held while an export is asked for. TooMany (`export_queue`): there is none."""
        with self._lock:
            waiting = len(self._jobs) + self._asking
            if waiting >= MOST:
                raise TooMany("export_queue", waiting=waiting)
            self._asking += 1
        try:
            yield
        finally:
            with self._lock:
                self._asking -= 1

    def start(self, job: Job) -> None:
        """Make it as soon as those before it are made. Its row is in the store already, and its place is held."""
        with self._lock:
            self._jobs.append(job)
            if not self._working:
                self._working = True
                threading.Thread(target=self._work, name="exports", daemon=True).start()

    def job(self, export_id: str) -> Job | None:
        """The export, if it waits or is being made."""
        with self._lock:
            return next((job for job in self._jobs if job.id == export_id), None)

    def delete(self, connection: sqlite3.Connection, export: Export) -> None:
        """Forget an export and its file, with its entry; one that is being made ends soon."""
        job = self.job(export.id)
        if job is not None:
            job.gone = True
        access.delete_export(connection, export)
        self.file(export.id).unlink(missing_ok=True)

    def begin(self, connection: sqlite3.Connection) -> None:
        """At a start, before there are jobs: what an earlier process left half done is told and removed."""
        with transaction(connection):
            downloads.fail_waiting(connection, "export_interrupted")
        self.tidy(connection)

    def tidy(self, connection: sqlite3.Connection) -> None:
        """Delete what has had its day, and every file that is nobody's."""
        with transaction(connection):
            downloads.drop_expired(connection)
        self._give_room(connection)
        known = downloads.ids(connection)
        for file in self.folder.iterdir() if self.folder.is_dir() else ():
            mine = self.job(file.name.lstrip(".").partition(".")[0])
            if mine is None and not (file.suffix == ".zip" and file.stem in known):
                file.unlink(missing_ok=True)

    def _give_room(self, connection: sqlite3.Connection) -> None:
        """An export can be made again, footage cannot be recorded again: the oldest go while the disk is short."""
        for export_id in downloads.ready(connection):
            if free_bytes(self.folder) >= self.reserve(connection):
                break
            self.file(export_id).unlink(missing_ok=True)
            with transaction(connection):
                downloads.fail(connection, export_id, "export_dropped", {})

    # ---- the thread

    def _work(self) -> None:
        step_back()
        while True:
            with self._lock:
                if not self._jobs:
                    self._working = False
                    return
                job = self._jobs[0]
            try:
                if not job.gone:
                    self._make(job)
            except Exception:
                log.exception("an export failed")
            finally:
                with self._lock:
                    self._jobs.remove(job)

    def _make(self, job: Job) -> None:
        job.begun = True
        connection = connect(self._config.paths.room_db)
        path = self.file(job.id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            export_evidence(
                connection,
                self._config.paths,
                enrolment.load(self._config.paths),
                camera=job.camera,
                from_ms=job.from_ms,
                until_ms=job.until_ms,
                why=job.why,
                by=job.by,
                out=path,
                session=job.session,
                reserve=self.reserve(connection),
                told=lambda done, total: self._told(job, done, total),
            )
            size, digest = path.stat().st_size, self._digest(job, path)
            if not self._store(connection, lambda: downloads.finish(connection, job.id, size, digest)) or job.gone:
                raise _Deleted
        except _Deleted:
            path.unlink(missing_ok=True)
        except Exception as error:
            path.unlink(missing_ok=True)
            self._fail(connection, job, error)
        finally:
            connection.close()

    def _told(self, job: Job, done: int, total: int) -> None:
        written, job.done, job.total = done - job.done, done, total
        seconds = self._bucket.take(written) if self._in_exam() and written > 0 else 0.0
        if job.gone or self._wait(seconds):
            raise _Deleted

    def _digest(self, job: Job, path: Path) -> str:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                if job.gone:
                    raise _Deleted
        return digest.hexdigest()

    def _fail(self, connection: sqlite3.Connection, job: Job, error: Exception) -> None:
        """The reason for whoever asked, and in the ledger."""
        known = isinstance(error, ExamroomError)
        if not known:
            log.error("an export failed", exc_info=error)
        code, facts = (error.code, error.facts) if isinstance(error, ExamroomError) else ("export_failed", {})

        def write() -> None:
            downloads.fail(connection, job.id, code, facts)
            body: dict[str, Any] = {"reason": code, "act": "export"}
            ledger.append(connection, "act_refused", body, session=job.session, by=job.by)

        self._store(connection, write)

    def _store(self, connection: sqlite3.Connection, write: Callable[[], Any]) -> Any:
        """Write to the store; while it is busy, again: the work of minutes is not to be lost for a moment."""
        for left in reversed(range(_TRIES)):
            try:
                with transaction(connection):
                    return write()
            except Unavailable:
                if not left or self._wait(_PAUSE_S):
                    raise
        return None
