"""Writing to the second medium: one spell, from opening it to its failure. See `edge.exam.mirror` for what and why."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from edge import clock
from edge.config import Paths
from edge.store.db import connect, data_version
from edge.store.mirrorlog import MOST, Kind, LogWriter, generations
from edge.store.pages import Image
from edge.store.purge import purged_sessions

BEAT_S = 0.4
ROOM_S = 1.0
FILES_S = 2.0
RENEW_BYTES = 128 * 1024 * 1024
RENEW_FACTOR = 4
ANSWERS, ROOM = "answers.db", "room.db"
SIGNING = ("keys/sign.key", "keys/root.key", "keys/pending/")
_PASSING = (".db", ".db-wal", ".db-shm", ".lock", ".migrating", ".part")


class Batch:
    """What one group commit changed, on its way to the mirror."""

    __slots__ = ("count", "done", "pages")

    def __init__(self, pages: dict[int, bytes], count: int) -> None:
        self.pages = pages
        self.count = count
        self.done = threading.Event()


class Owner(Protocol):
    """What the writing asks of the mirror it writes for."""

    def fetch(self) -> bytes: ...

    def waiting(self, seconds: float) -> list[Batch]: ...

    def attached(self) -> bool: ...

    def heard(self) -> None: ...

    def win(self) -> None: ...

    def on_device(self, medium: int, state: int) -> None: ...


class Writing:
    """One spell of writing to the medium: from opening it to its failure."""

    def __init__(self, mirror: Owner, paths: Paths, folder: Path, room: str, secret: bytes | None) -> None:
        self._mirror = mirror
        self._paths = paths
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
        self._looked_room = self._looked_files = self._beat = -FILES_S

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
        self._mirror.on_device(new.need_name(), self._paths.state.stat().st_dev)
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
        if self._log is None or self._next is not None:
            return
        self._mirror.on_device(self._log.need_name(), self._paths.state.stat().st_dev)
        for name, stamp, data in self._changed_files():
            self._files[name] = stamp
            self._add(Kind.FILE, name, data)
        for name in [name for name in self._files if not (self._paths.state / name).exists()]:
            del self._files[name]
            self._add(Kind.GONE, name, b"")

    def _changed_files(self) -> Iterator[tuple[str, tuple[int, int], bytes]]:
        """(name, stamp, mode and content) of each file of the state folder that is not as it was."""
        for name, file in state_files(self._besides(), self._paths.state):
            try:
                found = file.stat()
                stamp = (found.st_mtime_ns, found.st_size)
                if self._files.get(name) != stamp and found.st_size < MOST // 2:
                    yield name, stamp, (found.st_mode & 0o777).to_bytes(2, "big") + file.read_bytes()
            except FileNotFoundError:
                continue

    def _besides(self) -> tuple[Path, ...]:
        return (self._paths.models, self._paths.recordings, self._paths.runtime)


def state_files(besides: tuple[Path, ...], state: Path) -> Iterator[tuple[str, Path]]:
    """(name under the state folder, file) of what is mirrored as files: no database, no signing key."""
    for folder, folders, files in os.walk(state):
        here = Path(folder)
        folders[:] = [one for one in folders if here / one not in besides]
        for one in files:
            name = (here / one).relative_to(state).as_posix()
            if not one.endswith(_PASSING) and not name.startswith(SIGNING):
                yield name, here / one
