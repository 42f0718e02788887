"""Webcams: a device that is not there is a state; pictures become H.264 with a key frame a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import cv2
import pytest

from edge.config import Camera
from edge.errors import Unavailable
from edge.hardware.camera import Packet, capture, open_camera
from edge.hardware.camera.capture import CaptureCamera
from edge.hardware.camera.mailbox import BACKLOG_MS, Mailbox
from support.cameras import make_clip, make_packets, noise


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


class Pictures:
    """A device that gives these, each by the kernel's time; None: a damaged one, which a decoder refuses."""

    def __init__(self, whole: list[bool]) -> None:
        self._left, self._count = list(whole), 0

    def decode(self, video: int) -> Iterator[av.VideoFrame]:
        while self._left:
            self._count += 1
            if not self._left.pop(0):
                raise av.InvalidDataError(1, "damaged")
            frame = av.VideoFrame.from_ndarray(next(iter(noise(1))), format="bgr24")
            frame.pts, frame.time_base = self._count * 40, Fraction(1, 1000)
            yield frame

    def close(self) -> None:
        return


def taken(camera: CaptureCamera) -> tuple[int, Unavailable]:
    """How many packets come until the device fails, and how."""
    count, until = 0, time.monotonic() + 20
    while time.monotonic() < until:
        try:
            count += len(camera.packets(0.02))
        except Unavailable as error:
            return count, error
    raise AssertionError(count)


def test_a_damaged_picture_is_lost_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [n not in (7, 15, 16) for n in range(30)]
    camera = CaptureCamera("door", cast("Any", Pictures(whole)), Camera(fps=25), pictures=False)
    count, _ended = taken(camera)
    assert (count, camera.dropped) == (27, 3)
    camera.close()
    monkeypatch.setattr(capture, "SILENT_MS", 100)
    broken = CaptureCamera(
        "door", cast("Any", Pictures([True] * 3 + [False] * 100_000)), Camera(fps=25), pictures=False
    )
    count, failed = taken(broken)
    assert (count, failed.code) == (3, "camera_failed")
    broken.close()


def test_a_jpeg_cut_to_pieces_is_what_a_decoder_refuses(tmp_path: Path) -> None:
    """What a webcam's cable may make of a picture, through the library's own reader of them."""
    sound, jpegs = cv2.imencode(".jpg", next(iter(noise(1))))[1].tobytes(), tmp_path / "stream.mjpeg"
    spoilt = sound.replace(b"\xff\xc4", b"\xff\xc4\0\3", 1)  # a table of another length than it has
    jpegs.write_bytes(sound * 5 + spoilt + sound * 5)
    camera = CaptureCamera("door", av.open(str(jpegs), format="mjpeg"), Camera(fps=25), pictures=False)
    count, _ended = taken(camera)
    camera.close()
    assert (count, camera.dropped) == (10, 1)


def test_a_reader_that_does_not_come_bounds_the_memory_by_time() -> None:
    """Whatever the pace the camera was asked for and the one it gives: the oldest go, up to a key frame."""
    video, packets = make_packets(25)
    box = Mailbox("door")
    for packet in packets:
        box.put(packet, video)
    left = box.packets(0)
    assert left[0].keyframe
    assert left[-1] is packets[-1]
    assert BACKLOG_MS - 1000 <= left[-1].mono_ms - left[0].mono_ms <= BACKLOG_MS
    assert box.dropped == len(packets) - len(left)


@pytest.mark.parametrize(("share", "formats_seen"), [(0.6, 1), (0.1, 2)])  # H.264's level falls with so low a rate
def test_a_lower_bitrate_begins_at_a_key_frame(share: float, formats_seen: int) -> None:
    class Device:
        """Asks for less in the middle of its pictures."""

        def decode(self, video: int) -> Iterator[av.VideoFrame]:
            for n, picture in enumerate(noise(60)):
                assert made.wait(5)
                if n == 20:
                    assert camera.ease(share)
                yield av.VideoFrame.from_ndarray(picture, format="bgr24")

        def close(self) -> None:
            return

    made = threading.Event()
    camera = CaptureCamera("door", cast("Any", Device()), Camera(fps=30, bitrate=1_000_000), pictures=False)
    made.set()
    packets, formats, until = list[Packet](), set[int](), time.monotonic() + 20
    try:
        while len(packets) < 60 and time.monotonic() < until:
            packets += camera.packets(0.02)
            formats |= {id(camera.format)} if packets else set()
    finally:
        camera.close()
    assert [n for n, p in enumerate(packets) if p.keyframe and n < 25] == [0, 20]
    assert len(formats) == formats_seen
    before, after = (sum(len(p.data) for p in packets[n : n + 19]) for n in (1, 41))
    assert after < (share + 0.3) * before
    decoder = av.CodecContext.create("h264", "r")
    frames = [f for p in packets for f in decoder.decode(av.Packet(p.data))] + decoder.decode(None)  # type: ignore[attr-defined]
    assert len(frames) == 60
