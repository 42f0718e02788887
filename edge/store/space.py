"""How much footage there is, by camera and by span: sums over one index of `segments`, made in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from edge.domain.keeping import DAY_MS, Stretch

_SAMPLE = 100


@dataclass(frozen=True)
class Stored:
    """A camera's footage: how many segments, their bytes, and the wall time of the first and last."""

    segments: int
    bytes: int
    oldest_ms: int | None
    newest_ms: int | None


def stored(connection: sqlite3.Connection, camera: str) -> Stored:
    row = connection.execute(
        "SELECT count(*) AS n, coalesce(sum(bytes), 0) AS size, min(started_ms) AS oldest, max(ended_ms) AS newest"
        " FROM segments INDEXED BY segments_space WHERE camera = ?",
        (camera,),
    ).fetchone()
    return Stored(row["n"], row["size"], row["oldest"], row["newest"])


def total_bytes(connection: sqlite3.Connection) -> int:
    """Of every camera's footage in the index."""
    return int(connection.execute("SELECT coalesce(sum(bytes), 0) FROM segments").fetchone()[0])


def recent(connection: sqlite3.Connection, camera: str, since_ms: int, until_ms: int) -> tuple[int, int, int]:
    """(segments, bytes, milliseconds) of what the camera recorded in segments that ended in this time."""
    row = connection.execute(
        "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(duration_ms), 0)"
        " FROM segments INDEXED BY segments_space"
        " WHERE camera = ? AND ended_ms > ? AND ended_ms <= ? AND duration_ms > 0",
        (camera, since_ms, until_ms),
    ).fetchone()
    return row[0], row[1], row[2]


def bytes_within(connection: sqlite3.Connection, camera: str, stretches: Iterable[Stretch]) -> int:
    """Of the camera's segments in these stretches, each as `segments.expired` takes it, but for what is set `apart`:
    that is rare, and would mean reading each row."""
    return sum(
        connection.execute(
            "SELECT coalesce(sum(bytes), 0) FROM segments INDEXED BY segments_space"
            " WHERE camera = ? AND ended_ms > ? AND ended_ms < ?"
            " AND started_ms > ? AND ended_ms >= ? AND started_ms <= ?",
            (camera, one.after_ms, one.before_ms, one.after_ms, one.from_ms, one.until_ms),
        ).fetchone()[0]
        for one in stretches
    )


def bytes_touching(connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int) -> int:
    """Of the camera's segments that touch the span; none is longer than a day."""
    row = connection.execute(
        "SELECT coalesce(sum(bytes), 0) FROM segments INDEXED BY segments_space"
        " WHERE camera = ? AND ended_ms >= ? AND ended_ms <= ? AND started_ms <= ?",
        (camera, from_ms, until_ms + DAY_MS, until_ms),
    ).fetchone()
    return int(row[0])


def row_bytes(connection: sqlite3.Connection) -> int:
    """What a segment takes in the room store, row and ledger entry, by the newest of them; 0 without any."""
    columns = [row["name"] for row in connection.execute("PRAGMA table_info(segments)")]
    lengths = " + ".join(f"coalesce(length({name}), 0)" for name in columns)
    row = connection.execute(
        f"SELECT avg({lengths}) FROM (SELECT * FROM segments ORDER BY rowid DESC LIMIT {_SAMPLE})"  # noqa: S608
    ).fetchone()
    entry = connection.execute(
        "SELECT avg(length(entry)) FROM (SELECT entry FROM ledger WHERE kind = 'segment' ORDER BY seq DESC LIMIT ?)",
        (_SAMPLE,),
    ).fetchone()
    return round((row[0] or 0) + (entry[0] or 0))


def was_deleted(connection: sqlite3.Connection, segment: str) -> bool:
    """Whether the ledger says that this segment was deleted; the newest entries are looked at first."""
    row = connection.execute(
        "SELECT 1 FROM ledger WHERE kind = 'segment-deleted'"
        " AND json_extract(CAST(entry AS TEXT), '$.body.segment') = ? ORDER BY seq DESC LIMIT 1",
        (segment,),
    ).fetchone()
    return row is not None
