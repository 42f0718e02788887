"""What a day of four cameras costs on the timeline with 60 days stored, beside one day stored.

    python tests/bench/listing.py [--json] [--record]

The page's own route is asked, `GET /spotcheck/api/SESSION/timeline`, for a session of a day: each camera's segments and
gaps, and the marks of that day. The stores hold a segment a minute and camera with a fragment table as large as a real
one's, and the ledger as many entries of segments, as many deletions of older ones, and notes of the cameras; of each
hour one segment is gone. In the large one the first, the middle and the last day are listed in turn, and the slowest of
them counts (`ratio`). They take turns, and of several rounds the quickest counts of each, in processor time and with
the pages in memory: it is the work that is compared, not the disk.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import report
from edge.web.app import create_app
from support.rooms import make_desk_room
from support.serving import SUPERVISOR

CAMERAS, DAYS, ROUNDS = ("back", "door", "hall", "left"), 60, 25
MINUTES, MINUTE_MS, HOUR = 1440, 60_000, 60
GONE = MINUTES // HOUR  # segments a day and camera
T0 = (round(time.time() / 60) - (DAYS + 1) * MINUTES) * MINUTE_MS
PACKED = 2700  # bytes of sixty fragments' table, deflated
SLOTS = 16  # ledger numbers of one minute; some stay free
NUMBERS = 1 << 24
"""The last entry's number is one below: of a tree of that size the next entry needs no node that is there already."""

_FILL = (
    "CREATE TEMP TABLE minute (n INTEGER PRIMARY KEY)",
    "WITH RECURSIVE one(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM one WHERE n + 1 < :minutes)"
    " INSERT INTO minute SELECT n FROM one",
    """
INSERT INTO segments (id, camera, boot_id, sequence, path, started_ms, ended_ms, started_mono_ms, duration_ms, bytes,
 quality, salvaged, cause, fragments, packed, digest, ledger_seq)
SELECT c.value || '-aaaaaaaa-' || n, c.value, :boot, n + 1, c.value || '/' || n, :t0 + 60000 * n, :t0 + 60000 * (n + 1),
 1000 + 60000 * n, 60000, 30000000, 'synchronised', 0, 'rotated', '', randomblob(:packed), hex(randomblob(32)),
 1000 + :slots * n + c.key
FROM minute, json_each(:cameras) c WHERE n % 60 <> 30 ORDER BY n
""",
    """
INSERT INTO ledger (seq, kind, at_ms, entry)
SELECT 1000 + :slots * n + c.key, 'segment', :t0 + 60000 * (n + 1), CAST(json_object('body', json_object(
 'segment', c.value || '-aaaaaaaa-' || n, 'camera', c.value, 'root', hex(randomblob(32)),
 'started', strftime('%Y-%m-%dT%H:%M:%S+00:00', :t0 / 1000 + 60 * n, 'unixepoch'),
 'ended', strftime('%Y-%m-%dT%H:%M:%S+00:00', :t0 / 1000 + 60 * (n + 1), 'unixepoch'))) AS BLOB)
FROM minute, json_each(:cameras) c
""",
    """
INSERT INTO ledger (seq, kind, at_ms, entry)
SELECT 1000 + :slots * n + 4 + c.key, 'segment-deleted', :t0 + 60000 * (n + 1), CAST(json_object('body', json_object(
 'segment', c.value || iif(n % 60 = 30, '-aaaaaaaa-', '-bbbbbbbb-') || n, 'why', 'expired', 'root', hex(randomblob(32))
 )) AS BLOB)
FROM minute, json_each(:cameras) c
""",
    """
INSERT INTO ledger (seq, kind, at_ms, entry)
SELECT 1000 + :slots * n + 8 + c.key, 'camera', :t0 + 60000 * n + 1000 * c.key, CAST(json_object('body', json_object(
 'camera', c.value, 'state', iif(n % 30, 'trouble', 'good'), 'reason', 'camera_black')) AS BLOB)
FROM minute, json_each(:cameras) c WHERE n % 15 = 0
""",
    """
INSERT INTO ledger (seq, kind, at_ms, entry)
SELECT 1000 + :slots * n + iif(n % 1440 = 1, 12, 13), iif(n % 1440 = 1, 'checkin_opened', 'exam_closed'),
 :t0 + 60000 * n, CAST(json_object('body', json_object(), 'mono_ms', 1000 + 60000 * n, 'boot_id', :boot,
 'quality', 'synchronised') AS BLOB)
FROM minute WHERE n % 1440 IN (1, 1439)
""",
    "INSERT INTO ledger (seq, kind, at_ms, entry) VALUES (:numbers - 1, 'started', :t0, CAST('{\"body\":{}}' AS BLOB))",
)
_DAY = (
    "UPDATE sessions SET state = 'closed', opened_ms = :opened, closed_ms = :closed",
    "UPDATE ledger SET session_id = iif(at_ms IN (:opened, :closed), :session, NULL)"
    " WHERE kind IN ('checkin_opened', 'exam_closed')",
)


class Room:
    """A room with so many days of footage, the oldest at T0, and its pages with a supervisor signed in."""

    def __init__(self, folder: Path, days: int) -> None:
        self.desk = make_desk_room(folder)
        facts = {"minutes": days * MINUTES, "boot": "a" * 32, "t0": T0, "packed": PACKED, "slots": SLOTS}
        facts |= {"cameras": json.dumps(CAMERAS), "numbers": NUMBERS}
        with self.desk.db:
            for query in _FILL:
                self.desk.db.execute(query, facts)
        self.app = create_app(self.desk.config)
        self.client = self.app.test_client()
        self.client.post("/staff/login", data={"badge": SUPERVISOR.badge, "pin": SUPERVISOR.pin, "next": ""})

    def list_day(self, day: int) -> float:
        """Seconds of the processor to list that day, but for its first and its last minute."""
        opened = T0 + (day * MINUTES + 1) * MINUTE_MS
        facts = {"opened": opened, "closed": opened + (MINUTES - 2) * MINUTE_MS, "session": self.desk.session}
        with self.desk.db:
            for query in _DAY:
                self.desk.db.execute(query, facts)
        gc.collect()  # or one day of four is always the one that pays for the collection of all
        start = time.process_time()
        told = self.client.get(f"/spotcheck/api/{self.desk.session}/timeline")
        took = time.process_time() - start
        found = told.json or {}
        whole = [len(one["segments"]) == MINUTES - GONE and len(one["gaps"]) == GONE for one in found["cameras"]]
        gone = sum(mark["kind"] == "segment-deleted" and mark["reason"] == "expired" for mark in found["marks"])
        notes = sum(mark["kind"] == "camera" for mark in found["marks"])
        if whole != [True] * len(CAMERAS) or gone != GONE * len(CAMERAS) or notes != MINUTES // 15 * len(CAMERAS) - 4:
            raise RuntimeError("the day is not listed as it was stored")
        return took

    def close(self) -> None:
        self.app.extensions["examroom"].journal.close()
        self.desk.db.close()


def listing_figures() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        small, large = Room(Path(folder) / "small", 1), Room(Path(folder) / "large", DAYS)
        asked = [(small, 0), *((large, day) for day in (0, DAYS // 2, DAYS - 1))]
        rounds = [[room.list_day(day) for room, day in asked] for _ in range(ROUNDS)]
        best = [min(took) for took in zip(*rounds, strict=True)]
        small.close()
        large.close()
    return {
        "days": DAYS,
        "cameras": len(CAMERAS),
        "rows": DAYS * (MINUTES - GONE) * len(CAMERAS),
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
