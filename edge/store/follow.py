"""A database that several processes write, followed page by page, with little memory however large it is.

A look reads under a read transaction what the write-ahead log has got since the last one; only after the log has begun
again, every page, and then a hash of each says which the other side lacks. While the transaction lasts no writer waits
for it and no checkpoint overwrites what it reads, so what comes of a look is the database as it stood at one moment.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.store.db import connect
from edge.store.pages import portion
from edge.store.wal import Head, Log, OtherRun, WalIndex

PORTION_BYTES = 128 * 1024
_MARK = 8

Emit = Callable[[bytes, bool], bool]
"""Takes a patch (see `edge.store.pages.apply`) and whether it is the last one of a look; False to give this look up.

Only what all patches up to a last one make together is the database as it stood at one moment.
"""

_held: dict[tuple[int, int], int] = {}


def _hold(path: Path) -> int:
    """A descriptor of a database file, one a process and never closed: closing it would take SQLite's locks away."""
    found = path.stat()
    known = _held.get((found.st_dev, found.st_ino))
    if known is None:
        known = _held[found.st_dev, found.st_ino] = os.open(path, os.O_RDONLY)
    return known


class Follower:
    """What the other side, which begins with nothing, lacks of `database`. Used by one thread."""

    def __init__(self, database: Path) -> None:
        self.connection = connect(database)
        self._size = int(self.connection.execute("PRAGMA page_size").fetchone()[0])
        self._file = _hold(database)
        self._index = WalIndex(database)
        self._log = Log(database, self._size)
        self._blank = _mark(bytes(self._size))
        self._marks = bytearray()
        self._seen: Head | None = None

    def close(self) -> None:
        self._log.close()
        self.connection.close()

    def look(self, emit: Emit) -> bool:
        """Give `emit` what is lacking; whether the other side then has the database as it stood at one moment.

        False: `emit` gave up, or another process began the log again meanwhile; look again. OSError and sqlite3.Error
        when the database cannot be read.
        """
        self.connection.execute("BEGIN")
        try:
            self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the transaction begins here
            return self._look(emit)
        except OtherRun:
            self._seen = None
            return False
        finally:
            self.connection.execute("ROLLBACK")

    def _look(self, emit: Emit) -> bool:
        head = self._index.read()
        seen = self._seen
        if seen is not None and (seen.salt != head.salt or seen.frames > head.frames):
            seen = None
        count = head.pages if head.frames else int(self.connection.execute("PRAGMA page_count").fetchone()[0])
        if not self._resize(count, emit):
            return False
        pages: list[tuple[int, bytes]] = []
        marks: list[tuple[int, bytes]] = []
        for number, page in self._read(head, seen, count):
            mark, at = _mark(page), _MARK * (number - 1)
            if self._marks[at : at + _MARK] == mark:
                continue
            if len(pages) * self._size >= PORTION_BYTES:
                if not emit(portion(self._size, count, pages), False):
                    return False
                self._note(marks)
                pages, marks = [], []
            pages.append((number, page))
            marks.append((number, mark))
        whole = self._index.read().salt == head.salt
        if not emit(portion(self._size, count, pages), whole):
            return False
        self._note(marks)
        self._seen = head if whole else None
        return whole

    def _read(self, head: Head, seen: Head | None, count: int) -> Iterator[tuple[int, bytes]]:
        """Each page that may have changed since `seen`: from the log where the log has it, else from the file."""
        first = seen.frames + 1 if seen else 1
        newest = {page: frame for frame, page in self._log.numbers(head.salt, first, head.frames)}
        for number in range(1, count + 1) if seen is None else sorted(newest):
            if number > count:
                return
            if number in newest:
                yield number, self._log.page(head.salt, newest[number])[1]
                continue
            page = os.pread(self._file, self._size, (number - 1) * self._size)
            if len(page) < self._size:
                raise OtherRun("the database file is shorter than the database")
            yield number, page

    def _resize(self, count: int, emit: Emit) -> bool:
        """Make the other side as long as the database is; what is added there is blank."""
        if _MARK * count != len(self._marks):
            if not emit(portion(self._size, count, []), False):
                return False
            del self._marks[_MARK * count :]
            self._marks += self._blank * (count - len(self._marks) // _MARK)
        return True

    def _note(self, marks: list[tuple[int, bytes]]) -> None:
        for number, mark in marks:
            self._marks[_MARK * (number - 1) : _MARK * number] = mark


def _mark(page: bytes) -> bytes:
    return hashlib.blake2b(page, digest_size=_MARK).digest()
