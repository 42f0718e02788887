"""The picamera2 adapter against a fake of the interface it uses.

The fake stands for, by picamera2's manual: `Picamera2(index)` raises IndexError for a camera that is not there;
`create_video_configuration(main=, lores=, controls=)` returns what `configure` takes; `start_recording(encoder,
output)` starts the camera and calls `output.outputframe(bytes, keyframe, timestamp_us, ...)` from a thread of its own
for each encoded picture, after `output.start()`; `post_callback(request)` is called for each picture, and
`request.make_array("lores")` is its YUV420 planes as (height * 3 / 2) x width; `stop_recording()` and `close()` end it.
"""

from __future__ import annotations

import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.config import Camera
from edge.errors import Unavailable
from edge.hardware.camera import Packet, open_camera
from support.cameras import make_packets

OPTIONS = Camera(backend="picamera2", source="0", width=320, height=240, fps=10, face_fps=20, bitrate=300_000)


class FakeOutput:
    def __init__(self, pts: object = None) -> None:
        self.recording = False

    def start(self) -> None:
        self.recording = True

    def stop(self) -> None:
        self.recording = False


class FakeEncoder:
    def __init__(self, bitrate: int, repeat: bool, iperiod: int) -> None:
        self.settings = (bitrate, repeat, iperiod)


class FakePicamera2:
    made: FakePicamera2

    def __init__(self, camera_num: int = 0) -> None:
        if camera_num > 0:
            raise IndexError("list index out of range")
        self.post_callback: Any = None
        self.calls: list[str] = []
        self.configuration: dict[str, Any] = {}
        self._stop = threading.Event()
        type(self).made = self

    def create_video_configuration(self, main: Any, lores: Any = None, controls: Any = None) -> dict[str, Any]:
        return {"main": main, "lores": lores, "controls": controls}

    def configure(self, configuration: dict[str, Any]) -> None:
        self.configuration = configuration

    def start_recording(self, encoder: FakeEncoder, output: Any) -> None:
        self.encoder, self.output = encoder, output
        output.start()
        self._thread = threading.Thread(target=self._frames)
        self._thread.start()

    def _frames(self) -> None:
        _, packets = make_packets(2)
        width, height = self.configuration["lores"]["size"]
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        planes[:height] = np.linspace(0, 255, width, dtype=np.uint8)
        for n, packet in enumerate(packets):
            if self._stop.wait(0.02):
                return
            self.post_callback(SimpleNamespace(make_array=lambda name: {"lores": planes}[name]))
            self.output.outputframe(packet.data, packet.keyframe, n * 100_000, None, False)

    def stop_recording(self) -> None:
        self._stop.set()
        self._thread.join()
        self.output.stop()
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {
        "picamera2": {"Picamera2": FakePicamera2},
        "picamera2.encoders": {"H264Encoder": FakeEncoder},
        "picamera2.outputs": {"Output": FakeOutput},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)


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
    assert fake.configuration["controls"] == {"FrameRate": 10}
    assert fake.calls == ["stop", "close"]


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
