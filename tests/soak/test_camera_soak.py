"""100 SIGKILLs of recording cameras: all but the last 1.3 seconds is there, whole and hashed, with a key frame each
second and with fewer."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest

from bench.measured import record
from edge.store import ledger
from edge.store.db import open_room
from support.cameras import camera_config, make_clip, write_rare_clip
from support.kills import kill_cameras, lost_footage

CAMERAS = ("door", "hall", "left", "right")
KILLS_EACH = 25

pytestmark = pytest.mark.soak


@pytest.mark.parametrize(("name", "gop_s"), [("camera_kills", 1), ("camera_kills_rare", 2)])
def test_a_hundred_sigkills_lose_at_most_1_3_seconds(tmp_path: Path, name: str, gop_s: int) -> None:
    clip = tmp_path / "clip.mp4"
    if gop_s == 1:
        make_clip(clip, seconds=3)
    else:
        write_rare_clip(str(clip), 6, gop_s)
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
        name,
        {
            "kills": len(losses),
            "gop_s": gop_s,
            "lost_s_most": round(max(losses) / 1000, 2),
            "lost_s_median": round(statistics.median(losses) / 1000, 2),
            "recorded_s": round(sum(killed - since for life in lives for since, killed in life.spans) / 1000),
            "seconds": round(time.monotonic() - began),
        },
    )
    assert len(losses) == len(CAMERAS) * KILLS_EACH
    assert max(losses) <= 1300
