"""Sound by policy, with the camera process as it is: only while a session that wants it is open, and said to people."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any

import pytest

from edge.config import Camera, Config
from edge.hardware.camera import ear
from edge.recording import clips, indexer
from edge.services import camera
from edge.store import ledger, segments, sessions
from edge.store.db import open_room, transaction
from support.cameras import camera_config, decoded, make_clip
from support.kills import camera_status as status
from support.rooms import make_desk_room
from support.rtsp import FakeNetworkCamera, access_units, network_camera
from support.serving import until
from support.sounds import aac_camera, frames_of, heard


@contextmanager
def running(config: Config) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=camera.run, args=(config, "door", stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def server() -> Iterator[FakeNetworkCamera]:
    with network_camera(access_units(320, 180), **aac_camera()) as made:
        yield made


def test_sound_is_recorded_while_a_session_that_wants_it_is_open_and_at_no_other_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FakeNetworkCamera
) -> None:
    monkeypatch.setattr(indexer, "_IDLE_S", 0.2)
    monkeypatch.setattr(ear, "SILENT_MS", 1000)
    given: dict[str, Any] = {"backend": "rtsp", "source": server.url, "fps": 25}
    desk = make_desk_room(tmp_path, camera={"door": given})
    config, db = desk.config, desk.db

    def says(reason: str, seconds: float = 10) -> dict[str, Any]:
        until(lambda: status(config, "door").get("reason") == reason, seconds, reason)
        return status(config, "door")

    def now(state: str, sound: bool) -> None:
        with transaction(db):
            value = "true" if sound else "false"
            db.execute("UPDATE sessions SET state = ?, policy = json_set(policy, '$.sound', json(?))", (state, value))

    def unreadable(_: object) -> bool:
        raise OperationalError("disk I/O error")

    assert not sessions.sound_wanted(db)
    now("checkin", False)
    with running(config):
        first = says("recording_on")["segment"]
        assert server.set_up == ["track1"]
        now("planned", True)
        until(lambda: status(config, "door")["bytes"] > 60_000)
        assert server.set_up == ["track1"]
        now("checkin", True)
        with_sound = says("recording_sound")
        assert with_sound["sound"] is True and with_sound["state"] == "recording"
        until(lambda: status(config, "door")["segment"] != first)
        assert server.set_up == ["track1", "track2"]
        server.sound_mode = "hang"
        assert says("recording_soundless")["state"] == "soundless"
        server.sound_mode = "play"
        says("recording_sound")
        with monkeypatch.context() as blind:
            blind.setattr(indexer, "_SURE_MS", 500)
            blind.setattr(sessions, "sound_wanted", unreadable)
            assert says("recording_soundless")["facts"]["detail"]["en"].startswith("for half a minute the database")
        says("recording_sound")
        now("closed", True)
        says("recording_on")
        until(lambda: server.sessions >= 2)
    assert server.set_up.count("track1") == 1, "the pictures were never interrupted"
    found = segments.between(db, "door", 0, 1 << 52)
    silent, loud = found[0], found[1]
    assert silent.id == first and b"soun" not in (config.paths.recordings / silent.path).read_bytes()
    assert len(frames_of(config.paths.recordings / loud.path)) > 5
    assert 0 <= heard(config.paths.recordings / loud.path)[0] < 0.1
    whole = clips.completeness_between(db, "door", found[0].started_ms, found[-1].ended_ms)
    assert whole.gaps == ()
    for segment in found:
        assert decoded(config.paths.recordings / segment.path) == segment.frames
    notes = [(e.body["state"], e.body.get("reason")) for e in ledger.entries(db, kinds=("recording",))]
    assert notes == [
        ("sound-on", None), ("sound-lost", "sound_silent"), ("sound-on", None), ("sound-lost", "sound_unsure"),
        ("sound-on", None), ("sound-off", None),
    ]  # fmt: skip
    db.close()


def test_a_room_without_a_microphone_says_so_where_sound_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "_IDLE_S", 0.2)
    config = camera_config(tmp_path, {"door": make_clip(tmp_path / "clip.mp4", 3)})
    assert not config.camera["door"].has_sound
    assert Camera(backend="file", source="x", microphone="hw:1,0").has_sound
    with closing(open_room(config.paths.room_db)):
        pass
    monkeypatch.setattr(sessions, "sound_wanted", lambda _: True)
    with running(config):
        until(lambda: status(config, "door").get("reason") == "recording_soundless")
        assert status(config, "door")["state"] == "soundless"
