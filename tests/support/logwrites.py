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
_SUPER, _ENTRY = struct.Struct("<3QI"), struct.Struct("<4Q")


def entries(log: BinaryIO) -> Iterator[tuple[int, int, int, int]]:
    """(sector, number of sectors, flags, where its data lie in the log) of each entry; sectors of 512 bytes.

    The last may have been cut off with QEMU: it and what is behind the number that the head tells are left out.
    ValueError where this is no such log.
    """
    size = log.seek(0, 2)
    log.seek(0)
    magic, version, count, sector_size = _SUPER.unpack(log.read(_SUPER.size))
    if (magic, version, sector_size) != (MAGIC, 1, 512):
        raise ValueError("not a log of writes")
    at = sector_size
    for _ in range(count):
        log.seek(at)
        head = log.read(_ENTRY.size)
        if len(head) < _ENTRY.size:
            return
        sector, sectors, flags, _ = _ENTRY.unpack(head)
        data = 0 if flags & DISCARD else sectors * 512
        if at + sector_size + data > size:
            return
        yield sector, sectors, flags, at + sector_size
        at += sector_size + data


def replay(log: Path, disk: Path) -> int:
    """Bring a copy of the disk as it was before the log to the log's last flush; how many writes were left out."""
    with log.open("rb") as source, disk.open("r+b") as target:
        found = list(entries(source))
        flushes = [n for n, (_, _, flags, _) in enumerate(found) if flags & FLUSH]
        upto = flushes[-1] + 1 if flushes else 0
        for sector, sectors, flags, data in found[:upto]:
            target.seek(sector * 512)
            if flags & DISCARD:
                for _ in range(sectors):
                    target.write(bytes(512))
            elif sectors:
                source.seek(data)
                target.write(source.read(sectors * 512))
        return sum(1 for _, sectors, flags, _ in found[upto:] if sectors and not flags & MARK)
