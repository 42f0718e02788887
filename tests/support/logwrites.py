"""A disk as it is when the power goes and nothing that was not flushed has reached it.

QEMU's `blklogwrites` writes down each write and flush of the guest in the format of the kernel's dm-log-writes;
`replay` makes the disk of it as it was at the last flush.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SECTOR = 512
_SUPER, _ENTRY = struct.Struct("<3QI"), struct.Struct("<4Q")


def entries(log: BinaryIO, at: int = SECTOR) -> Iterator[tuple[int, int, int, int]]:
    """(sector, number of sectors, flags, where its data lie in the log) of each whole entry from byte `at` on; sectors
    of 512 bytes.

    QEMU counts in the head of the log only up to the last flush, so what is behind it is read, too; the last may have
    been cut off with QEMU and is left out. ValueError where this is no such log.
    """
    size = log.seek(0, 2)
    log.seek(0)
    magic, version, _, sector_size = _SUPER.unpack(log.read(_SUPER.size))
    if (magic, version, sector_size) != (MAGIC, 1, SECTOR):
        raise ValueError("not a log of writes")
    while True:
        log.seek(at)
        head = log.read(_ENTRY.size)
        if len(head) < _ENTRY.size or not any(head):
            return
        sector, sectors, flags, _ = _ENTRY.unpack(head)
        end = at + SECTOR + (0 if flags & DISCARD else sectors * SECTOR)
        if end > size:
            return
        yield sector, sectors, flags, at + SECTOR
        at = end


def unflushed(log: Path, at: int = SECTOR) -> tuple[int, int]:
    """Where the entries behind the last flush begin, and how many writes are among them; `at` is where such entries
    began when it was asked before."""
    with log.open("rb") as source:
        writes = 0
        for _, sectors, flags, data in entries(source, at):
            if flags & FLUSH:
                at, writes = data + (0 if flags & DISCARD else sectors * SECTOR), 0
            elif sectors and not flags & MARK:
                writes += 1
    return at, writes


def replay(log: Path, disk: Path) -> int:
    """Bring a copy of the disk as it was before the log to the log's last flush; how many writes were left out."""
    upto, left_out = unflushed(log)
    with log.open("rb") as source, disk.open("r+b") as target:
        for sector, sectors, flags, data in list(entries(source)):
            if data > upto:
                break
            target.seek(sector * SECTOR)
            if flags & DISCARD:
                for _ in range(sectors):
                    target.write(bytes(SECTOR))
            elif sectors:
                source.seek(data)
                target.write(source.read(sectors * SECTOR))
    return left_out
