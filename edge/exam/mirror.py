"""The second medium: what the room holds, also on a disk that can be carried to a spare machine.

With `store.mirror` set, every group commit is written there before it is acknowledged. A mirror that fails, is full,
is pulled out or takes longer than a second holds up nobody: it is lost, the console and the ledger say so, answers go
on with the first medium alone, and when it is back it is given what it lacks before it counts again.

On the mirror (`edge.store.mirrorlog`): answers.db commit by commit, room.db as it was at most a second ago, and the
files of the state folder but the keys that sign. So a mirror can open what the room could open (sealed banks, face
templates) and shows whom the room knew: keep it as the box itself is kept, or set `store.mirror_secret`, a file whose
content encrypts all of it and without which `examroom restore` reads nothing. It cannot sign for the room; who
restores it enrols again. What the room's purge deletes is gone from the mirror once a new generation has replaced the
old, which a purge starts at once.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge import clock
from edge.config import Config
from edge.store.db import connect, data_version
from edge.store.mirrorlog import MOST, Kind, LogWriter, generations
from edge.store.pages import Image
from edge.store.purge import purged_sessions

log = logging.getLogger("examroom.exam.mirror")
DEADLINE_S = 1.0
BEAT_S = 0.4
ROOM_S = 1.0
FILES_S = 2.0
RETRY_S = 2.0
QUEUE_BYTES = 64 * 1024 * 1024
RENEW_BYTES = 128 * 1024 * 1024
RENEW_FACTOR = 4
ANSWERS, ROOM = "answers.db", "room.db"
SIGNING = ("keys/sign.key", "keys/root.key", "keys/pending/")
_PASSING = (".db", ".db-wal", ".db-shm", ".lock", ".migrating", ".part")

Told = Callable[[str, Mapping[str, Any]], None]
"""Hears "mirror_lost" with {"reason"} and "mirror_back"."""


class Batch:
    """What one group commit changed, on its way to the mirror."""

    __slots__ = ("count", "done", "pages")

    def __init__(self, pages: dict[int, bytes], count: int) -> None:
        self.pages = pages
        self.count = count
        self.done = threading.Event()


class Mirror:
    """One a process, beside the journal. `attach` is what the journal's thread must run between two commits."""

    def __init__(self, config: Config, folder: Path, room: str, secret: bytes | None, told: Told) -> None:
        self._config = config
        self._folder = folder
        self._room = room
        self._secret = secret
        self._told = told
        self._lock = threading.Condition()
        self._queue: deque[Batch] = deque()
        self._queued = 0
        self._attached = False
        self._good = False
        self._reason: str | None = "mirror_catching_up"
        self._alarmed = False
        self._written = time.monotonic()
        self._attach: Callable[[Callable[[bytes], None]], None] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def start(self, attach: Callable[[Callable[[bytes], None]], None]) -> None:
        """`attach(take)` calls `take` with the bytes of answers.db between two commits; the next one is offered here."""
        self._attach = attach
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        with self._lock:
            self._lock.notify_all()
        if self._thread.ident is not None:
            self._thread.join(2 * DEADLINE_S)

    # ---- asked by the journal and the keeper

    def offer(self, pages: dict[int, bytes], count: int) -> Batch | None:
        """Take over what was just committed. The batch to wait for, or None when the mirror does not count now."""
        with self._lock:
            if not self._attached:
                return None
            if self._queued > QUEUE_BYTES:
                self._attached = False  # too far behind: it will be given the whole difference later
                self._queue.clear()
                self._queued = 0
                return None
            batch = Batch(pages, count)
            self._queue.append(batch)
            self._queued += sum(map(len, pages.values()))
            self._lock.notify()
            return batch if self._good and self._fresh() else None

    def wait(self, batch: Batch) -> bool:
        """Whether the batch is on the mirror within the deadline; if not, the mirror is lost."""
        if batch.done.wait(DEADLINE_S):
            return True
        self._lose("mirror_slow")
        return False

    def state(self) -> tuple[str, str | None]:
        """("ok" or "degraded", the reason's code), for the status; notices a mirror that has fallen silent."""
        with self._lock:
            silent = not self._alarmed and not self._fresh()
        if silent:
            self._lose("mirror_slow")
        with self._lock:
            return ("ok", None) if self._good else ("degraded", self._reason)

    def _fresh(self) -> bool:
        return time.monotonic() - self._written < DEADLINE_S

    def _lose(self, reason: str) -> None:
        with self._lock:
            self._good, self._reason = False, reason
            told, self._alarmed = self._alarmed, True
        if not told:
            log.error("the mirror is lost: %s", reason)
            self._told("mirror_lost", {"reason": reason})

    def win(self) -> None:
        with self._lock:
            if self._queue or not self._attached:
                return
            self._good, self._reason = True, None
            told, self._alarmed = self._alarmed, False
        if told:
            log.warning("the mirror is back")
            self._told("mirror_back", {})

    # ---- the mirror's own thread

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                _Writing(self, self._config, self._folder, self._room, self._secret).serve(self._stop)
            except OSError as error:
                self._lose("mirror_full" if error.errno == 28 else "mirror_failed")
                log.warning("the mirror failed and will be tried again: %s", error)
            except Exception:
                log.exception("the mirror failed and will be tried again")
                self._lose("mirror_failed")
            with self._lock:
                self._attached = False
                self._queue.clear()
                self._queued = 0
            self._stop.wait(RETRY_S)

    def fetch(self) -> bytes:
        """The bytes of answers.db between two commits; from then on every commit is offered."""
        found: list[bytes] = []

        def take(whole: bytes) -> None:
            found.append(whole)
            with self._lock:
                self._attached = True
                self._queue.clear()
                self._queued = 0

        assert self._attach is not None  # noqa: S101 - `start` has set it
        self._attach(take)
        return found[0]

    def waiting(self, seconds: float) -> list[Batch]:
        """What is to be written now; waits up to `seconds` for something."""
        with self._lock:
            if not self._queue:
                self._lock.wait(seconds)
            found = list(self._queue)
            self._queue.clear()
            self._queued = 0
            return found

    def attached(self) -> bool:
        with self._lock:
            return self._attached

    def heard(self) -> None:
        """The medium has just confirmed a write."""
        self._written = time.monotonic()


class _Writing:
    """One spell of writing to the medium: from opening it to its failure."""

    def __init__(self, mirror: Mirror, config: Config, folder: Path, room: str, secret: bytes | None) -> None:
        self._mirror = mirror
        self._paths = config.paths
        self._folder = folder
        self._room_id = room
        self._secret = secret
        self._answers = Image()
        self._room = Image()
        self._files: dict[str, tuple[int, int]] = {}
        self._log: LogWriter | None = None
        self._next: LogWriter | None = None
        self._base: Iterator[int] = iter(())
        self._base_bytes = 0
        self._later: list[tuple[Kind, str, bytes]] = []
        self._version = -1
        self._purged = 0
        self._looked_room = self._looked_files = self._beat = -RETRY_S

    def serve(self, stop: threading.Event) -> None:
        """Write what comes until `stop`; OSError when the medium fails."""
        connection = connect(self._paths.room_db)
        try:
            self._answers.differ(self._mirror.fetch())
            self._look_at_room(connection, first=True)
            self._renew()
            while not stop.is_set():
                self._turn(connection)
        finally:
            connection.close()
            for one in (self._log, self._next):
                if one is not None:
                    with suppress(OSError):
                        one.close()
            if self._next is not None:
                with suppress(OSError):
                    self._next.path.unlink()

    def _turn(self, connection: sqlite3.Connection) -> None:
        batches = self._mirror.waiting(0.0 if self._next is not None else BEAT_S / 2)
        if not self._mirror.attached():
            self._add(Kind.PATCH, ANSWERS, self._answers.differ(self._mirror.fetch()))
        for batch in batches:
            self._add(Kind.PATCH, ANSWERS, self._answers.change(batch.pages, batch.count))
        now = time.monotonic()
        if now - self._beat >= BEAT_S or batches:
            self._beat = now
            self._add(Kind.MARK, "", json.dumps({"wall_ms": clock.wall_ms()}).encode())
            if self._log is not None:
                self._log.sync()
                self._mirror.heard()
        for batch in batches:
            batch.done.set()
        if now - self._looked_room >= ROOM_S:
            self._looked_room = now
            self._look_at_room(connection)
        if now - self._looked_files >= FILES_S:
            self._looked_files = now
            self._look_at_files()
        if self._next is not None:
            self._go_on()
        elif self._log is not None:
            self._mirror.win()
            if self._log.size > max(RENEW_BYTES, RENEW_FACTOR * self._base_bytes):
                self._renew()

    def _add(self, kind: Kind, name: str, data: bytes) -> None:
        if kind is Kind.PATCH and not data:
            return
        if self._log is not None:
            self._log.add(kind, name, data)
        if self._next is not None:
            self._later.append((kind, name, data))

    # ---- a new generation, written beside the old one while that goes on

    def _renew(self) -> None:
        self._next = LogWriter(self._folder, self._room_id, self._secret)
        self._later = []
        self._base = self._write_base(self._next)

    def _write_base(self, out: LogWriter) -> Iterator[int]:
        for name, image in ((ANSWERS, self._answers), (ROOM, self._room)):
            for data in image.slices():
                out.add(Kind.PATCH, name, data)
                yield out.size
        self._files = {}
        for name, stamp, data in self._changed_files():
            self._files[name] = stamp
            out.add(Kind.FILE, name, data)
            yield out.size

    def _go_on(self) -> None:
        """One portion more; when all is there, the new generation takes the old one's place."""
        new = self._next
        assert new is not None  # noqa: S101 - asked by the caller
        if next(self._base, None) is not None:
            new.sync()
            if self._log is None:
                self._mirror.heard()
            return
        for kind, name, data in self._later:
            new.add(kind, name, data)
        new.add(Kind.WHOLE)
        new.sync()
        new.sync_folder()
        old, self._log, self._next, self._later = self._log, new, None, []
        self._base_bytes = new.size
        if old is not None:
            old.close()
        for file in generations(self._folder):
            if file != new.path:
                file.unlink()
        self._mirror.heard()

    # ---- what is not answers

    def _look_at_room(self, connection: sqlite3.Connection, first: bool = False) -> None:
        version = data_version(connection)
        if version == self._version:
            return
        self._version = version
        patch = self._room.differ(connection.serialize())
        if not first:
            self._add(Kind.PATCH, ROOM, patch)
        purged = purged_sessions(connection)
        if purged != self._purged and not first and self._next is None:
            self._renew()
        self._purged = purged

    def _look_at_files(self) -> None:
        if self._next is not None:
            return
        for name, stamp, data in self._changed_files():
            self._files[name] = stamp
            self._add(Kind.FILE, name, data)
        for name in [name for name in self._files if not (self._paths.state / name).exists()]:
            del self._files[name]
            self._add(Kind.GONE, name, b"")

    def _changed_files(self) -> Iterator[tuple[str, tuple[int, int], bytes]]:
        """(name, stamp, mode and content) of each file of the state folder that is not as it was."""
        for name, file in state_files(self._config_folders(), self._paths.state):
            try:
                found = file.stat()
                stamp = (found.st_mtime_ns, found.st_size)
                if self._files.get(name) != stamp and found.st_size < MOST // 2:
                    yield name, stamp, (found.st_mode & 0o777).to_bytes(2, "big") + file.read_bytes()
            except FileNotFoundError:
                continue

    def _config_folders(self) -> tuple[Path, ...]:
        return (self._paths.models, self._paths.recordings, self._paths.runtime)


def state_files(besides: tuple[Path, ...], state: Path) -> Iterator[tuple[str, Path]]:
    """(name under the state folder, file) of what is mirrored as files: no database, no signing key, nothing passing."""
    for folder, folders, files in os.walk(state):
        here = Path(folder)
        folders[:] = [one for one in folders if here / one not in besides]
        for one in files:
            name = (here / one).relative_to(state).as_posix()
            if not one.endswith(_PASSING) and not name.startswith(SIGNING):
                yield name, here / one
