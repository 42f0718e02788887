"""`examroom service camera@door`, really run, on a clip covered for a while: told, entered, over again."""

from __future__ import annotations

import time
from itertools import chain
from pathlib import Path

from edge.config import to_toml
from edge.demo.clip import write_clip
from edge.store import ledger, segments
from edge.store.db import open_room
from edge.store.ring import RingReader
from support.cameras import FPS, camera_config
from support.kills import camera_status
from support.scenes import Sensor, covered, person, pictures, room
from support.serving import Service, until


def test_a_covered_camera_is_told_in_five_seconds_and_goes_on_recording(tmp_path: Path) -> None:
    sensor, scene, thumb = Sensor(), room(), covered()
    clip = tmp_path / "clip.mp4"
    good = pictures(2, FPS, lambda at: sensor.take(person(scene, 0.2 + at / 10)))
    write_clip(clip, chain(good, pictures(4, FPS, lambda _at: sensor.take(thumb))), FPS, bitrate=500_000)
    config = camera_config(tmp_path, {"door": clip})
    file = tmp_path / "examroom.toml"
    file.write_text(to_toml(config))
    open_room(config.paths.room_db).close()
    service, reader = Service(file, "camera@door", tmp_path / "log"), RingReader(config.paths.ring("door"))

    def said(state: str) -> float:
        until(lambda: camera_status(config, "door").get("state") == state)
        return time.monotonic()

    service.start()
    try:
        began = said("recording")
        number, moved_ms = until(reader.motion)
        assert number > 0 < moved_ms
        blind = said("blind")
        assert camera_status(config, "door")["reason"] == "camera_covered"
        assert 2 < blind - began < 2 + 5
        segment = camera_status(config, "door")["segment"]
        assert said("recording") - blind < 4 + 2
        assert camera_status(config, "door")["segment"] == segment
        service.stop()
    finally:
        reader.close()
        service.end()
    db = open_room(config.paths.room_db)
    try:
        told = [(e.body["state"], e.body["reason"]) for e in ledger.entries(db, kinds=("camera",))]
        assert told == [("trouble", "camera_covered"), ("good", "camera_covered")]
        assert [s.cause for s in segments.between(db, "door", 0, 1 << 52)] == ["stopped"]
    finally:
        db.close()
