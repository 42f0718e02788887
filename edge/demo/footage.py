"""The demo's footage as it lies on the disk: every segment file opened, every fragment of it hashed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from edge.clock import Instant, TimeQuality
from edge.config import Config
from edge.demo.room import CAMERA, SESSION
from edge.domain.footage import Fragment, completeness, fragments_root
from edge.errors import BadInput, ExamroomError
from edge.recording import clips
from edge.recording.boxes import read_layout
from edge.recording.salvage import on_disk
from edge.recording.writer import fragment_of
from edge.store import ledger, segments, sessions
from edge.store.db import connect
from edge.store.segments import Segment


@dataclass(frozen=True)
class _Read:
    """A stretch of time that was read whole from a file."""

    started_ms: int
    ended_ms: int
    cause: str
    boot_id: str
    started_mono_ms: int
    quality: str
    ledger_seq: int | None


def footage(config: Config) -> dict[str, Any]:
    """How much of the session was recorded, and each gap with its cause.

    `footage_expected_s` is how long the session was, `footage_recorded_s` what the files hold of it, and `gaps` what
    the index says is missing: the three need not agree. `footage_files` were read. `footage_wrong` names each segment
    whose file is gone or is not what index and ledger say of it, and each file that the index does not know.
    """
    connection = connect(config.paths.room_db)
    try:
        session = sessions.find(connection, SESSION)
        since, until = session.opened_ms or 0, session.closed_ms or 0
        indexed = segments.between(connection, CAMERA, since, until)
        found = clips.completeness_between(connection, CAMERA, since, until)
        wrong = _unknown(connection, config.paths.recordings, until)
        pieces = list[_Read]()
        for segment in indexed:
            held = _fragments(config.paths.recordings / segment.path)
            if not _as_noted(connection, config.paths.recordings, segment, held):
                wrong.append(segment.id)
            known = set(segment.fragments)
            pieces += [
                _Read(
                    f.wall_ms,
                    f.ended_ms,
                    segment.cause,
                    segment.boot_id,
                    f.mono_ms,
                    segment.quality,
                    segment.ledger_seq,
                )
                for f in held
                if f in known
            ]
    finally:
        connection.close()
    held_ms = completeness(pieces, since, until).recorded_ms if pieces else 0
    return {
        "footage_expected_s": round(found.expected_s, 2),
        "footage_recorded_s": round(held_ms / 1000, 2),
        "footage_files": len(indexed),
        "footage_wrong": wrong,
        "gaps": [{"seconds": round(gap.seconds, 2), "cause": gap.cause} for gap in found.gaps],
    }


def is_indexed(config: Config) -> bool:
    """Whether the segment that was running when the session closed is in the index."""
    connection = connect(config.paths.room_db)
    try:
        closed = sessions.find(connection, SESSION).closed_ms or 0
        return bool(segments.between(connection, CAMERA, closed, closed + 3_600_000))
    finally:
        connection.close()


def _as_noted(connection: sqlite3.Connection, recordings: Path, segment: Segment, held: list[Fragment]) -> bool:
    """Whether a file is what its row and the row's ledger entry say, to the byte."""
    try:
        clips.read_init(recordings, segment)
        noted = ledger.get(connection, segment.ledger_seq or 0).body
    except ExamroomError:
        return False
    return tuple(held) == segment.fragments and fragments_root([f.sha256 for f in held]) == noted["fragments_root"]


def _fragments(file: Path) -> list[Fragment]:
    """What a segment's file holds by its own word: whole fragments, their times and their hashes; none without it."""
    try:
        with file.open("rb") as data:
            return list(_read(data))
    except (OSError, BadInput):
        return []


def _read(data: BinaryIO) -> Iterator[Fragment]:
    layout = read_layout(data)
    began = layout.started
    if began is None:
        return
    at = Instant(began.wall_ms, began.mono_ms, began.boot_id, TimeQuality(began.quality))
    for n, piece in enumerate(layout.pieces):
        data.seek(piece.offset)
        yield fragment_of(n, piece.offset, (data.read(piece.length),), piece, at, layout)


def _unknown(connection: sqlite3.Connection, recordings: Path, until_ms: int) -> list[str]:
    """Files with footage from before `until_ms` that no row tells of."""
    known = segments.known(connection, CAMERA)
    strangers = [place for place in on_disk(recordings, CAMERA) if (place.boot_id, place.sequence) not in known]
    begun = [(place, next(iter(_fragments(place.path)), None)) for place in strangers]
    return [place.relative for place, first in begun if first is not None and first.wall_ms < until_ms]
