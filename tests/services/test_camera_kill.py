"""The camera process, really run and really killed: what it loses, what it leaves, and what may not stop it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge import clock
from edge.config import Config
from edge.errors import ConfigError
from edge.recording.salvage import on_disk
from edge.services import camera
from edge.store import ledger, segments
from edge.store.db import open_room
from edge.store.ring import RingReader
from support.cameras import camera_config, make_clip
from support.kills import camera_status as status
from support.kills import kill_cameras, lost_footage
from support.serving import until

HOLD = """
import os, signal, sys
from pathlib import Path
from edge.store.db import connect, transaction
connection = connect(Path(sys.argv[1]))
with transaction(connection):
    print("held", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=3)


@contextmanager
def in_thread(config: Config, name: str) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=camera.run, args=(config, name, stop))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def test_twenty_kills_lose_less_than_two_seconds(tmp_path: Path, clip: Path) -> None:
    names = ["door", "hall", "left", "right"]
    config = camera_config(tmp_path, dict.fromkeys(names, clip), segment_seconds=5)
    lives = kill_cameras(config, 5)
    db = open_room(config.paths.room_db)
    losses = list[int]()
    try:
        for life in lives:
            losses += lost_footage(db, life)
        ledger.check(db)
    finally:
        db.close()
    assert len(losses) == 20
    print(f"footage lost at a kill: median {sorted(losses)[10]} ms, most {max(losses)} ms")
    assert max(losses) <= 2000


def test_a_store_held_by_a_stopped_process_does_not_stop_recording(tmp_path: Path, clip: Path) -> None:
    config = camera_config(tmp_path, {"door": clip}, segment_seconds=5)
    open_room(config.paths.room_db).close()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(config.paths.room_db)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        with in_thread(config, "door") as stop:
            until(lambda: status(config, "door").get("waiting", 0) >= 1 and status(config, "door")["store"])
            said = status(config, "door")
            assert (said["state"], said["store"]) == ("recording", "store_busy")
            assert clock.mono_ms() - said["last_fragment_mono_ms"] < 3000
            began = time.monotonic()
            stop.set()
            until(lambda: status(config, "door")["state"] == "stopped")
            assert time.monotonic() - began < 5
        holder.send_signal(signal.SIGCONT)
        assert holder.wait(10) == 0
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    db = open_room(config.paths.room_db)
    try:
        before = segments.known(db, "door")
        with in_thread(config, "door"):
            until(lambda: len(segments.known(db, "door")) >= 2)
        found = segments.between(db, "door", 0, 1 << 52)
        assert len(found) > len(before)
        assert len(found) == len(on_disk(config.paths.recordings, "door"))
        assert [s.sequence for s in found] == list(range(1, len(found) + 1))
        assert found[1].started_ms - found[0].ended_ms < 250
    finally:
        db.close()


def test_a_camera_that_is_not_there_is_a_state_until_it_is(tmp_path: Path, clip: Path) -> None:
    source = tmp_path / "late.mp4"
    config = camera_config(tmp_path, {"door": source})
    with in_thread(config, "door"):
        said = until(lambda: status(config, "door").get("reason") == "camera_missing" and status(config, "door"))
        assert said["state"] == "camera_missing"
        assert said["facts"]["camera"] == "door"
        source.write_bytes(clip.read_bytes())
        until(lambda: status(config, "door")["reason"] == "recording_on")
        reader = RingReader(config.paths.ring("door"))
        frame = until(reader.latest)
        assert (frame.width, frame.height, len(frame.bgr)) == (320, 240, 320 * 240 * 3)
        assert frame.jpeg[:2] == b"\xff\xd8"
        assert abs(frame.wall_ms - clock.wall_ms()) < 2000
        assert 0 <= frame.source_ms < 3000
        reader.close()
    said = status(config, "door")
    assert (said["state"], said["segment"]) == ("stopped", None)
    db = open_room(config.paths.room_db)
    try:
        (segment,) = segments.between(db, "door", 0, 1 << 52)
        assert (segment.cause, segment.salvaged) == ("stopped", False)
    finally:
        db.close()


def test_a_webcam_that_is_not_there_is_a_state(tmp_path: Path) -> None:
    config = camera_config(tmp_path, {"door": tmp_path / "video9"})
    webcam = config.camera["door"].model_copy(update={"backend": "v4l2"})
    config = config.model_copy(update={"camera": {"door": webcam}})
    with in_thread(config, "door"):
        until(lambda: status(config, "door").get("reason") == "camera_missing")
    assert status(config, "door")["state"] == "stopped"


def test_one_process_a_camera(tmp_path: Path, clip: Path) -> None:
    config = camera_config(tmp_path, {"door": clip})
    with in_thread(config, "door"):
        until(lambda: status(config, "door").get("state") == "recording")
        with in_thread(config, "door"):
            time.sleep(1.5)
            assert len(on_disk(config.paths.recordings, "door")) == 1


def test_a_camera_that_is_not_configured(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        camera.run(camera_config(tmp_path, {"door": clip}), "window", threading.Event())
    assert caught.value.code == "camera_unknown"
