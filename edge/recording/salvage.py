"""What a killed recorder leaves: files on the disk and not in the index. Cut to whole fragments, never deleted.

Bytes after the last whole fragment are a torn write as a rule; they are kept beside the file (`.tail`), since a
damaged fragment in the middle would look the same and whole ones may follow it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from edge import clock
from edge.clock import Instant, TimeQuality
from edge.domain.footage import Cause
from edge.errors import BadInput
from edge.recording.boxes import Layout, read_layout
from edge.recording.files import sync_folder
from edge.recording.writer import Place, fragment_of, segment_of
from edge.store.segments import Segment

_NAME = re.compile(r"([0-9a-f]{32})-([0-9]{6,9})\.mp4")
_BLOCK = 1 << 20
_QUIET_MS = 3_600_000


def on_disk(recordings: Path, camera: str) -> list[Place]:
    """Every segment file of the camera, oldest boot's files in no promised order, sequences in order."""
    folder = recordings / camera
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    found = [(match, name) for name in names if (match := _NAME.fullmatch(name))]
    return [Place(recordings, camera, match[1], int(match[2])) for match, _ in found]


def left_over(
    recordings: Path, camera: str, known: Collection[tuple[str, int]], boot_id: str, first_own: int
) -> list[Place]:
    """The files that are neither indexed nor this process's own (those of this boot from `first_own` on)."""
    return [
        place
        for place in on_disk(recordings, camera)
        if (place.boot_id, place.sequence) not in known and (place.boot_id != boot_id or place.sequence < first_own)
    ]


def strays(recordings: Path, camera: str, known: Collection[tuple[str, int]]) -> list[Place]:
    """The files without a row of a camera that is no longer configured, so that they too come to their date.

    One changed within the hour may still be written by a process with an older configuration: it waits.
    """
    quiet_ms = clock.wall_ms() - _QUIET_MS
    return [
        place
        for place in on_disk(recordings, camera)
        if (place.boot_id, place.sequence) not in known and place.path.stat().st_mtime_ns // 1_000_000 < quiet_ms
    ]


def salvage(place: Place, boot_id: str, cause: Cause | None = None) -> Segment:
    """Cut one file to its last whole fragment, sync it, and return what the index is to say of it.

    The cause is `killed` for a file of this boot and `power` for another's, unless given. A file without one whole
    fragment is left as it is, and is a segment without fragments. OSError when the disk does not let us.
    """
    why = cause or (Cause.KILLED if place.boot_id == boot_id else Cause.POWER)
    with place.path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        try:
            layout = read_layout(file)
        except BadInput:
            return _empty(place, file, size, why)
        at = _began(file, layout)
        if layout.pieces and layout.whole < size:
            _set_aside(place.path, file, layout.whole, size)
            size = layout.whole
        fragments = []
        for n, piece in enumerate(layout.pieces):
            data = _read(file, piece.offset, piece.length)
            fragments.append(fragment_of(n, piece.offset, (data,), piece, at, layout))
        init = hashlib.sha256(_read(file, 0, layout.init_length)).hexdigest()
    frames = sum(piece.frames for piece in layout.pieces)
    return segment_of(place, at, layout.init_length, init, fragments, size, why, salvaged=True, frames=frames)


def _began(file: BinaryIO, layout: Layout) -> Instant:
    """When the segment began: as its writer noted, else counted back from the file's last change."""
    if layout.started is not None:
        noted = layout.started
        quality = noted.quality if noted.quality in set(TimeQuality) else TimeQuality.UNKNOWN
        return Instant(noted.wall_ms, noted.mono_ms, noted.boot_id, TimeQuality(quality))
    last = layout.pieces[-1] if layout.pieces else None
    length = layout.ms(last.start + last.duration) if last else 0
    changed = os.fstat(file.fileno()).st_mtime_ns // 1_000_000
    return Instant(max(0, changed - length), 0, "", TimeQuality.UNKNOWN)


def _empty(place: Place, file: BinaryIO, size: int, cause: Cause) -> Segment:
    changed = os.fstat(file.fileno()).st_mtime_ns // 1_000_000
    at = Instant(changed, 0, place.boot_id, TimeQuality.UNKNOWN)
    return segment_of(place, at, 0, hashlib.sha256(b"").hexdigest(), [], size, cause, salvaged=True, frames=0)


def _set_aside(path: Path, file: BinaryIO, whole: int, size: int) -> None:
    """Copy [whole, size) to `<name>.tail` and sync it, and only then cut the file."""
    with path.with_name(path.name + ".tail").open("wb") as tail:
        for start in range(whole, size, _BLOCK):
            tail.write(_read(file, start, min(_BLOCK, size - start)))
        tail.flush()
        os.fsync(tail.fileno())
    sync_folder(path.parent)
    file.truncate(whole)
    file.flush()
    os.fsync(file.fileno())


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
