"""Checkpoints of answers.db by a thread of their own.

A checkpoint flushes two files. On the committing thread every answer under way would wait for it, each time the log is
long; beside it (SQLite's PASSIVE kind) none does. Only where answers come faster than this follows does the committing
thread do it itself, at the journal's own, much higher limit.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

from edge.store.db import connect
from edge.store.wal import Wal

log = logging.getLogger("examroom.exam.logkeeper")
LOOK_S = 0.5
FRAMES = 1000


class LogKeeper:
    """Keeps the write-ahead log of `path` short until `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = connect(self._path)
        wal = Wal(self._path, int(connection.execute("PRAGMA page_size").fetchone()[0]))
        done = 0
        try:
            while not self._stop.wait(LOOK_S):
                wal.skip()
                if wal.frames < done:
                    done = 0  # the log has begun again
                if wal.frames - done >= FRAMES:
                    done = self._checkpoint(connection) or done
        except OSError as error:
            log.warning("checkpoints are left to the commits: %s", error)
        finally:
            wal.close()
            connection.close()

    @staticmethod
    def _checkpoint(connection: sqlite3.Connection) -> int:
        """How many frames of the log are in the database now; 0 when somebody else is at it."""
        try:
            busy, _, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            log.warning("a checkpoint failed and will be tried again: %s", error)
            return 0
        return 0 if busy else int(done)
