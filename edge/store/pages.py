"""A SQLite database as pages: what a commit changed, as small patches, and the database again from patches.

`Image` holds the pages as the other side has them and says where they differ; `edge.store.wal` says what was committed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

_PATCH = struct.Struct(">IHH")
_HEAD = struct.Struct(">HII")
CHUNK = 128
"""Patches are found by comparing this many bytes at a time."""
SLICE_BYTES = 128 * 1024
_MOST = 32_768


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
        """Patches that make this image of nothing, in portions of SLICE_BYTES and a little."""
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
        while at < size and at - start < _MOST and old[at : at + CHUNK] != new[at : at + CHUNK]:
            at += CHUNK
        found.append(_PATCH.pack(number, start, min(at, size) - start) + new[start:at])
    return found


def portion(page_size: int, count: int, pages: Iterable[tuple[int, bytes]]) -> bytes:
    """A patch that sets these pages, given whole, and makes the database `count` pages long."""
    out = [_HEAD.pack(page_size % 65536, count, 0)]
    for number, page in pages:
        for at in range(0, page_size, _MOST):
            part = page[at : at + _MOST]
            out.append(_PATCH.pack(number, at, len(part)) + part)
    return b"".join(out)


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
