"""Webcams: a device that is not there is a state; pictures become H.264 with a key frame a second."""

from __future__ import annotations

import time
from pathlib import Path

import av
import pytest

from edge.config import Camera
from edge.errors import Unavailable
from edge.hardware.camera import Packet, open_camera
from edge.hardware.camera.capture import CaptureCamera
from support.cameras import make_clip


def test_a_missing_device_is_a_state(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        open_camera("door", Camera(backend="v4l2", source=str(tmp_path / "video9")))
    assert caught.value.code == "camera_missing"
    with pytest.raises(Unavailable) as caught:
        open_camera("door", Camera(backend="v4l2", source="63"))
    assert "/dev/video63" in caught.value.sentence("en")


def test_what_is_no_camera_is_a_state(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.write_bytes(b"\0" * 100)
    with pytest.raises(Unavailable) as caught:
        open_camera("door", Camera(backend="v4l2", source=str(device)))
    assert caught.value.code == "camera_not_video"


def test_pictures_are_encoded_and_the_end_is_told(tmp_path: Path) -> None:
    """Any container of pictures serves as the device; this one gives 40 as fast as they are taken, then ends."""
    container = av.open(str(make_clip(tmp_path / "clip.mp4", seconds=4)), "r")
    camera = CaptureCamera("door", container, Camera(fps=10, face_fps=30))
    packets, pictures, failure = list[Packet](), 0, None
    until = time.monotonic() + 20
    try:
        while failure is None and time.monotonic() < until:
            try:
                packets += camera.packets(0.05)
            except Unavailable as error:
                failure = error
            pictures += camera.picture() is not None
        video = camera.format
        assert video is not None
        assert (video.width, video.height) == (320, 240)
    finally:
        camera.close()
    assert failure is not None
    assert failure.code == "camera_failed"
    assert len(packets) == 40
    assert pictures > 0
    assert packets[0].keyframe
    times = [p.dts for p in packets]
    assert times == sorted(set(times))
    decoder = av.CodecContext.create("h264", "r")
    frames = [f for p in packets for f in decoder.decode(av.Packet(p.data))] + decoder.decode(None)  # type: ignore[attr-defined]
    assert len(frames) == 40


def test_a_reader_that_does_not_come_bounds_the_memory(tmp_path: Path) -> None:
    container = av.open(str(make_clip(tmp_path / "clip.mp4", seconds=4)), "r")
    camera = CaptureCamera("door", container, Camera(fps=1, face_fps=1), pictures=False)  # keeps 10 packets
    try:
        until = time.monotonic() + 20
        while camera.dropped < 20 and time.monotonic() < until:
            time.sleep(0.05)
        assert camera.dropped >= 20
        assert len(camera.packets(0.1)) <= 10
        assert camera.picture() is None
    finally:
        camera.close()
