"""The evidence container: a ZIP any desktop opens, of which only one byte form is valid.

APPNOTE.TXT 6.3 subset: members stored (method 0), flag bit 11 (UTF-8) alone, time zero, date 1980-01-01, no extra
fields, no comments, no encryption, no ZIP64, at least one member; local headers back to back from offset 0, then the
central directory in the same order and the end record. Everything but names, sizes and CRC-32s is fixed, so a reader
that knows those rebuilds every header byte and finds any change. Contents are streamed both ways.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from edge.errors import BadInput

MAX_BYTES = 0xFFFF_0000
MAX_MEMBERS = 0xFFFE
END_BYTES = 22
_BLOCK = 1 << 20
_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
NAME_AT = _LOCAL.size
"""Where the first member's name begins."""
LOCAL_MARK, _CENTRAL_MARK, END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION, _UTF8, _STORED, _TIME, _DATE = 20, 0x0800, 0, 0, 0x0021


@dataclass(frozen=True)
class Member:
    """One file inside: its local header begins at `header`, its `size` content bytes at `start`."""

    name: str
    header: int
    size: int
    crc: int

    @property
    def start(self) -> int:
        return self.header + _LOCAL.size + len(self.name)

    @property
    def end(self) -> int:
        return self.start + self.size


class ContainerWriter:
    """Writes members one after another into a new seekable file; `finish` ends it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.members: list[Member] = []

    def add(self, name: str, chunks: Iterable[bytes]) -> Member:
        """Stream one member in. BadInput when the whole would pass the format's 4 GiB; ValueError for a bad name."""
        if not _NAME.fullmatch(name.encode()) or name in {m.name for m in self.members}:
            raise ValueError(f"not a member name, or there twice: {name}")
        header = self.members[-1].end if self.members else 0
        self._file.write(_local(Member(name, header, 0, 0)))
        size, crc = 0, 0
        for chunk in chunks:
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
            if header + size > MAX_BYTES:
                raise BadInput("container_too_large")
            self._file.write(chunk)
        member = Member(name, header, size, crc)
        self._file.seek(header)
        self._file.write(_local(member))
        self._file.seek(member.end)
        self.members.append(member)
        return member

    def finish(self) -> None:
        self._file.write(directory(self.members))


def directory(members: Sequence[Member]) -> bytes:
    """The central directory and end record that belong to `members`."""
    central = b"".join(
        _CENTRAL.pack(
            _CENTRAL_MARK, _VERSION, _VERSION, _UTF8, _STORED, _TIME, _DATE, m.crc, m.size, m.size,
            len(m.name), 0, 0, 0, 0, 0, m.header,
        )
        + m.name.encode()
        for m in members
    )  # fmt: skip
    at = members[-1].end if members else 0
    return central + _END.pack(END_MARK, 0, 0, len(members), len(members), len(central), at, 0)


def read_directory(file: BinaryIO) -> list[Member]:
    """The members of a file in canonical form, each content byte unread.

    BadInput `container_cut` when the file ends too early, `container_altered` (fact `at`: the offset where it first
    departs) when any byte outside the contents is not the one it must be.
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - END_BYTES))
    whole = file.read(4) == END_MARK
    members: list[Member] = []
    at, names = 0, set[bytes]()
    while True:
        file.seek(at)
        head = file.read(_LOCAL.size)
        if head[:4] == _CENTRAL_MARK:
            break
        wanted = int.from_bytes(head[26:28], "little")
        name = file.read(wanted)
        member = _member(head, name, at)
        if member is None or name in names or member.end > length or len(members) >= MAX_MEMBERS:
            short = len(head) < _LOCAL.size or len(name) < wanted or (member is not None and member.end > length)
            raise BadInput("container_cut") if short and not whole else BadInput("container_altered", at=at)
        members.append(member)
        names.add(name)
        at = member.end
    expected = directory(members)
    file.seek(at)
    found = file.read(len(expected) + 1)
    if found != expected:
        if len(found) < len(expected) and expected.startswith(found):
            raise BadInput("container_cut")
        same = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), len(expected))
        raise BadInput("container_altered", at=at + same)
    return members


def read_blocks(file: BinaryIO, start: int, size: int) -> Iterator[bytes]:
    """The bytes [start, start + size) in blocks of at most 1 MiB; fewer when the file ends."""
    file.seek(start)
    while size > 0:
        block = file.read(min(size, _BLOCK))
        if not block:
            return
        size -= len(block)
        yield block


def _local(member: Member) -> bytes:
    name = member.name.encode()
    sizes = (member.crc, member.size, member.size)
    return _LOCAL.pack(LOCAL_MARK, _VERSION, _UTF8, _STORED, _TIME, _DATE, *sizes, len(name), 0) + name


def _member(head: bytes, name: bytes, at: int) -> Member | None:
    """The member whose local header these bytes are, or nothing where a single one is not canonical."""
    if len(head) < _LOCAL.size or not _NAME.fullmatch(name):
        return None
    crc, size = struct.unpack_from("<II", head, 14)
    member = Member(name.decode(), at, size, crc)
    return member if _local(member) == head + name else None
