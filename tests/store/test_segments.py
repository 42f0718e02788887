"""The footage index: row and ledger entry together, or neither."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge import clock
from edge.domain.footage import Fragment, fragments_root
from edge.errors import Conflict, NotFound, Unavailable
from edge.store import ledger, segments
from edge.store.db import connect, open_room, patience, transaction
from edge.store.segments import Segment

BOOT = "0123456789abcdef" * 2
T0 = 1_780_000_000_000


def made(sequence: int, start: int, seconds: int = 5, camera: str = "door", cause: str = "rotated") -> Segment:
    fragments = tuple(
        Fragment(
            n, 800 + 100 * n, 100, hashlib.sha256(bytes([sequence, n])).hexdigest(), start + n * 1000, n * 1000, 1000
        )
        for n in range(seconds)
    )
    return Segment(
        id=segments.segment_id(camera, BOOT, sequence),
        camera=camera,
        boot_id=BOOT,
        sequence=sequence,
        path=f"{camera}/{BOOT}-{sequence:06d}.mp4",
        started_ms=start,
        ended_ms=start + seconds * 1000,
        started_mono_ms=0,
        duration_ms=seconds * 1000,
        bytes=800 + 100 * seconds,
        quality="synchronised",
        salvaged=False,
        cause=cause,
        init_length=800,
        init_sha256="ab" * 32,
        fragments=fragments,
        digest=fragments_root([f.sha256 for f in fragments]),
    )


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_room(tmp_path / "room.db")
    yield connection
    connection.close()


def test_a_segment_and_its_ledger_entry(db: sqlite3.Connection) -> None:
    segment = made(7, T0)
    done = segments.index(db, segment)
    assert done == replace(segment, ledger_seq=0)
    assert segments.get(db, "door-01234567-000007") == done
    entry = ledger.get(db, 0)
    assert entry.kind == "segment"
    assert entry.body == {
        "segment": "door-01234567-000007",
        "camera": "door",
        "boot": BOOT,
        "sequence": 7,
        "started": clock.iso(T0),
        "ended": clock.iso(T0 + 5000),
        "fragments": 5,
        "init_sha256": "ab" * 32,
        "fragments_root": segment.digest,
        "bytes": 1300,
        "salvaged": False,
        "cause": "rotated",
        "mono_ms": segment.started_mono_ms,
        "quality": segment.quality,
        "frames": None,
        "dropped": 0,
        "lost_ms": 0,
    }
    ledger.check(db)


def test_twice_the_same_is_once_and_another_is_refused(db: sqlite3.Connection) -> None:
    first = segments.index(db, made(1, T0))
    assert segments.index(db, made(1, T0)) == first
    with pytest.raises(Conflict) as caught:
        segments.index(db, made(1, T0, seconds=4))
    assert caught.value.code == "segment_twice"
    assert ledger.size(db) == 1
    assert segments.get(db, first.id) == first


def test_a_row_that_cannot_be_written_leaves_no_entry(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        segments.index(db, replace(made(1, T0), camera=None))  # type: ignore[arg-type]
    assert ledger.size(db) == 0


def test_a_busy_store_is_told_and_nothing_is_written(db: sqlite3.Connection, tmp_path: Path) -> None:
    other = connect(tmp_path / "room.db")
    patience(db, 50)
    try:
        with transaction(other), pytest.raises(Unavailable) as caught:
            segments.index(db, made(1, T0))
    finally:
        other.close()
    assert caught.value.code == "store_busy"
    segments.index(db, made(1, T0))


def test_looking_up(db: sqlite3.Connection) -> None:
    for n in range(1, 5):
        segments.index(db, made(n, T0 + n * 5000))
    segments.index(db, made(9, T0 + 5000, camera="hall"))
    segments.index(db, made(5, T0 + 11_000, seconds=0))
    assert [s.sequence for s in segments.between(db, "door", T0 + 10_000, T0 + 15_001)] == [2, 3]
    assert segments.between(db, "door", T0, T0 + 5000) == []
    before = segments.before(db, "door", T0 + 15_000)
    assert before is not None
    assert before.sequence == 2
    assert segments.before(db, "door", T0) is None
    assert segments.cameras(db) == ["door", "hall"]
    assert segments.known(db, "hall") == {(BOOT, 9)}
    assert segments.last_sequence(db, "door", BOOT) == 5
    assert segments.last_sequence(db, "door", "0" * 32) == 0
    with pytest.raises(NotFound):
        segments.get(db, "door-00000000-000001")


def test_spans_are_the_segments_without_their_fragments(db: sqlite3.Connection) -> None:
    for n in range(1, 5):
        segments.index(db, replace(made(n, T0 + n * 5000), started_mono_ms=1000 + n * 5000, frames=125, dropped=n))
    segments.index(db, made(1, T0 + 6000, camera="hall"))
    whole = segments.between(db, "door", T0 + 10_000, T0 + 15_001)
    spans = segments.spans(db, "door", T0 + 10_000, T0 + 15_001)
    assert [s.sequence for s in spans] == [2, 3]
    for one, span in zip(whole, spans, strict=True):
        assert vars(span).items() <= vars(one).items()
    assert segments.spans(db, "door", T0, T0 + 5000) == []
    assert [s.sequence for s in segments.spans_of_boot(db, "door", BOOT, 10_999, 16_001)] == [1, 2, 3]
    assert [s.sequence for s in segments.spans_of_boot(db, "door", BOOT, 11_000, 16_000)] == [2]
    assert segments.spans_of_boot(db, "door", "0" * 32, 0, 1 << 60) == []
    assert [s.sequence for s in segments.spans_entered(db, "door", 1, 2)] == [2, 3]
    assert segments.last_boot(db, "door") == BOOT
    assert segments.last_boot(db, "left") is None


def test_a_span_is_found_by_both_its_ends_however_much_is_stored(db: sqlite3.Connection) -> None:
    """The index is bounded on both sides, and no list of cameras visits each segment."""
    facts = {"camera": "door", "since": 1, "until": 2}
    query = f"EXPLAIN QUERY PLAN SELECT {segments._SPAN} FROM segments WHERE {segments._TOUCHING}"  # noqa: S608
    plan = "\n".join(row["detail"] for row in db.execute(query, facts))
    assert "COVERING INDEX segments_ended (camera=? AND ended_ms>? AND ended_ms<?)" in plan
    assert "segments_length (camera=?)" in plan
    before = db.execute("EXPLAIN QUERY PLAN SELECT id FROM segments WHERE camera = 'd' AND ended_ms <= 5 AND ended_ms >"
        " +started_ms ORDER BY ended_ms DESC LIMIT 1").fetchall()  # fmt: skip
    assert [("segments_ended" in row["detail"], "TEMP" in row["detail"]) for row in before] == [(True, False)]


def test_the_fragment_table_is_packed_and_an_old_row_is_still_read(db: sqlite3.Connection) -> None:
    done = segments.index(db, made(1, T0, seconds=60))
    text, packed = db.execute("SELECT fragments, packed FROM segments").fetchone()
    table = segments._table(done)
    assert text == "" and len(packed) * 2.5 < len(table)
    db.execute("UPDATE segments SET fragments = ?, packed = NULL", (table,))
    assert segments.get(db, done.id) == done


def test_removing_is_a_ledger_entry(db: sqlite3.Connection) -> None:
    done = segments.index(db, made(1, T0))
    segments.remove(db, done, 90)
    assert segments.known(db, "door") == set()
    entry = ledger.get(db, 1)
    assert entry.kind == "segment-deleted"
    assert entry.body == {
        "segment": done.id, "fragments_root": done.digest, "why": "expired", "keep_days": 90,
    }  # fmt: skip
    with pytest.raises(NotFound):
        segments.remove(db, done, 90)
    assert ledger.size(db) == 2
