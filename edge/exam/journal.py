"""The group commit: many requests wait, one fsync serves them all, and nobody is answered before it.

One thread owns the only writing connection to answers.db. Answers reach it as data and are written in one pass
(`edge.store.saving`); everything else is a function on that connection. What comes of either reaches the caller after
COMMIT (WAL, synchronous=FULL) and not before. Work that raises is undone alone.
"""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from edge.errors import Unavailable
from edge.exam.logkeeper import LogKeeper
from edge.exam.mirror import Mirror
from edge.store.db import connect, open_answers
from edge.store.journal import Recorded
from edge.store.reserve import Reserve, disk_full
from edge.store.saving import Asked, Standings
from edge.store.wal import Wal, checkpoints
from edge.why import why

log = logging.getLogger("examroom.exam.journal")
T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
TIMEOUT_S = 30.0
BATCH = 512
# Gathering: while the process is busy, or one more came within a STEP, more answers are on their way than wait. The
# next commit is held then until ENOUGH wait, the others are done with what they had to do, or the time is up. An idle
# room never holds an answer.
ENOUGH = 96
BUSY = 0.3
STEP_S = 0.003
HOLD_S = 0.12
CACHE_KIB = 16_384
CHECKPOINT_PAGES = 8000
"""Of the log, when the keeper of the log does not keep up."""
STEPS_A_COMMIT = 8


class _Job:
    """One caller's wish, and the lock it sleeps on until something has come of it."""

    __slots__ = ("error", "heard", "keeps", "lock", "result", "settled", "wish")

    def __init__(self, wish: Work | Asked, keeps: bool) -> None:
        self.wish = wish
        self.keeps = keeps
        self.lock = threading.Lock()
        self.lock.acquire()
        self.result: Any = None
        self.error: Exception | None = None
        self.settled = False
        self.heard: Callable[[], None] | None = None


class Pending:
    """An answer on its way to the disk, for a caller that does not wait: see `AnswerJournal.begin`."""

    __slots__ = ("_job", "_settle")

    def __init__(self, job: _Job, settle: threading.Lock) -> None:
        self._job = job
        self._settle = settle

    def then(self, heard: Callable[[], None]) -> None:
        """Call `heard` once it is settled: on the committing thread, which must not be kept, or here when it is."""
        with self._settle:
            if not self._job.settled:
                self._job.heard = heard
                return
        heard()

    def outcome(self) -> Recorded:
        """What became of it, once settled; raises as `save` does."""
        if self._job.error is not None:
            raise self._job.error
        recorded: Recorded = self._job.result
        return recorded


class AnswerJournal:
    """Owns answers.db for this process. Opening waits for a predecessor that is still dying to let go.

    `reserve`: what a commit that finds the disk full may take room from.
    """

    def __init__(self, path: Path, reserve: Reserve | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.with_suffix(".lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._path = path
        self._connection = open_answers(path)
        self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        # what a statement may have to undo is kept in memory: as a file it was half the cost of writing an answer
        self._connection.execute("PRAGMA temp_store = MEMORY")
        self._standings = Standings()
        self._jobs: deque[_Job] = deque()
        self._bell = threading.Lock()
        self._asleep = False
        self._between: deque[Callable[[], None]] = deque()
        self._wal: Wal | None = None
        self._mirror: Mirror | None = None
        self._reserve = reserve
        self._commits = 0
        self._settle = threading.Lock()
        self._looked = (0.0, 0.0)
        self._last = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()
        self._keeper = LogKeeper(path)

    def submit(self, work: Callable[[sqlite3.Connection], T], timeout_s: float = TIMEOUT_S, keeps: bool = False) -> T:
        """Run `work` in the next group commit; its result once it is on disk.

        `keeps`: it writes no journal row, response, hand-in or tablet, so what the writer remembers of them holds.
        Unavailable when the disk refuses: then nothing of `work` stays.
        """
        result: T = self._wait(_Job(work, keeps), timeout_s)
        return result

    def save(self, asked: Asked, timeout_s: float = TIMEOUT_S) -> Recorded:
        """Keep one answer in the next group commit; what became of it once that is on disk. Raises as `record` does."""
        recorded: Recorded = self._wait(_Job(asked, keeps=True), timeout_s)
        return recorded

    def begin(self, asked: Asked) -> Pending:
        """Keep one answer in the next group commit, without waiting for it. Unavailable when the journal is closed."""
        if self._closed:
            raise Unavailable("journal_closed")
        job = _Job(asked, keeps=True)
        self._put(job)
        return Pending(job, self._settle)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of the caller's own, which holds up no commit; it sees what is on disk, and writes nothing."""
        try:
            connection = connect(self._path)
        except sqlite3.Error as error:
            raise Unavailable("store_unavailable", path=self._path.name, detail=why(error)) from error
        try:
            connection.execute("PRAGMA query_only = ON")
            yield connection
        except sqlite3.Error as error:
            raise Unavailable("store_unavailable", path=self._path.name, detail=why(error)) from error
        finally:
            connection.close()

    def mirror_to(self, mirror: Mirror) -> None:
        """From now on acknowledge nothing that `mirror`, while it is well, does not hold too. Once."""
        self._mirror = mirror
        mirror.start(self._attach)

    def flushes(self) -> int:
        """How often this process has made answers.db sync: once a commit that wrote, twice a checkpoint."""
        return self._commits + 2 * checkpoints(self._path)

    def close(self) -> None:
        """Commit what waits, then let go of the file."""
        if not self._closed:
            if self._mirror is not None:
                self._mirror.close()
            self._keeper.close()
            self._closed = True
            self._ring()
            self._thread.join()
            if self._wal is not None:
                self._wal.close()
            self._connection.close()
            self._lock.close()

    def _wait(self, job: _Job, timeout_s: float) -> Any:
        if self._closed:
            raise Unavailable("journal_closed")
        self._put(job)
        if not job.lock.acquire(timeout=timeout_s):
            with self._settle:
                if not job.settled:
                    raise Unavailable("journal_slow")
        if job.error is not None:
            raise job.error
        return job.result

    def _put(self, job: _Job) -> None:
        self._jobs.append(job)
        if self._asleep:
            self._ring()

    def _ring(self) -> None:
        self._asleep = False
        with suppress(RuntimeError):  # two rang at once
            self._bell.release()

    # ---- the one thread

    def _run(self) -> None:
        while True:
            batch = self._gather()
            while self._between:
                self._between.popleft()()
            if batch:
                self._commit(batch)
            elif self._closed:
                return

    def _gather(self) -> list[_Job]:
        jobs = self._jobs
        if not jobs:
            self._asleep = True
            if not jobs and not self._between and not self._closed:
                self._bell.acquire()
            self._asleep = False
        self._hold()
        batch: list[_Job] = []
        while jobs and len(batch) < BATCH:
            batch.append(jobs.popleft())
        self._last = len(batch)
        return batch

    def _hold(self) -> None:
        """Wait while more are about to come."""
        if len(self._jobs) < 2 and self._last < 2:
            return  # nobody else has been seen lately
        end = time.monotonic() + HOLD_S
        come = True
        while len(self._jobs) < ENOUGH and (come or self._busy() or len(self._jobs) < self._last // 2):
            if time.monotonic() > end:
                break
            before = len(self._jobs)
            time.sleep(STEP_S)
            come = len(self._jobs) > before

    def _busy(self) -> bool:
        """Whether the process has mostly been working since this was last asked."""
        wall, cpu = self._looked
        self._looked = (time.monotonic(), time.process_time())
        return self._looked[1] - cpu > BUSY * (self._looked[0] - wall)

    def _commit(self, batch: list[_Job]) -> None:
        error = self._try(batch)
        for _ in range(STEPS_A_COMMIT):  # another process may be writing into the room that is made
            if error is None or not self._make_room(error):
                break
            error = self._try(batch)
        self._mirrored()  # after a failure too: what the database has is what counts, not what was said of it
        if error is not None:
            failure = Unavailable("journal_failed", detail=why(error))
            for job in batch:
                own = job.error if not isinstance(job.error, sqlite3.Error) else None
                job.result, job.error = None, own or failure
        self._tell(batch)

    def _try(self, batch: list[_Job]) -> Exception | None:
        """Carry out and commit all of it; what was in the way, and then nothing of it stays."""
        connection = self._connection
        before = connection.total_changes
        for job in batch:
            job.result = job.error = None
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._carry_out(batch)
            for job in batch:
                if isinstance(job.error, sqlite3.Error) and disk_full(job.error, self._path.parent):
                    raise job.error
            connection.execute("COMMIT")
        except Exception as error:  # whatever it was, the callers wait for a word, and the next ones for this thread
            if not isinstance(error, sqlite3.Error):
                log.exception("a group commit failed")
            if connection.in_transaction:
                connection.rollback()
            self._standings.forget()
            return error
        self._commits += connection.total_changes != before
        return None

    def _make_room(self, error: Exception) -> bool:
        """Whether the disk was full and the reserve has given some of itself for another try."""
        return self._reserve is not None and disk_full(error, self._path.parent) and self._reserve.use(self._path)

    def _mirrored(self) -> None:
        """Wait until the mirror, if there is one and it is well, has what was just committed."""
        if self._mirror is None or self._wal is None:
            return
        try:
            pages, count = self._wal.take()
            if pages and (sent := self._mirror.offer(pages, count)) is not None:
                self._mirror.wait(sent)
        except Exception:  # the first medium has it: an answer is never refused for the second
            log.exception("the mirror was not told of a commit")
            self._mirror.miss()

    def _attach(self, take: Callable[[bytes], None]) -> None:
        """Give `take` the database between two commits, on the journal's thread. Unavailable when closed."""
        done = threading.Event()

        def run() -> None:
            try:
                if self._wal is None:
                    page_size = int(self._connection.execute("PRAGMA page_size").fetchone()[0])
                    self._wal = Wal(self._path, page_size)
                self._wal.skip()
                take(self._connection.serialize())
            finally:
                done.set()

        self._between.append(run)
        self._ring()
        while not done.wait(0.1):
            if self._closed:
                raise Unavailable("journal_closed")

    def _carry_out(self, batch: list[_Job]) -> None:
        """Every wish in its order; neighbouring answers in one pass."""
        at = 0
        while at < len(batch):
            end = at
            while end < len(batch) and isinstance(batch[end].wish, Asked):
                end += 1
            if end > at:
                asked = [job.wish for job in batch[at:end] if isinstance(job.wish, Asked)]
                for job, outcome in zip(batch[at:end], self._standings.keep(self._connection, asked), strict=True):
                    if isinstance(outcome, Exception):
                        job.error = outcome
                    else:
                        job.result = outcome
                at = end
            else:
                self._one(batch[at])
                at += 1

    def _one(self, job: _Job) -> None:
        connection, work = self._connection, job.wish
        assert not isinstance(work, Asked)  # noqa: S101 - _carry_out's other branch
        before = connection.total_changes
        connection.execute("SAVEPOINT one")
        try:
            job.result = work(connection)
        except Exception as error:
            connection.execute("ROLLBACK TO one")
            job.error = error
        connection.execute("RELEASE one")
        if not job.keeps and connection.total_changes != before:
            self._standings.forget()

    def _tell(self, batch: list[_Job]) -> None:
        """Wake all who wait; each finds its word in its job."""
        with self._settle:
            for job in batch:
                job.settled = True
        for job in batch:
            if job.heard is None:
                job.lock.release()
                continue
            try:
                job.heard()
            except Exception:
                log.exception("somebody who waited for a commit failed to hear of it")
