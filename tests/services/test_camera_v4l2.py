"""The camera process on a webcam that is put below libavdevice, at the level of the kernel's calls (fake_v4l2.c)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from edge.config import Camera, to_toml
from edge.store import segments
from edge.store.db import open_room
from edge.store.ring import RingReader
from support.cameras import camera_config
from support.kills import camera_status
from support.preload import library
from support.rtsp import access_units
from support.serving import Service, until

OPEN = """
import sys
from pathlib import Path
from edge.config import Camera
from edge.errors import Unavailable
from edge.hardware.camera import open_camera
for mode in ("busy", "denied", "odd", "meta", "gone"):
    Path(sys.argv[2]).write_text(mode)
    try:
        open_camera("door", Camera(backend="v4l2", source=sys.argv[1], width=320, height=240, fps=10)).close()
    except Unavailable as error:
        print(error.code)
"""


COPY = """
import sys
from pathlib import Path
from edge import clock
from edge.config import Camera
from edge.domain.footage import Cause
from edge.hardware.camera import open_camera
from edge.recording.writer import Place, SegmentWriter
camera = open_camera("door", Camera(backend="v4l2", source=sys.argv[1], width=320, height=240, fps=10, face_fps=10))
packets = []
while len(packets) < 15:
    packets += camera.packets(0.05)
picture = camera.picture()
writer = SegmentWriter(Place(Path(sys.argv[2]), "door", "0" * 32, 1), camera.format, clock.now(), 1)
for packet in packets:
    writer.write(packet)
writer.close(Cause.STOPPED)
camera.close()
print(camera.coder, len(packets), picture.width, picture.height, camera.dropped)
"""


LOOK = """
import sys, time
from pathlib import Path
from edge.config import Camera
from edge.hardware.camera import open_camera, second
second._AGAIN_S = 0.1
given = {"backend": "v4l2", "source": sys.argv[1], "look": sys.argv[2], "width": 320, "height": 240, "fps": 10}
camera, packets = open_camera("door", Camera(**given, face_fps=10)), []

def until(enough):
    end = time.monotonic() + 10
    while not enough():
        assert time.monotonic() < end
        packets.extend(camera.packets(0.05))

until(camera.picture)
Path(sys.argv[3]).write_text("gone")
until(lambda: camera.picture() is None and camera._second is None)
before = len(packets)
until(lambda: len(packets) >= before + 5)
alone = camera._second is None
Path(sys.argv[3]).write_text("ok")
until(camera.picture)
print(camera.coder, camera.exact, alone, camera._main._decoder, camera._main.look_cpu_s, camera.look_cpu_s > 0)
camera.close()
"""


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library("fake_v4l2", tmp_path_factory.mktemp("fake"))


def test_a_webcams_own_h264_is_in_the_segment_as_it_was_given(tmp_path: Path, below: Path) -> None:
    node, given = tmp_path / "video0", _webcam(tmp_path)
    command = ["env", f"LD_PRELOAD={below}", f"FAKE_V4L2={tmp_path}", sys.executable, "-c", COPY, node, tmp_path]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    count = int(said[1])
    assert said == ["camera", str(count), "320", "240", "0"]
    with av.open(str(tmp_path / "door" / f"{'0' * 32}-000001.mp4")) as container:
        found = [list(_units(bytes(packet))) for packet in container.demux(video=0) if packet.size]
    assert found == [given[n % len(given)] for n in range(count)]


def test_pictures_come_from_a_webcams_second_node_which_may_go_and_come_back(tmp_path: Path, below: Path) -> None:
    """What is recorded goes on meanwhile, and is never decoded."""
    _webcam(tmp_path)
    nodes = [tmp_path / "video0", tmp_path / "video1"]
    command = ["env", f"LD_PRELOAD={below}", f"FAKE_V4L2={tmp_path}", sys.executable, "-c", LOOK, *nodes]
    said = subprocess.run([*command, tmp_path / "mode1"], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["camera", "True", "True", "None", "0.0", "True"]


def _webcam(folder: Path) -> list[list[bytes]]:
    """Both its nodes, and the H.264 that the first gives."""
    given = access_units(320, 240)
    pictures = [b"".join(b"\0\0\0\1" + unit for unit in units) for units in given]
    (folder / "stream").write_bytes(b"".join(len(data).to_bytes(4, "little") + data for data in pictures))
    for name in ("video0", "video1"):
        (folder / name).touch()
    return given


def _units(data: bytes) -> Iterator[bytes]:
    """The NAL units of a picture in an MP4 file, each behind its length."""
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : end]
        at = end


def test_whatever_befalls_a_webcam_is_named_and_recovered_from_by_one_process(tmp_path: Path, below: Path) -> None:
    mode, node = tmp_path / "mode", tmp_path / "video0"
    config = camera_config(tmp_path, {"door": node})
    options = Camera(backend="v4l2", source=str(node), width=320, height=240, fps=10)
    config = config.model_copy(update={"camera": {"door": options}})
    file = tmp_path / "examroom.toml"
    file.write_text(to_toml(config))
    prefix = ("env", f"LD_PRELOAD={below}", f"FAKE_V4L2={tmp_path}")
    service = Service(file, "camera@door", tmp_path / "log", prefix)

    def befalls(what: str) -> None:
        mode.write_text(what)
        node.unlink(missing_ok=True) if what == "gone" else node.touch()

    def named(reason: str, seconds: float) -> None:
        began = time.monotonic()
        until(lambda: camera_status(config, "door").get("reason") == reason, 20, reason)
        assert time.monotonic() - began < seconds, reason

    befalls("ok")
    said = subprocess.run([*prefix, sys.executable, "-c", OPEN, node, mode], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["camera_busy", "camera_denied", "camera_mode", "camera_not_video", "camera_missing"]
    befalls("ok")
    service.start()
    try:
        named("recording_on", 15)
        pid = camera_status(config, "door")["pid"]
        reader = RingReader(config.paths.ring("door"))
        frame = until(reader.latest)
        reader.close()
        assert (frame.width, frame.height) == (320, 240)
        befalls("mute")
        named("camera_stalled", 5)
        named("camera_failed", 5)
        befalls("ok")
        named("recording_on", 8)
        befalls("gone")
        named("camera_missing", 5)
        befalls("ok")
        named("recording_on", 6)
        assert camera_status(config, "door")["pid"] == pid
        assert camera_status(config, "door")["dropped"] < 5
        service.stop()
    finally:
        service.end()
    db = open_room(config.paths.room_db)
    try:
        causes = [s.cause for s in segments.between(db, "door", 0, 1 << 52)]
        assert causes == ["camera-stalled", "camera-missing", "stopped"]
    finally:
        db.close()
