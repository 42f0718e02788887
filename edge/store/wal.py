"""SQLite's write-ahead log beside a database, read while the database is in use (both file formats are documented).

Where the log ends is what SQLite's own index of it says (`-shm`), never what the log looks like: behind the end may
stand frames of a commit that failed or that a power cut tore, with the right salt and a commit mark.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_WAL_HEADER = 32
_FRAME = struct.Struct(">II8s8s")
# version, unused, changes, is initialised, checksum order, page size, frames, pages, checksum, salt, own checksum
_INDEX = struct.Struct("=IIIBBHII8s8s8s")
_INDEX_VERSION = 3_007_000
_READS = 200


@dataclass(frozen=True)
class Head:
    """The log up to its last commit: its salt, its frames, and the pages the database then has.

    `changes` counts commits that wrote something.
    """

    salt: bytes
    changes: int
    frames: int
    pages: int


class WalIndex:
    """The index of the log beside `database`, which a connection of this process must have read and not closed.

    Its file is read through that connection's own descriptor: closing another one of the same file would take away
    every lock that this process holds on it, as POSIX has it.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + "-shm")
        self._file = -1
        self._known = (0, 0)

    def read(self) -> Head:
        """OSError when there is no index, or none that can be understood."""
        for _ in range(_READS):
            both = os.pread(self._descriptor(), 2 * _INDEX.size, 0)
            if len(both) == 2 * _INDEX.size and both[: _INDEX.size] == both[_INDEX.size :]:
                version, _, changes, initialised, _, _, frames, pages, _, salt, _ = _INDEX.unpack_from(both)
                if version != _INDEX_VERSION or not initialised:
                    raise OSError(f"{self._path} is of an unknown kind")
                return Head(salt, changes, frames, pages)
            time.sleep(0.0001)  # another process is writing it
        raise OSError(f"{self._path} is not whole")

    def _descriptor(self) -> int:
        with suppress(OSError):
            if _identity(os.fstat(self._file)) == self._known:
                return self._file
        self._known = _identity(self._path.stat())
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not files
            with suppress(OSError):
                if _identity(os.fstat(int(name))) == self._known:
                    self._file = int(name)
                    return self._file
        raise FileNotFoundError(f"{self._path} is not open in this process")


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


class OtherRun(OSError):
    """The log is not, or no longer, what was read of its index: it may have begun again meanwhile."""


class Log:
    """The frames of the log beside `database`, numbered from 1."""

    def __init__(self, database: Path, page_size: int) -> None:
        self._path = database.with_name(database.name + "-wal")
        self._frame = _FRAME.size + page_size
        self._file: int | None = None

    def numbers(self, salt: bytes, first: int, last: int) -> Iterator[tuple[int, int]]:
        """(frame, the page it holds). OtherRun for a frame of another run."""
        for frame in range(first, last + 1):
            yield frame, self._check(self._read(frame, _FRAME.size), salt)

    def page(self, salt: bytes, frame: int) -> tuple[int, bytes]:
        """(the page's number from 1, its bytes). OtherRun as above."""
        read = self._read(frame, self._frame)
        return self._check(read, salt), read[_FRAME.size :]

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read(self, frame: int, length: int) -> bytes:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDONLY)
        found = os.pread(self._file, length, _WAL_HEADER + (frame - 1) * self._frame)
        if len(found) < length:
            raise OtherRun(f"{self._path} ends before its frame {frame}")
        return found

    def _check(self, frame: bytes, salt: bytes) -> int:
        number, _, own, _ = _FRAME.unpack_from(frame)
        if own != salt or number == 0:
            raise OtherRun(f"{self._path} is not what its index says")
        return int(number)


class Wal:
    """What this process, the database's only writer, commits: read from where it was last read to."""

    def __init__(self, database: Path, page_size: int) -> None:
        self._index = WalIndex(database)
        self._log = Log(database, page_size)
        self._salt = b""
        self._changes = 0
        self._at = 0

    @property
    def frames(self) -> int:
        """How many frames of the current run of the log have been read over."""
        return self._at

    def skip(self) -> None:
        """Everything so far is known otherwise. OSError when it cannot be said how much that is."""
        head = self._index.read()
        self._salt, self._changes, self._at = head.salt, head.changes, head.frames

    def take(self) -> tuple[dict[int, bytes], int]:
        """(page number from 1 -> page, pages of the database) of what was committed since; ({}, 0) when nothing was.

        OtherRun when log and index do not fit what was read before: then it is not known what was committed.
        """
        head = self._index.read()
        if head.salt != self._salt:  # the log begins again after a checkpoint, under a new salt
            self._salt, self._at = head.salt, 0
        if head.frames < self._at or (head.frames == self._at) != (head.changes == self._changes):
            raise OtherRun("the log is not what was committed")
        if head.frames == self._at:
            return {}, 0
        found = dict(self._log.page(head.salt, frame) for frame in range(self._at + 1, head.frames + 1))
        self._changes, self._at = head.changes, head.frames
        return found, head.pages

    def close(self) -> None:
        self._log.close()


def checkpoints(database: Path) -> int:
    """How often the log beside `database` has begun again; 0 where there is none."""
    try:
        with database.with_name(database.name + "-wal").open("rb") as log:
            header = log.read(_WAL_HEADER)
    except FileNotFoundError:
        return 0
    return int.from_bytes(header[12:16], "big")
