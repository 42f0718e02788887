"""The group commit: many requests wait, one fsync serves them all, and nobody is answered before it.

One thread owns the only writing connection to answers.db. Work is a function on that connection; what it returns
reaches the caller after COMMIT (WAL, synchronous=FULL) and not before. Work that raises is undone alone.
"""

from __future__ import annotations

import fcntl
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from edge.errors import Unavailable
from edge.store.db import open_answers

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
BATCH = 512


class AnswerJournal:
    """Owns answers.db for this process. Opening waits for a predecessor that is still dying to let go."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.with_suffix(".lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._connection = open_answers(path)
        self._work: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], T], timeout_s: float = 30.0) -> T:
        """Run `work` in the next group commit; its result once it is on disk.

        Unavailable when the disk refuses: then nothing of `work` stays.
        """
        if self._closed:
            raise Unavailable("journal_closed")
        future: Future[T] = Future()
        self._work.put((work, future))
        try:
            return future.result(timeout_s)
        except TimeoutError as error:
            raise Unavailable("journal_slow") from error

    def close(self) -> None:
        """Commit what waits, then let go of the file."""
        if not self._closed:
            self._closed = True
            self._work.put(None)
            self._thread.join()
            self._connection.close()
            self._lock.close()

    def _run(self) -> None:
        while True:
            batch, last = self._gather()
            if batch:
                self._commit(batch)
            if last:
                return

    def _gather(self) -> tuple[list[tuple[Work, Future[Any]]], bool]:
        batch: list[tuple[Work, Future[Any]]] = []
        block = True
        while len(batch) < BATCH:
            try:
                job = self._work.get(block)
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
            block = False
        return batch, False

    def _commit(self, batch: list[tuple[Work, Future[Any]]]) -> None:
        connection = self._connection
        done: list[tuple[Future[Any], Any]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for work, future in batch:
                self._one(work, future, done)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.rollback()
            failure = Unavailable("journal_failed", detail=error)
            for _, future in batch:
                if not future.done():
                    future.set_exception(failure)
            return
        for future, result in done:
            future.set_result(result)

    def _one(self, work: Work, future: Future[Any], done: list[tuple[Future[Any], Any]]) -> None:
        self._connection.execute("SAVEPOINT one")
        try:
            result = work(self._connection)
        except Exception as error:
            self._connection.execute("ROLLBACK TO one")
            self._connection.execute("RELEASE one")
            future.set_exception(error)
            return
        self._connection.execute("RELEASE one")
        done.append((future, result))
