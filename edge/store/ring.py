"""The frame ring: the newest pictures of one camera in a memory-backed file under the runtime directory.

One writer (the camera process), any number of readers, no locks: a slot's sequence number is odd while it is being
written, and a reader that sees it change reads again. Each slot holds a raw BGR picture for faces (may be absent) and a
ready-made JPEG for previews, so that `web` needs no codec. Nothing here is durable, and nothing here is kept.

File: header (magic, slots, slot bytes, newest slot number), then the slots; a slot is its header and its payload.
"""

from __future__ import annotations

import mmap
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.errors import BadInput

MAGIC = b"EXRING02"
_HEADER = struct.Struct("<8sIIQ")
_SLOT = struct.Struct("<QQqqqqIIII")
_TRIES = 20


class _BeingWritten(Exception):
    """The writer is in this slot: read again."""


@dataclass(frozen=True)
class Frame:
    """One picture: `bgr` is height x width x 3 bytes, row by row (empty where only a preview was made).

    `moved_ms`: when something before the camera last moved, on the monotonic clock; equal to `mono_ms` while it does.
    """

    number: int
    mono_ms: int
    wall_ms: int
    source_ms: int
    moved_ms: int
    width: int
    height: int
    bgr: bytes
    jpeg: bytes


class RingWriter:
    """Owns the file. `slot_bytes` bounds one frame's BGR and JPEG together."""

    def __init__(self, path: Path, slot_bytes: int, slots: int = 4) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        stride = _SLOT.size + slot_bytes
        with part.open("wb") as file:
            file.truncate(_HEADER.size + slots * stride)
            file.seek(0)
            file.write(_HEADER.pack(MAGIC, slots, slot_bytes, 0))
        part.replace(path)
        self._slots, self._stride, self._slot_bytes = slots, stride, slot_bytes
        self._number = 0
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def write(
        self,
        *,
        mono_ms: int,
        wall_ms: int,
        source_ms: int,
        width: int,
        height: int,
        bgr: bytes,
        jpeg: bytes,
        moved_ms: int | None = None,
    ) -> int:
        """Publish one picture and return its number, counted from 1. BadInput when it does not fit its slot.

        Without `moved_ms` it counts as having moved.
        """
        if len(bgr) + len(jpeg) > self._slot_bytes:
            raise BadInput("frame_too_large", bytes=len(bgr) + len(jpeg), limit=self._slot_bytes)
        number = self._number + 1
        at = _HEADER.size + (number % self._slots) * self._stride
        moved = mono_ms if moved_ms is None else moved_ms
        head = (number, mono_ms, wall_ms, source_ms, moved, width, height, len(bgr), len(jpeg))
        self._map[at : at + _SLOT.size] = _SLOT.pack(2 * number - 1, *head)
        body = at + _SLOT.size
        self._map[body : body + len(bgr)] = bgr
        self._map[body + len(bgr) : body + len(bgr) + len(jpeg)] = jpeg
        self._map[at : at + 8] = struct.pack("<Q", 2 * number)
        self._map[16:24] = struct.pack("<Q", number)
        self._number = number
        return number

    def close(self) -> None:
        self._map.close()


class RingReader:
    """Reads the newest frame; opens again by itself when the camera process has made a new file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map: mmap.mmap | None = None
        self._inode = -1

    def latest(self) -> Frame | None:
        """The newest whole frame, or None where there is no camera process or no picture yet."""
        for _ in range(_TRIES):
            if not self._open():
                return None
            assert self._map is not None  # noqa: S101 - for the type checker; _open said so
            with suppress(_BeingWritten):
                return self._read(self._map)
        return None

    def motion(self) -> tuple[int, int] | None:
        """Number of the newest frame and when something last moved, without copying the picture; None without one.

        For who looks at pictures only while something moves: a fraction of what `latest` costs.
        """
        if not self._open() or self._map is None:
            return None
        magic, slots, slot_bytes, newest = _HEADER.unpack_from(self._map)
        if magic != MAGIC or newest == 0:
            return None
        at = _HEADER.size + (newest % slots) * (_SLOT.size + slot_bytes)
        _, number, _, _, _, moved_ms, *_ = _SLOT.unpack_from(self._map, at)
        return number, moved_ms

    def _open(self) -> bool:
        try:
            inode = self._path.stat().st_ino
        except OSError:
            self.close()
            return False
        if self._map is None or inode != self._inode:
            self.close()
            try:
                with self._path.open("rb") as file:
                    self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                    self._inode = os.fstat(file.fileno()).st_ino
            except (OSError, ValueError):
                return False
        return True

    @staticmethod
    def _read(memory: mmap.mmap) -> Frame | None:
        magic, slots, slot_bytes, newest = _HEADER.unpack_from(memory)
        if magic != MAGIC or newest == 0:
            return None
        at = _HEADER.size + (newest % slots) * (_SLOT.size + slot_bytes)
        mark, number, mono, wall, source, moved, width, height, bgr, jpeg = _SLOT.unpack_from(memory, at)
        if mark != 2 * number or bgr + jpeg > slot_bytes:
            raise _BeingWritten
        body = at + _SLOT.size
        picture, preview = bytes(memory[body : body + bgr]), bytes(memory[body + bgr : body + bgr + jpeg])
        if struct.unpack_from("<Q", memory, at)[0] != mark:
            raise _BeingWritten
        return Frame(number, mono, wall, source, moved, width, height, picture, preview)

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None
