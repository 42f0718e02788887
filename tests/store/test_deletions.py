"""Footage that is gone is found by the ledger, and costs what was recorded then, not what was ever deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.domain.footage import Fragment, fragments_root
from edge.store import deletions, segments
from edge.store.db import open_room, transaction
from edge.store.segments import Segment
from support.costs import steps

BOOT = "0123456789abcdef" * 2
T0 = 1_780_000_000_000
MINUTE, DAY = 60_000, 86_400_000
_LATER = """
WITH RECURSIVE minute(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM minute WHERE n < 9999)
INSERT INTO ledger (seq, kind, at_ms, entry) SELECT 1000 + n, iif(n % 2, 'segment-deleted', 'segment'), :at + n,
 CAST('{"body":{"segment":"hall-' || (n / 2) || '"}}' AS BLOB) FROM minute
"""


def made(sequence: int, start: int) -> Segment:
    fragment = Fragment(0, 800, 100, f"{sequence:064x}", start, start - T0 + 1, MINUTE)
    facts = {"path": segments.segment_path("door", BOOT, sequence), "digest": fragments_root([fragment.sha256])}
    return Segment(
        id=segments.segment_id("door", BOOT, sequence), camera="door", boot_id=BOOT, sequence=sequence, **facts,
        started_ms=start, ended_ms=start + MINUTE, started_mono_ms=start - T0 + 1, duration_ms=MINUTE, bytes=900,
        quality="synchronised", salvaged=False, cause="rotated", init_length=800, init_sha256="ab" * 32,
        fragments=(fragment,),
    )  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_room(tmp_path / "room.db")
    yield connection
    connection.close()


def test_what_is_gone_is_found_for_what_its_own_time_costs(db: sqlite3.Connection) -> None:
    rows = [segments.index(db, made(n, T0 + n * MINUTE)) for n in range(4)]
    with transaction(db):
        db.execute("UPDATE ledger SET at_ms = ? + (seq + 1) * ?", (T0, MINUTE))
    segments.remove(db, rows[1], 90, "space")
    with transaction(db):
        db.execute("DELETE FROM segments WHERE id = ?", (rows[2].id,))
        db.execute("UPDATE ledger SET at_ms = ? WHERE kind = 'segment-deleted'", (T0 + 90 * DAY,))

    def ask() -> list[deletions.Deleted]:
        return deletions.deleted_between(db, T0, T0 + 4 * MINUTE, (T0, T0 + DAY), (0, 3))

    told = [(one.segment, one.at_ms, one.why) for one in ask()]
    assert told == [(rows[1].id, T0 + 90 * DAY, "space"), (rows[2].id, None, None)]
    # entered by a clock that was somewhere else, it is known by its number
    assert [one.segment for one in deletions.deleted_between(db, T0, T0 + DAY, (5, 6), (1, 2))] == [
        rows[1].id, rows[2].id,
    ]  # fmt: skip
    before = steps(db, ask)
    with transaction(db):  # ten thousand entries more, before and after
        db.execute(_LATER, {"at": T0 + 10 * DAY})
    assert ask()[0].why == "space"
    assert steps(db, ask) <= before + 200
