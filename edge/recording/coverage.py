"""How complete a camera's footage is up to this moment: the index, and what stands on the disk beside it.

The segment being written has no row yet, nor has one that waits for the store or one a killed process left. Their
files say themselves what they hold, so that footage is not called a gap, nor a gap left out. Without a codec.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge import clock
from edge.config import Config
from edge.domain import footage
from edge.domain.footage import Cause, Completeness, Fragment, Gap
from edge.errors import BadInput
from edge.recording.boxes import Layout, read_layout
from edge.store import segments
from edge.store.segments import Segment, Span
from edge.store.status import read_status

LIVE_MS = 4000  # and a fragment: the newest footage of a camera that records is no older, with a slow disk's sync
SILENT_MS = 5 * 60_000
"""So long, and a segment, after a moment its footage is in the index, if any was recorded and nothing is amiss."""
_HELD_UP_MS = 60 * 60_000
_MISSES = 3  # numbers in a row without a file: a disk that refuses to open one uses numbers up
_MOST = 500
_STATES = {
    "camera_missing": Cause.CAMERA_MISSING,
    "camera_stalled": Cause.CAMERA_STALLED,
    "reserve": Cause.RESERVE,
    "disk_error": Cause.DISK_ERROR,
    "stopped": Cause.STOPPED,
}


@dataclass(frozen=True)
class OnDisk:
    """The whole fragments of a file that the index does not know."""

    started_ms: int
    ended_ms: int
    cause: str
    boot_id: str
    started_mono_ms: int
    quality: str
    ledger_seq: int | None = None


@dataclass(frozen=True)
class Coverage:
    """`rows`: the indexed segments of the span; `beside`: what else there is of it; `whole` counts both."""

    rows: list[Span]
    whole: Completeness
    beside: tuple[OnDisk, ...] = ()


def coverage(connection: sqlite3.Connection, config: Config, camera: str, from_ms: int, until_ms: int) -> Coverage:
    """Of [from_ms, until_ms) of wall time.

    Nothing is said of the last moments before now while the camera records: they end the span. Once its newest footage
    is older than a fragment and LIVE_MS, what follows is a gap like any other, for the cause its process gives.
    """
    paths, live = config.paths, LIVE_MS + 1000 * config.recording.fragment_seconds
    status = read_status(paths.status, f"camera-{camera}")
    beside = list(unindexed(connection, paths.recordings, camera, status))
    rows = segments.spans(connection, camera, from_ms, until_ms)
    earlier = segments.before(connection, camera, from_ms)
    known = [*([earlier] if earlier else []), *rows]
    end = until_ms
    stretches: list[footage.Stretch] = [*known, *beside]
    newest = min(stretches, key=_age_ms, default=None)
    if newest is not None and _age_ms(newest) <= live:
        end = max(from_ms, min(until_ms, newest.ended_ms))
    whole = explained(connection, camera, footage.completeness(stretches, from_ms, end, trailing=silence(status)))
    touching = tuple(one for one in beside if one.started_ms < until_ms and one.ended_ms > from_ms)
    return Coverage(rows, whole, touching)


def still_comes(connection: sqlite3.Connection, config: Config, camera: str, from_ms: int, until_ms: int) -> bool:
    """Whether footage of [from_ms, until_ms) of wall time may still come into the index: none is there of a later
    moment, and it is too early to say that none will be; or it lies in a file that waits for the store, or for a
    camera's process to salvage it. Nobody waits for that longer than an hour.
    """
    since_ms = clock.wall_ms() - until_ms
    if since_ms < SILENT_MS + 1000 * config.recording.segment_seconds:
        later = segments.spans(connection, camera, until_ms - 1, max(until_ms, clock.wall_ms()))
        if camera in config.camera and not any(row.ended_ms >= until_ms for row in later):
            return True
    return since_ms < _HELD_UP_MS and touched_beside(connection, config, camera, from_ms, until_ms)


def touched_beside(connection: sqlite3.Connection, config: Config, camera: str, from_ms: int, until_ms: int) -> bool:
    """Whether a file that the index does not know has footage of that span of wall time."""
    status = read_status(config.paths.status, f"camera-{camera}")
    beside = unindexed(connection, config.paths.recordings, camera, status) if camera in config.camera else ()
    return any(one.started_ms < until_ms and one.ended_ms > from_ms for one in beside)


def explained(connection: sqlite3.Connection, camera: str, whole: Completeness) -> Completeness:
    """The same, with the causes of gaps that nothing but a segment without footage explains."""
    gaps = list[Gap]()
    for gap in whole.gaps:
        cause = None
        if gap.cause == Cause.UNKNOWN:
            cause = segments.empty_cause(connection, camera, gap.from_ms - footage.JOIN_MS, gap.until_ms)
        gaps.append(replace(gap, cause=cause or gap.cause))
    return replace(whole, gaps=tuple(gaps))


def unindexed(
    connection: sqlite3.Connection, recordings: Path, camera: str, status: Mapping[str, Any]
) -> Iterator[OnDisk]:
    """What the camera's files later than its index hold, of this boot and of the last one that is indexed.

    Files are asked for by name, never listed: months of footage cost nothing. `status` is the camera's own.
    """
    for boot, sequence, path in _beside(connection, recordings, camera, status):
        found = _read(path)
        if found is not None:
            cause = _cause(boot, segments.segment_id(camera, boot, sequence), status)
            yield OnDisk(*found[:2], cause, boot, *found[2:])


def unindexed_segments(connection: sqlite3.Connection, config: Config, camera: str) -> list[Segment]:
    """The same files as segments, for looking at what is recorded just now: whole fragments, not hashed yet."""
    paths = config.paths
    found = list[Segment]()
    status = read_status(paths.status, f"camera-{camera}")
    for boot, sequence, path in _beside(connection, paths.recordings, camera, status):
        layout = _layout(path)
        if layout is None or layout.started is None:
            continue
        began = layout.started
        fragments = tuple(
            Fragment(
                n,
                piece.offset,
                piece.length,
                "",
                began.wall_ms + layout.ms(piece.start),
                began.mono_ms + layout.ms(piece.start),
                layout.ms(piece.start + piece.duration) - layout.ms(piece.start),
                piece.key,
            )
            for n, piece in enumerate(layout.pieces)
        )
        found.append(
            Segment(
                id=segments.segment_id(camera, boot, sequence),
                camera=camera,
                boot_id=boot,
                sequence=sequence,
                path=segments.segment_path(camera, boot, sequence),
                started_ms=began.wall_ms,
                ended_ms=fragments[-1].ended_ms,
                started_mono_ms=began.mono_ms,
                duration_ms=fragments[-1].ended_ms - began.wall_ms,
                bytes=layout.whole,
                quality=began.quality,
                salvaged=False,
                cause=Cause.ROTATED,
                init_length=layout.init_length,
                init_sha256="",
                fragments=fragments,
                digest="",
            )
        )
    return found


def _beside(
    connection: sqlite3.Connection, recordings: Path, camera: str, status: Mapping[str, Any]
) -> Iterator[tuple[str, int, Path]]:
    """Boot, sequence and place of the camera's files later than its index."""
    for boot in {clock.boot_id(), segments.last_boot(connection, camera) or clock.boot_id()}:
        first = segments.last_sequence(connection, camera, boot) + 1
        for sequence in _numbers(recordings, camera, boot, first, status):
            yield boot, sequence, recordings / segments.segment_path(camera, boot, sequence)


def is_fresh(status: Mapping[str, Any]) -> bool:
    """Whether the camera's process spoke of late."""
    return 0 <= clock.mono_ms() - int(status.get("mono_ms", -LIVE_MS)) < LIVE_MS


def _numbers(recordings: Path, camera: str, boot: str, first: int, status: Mapping[str, Any]) -> Iterator[int]:
    misses, open_now = 0, str(status.get("segment"))
    for sequence in range(first, first + _MOST):
        if (recordings / segments.segment_path(camera, boot, sequence)).exists():
            misses = 0
            yield sequence
        elif (misses := misses + 1) == _MISSES:
            break
    head, _, number = open_now.rpartition("-")
    if head == f"{camera}-{boot[:8]}" and number.isdigit() and int(number) > sequence:
        yield int(number)


def _layout(path: Path) -> Layout | None:
    """None where no whole fragment is there, or no word of when."""
    try:
        with path.open("rb") as file:
            layout = read_layout(file)
    except (OSError, BadInput):
        return None
    return None if layout.started is None or not layout.pieces else layout


def _read(path: Path) -> tuple[int, int, int, str] | None:
    """Wall start and end, monotonic start and quality of what is whole in a file."""
    layout = _layout(path)
    if layout is None or layout.started is None:
        return None
    since, last = layout.ms(layout.pieces[0].start), layout.pieces[-1]
    began = layout.started
    return (
        began.wall_ms + since,
        began.wall_ms + layout.ms(last.start + last.duration),
        began.mono_ms + since,
        began.quality,
    )


def _cause(boot: str, segment: str, status: Mapping[str, Any]) -> str:
    """Why nothing follows a file without a row."""
    if boot != clock.boot_id():
        return Cause.POWER
    if not is_fresh(status):
        return Cause.STOPPED if status.get("state") == "stopped" else Cause.KILLED
    if status.get("segment") == segment:
        return Cause.DISK_SLOW  # still open, and yet nothing has been added to it
    return _STATES.get(str(status.get("state")), Cause.NOT_INDEXED)


def silence(status: Mapping[str, Any]) -> str:
    """Why nothing follows a segment that made way for the next one."""
    if status and not is_fresh(status) and status.get("state") != "stopped":
        return Cause.KILLED
    return _STATES.get(str(status.get("state")), Cause.UNKNOWN)


def _age_ms(stretch: footage.Stretch) -> int:
    """How old the end of it is."""
    if stretch.boot_id == clock.boot_id() and stretch.started_mono_ms > 0:
        return clock.mono_ms() - stretch.started_mono_ms - (stretch.ended_ms - stretch.started_ms)
    return clock.wall_ms() - stretch.ended_ms
