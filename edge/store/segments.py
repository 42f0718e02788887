"""The index of footage: one row a segment file, written with its ledger entry in one transaction."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace

from edge import clock
from edge.domain.canonical import canonical_text
from edge.domain.footage import Fragment
from edge.domain.keeping import Stretch
from edge.errors import Conflict, NotFound
from edge.store import downloads, holds, ledger
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


@dataclass(frozen=True)
class Span:
    """A segment without its fragments: what a list, a timeline or a certificate needs, and a fiftieth of the cost."""

    id: str
    camera: str
    boot_id: str
    sequence: int
    started_ms: int
    ended_ms: int
    started_mono_ms: int
    bytes: int
    quality: str
    salvaged: bool
    cause: str
    ledger_seq: int
    frames: int | None
    dropped: int
    lost_ms: int


_SPAN = (
    "id, camera, boot_id, sequence, started_ms, ended_ms, started_mono_ms, bytes, quality, salvaged, cause, ledger_seq,"
    " frames, dropped, lost_ms"
)
# Segments of a camera that touch [from, until): bounded on both sides of one index, however much is stored, since none
# is longer than the longest. The `+` keeps the other column's index out of it.
_TOUCHING = (
    "camera = :camera AND ended_ms > :since"
    " AND ended_ms < :until + (SELECT coalesce(max(duration_ms), 0) FROM segments WHERE camera = :camera)"
    " AND +started_ms < :until AND ended_ms > +started_ms ORDER BY started_ms, sequence"
)


def segment_id(camera: str, boot_id: str, sequence: int) -> str:
    return f"{camera}-{boot_id[:8]}-{sequence:06d}"


def segment_path(camera: str, boot_id: str, sequence: int) -> str:
    """Where its file is, relative to the recordings folder."""
    return f"{camera}/{boot_id}-{sequence:06d}.mp4"


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
            " duration_ms, bytes, quality, salvaged, cause, fragments, packed, digest, ledger_seq,"
            " frames, dropped, lost_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?)",
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
                zlib.compress(_table(done).encode(), 9),
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


def exists(connection: sqlite3.Connection, segment: str) -> bool:
    return connection.execute("SELECT 1 FROM segments WHERE id = ?", (segment,)).fetchone() is not None


def between(connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int) -> list[Segment]:
    """The camera's segments that touch [from_ms, until_ms) of wall time, in order; empty ones are left out."""
    facts = {"camera": camera, "since": from_ms, "until": until_ms}
    return [_segment(row) for row in connection.execute(f"SELECT * FROM segments WHERE {_TOUCHING}", facts)]  # noqa: S608


def spans(connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int) -> list[Span]:
    """`between`, without the fragments."""
    facts = {"camera": camera, "since": from_ms, "until": until_ms}
    rows = connection.execute(f"SELECT {_SPAN} FROM segments WHERE {_TOUCHING}", facts)  # noqa: S608
    return [_span(row) for row in rows]


def spans_of_boot(
    connection: sqlite3.Connection, camera: str, boot_id: str, from_mono_ms: int, until_mono_ms: int
) -> list[Span]:
    """The camera's segments of one boot that touch a stretch of its monotonic time, in order."""
    rows = connection.execute(
        f"SELECT {_SPAN} FROM segments WHERE camera = :camera AND boot_id = :boot AND started_mono_ms < :until"  # noqa: S608
        " AND started_mono_ms > :since - (SELECT coalesce(max(duration_ms), 0) FROM segments WHERE camera = :camera)"
        " AND started_mono_ms > 0 AND started_mono_ms + duration_ms > :since AND ended_ms > started_ms"
        " ORDER BY started_mono_ms",
        {"camera": camera, "boot": boot_id, "since": from_mono_ms, "until": until_mono_ms},
    )
    return [_span(row) for row in rows]


def spans_entered(connection: sqlite3.Connection, camera: str, first_seq: int, last_seq: int) -> list[Span]:
    """The camera's segments with footage whose ledger entries lie between two others, in the order of the ledger."""
    rows = connection.execute(
        f"SELECT {_SPAN} FROM segments WHERE ledger_seq BETWEEN ? AND ? AND +camera = ? AND ended_ms > started_ms"  # noqa: S608
        " ORDER BY ledger_seq",
        (first_seq, last_seq, camera),
    )
    return [_span(row) for row in rows]


def before(connection: sqlite3.Connection, camera: str, at_ms: int) -> Span | None:
    """The camera's last segment with footage that ended at or before `at_ms`: it explains a gap that follows."""
    row = connection.execute(
        f"SELECT {_SPAN} FROM segments WHERE camera = ? AND ended_ms <= ? AND ended_ms > +started_ms"  # noqa: S608
        " ORDER BY ended_ms DESC LIMIT 1",
        (camera, at_ms),
    ).fetchone()
    return row and _span(row)


def empty_cause(connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int) -> str | None:
    """Why the first segment without footage in [from_ms, until_ms] ended; None where there is none.

    A process that is killed as it begins a segment leaves a file without one whole fragment.
    """
    row = connection.execute(
        "SELECT cause FROM segments WHERE camera = ? AND ended_ms BETWEEN ? AND ? AND ended_ms = +started_ms"
        " ORDER BY ended_ms LIMIT 1",
        (camera, from_ms, until_ms),
    ).fetchone()
    return row and str(row[0])


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


def last_boot(connection: sqlite3.Connection, camera: str) -> str | None:
    """The boot of the camera's newest footage."""
    row = connection.execute(
        "SELECT boot_id FROM segments WHERE camera = ? ORDER BY ended_ms DESC LIMIT 1", (camera,)
    ).fetchone()
    return row and str(row[0])


def cameras(connection: sqlite3.Connection) -> list[str]:
    """Every camera with a segment in the index: a step in it for each, not one for each segment."""
    rows = connection.execute(
        "WITH RECURSIVE found(name) AS (SELECT min(camera) FROM segments UNION ALL"
        " SELECT (SELECT min(camera) FROM segments WHERE camera > found.name) FROM found WHERE name IS NOT NULL)"
        " SELECT name FROM found WHERE name IS NOT NULL"
    )
    return [row[0] for row in rows]


def expired(connection: sqlite3.Connection, camera: str, stretches: Iterable[Stretch], limit: int) -> list[Segment]:
    """The camera's segments in these stretches, in order of their end within each; `limit` at most."""
    found = list[Segment]()
    for one in stretches:
        rows = connection.execute(
            "SELECT * FROM segments INDEXED BY segments_space WHERE camera = ? AND ended_ms > ? AND ended_ms < ?"
            " AND started_ms > ? AND ended_ms >= ? AND started_ms <= ?"
            " AND NOT EXISTS (SELECT 1 FROM json_each(?) r WHERE"
            " ledger_seq BETWEEN json_extract(r.value, '$[0]') AND json_extract(r.value, '$[1]') AND"
            " (salvaged OR boot_id IN (SELECT b.value FROM json_each(r.value, '$[2]') b))) ORDER BY ended_ms LIMIT ?",
            (
                camera,
                one.after_ms,
                one.before_ms,
                one.after_ms,
                one.from_ms,
                one.until_ms,
                json.dumps([astuple(run) for run in one.apart]),
                limit - len(found),
            ),
        )
        found += [_segment(row) for row in rows]
        if len(found) >= limit:
            break
    return found


def remove(connection: sqlite3.Connection, segment: Segment, keep_days: int, why: str = "expired") -> None:
    """Take a segment out of the index; its deletion is a ledger entry in the same transaction.

    `why`: its date has come (`expired`, `keep_days` after it was recorded or its session closed), or `space` was short.
    NotFound when it is gone already, Conflict when a hold was placed on it meanwhile (`footage_held`) or somebody is
    taking it (`footage_pinned`).
    """
    with transaction(connection):
        holds.need_free(connection, segment)
        downloads.need_unpinned(connection, segment.id, segment.camera, segment.started_ms, segment.ended_ms)
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


def _span(row: sqlite3.Row) -> Span:
    found = dict(row)
    return Span(**found | {"salvaged": bool(found["salvaged"])})


def _segment(row: sqlite3.Row) -> Segment:
    packed = row["packed"]
    table = json.loads(row["fragments"] if packed is None else zlib.decompress(packed))
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
