"""100 SIGKILLs of recording cameras: all but the last 1.3 seconds is there, whole and hashed."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest

from bench.measured import record
from edge.store import ledger
from edge.store.db import open_room
from support.cameras import camera_config, make_clip
from support.kills import kill_cameras, lost_footage

CAMERAS = ("door", "hall", "left", "right")
KILLS_EACH = 25

pytestmark = pytest.mark.soak


def test_a_hundred_sigkills_lose_at_most_1_3_seconds(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=3)
    config = camera_config(tmp_path, dict.fromkeys(CAMERAS, clip), segment_seconds=5)
    began = time.monotonic()
    lives = kill_cameras(config, KILLS_EACH)
    db = open_room(config.paths.room_db)
    try:
        losses = [lost for life in lives for lost in lost_footage(db, life)]
        ledger.check(db)
    finally:
        db.close()
    record(
        "camera_kills",
        {
            "kills": len(losses),
            "lost_s_most": round(max(losses) / 1000, 2),
            "lost_s_median": round(statistics.median(losses) / 1000, 2),
            "recorded_s": round(sum(killed - since for life in lives for since, killed in life.spans) / 1000),
            "seconds": round(time.monotonic() - began),
        },
    )
    assert len(losses) == len(CAMERAS) * KILLS_EACH
    assert max(losses) <= 1300
