"""A SQLite database as pages: what a commit changed, as small patches, and the database again from patches.

`Wal` reads what this process, the database's only writer, has just committed to the write-ahead log (the file format
is SQLite's documented one). `Image` holds the pages as the other side has them and says where they differ.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

_WAL_HEADER = 32
_FRAME = struct.Struct(">II8s8s")
_PATCH = struct.Struct(">IHH")
_HEAD = struct.Struct(">HII")
CHUNK = 128
"""Patches are found by comparing this many bytes at a time."""
SLICE_BYTES = 512 * 1024


class Wal:
    """The write-ahead log beside `database`, read from where it was last read to. Not while another process writes."""

    def __init__(self, database: Path, page_size: int) -> None:
        self._path = database.with_name(database.name + "-wal")
        self._page_size = page_size
        self._file: int | None = None
        self._salt = b""
        self._offset = 0

    @property
    def frames(self) -> int:
        """How many frames of the current run of the log have been read over."""
        return max(0, self._offset - _WAL_HEADER) // (_FRAME.size + self._page_size)

    def skip(self) -> None:
        """Everything so far is known otherwise."""
        for _ in self._frames(bodies=False):
            pass

    def take(self) -> tuple[dict[int, bytes], int]:
        """(page number from 1 -> page, pages of the database) of what was committed since; ({}, 0) when nothing was."""
        found: dict[int, bytes] = {}
        pending: dict[int, bytes] = {}
        pages = 0
        for number, size, body in self._frames(bodies=True):
            pending[number] = body
            if size:
                found.update(pending)
                pending, pages = {}, size
        return found, pages

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _frames(self, bodies: bool) -> Iterator[tuple[int, int, bytes]]:
        """Frames of the current run of the log; the offset moves on past the last that ends a commit."""
        if self._file is None:
            try:
                self._file = os.open(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return
        header = os.pread(self._file, _WAL_HEADER, 0)
        if len(header) < _WAL_HEADER:
            return
        if header[16:24] != self._salt:  # the log begins again after a checkpoint, under a new salt
            self._salt, self._offset = header[16:24], _WAL_HEADER
        at, wanted = self._offset, _FRAME.size + (self._page_size if bodies else 0)
        while True:
            frame = os.pread(self._file, wanted, at)
            if len(frame) < wanted:
                return
            number, size, salt, _checksum = _FRAME.unpack_from(frame)
            if salt != self._salt or number == 0:
                return
            at += _FRAME.size + self._page_size
            yield number, size, frame[_FRAME.size :]
            if size:
                self._offset = at


def checkpoints(database: Path) -> int:
    """How often the log beside `database` has begun again; 0 where there is none."""
    try:
        with database.with_name(database.name + "-wal").open("rb") as log:
            header = log.read(_WAL_HEADER)
    except FileNotFoundError:
        return 0
    return int.from_bytes(header[12:16], "big")


class Image:
    """The pages of a database as they stand on the other side."""

    def __init__(self, page_size: int = 4096) -> None:
        self.page_size = page_size
        self.pages: list[bytes] = []

    def differ(self, whole: bytes) -> bytes:
        """What must be done to become `whole`, the bytes of a database file. `b""` when nothing; then done here."""
        size = page_size_of(whole)
        if size != self.page_size:
            self.page_size, self.pages = size, []
        changed = {}
        for at in range(len(whole) // size):
            page = whole[at * size : (at + 1) * size]
            if at >= len(self.pages) or self.pages[at] != page:
                changed[at + 1] = page
        return self.change(changed, len(whole) // size)

    def change(self, changed: Mapping[int, bytes], count: int) -> bytes:
        """The same for pages that were committed; `count`: of the whole database."""
        if not changed and count == len(self.pages):
            return b""
        out = [_HEAD.pack(self.page_size % 65536, count, 0)]
        blank = bytes(self.page_size)
        del self.pages[count:]
        while len(self.pages) < count:
            self.pages.append(blank)
        for number in sorted(changed):
            page = changed[number]
            if number <= count:
                out += _patches(number, self.pages[number - 1], page)
                self.pages[number - 1] = page
        return b"".join(out)

    def slices(self) -> Iterator[bytes]:
        """Patches that make this image of nothing, in portions of about half a megabyte."""
        pages, count = list(self.pages), len(self.pages)
        blank = bytes(self.page_size)
        head = _HEAD.pack(self.page_size % 65536, count, 0)
        out, length = [head], 0
        for at, page in enumerate(pages):
            new = _patches(at + 1, blank, page)
            out += new
            length += sum(map(len, new))
            if length >= SLICE_BYTES:
                yield b"".join(out)
                out, length = [head], 0
        yield b"".join(out)


def _patches(number: int, old: bytes, new: bytes) -> list[bytes]:
    """Where `new` differs from `old`, neighbouring places as one."""
    found: list[bytes] = []
    size, at = len(new), 0
    while at < size:
        if old[at : at + CHUNK] == new[at : at + CHUNK]:
            at += CHUNK
            continue
        start = at
        while at < size and at - start < 32_768 and old[at : at + CHUNK] != new[at : at + CHUNK]:
            at += CHUNK
        found.append(_PATCH.pack(number, start, min(at, size) - start) + new[start:at])
    return found


def page_size_of(whole: bytes) -> int:
    """From a database's first page."""
    size = int.from_bytes(whole[16:18], "big")
    return 65536 if size == 1 else size


def apply(database: bytearray, patch: bytes) -> None:
    """Do to the bytes of a database file what a patch says. ValueError for what is none."""
    try:
        size, count, _ = _HEAD.unpack_from(patch)
        size = size or 65536
        wanted = size * count
        if len(database) > wanted:
            del database[wanted:]
        database.extend(bytes(wanted - len(database)))
        at = _HEAD.size
        while at < len(patch):
            number, start, length = _PATCH.unpack_from(patch, at)
            at += _PATCH.size
            place = (number - 1) * size + start
            if number < 1 or place + length > wanted or at + length > len(patch):
                raise ValueError("a patch outside of its database")
            database[place : place + length] = patch[at : at + length]
            at += length
    except struct.error as error:
        raise ValueError(str(error)) from error
