"""What the mirror holds besides the answers, read by a thread of its own and handed over in small portions.

room.db (`edge.store.follow`), the files of the state folder and the certificates of the pages. However large they are
and however slow the card is, the thread that writes answers never waits for them: it takes a portion when there is one.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue

from edge.config import Paths
from edge.store.db import data_version
from edge.store.faces import deletions
from edge.store.follow import PORTION_BYTES, Follower
from edge.store.mirrorlog import Kind, Record

log = logging.getLogger("examroom.exam.mirror")
ROOM = "room.db"
TLS = "tls:"
TLS_FILES = ("ca.crt", "ca.key", "room.crt", "room.key")
ROOM_S = 1.0
FILES_S = 2.0
AGAIN_S = 0.05
STEP_S = 0.1
AHEAD = 4
PATIENCE_S = 3.0
"""How long a look at room.db may wait for the medium: while it lasts, room.db's log cannot begin again, and a purge's
checkpoint waits. Then it gives up and looks again: what has been handed over need not be once more."""
TRIES = 10
PARTS = b"parts"
"""In a record of kind GONE: only the parts just handed over are."""
SIGNING = ("keys/sign.key", "keys/root.key", "keys/pending/")
_PASSING = (".db", ".db-wal", ".db-shm", ".lock", ".migrating", ".part")


class Aside:
    """One reading for one generation, from nothing on; a record of kind WHOLE says that all has been handed over once.

    `skipped` are the names of files that cannot be read; `purged` says that something was deleted for good since.

    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._ready: Queue[Record] = Queue(AHEAD)
        self._files: dict[str, tuple[int, int]] = {}
        self.skipped: set[str] = set()
        self.purged = False
        self._failure: Exception | None = None
        self._blocked_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror-aside", daemon=True)
        self._thread.start()

    def take(self) -> Record | None:
        """The next portion, if one is ready. OSError when the room can no longer be read."""
        with suppress(Empty):
            return self._ready.get_nowait()
        if self._failure is not None:
            raise OSError("room.db and files are not followed") from self._failure
        return None

    def close(self) -> None:
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        try:
            follower = Follower(self._paths.room_db)
            try:
                self._follow(follower)
            finally:
                follower.close()
        except Exception as error:
            self._failure = error

    def _follow(self, follower: Follower) -> None:
        purged, version, failures, files_at, told = deletions(follower.connection), -1, 0, -FILES_S, False
        while not self._stop.is_set():
            if (said := data_version(follower.connection)) != version:
                self._blocked_s = 0.0
                try:
                    version = said if follower.look(self._room_portion) else -1
                    failures = 0
                except (OSError, sqlite3.OperationalError):
                    failures += 1
                    if failures == TRIES:
                        raise
                self.purged = self.purged or deletions(follower.connection) != purged
            if time.monotonic() - files_at >= FILES_S:
                files_at = time.monotonic()
                self._look_at_files()
            if version == -1:
                self._stop.wait(AGAIN_S)
                continue
            told = told or self._put(Kind.WHOLE, "", b"")
            self._stop.wait(ROOM_S)

    def _put(self, kind: Kind, name: str, data: bytes, patience_s: float = float("inf")) -> bool:
        """Hand over one portion; False when nobody has taken the ones before it for so long, or at the end of all."""
        began = time.monotonic()
        while not self._stop.is_set():
            with suppress(Full):
                self._ready.put(Record(kind, name, data), timeout=STEP_S)
                self._blocked_s += time.monotonic() - began
                return True
            if time.monotonic() - began > patience_s:
                break
        return False

    def _room_portion(self, patch: bytes, last: bool) -> bool:
        return self._put(Kind.PATCH if last else Kind.PART, ROOM, patch, PATIENCE_S - self._blocked_s)

    def _look_at_files(self) -> None:
        skipped, present, folders_failed = set[str](), set[str](), list[OSError]()
        for name, place in mirrored_files(self._paths, folders_failed.append):
            present.add(name)
            try:
                found = place.stat()
                if not stat.S_ISREG(found.st_mode):
                    continue
                stamp = (found.st_mtime_ns, found.st_size)
                if self._files.get(name) == stamp:
                    continue
                if not self._send(name, place, found.st_mode & 0o777):
                    return
                self._files[name] = stamp
            except FileNotFoundError:
                present.discard(name)
            except OSError as error:
                skipped.add(name)
                self._put(Kind.GONE, name, PARTS)
                if name not in self.skipped:
                    log.error("not on the second medium: %s", error)
        if folders_failed:
            skipped |= {str(error.filename) for error in folders_failed}
        else:
            for name in self._files.keys() - present - skipped:
                del self._files[name]
                self._put(Kind.GONE, name, b"")
        self.skipped = skipped

    def _send(self, name: str, place: Path, mode: int) -> bool:
        with place.open("rb") as file:
            data = file.read(PORTION_BYTES)
            while following := file.read(PORTION_BYTES):
                if not self._put(Kind.PART, name, data):
                    return False
                data = following
        return self._put(Kind.FILE, name, mode.to_bytes(2, "big") + data)


def mirrored_files(paths: Paths, failed: Callable[[OSError], None]) -> Iterator[tuple[str, Path]]:
    """(name on the mirror, file) of what is mirrored as files: no database, no signing key.

    `failed` hears of each folder that cannot be read.
    """
    besides = (paths.models, paths.recordings, paths.runtime, paths.tls, paths.scratch)
    for folder, folders, files in os.walk(paths.state, onerror=failed):
        here = Path(folder)
        folders[:] = [one for one in folders if here / one not in besides]
        for one in files:
            name = (here / one).relative_to(paths.state).as_posix()
            if not one.endswith(_PASSING) and not name.startswith(SIGNING):
                yield name, here / one
    for one in TLS_FILES:
        yield TLS + one, paths.tls / one
