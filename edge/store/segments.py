"""The index of footage: one row a segment file, written with its ledger entry in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

from edge import clock
from edge.domain.canonical import canonical_text
from edge.domain.footage import Fragment
from edge.domain.keeping import Stretch
from edge.errors import Conflict, NotFound
from edge.store import holds, ledger
from edge.store.db import transaction


@dataclass(frozen=True)
class Segment:
    """One footage file. `path` is relative to the recordings folder; `init_length` bytes of ftyp and moov lead it.

    `digest` is the hex RFC 6962 root over the fragments' hashes, `cause` a value of `edge.domain.footage.Cause`,
    `ledger_seq` the number of its ledger entry, None before it is indexed. `frames`: pictures in it, None where nobody
    has counted them; `dropped`: those that the sensor's times say never came; `lost_ms`: what a slow disk cost.
    """

    id: str
    camera: str
    boot_id: str
    sequence: int
    path: str
    started_ms: int
    ended_ms: int
    started_mono_ms: int
    duration_ms: int
    bytes: int
    quality: str
    salvaged: bool
    cause: str
    init_length: int
    init_sha256: str
    fragments: tuple[Fragment, ...]
    digest: str
    ledger_seq: int | None = None
    frames: int | None = None
    dropped: int = 0
    lost_ms: int = 0

    def ledger_body(self) -> dict[str, object]:
        """What the ledger's `segment` entry says of it."""
        return {
            "segment": self.id,
            "camera": self.camera,
            "boot": self.boot_id,
            "sequence": self.sequence,
            "started": clock.iso(self.started_ms),
            "ended": clock.iso(self.ended_ms),
            "fragments": len(self.fragments),
            "init_sha256": self.init_sha256,
            "fragments_root": self.digest,
            "bytes": self.bytes,
            "salvaged": self.salvaged,
            "cause": self.cause,
            "mono_ms": self.started_mono_ms,
            "quality": self.quality,
            "frames": self.frames,
            "dropped": self.dropped,
            "lost_ms": self.lost_ms,
        }


def segment_id(camera: str, boot_id: str, sequence: int) -> str:
    return f"{camera}-{boot_id[:8]}-{sequence:06d}"


def index(connection: sqlite3.Connection, segment: Segment) -> Segment:
    """Row and ledger entry in one transaction of its own; returns the segment with its ledger number.

    Indexing the same segment again changes nothing. Conflict (`segment_twice`) where the id has other content,
    Unavailable where the store is busy: nothing was written then.
    """
    with transaction(connection):
        row = connection.execute("SELECT * FROM segments WHERE id = ?", (segment.id,)).fetchone()
        if row is not None:
            known = _segment(row)
            if (known.digest, known.init_sha256) != (segment.digest, segment.init_sha256):
                raise Conflict("segment_twice", segment=segment.id)
            return known
        done = replace(segment, ledger_seq=ledger.append(connection, "segment", segment.ledger_body()))
        connection.execute(
            "INSERT INTO segments (id, camera, boot_id, sequence, path, started_ms, ended_ms, started_mono_ms,"
            " duration_ms, bytes, quality, salvaged, cause, fragments, digest, ledger_seq,"
            " frames, dropped, lost_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                done.id,
                done.camera,
                done.boot_id,
                done.sequence,
                done.path,
                done.started_ms,
                done.ended_ms,
                done.started_mono_ms,
                done.duration_ms,
                done.bytes,
                done.quality,
                int(done.salvaged),
                done.cause,
                _table(done),
                done.digest,
                done.ledger_seq,
                done.frames,
                done.dropped,
                done.lost_ms,
            ),
        )
    return done


def note(connection: sqlite3.Connection, kind: str, body: dict[str, object]) -> int:
    """One ledger entry by itself: a clock step, recording stopped for want of space. Returns its number."""
    with transaction(connection):
        return ledger.append(connection, kind, body)


def get(connection: sqlite3.Connection, segment: str) -> Segment:
    row = connection.execute("SELECT * FROM segments WHERE id = ?", (segment,)).fetchone()
    if row is None:
        raise NotFound("segment_missing", segment=segment)
    return _segment(row)


def between(connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int) -> list[Segment]:
    """The camera's segments that touch [from_ms, until_ms) of wall time, in order; empty ones are left out."""
    rows = connection.execute(
        "SELECT * FROM segments WHERE camera = ? AND started_ms < ? AND ended_ms > ? AND ended_ms > started_ms"
        " ORDER BY started_ms, sequence",
        (camera, until_ms, from_ms),
    )
    return [_segment(row) for row in rows]


def before(connection: sqlite3.Connection, camera: str, at_ms: int) -> Segment | None:
    """The camera's last segment with footage that ended at or before `at_ms`: it explains a gap that follows."""
    row = connection.execute(
        "SELECT * FROM segments WHERE camera = ? AND ended_ms <= ? AND ended_ms > started_ms"
        " ORDER BY ended_ms DESC LIMIT 1",
        (camera, at_ms),
    ).fetchone()
    return row and _segment(row)


def known(connection: sqlite3.Connection, camera: str) -> set[tuple[str, int]]:
    """(boot id, sequence) of every indexed segment of the camera."""
    rows = connection.execute("SELECT boot_id, sequence FROM segments WHERE camera = ?", (camera,))
    return {(row["boot_id"], row["sequence"]) for row in rows}


def last_sequence(connection: sqlite3.Connection, camera: str, boot_id: str) -> int:
    """The highest sequence number indexed for the camera in this boot, 0 for none."""
    row = connection.execute(
        "SELECT coalesce(max(sequence), 0) FROM segments WHERE camera = ? AND boot_id = ?", (camera, boot_id)
    ).fetchone()
    return int(row[0])


def cameras(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT DISTINCT camera FROM segments ORDER BY camera")]


def expired(connection: sqlite3.Connection, camera: str, stretches: Iterable[Stretch], limit: int) -> list[Segment]:
    """The camera's segments in these stretches, in order of their end within each; `limit` at most."""
    found = list[Segment]()
    for one in stretches:
        rows = connection.execute(
            "SELECT * FROM segments INDEXED BY segments_space WHERE camera = ? AND ended_ms > ? AND ended_ms < ?"
            " AND started_ms > ? AND ended_ms >= ? AND started_ms <= ? ORDER BY ended_ms LIMIT ?",
            (camera, one.after_ms, one.before_ms, one.after_ms, one.from_ms, one.until_ms, limit - len(found)),
        )
        found += [_segment(row) for row in rows]
        if len(found) >= limit:
            break
    return found


def remove(connection: sqlite3.Connection, segment: Segment, keep_days: int, why: str = "expired") -> None:
    """Take a segment out of the index; its deletion is a ledger entry in the same transaction.

    `why`: its date has come (`expired`, `keep_days` after it was recorded or its session closed), or `space` was short.
    NotFound when it is gone already, Conflict (`footage_held`) when a hold was placed on it meanwhile.
    """
    with transaction(connection):
        holds.need_free(connection, segment.camera, segment.started_ms, segment.ended_ms)
        gone = connection.execute("DELETE FROM segments WHERE id = ?", (segment.id,)).rowcount
        if gone != 1:
            raise NotFound("segment_missing", segment=segment.id)
        body = {"segment": segment.id, "fragments_root": segment.digest, "why": why, "keep_days": keep_days}
        ledger.append(connection, "segment-deleted", body)


def _table(segment: Segment) -> str:
    fragments = [
        {
            "n": f.n,
            "offset": f.offset,
            "length": f.length,
            "sha256": f.sha256,
            "wall_ms": f.wall_ms,
            "mono_ms": f.mono_ms,
            "duration_ms": f.duration_ms,
            **({} if f.key else {"key": False}),
        }
        for f in segment.fragments
    ]
    init = {"length": segment.init_length, "sha256": segment.init_sha256}
    return canonical_text({"init": init, "fragments": fragments})


def _segment(row: sqlite3.Row) -> Segment:
    table = json.loads(row["fragments"])
    return Segment(
        id=row["id"],
        camera=row["camera"],
        boot_id=row["boot_id"],
        sequence=row["sequence"],
        path=row["path"],
        started_ms=row["started_ms"],
        ended_ms=row["ended_ms"],
        started_mono_ms=row["started_mono_ms"],
        duration_ms=row["duration_ms"],
        bytes=row["bytes"],
        quality=row["quality"],
        salvaged=bool(row["salvaged"]),
        cause=row["cause"],
        init_length=table["init"]["length"],
        init_sha256=table["init"]["sha256"],
        fragments=tuple(Fragment(**f) for f in table["fragments"]),
        digest=row["digest"],
        ledger_seq=row["ledger_seq"],
        frames=row["frames"],
        dropped=row["dropped"],
        lost_ms=row["lost_ms"],
    )
