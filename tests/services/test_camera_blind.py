"""`examroom service camera@door`, really run, on a clip covered for a while: told, entered, over again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edge import clock
from edge.config import Camera, Config, to_toml
from edge.demo.clip import write_clip
from edge.domain.sight import Sight
from edge.hardware.camera import CameraSource, open_camera
from edge.recording import clips
from edge.recording.indexer import Note
from edge.recording.thumbs import read_thumbs
from edge.services import camera
from edge.store import ledger, segments
from edge.store.db import open_room
from edge.store.ring import RingReader
from support.cameras import FPS, camera_config
from support.certified import certified, certified_session, session_of
from support.kills import camera_status
from support.rtsp import FakeNetworkCamera, access_units, network_camera
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
        (done,) = segments.between(db, "door", 0, 1 << 52)
        assert done.cause == "stopped"
        fact = certified(config, "door", done.started_ms, done.ended_ms)
        (dark,) = fact.blind
        assert (fact.gaps, dark.reason) == ([], "camera_covered")
        assert 2000 < dark.until_ms - dark.from_ms < 6000
        (small, *_) = read_thumbs(config.paths.recordings / done.path)
        assert done.started_ms <= small[0] < done.ended_ms
        assert cv2.imdecode(np.frombuffer(small[1], np.uint8), cv2.IMREAD_COLOR).shape[1] == 160
    finally:
        db.close()


def test_a_network_camera_comes_back_from_whatever_befalls_it(tmp_path: Path) -> None:
    """Cut off for ten seconds, and back with another size: one process, the hole explained to the second, and the
    password in no file of the room. It is away again when the session closes, which its certificate says too."""
    with network_camera(access_units(320, 180), user="room", password="hunter2:@") as server:
        config = camera_config(tmp_path, {"door": Path("x")})
        given = {"backend": "rtsp", "source": server.url, "user": "room", "password": "hunter2:@", "fps": FPS}
        config = config.model_copy(update={"camera": {"door": Camera.model_validate(given)}})
        file = tmp_path / "examroom.toml"
        file.write_text(to_toml(config))
        service, with_session = Service(file, "camera@door", tmp_path / "log"), ExitStack()

        def state() -> str:
            return str(camera_status(config, "door").get("state"))

        service.start()
        try:
            until(lambda: state() == "recording")
            session = with_session.enter_context(session_of(config, "door"))
            pid, first = camera_status(config, "door")["pid"], camera_status(config, "door")["segment"]
            time.sleep(1)
            gone_ms = clock.wall_ms()
            server.stop()
            began = time.monotonic()
            until(lambda: camera_status(config, "door")["reason"] == "camera_unreachable")
            assert time.monotonic() - began < 5
            until(lambda: time.monotonic() - began >= 10)
            server.start()
            until(lambda: state() == "recording")
            back_ms = clock.wall_ms()
            server.units = access_units(480, 272)
            until(lambda: segments_of(config, 480))
            assert camera_status(config, "door")["pid"] == pid
            assert camera_status(config, "door")["segment"] != first
            server.stop()
            until(lambda: camera_status(config, "door")["reason"] == "camera_unreachable")
            with_session.close()
            closed_ms = clock.wall_ms()
            fact = certified_session(config, "door", session)
            service.stop()
        finally:
            service.end()
    db = open_room(config.paths.room_db)
    try:
        found = segments.between(db, "door", 0, 1 << 52)
        assert [s.cause for s in found] == ["camera-missing", "rotated", "camera-missing"]
        assert found[2].started_ms - found[1].ended_ms < 250
        (gap,) = clips.completeness_between(db, "door", found[0].started_ms, found[-1].ended_ms).gaps
        assert gap.cause == "camera-missing"
        assert gone_ms - 500 <= gap.from_ms <= gone_ms + 500
        assert gone_ms + 10_000 <= gap.until_ms <= back_ms + 500
        away, trailing = fact.gaps
        assert (away.cause, away.from_ms, away.ms) == (gap.cause, gap.from_ms, gap.ms)
        assert (trailing.cause, trailing.from_ms) == ("camera-missing", found[-1].ended_ms)
        assert abs(trailing.until_ms - closed_ms) < 250 and abs(closed_ms - trailing.from_ms - trailing.ms) < 250
        assert fact.expected_ms - fact.recorded_ms == gap.ms + trailing.ms
        assert (fact.segments, fact.frames) == (3, sum(s.frames or 0 for s in found))
    finally:
        db.close()
    texts = b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file() and f != file)
    assert b"hunter2" not in texts


def keyless(pictures: int) -> list[list[bytes]]:
    """So many that need another one, then a key frame, and half a second of what needs that."""
    key, *others = access_units(320, 180, 1)
    return [*(others[n % len(others)] for n in range(pictures)), key, *others[:12]]


@contextmanager
def recorded(tmp_path: Path, units: list[list[bytes]]) -> Iterator[tuple[FakeNetworkCamera, Config]]:
    """A network camera that sends these, and the camera process's own loop on it."""
    stop = threading.Event()
    with network_camera(units) as server:
        given = Camera.model_validate({"backend": "rtsp", "source": server.url, "fps": FPS})
        config = camera_config(tmp_path, {"door": Path("x")}).model_copy(update={"camera": {"door": given}})
        thread = threading.Thread(target=camera.run, args=(config, "door", stop))
        thread.start()
        try:
            yield server, config
        finally:
            stop.set()
            thread.join(10)


def test_a_camera_with_few_key_frames_is_waited_for_and_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "_SILENT_MS", 3000)
    told = list[object]()
    with recorded(tmp_path, keyless(112)) as (server, config):
        said = until(lambda: told.append(camera_status(config, "door").get("reason")) or told[-1] == "recording_on")
        assert said and server.sessions == 1, told
    assert "camera_keyless" in told and not {"camera_stalled", "camera_failed"} & set(told)
    db = open_room(config.paths.room_db)
    try:
        entered = [(e.body["state"], e.body["reason"]) for e in ledger.entries(db, kinds=("camera",))]
        assert entered == [("trouble", "camera_keyless"), ("good", "camera_keyless")]
        (done,) = segments.between(db, "door", 0, 1 << 52)
        assert done.cause == "stopped"
    finally:
        db.close()


def test_a_camera_without_any_key_frame_is_opened_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "_KEYLESS_MS", 2500)
    monkeypatch.setattr(camera, "_REMOTE_S", (0.2,))
    with recorded(tmp_path, keyless(1000)) as (server, config):
        until(lambda: server.sessions == 2, 8)
        said = camera_status(config, "door")
        assert (said["state"], said["reason"]) == ("camera_stalled", "camera_keyless")


def segments_of(config: Config, width: int) -> list[Path]:
    found = list[Path]()
    for path in (config.paths.recordings / "door").glob("*.mp4"):
        with suppress(av.FFmpegError), av.open(str(path)) as container:
            found += [path] if container.streams.video[0].width == width else []
    return found


def test_a_frozen_camera_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, clip = Sensor().take(room()), tmp_path / "clip.mp4"
    write_clip(clip, (picture for _ in range(2 * FPS)), FPS, bitrate=500_000)
    config, opened, stop = camera_config(tmp_path, {"door": clip}), list[CameraSource](), threading.Event()

    def counted(name: str, options: Camera, *, pictures: bool) -> CameraSource:
        opened.append(open_camera(name, options, pictures=pictures))
        return opened[-1]

    monkeypatch.setattr(camera, "_FROZEN_MS", 300)
    monkeypatch.setattr(camera, "open_camera", counted)
    thread = threading.Thread(target=camera.run, args=(config, "door", stop))
    thread.start()
    try:
        until(lambda: camera_status(config, "door").get("reason") == "camera_frozen", 8)
        until(lambda: len(opened) > 1)
        assert camera_status(config, "door")["state"] == "blind"
    finally:
        stop.set()
        thread.join(10)
    db = open_room(config.paths.room_db)
    try:
        told = [(e.body["state"], e.body["reason"]) for e in ledger.entries(db, kinds=("camera",))]
        assert told == [("trouble", "camera_frozen")]
    finally:
        db.close()


def test_a_camera_that_is_away_is_asked_less_and_less_often() -> None:
    def waits(backend: str, code: str) -> list[float]:
        source = "rtsp://h/x" if backend == "rtsp" else "x"
        options = Camera.model_validate({"backend": backend, "source": source})
        return [camera._wait_s(options, code, failures) for failures in range(6)]

    assert waits("rtsp", "camera_unreachable") == [1, 2, 4, 8, 10, 10]
    assert waits("rtsp", "camera_login") == [60, 300, 300, 300, 300, 300]
    assert waits("v4l2", "camera_missing") == [2] * 6


def test_a_cover_is_entered_whatever_the_disk_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = camera_config(tmp_path, {"door": tmp_path / "none.mp4"})
    open_room(config.paths.room_db).close()
    service = camera._Service(config, "door", pictures=True)
    notes = list[object]()
    monkeypatch.setattr(service._indexer, "put", notes.append)
    service._opened_ms = service._last_packet_ms

    def told(code: str, sight: str | None) -> list[tuple[object, object]]:
        service._state, service._watch._sight = (code, {"camera": "door"}), Sight(sight, 1)
        notes.clear()
        service._report()
        found = [note.body for note in notes if isinstance(note, Note) and note.kind == "camera"]
        return [(body["state"], body["reason"]) for body in found]

    assert told("camera_missing", None) == [("trouble", "camera_missing")]
    assert told("recording_reserve", None) == [], "it was opened, and nothing has come yet"
    service._last_packet_ms = service._opened_ms + 1
    assert told("recording_behind", "camera_covered") == [("trouble", "camera_covered")]
    assert told("recording_behind", "camera_covered") == []
    assert told("camera_stalled", "camera_covered") == []
    assert told("recording_write_failed", None) == [("good", "camera_covered")]
    assert told("recording_stopped", "camera_black") == []
    service.end()
