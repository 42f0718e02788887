"""Disk space that belongs to the answers: a file of nothing, let go bit by bit when the disk is full.

Whatever fills the disk finds it full while the reserve is still whole. The journal then takes a STEP of the reserve and
tries its commit again; half of the step is put straight into the write-ahead log, where nobody else can take it. When
the disk has room again the reserve is made whole again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

MB = 1 << 20
STEP = 4 * MB
NAME = "reserve.part"
LOG_MB = 8
"""Kept in the log of each database too, so that the room store goes on for a while without asking anybody."""
LOW = MB
_PRIMARY = 0xFF


def disk_full(error: BaseException, folder: Path) -> bool:
    """Whether `error` comes of a full disk: SQLite says so itself, or it cannot write where nothing is left."""
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    if code == sqlite3.SQLITE_FULL:
        return True
    return code == sqlite3.SQLITE_IOERR and free_bytes(folder) < LOW


def free_bytes(folder: Path) -> int:
    """What this process may still write to the disk of `folder`, or of what will hold it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


class Reserve:
    """`megabytes` held in the state folder (0: none). Any thread may call any method."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._path = folder / NAME
        self._wanted = megabytes * MB
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        with suppress(OSError):
            return self._path.stat().st_size
        return 0

    @property
    def missing(self) -> int:
        return max(0, self._wanted - self.held)

    def make(self) -> bool:
        """Hold all that is wanted, if the disk has that and a step more; whether all is held then."""
        with self._lock:
            missing = self.missing
            if missing and free_bytes(self.folder) >= missing + STEP:
                with suppress(OSError):
                    _hold(self._path, self._wanted)
            if self.held > self._wanted:
                os.truncate(self._path, self._wanted)
            if not self._wanted:
                self._path.unlink(missing_ok=True)
            return not self.missing

    def use(self, database: Path) -> bool:
        """Let go of a step, for `database` first. False when nothing is left."""
        with self._lock:
            held = self.held
            if not held:
                return False
            try:
                descriptor = os.open(self._path, os.O_RDWR)
                try:
                    os.ftruncate(descriptor, max(0, held - STEP))
                    log = _log_of(database)
                    with suppress(OSError):
                        _hold(log, log.stat().st_size + STEP // 2)
                    os.fsync(descriptor)  # a journalling file system gives freed blocks out again only after this
                finally:
                    os.close(descriptor)
            except OSError:
                return False
            return True


def hold_log(database: Path) -> None:
    """Give the write-ahead log of an open database its LOG_MB now, where the disk has that and as much again."""
    log = _log_of(database)
    with suppress(OSError):
        if log.stat().st_size < LOG_MB * MB and free_bytes(log.parent) > 2 * LOG_MB * MB:
            _hold(log, LOG_MB * MB)


def _log_of(database: Path) -> Path:
    return database.with_name(database.name + "-wal")


def _hold(path: Path, size: int) -> None:
    """Blocks for the first `size` bytes of a file; what is in it stays. SQLite takes zeros at the log's end as none."""
    flags = os.O_RDWR if path.name.endswith("-wal") else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)
