"""What it costs to list a day of four cameras with 60 days stored, beside one day stored.

    python tests/bench/listing.py [--json] [--record]

The list is what the timeline and `footage list` ask for: the cameras, and of each its segments of 24 hours and how
complete they are. The stores hold a segment a minute and camera with a fragment table as large as a real one's; in the
large one the first, the middle and the last day are listed in turn, and the slowest of them counts (`ratio`). They
take turns, and of several rounds the quickest counts of each, in processor time and with the pages in memory: it is the
work that is compared, not the disk.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import report
from edge.config import Config, Paths
from edge.recording.coverage import coverage
from edge.store import segments
from edge.store.db import open_room

CAMERAS, DAYS, ROUNDS = ("back", "door", "hall", "left"), 60, 9
MINUTES, MINUTE_MS = 1440, 60_000
T0 = 1_780_000_000_000
PACKED = 2700  # bytes of sixty fragments' table, deflated

_FILL = """
WITH RECURSIVE minute(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM minute WHERE n + 1 < :minutes)
INSERT INTO segments (id, camera, boot_id, sequence, path, started_ms, ended_ms, started_mono_ms, duration_ms, bytes,
 quality, salvaged, cause, fragments, packed, digest, ledger_seq)
SELECT c.value || '-aaaaaaaa-' || n, c.value, :boot, n + 1, c.value || '/' || n, :t0 + 60000 * n, :t0 + 60000 * (n + 1),
 1000 + 60000 * n, 60000, 30000000, 'synchronised', 0, 'rotated', '', randomblob(:packed), hex(randomblob(32)), n
FROM minute, json_each('["back","door","hall","left"]') c ORDER BY n
"""


def store(folder: Path, days: int) -> tuple[sqlite3.Connection, Config]:
    """A room store with so many days of footage in its index, the oldest at T0."""
    paths = Paths(state=folder, runtime=folder / "run", recordings=folder / "recordings", models=folder / "models")
    connection = open_room(paths.room_db)
    with connection:
        connection.execute(_FILL, {"minutes": days * MINUTES, "boot": "a" * 32, "t0": T0, "packed": PACKED})
    return connection, Config(paths=paths)


def list_day(connection: sqlite3.Connection, config: Config, day: int) -> float:
    """Seconds of the processor to list that day."""
    since = T0 + day * MINUTES * MINUTE_MS
    start = time.process_time()
    names = segments.cameras(connection)
    found = [coverage(connection, config, name, since, since + MINUTES * MINUTE_MS) for name in names]
    took = time.process_time() - start
    if names != list(CAMERAS) or any(len(one.rows) != MINUTES or one.whole.gaps for one in found):
        raise RuntimeError("the day is not listed as it was stored")
    return took


def listing_figures() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        stores = [store(Path(folder) / name, days) for name, days in (("small", 1), ("large", DAYS))]
        asked = [(*stores[0], 0), *((*stores[1], day) for day in (0, DAYS // 2, DAYS - 1))]
        rounds = [[list_day(*one) for one in asked] for _ in range(ROUNDS)]
        best = [min(took) for took in zip(*rounds, strict=True)]
        for connection, _ in stores:
            connection.close()
    return {
        "days": DAYS,
        "cameras": len(CAMERAS),
        "rows": DAYS * MINUTES * len(CAMERAS),
        "ratio": round(max(best[1:]) / best[0], 2),
        "small_ms": round(1000 * best[0], 1),
        "large_ms": round(1000 * max(best[1:]), 1),
    }


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(as_json: bool, keep: bool) -> None:
    """Benchmark the listing of footage."""
    report("listing", listing_figures(), as_json, keep)


if __name__ == "__main__":
    main()
