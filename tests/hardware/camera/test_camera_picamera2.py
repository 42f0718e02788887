"""The picamera2 adapter against a fake of the interface it uses (support/fake_picamera2.py says what that is)."""

from __future__ import annotations

import sys
import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from edge import clock
from edge.config import Camera
from edge.errors import Unavailable
from edge.hardware.camera import Packet, open_camera, picamera
from support.fake_picamera2 import FakeLibavH264Encoder, FakePicamera2, install

OPTIONS = Camera(backend="picamera2", source="0", width=320, height=240, fps=10, face_fps=20, bitrate=300_000)


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


@pytest.mark.usefixtures("picamera2")
def test_packets_and_pictures_come_through() -> None:
    camera = open_camera("door", OPTIONS)
    packets, picture, until = list[Packet](), None, time.monotonic() + 10
    try:
        while len(packets) < 20 and time.monotonic() < until:
            packets += camera.packets(0.05)
            picture = camera.picture() or picture
        video = camera.format
        assert video is not None
        assert (video.width, video.height) == (320, 240)
    finally:
        camera.close()
    assert len(packets) == 20
    assert [p.dts for p in packets] == [n * 9000 for n in range(20)]
    assert [p.mono_ms - packets[0].mono_ms for p in packets] == [n * 100 for n in range(20)]
    assert [n for n, p in enumerate(packets) if p.keyframe] == [0, 10]
    assert picture is not None
    assert (picture.width, picture.height, picture.source_ms) == (320, 240, -1)
    pixels = np.frombuffer(picture.bgr, np.uint8).reshape(240, 320, 3)
    assert pixels[120, 10].max() < 40 < 200 < pixels[120, 310].min()
    fake = FakePicamera2.made
    assert fake.encoder.settings == (300_000, True, 10)
    assert (camera.coder, camera.exact, camera.dropped) == ("hardware", True, 0)
    assert fake.configuration["controls"] == {"FrameRate": 10}
    assert fake.calls == ["stop", "close"]


def test_a_pi_5_codes_in_software_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, pi=5)
    camera = open_camera("door", OPTIONS)
    try:
        assert camera.coder == "libx264"
    finally:
        camera.close()
    encoder = FakePicamera2.made.encoder
    assert isinstance(encoder, FakeLibavH264Encoder)
    assert (encoder.settings, encoder.framerate, encoder.drop_final_frames) == ((300_000, True, 10), 10, True)


@pytest.mark.usefixtures("picamera2")
def test_pictures_lost_before_the_encoder_are_counted_by_the_sensors_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePicamera2, "lost", frozenset({8, 12, 13}))
    camera, packets, until = open_camera("door", OPTIONS), list[Packet](), time.monotonic() + 10
    try:
        while len(packets) < 17 and time.monotonic() < until:
            packets += camera.packets(0.05)
        assert camera.dropped == 3
    finally:
        camera.close()


@pytest.mark.usefixtures("picamera2")
def test_a_lower_bitrate_begins_the_encoder_anew_and_time_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePicamera2, "pace_s", 0.1)
    camera, packets, until = open_camera("door", OPTIONS), list[Packet](), time.monotonic() + 10
    try:
        while len(packets) < 3 and time.monotonic() < until:
            packets += camera.packets(0.01)
        before = len(packets)
        assert camera.ease(0.5)
        while sum(p.keyframe for p in packets) < 2 and time.monotonic() < until:
            packets += camera.packets(0.01)
    finally:
        camera.close()
    assert FakePicamera2.made.encoder.bitrate == 150_000
    assert [n for n, p in enumerate(packets) if p.keyframe][1] >= before
    assert all(a.dts < b.dts and a.mono_ms <= b.mono_ms for a, b in pairwise(packets))
    assert packets[-1].mono_ms <= clock.mono_ms()


@pytest.mark.usefixtures("picamera2")
def test_a_camera_that_does_not_stop_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePicamera2, "hangs", threading.Event())
    monkeypatch.setattr(picamera, "_CLOSE_S", 0.2)
    camera = open_camera("door", OPTIONS)
    began = time.monotonic()
    camera.close()
    assert time.monotonic() - began < 2
    assert FakePicamera2.hangs is not None
    FakePicamera2.hangs.set()


@pytest.mark.usefixtures("picamera2")
def test_no_camera_is_a_state() -> None:
    with pytest.raises(Unavailable) as caught:
        open_camera("door", OPTIONS.model_copy(update={"source": "1"}))
    assert caught.value.code == "camera_missing"


@pytest.mark.usefixtures("picamera2")
def test_a_stream_without_parameter_sets_is_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def frames(self: FakePicamera2) -> None:
        self.output.outputframe(b"\0\0\0\1\x65" + b"\xaa" * 50, True, 0)

    monkeypatch.setattr(FakePicamera2, "_frames", frames)
    camera = open_camera("door", OPTIONS)
    try:
        with pytest.raises(Unavailable) as caught:
            for _ in range(100):
                camera.packets(0.02)
        assert caught.value.code == "camera_failed"
    finally:
        camera.close()


def test_without_the_library_it_is_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(Unavailable) as caught:
        open_camera("door", OPTIONS)
    assert caught.value.code == "camera_library"
