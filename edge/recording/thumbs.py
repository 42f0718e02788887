"""Small pictures beside a segment, one in ten seconds, to find a moment by. They are no evidence: in no hash, and gone
with their segment. Written by the recorder's clerk, read without a codec.

File, under the segment's name with `.thumbs`: for each picture the wall time in milliseconds (8 bytes, big-endian), the
length (4 bytes) and the JPEG.
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from pathlib import Path

from edge.store.segments import Segment

EVERY_MS = 10_000
LARGEST = 64 * 1024
"""Bytes of one picture at most."""
_MOST = 360  # an hour's, while the store does not let a segment be indexed
_HEAD = struct.Struct(">QI")


class Thumbs:
    """The newest small pictures of one camera, until the segment they belong to is closed. For two threads."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=_MOST)
        self._lock = threading.Lock()
        self._last_ms: int | None = None

    def due(self, mono_ms: int) -> bool:
        """Whether another one is wanted of a picture taken then."""
        return self._last_ms is None or not 0 <= mono_ms - self._last_ms < EVERY_MS

    def add(self, mono_ms: int, jpeg: bytes) -> None:
        """Take one in, however it came out: one too large is left out."""
        self._last_ms = mono_ms
        if 0 < len(jpeg) <= LARGEST:
            with self._lock:
                self._kept.append((mono_ms, jpeg))

    def keep(self, recordings: Path, segment: Segment) -> None:
        """Write those of a closed segment beside it, and forget the older ones. OSError from the disk."""
        since, until = segment.started_mono_ms, segment.started_mono_ms + segment.duration_ms
        with self._lock:
            taken = [one for one in self._kept if since <= one[0] < until]
            left = [one for one in self._kept if one[0] >= until]
            self._kept.clear()
            self._kept.extend(left)
        if taken:
            parts = (_HEAD.pack(segment.started_ms + at - since, len(jpeg)) + jpeg for at, jpeg in taken)
            thumbs_path(recordings / segment.path).write_bytes(b"".join(parts))


def thumbs_path(segment: Path) -> Path:
    """Where the small pictures of a segment's file are."""
    return segment.with_suffix(".thumbs")


def read_thumbs(segment: Path) -> list[tuple[int, bytes]]:
    """(wall time in milliseconds, JPEG) in order; what is torn or no JPEG ends the list. Empty without a file."""
    try:
        data = thumbs_path(segment).read_bytes()
    except OSError:
        return []
    found, at = list[tuple[int, bytes]](), 0
    while at + _HEAD.size <= len(data):
        wall_ms, length = _HEAD.unpack_from(data, at)
        jpeg = data[at + _HEAD.size : at + _HEAD.size + length]
        if length > LARGEST or len(jpeg) != length or not jpeg.startswith(b"\xff\xd8\xff"):
            break
        found.append((wall_ms, jpeg))
        at += _HEAD.size + length
    return found
