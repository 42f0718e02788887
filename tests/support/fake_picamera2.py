"""picamera2, as far as the adapter uses it, by its manual and its sources.

`Picamera2(index)` raises IndexError for a camera that is not there; `create_video_configuration(main=, lores=,
controls=)` returns what `configure` takes; `start_recording(encoder, output)` starts the camera and calls
`output.outputframe(bytes, keyframe, timestamp_us, ...)` from a thread of its own for each encoded picture, after
`output.start()`, with the sensor's time since the first picture; `post_callback(request)` is called for each picture,
and `request.make_array("lores")` is its YUV420 planes as (height * 3 / 2) x stride, the stride a multiple of 64;
`stop_encoder(encoder)` and `start_encoder(encoder, output)` stop and start the coding alone, with times from nought
again; `stop_recording()` and `close()` end it, the first with RuntimeError where the encoder is not running.

`encoders.H264Encoder` is the hardware encoder of a Pi up to 4; on a Pi 5 it is `encoders.LibavH264Encoder` itself,
which takes `framerate` too and has `drop_final_frames`.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from support.cameras import make_packets


class FakeOutput:
    def __init__(self, pts: object = None) -> None:
        self.recording = False

    def start(self) -> None:
        self.recording = True

    def stop(self) -> None:
        self.recording = False


class FakeH264Encoder:
    """The hardware's: it knows no `framerate`."""

    def __init__(self, bitrate: int | None = None, repeat: bool = True, iperiod: int | None = None) -> None:
        self.settings = (bitrate, repeat, iperiod)
        self.bitrate = bitrate


class FakeLibavH264Encoder(FakeH264Encoder):
    def __init__(self, bitrate: int | None = None, repeat: bool = True, iperiod: int = 30, framerate: int = 30) -> None:
        super().__init__(bitrate, repeat, iperiod)
        self.framerate = framerate
        self.drop_final_frames = False


class FakePicamera2:
    """`made` is the newest one; `lost` are pictures its sensor did not deliver; `hangs` makes stopping wait; `pace_s`
    lies between its pictures, which it says are 0.1 s apart: it is five times as fast where no test asks for the time.
    """

    made: FakePicamera2
    lost: frozenset[int] = frozenset()
    hangs: threading.Event | None = None
    pace_s = 0.02

    def __init__(self, camera_num: int = 0) -> None:
        if camera_num > 0:
            raise IndexError("list index out of range")
        self.post_callback: Any = None
        self.calls: list[str] = []
        self.configuration: dict[str, Any] = {}
        self._stop = threading.Event()
        self._coding = threading.Event()
        self._coding.set()
        self.restarted: int | None = 0
        type(self).made = self

    def create_video_configuration(self, main: Any, lores: Any = None, controls: Any = None) -> dict[str, Any]:
        return {"main": main, "lores": lores, "controls": controls}

    def configure(self, configuration: dict[str, Any]) -> None:
        self.configuration = configuration

    def start_recording(self, encoder: FakeH264Encoder, output: Any) -> None:
        self.encoder, self.output = encoder, output
        output.start()
        self._thread = threading.Thread(target=self._frames)
        self._thread.start()

    def _frames(self) -> None:
        _, packets = make_packets(2)
        width, height = self.configuration["lores"]["size"]
        stride = -(-width // 64) * 64
        planes = np.full((height * 3 // 2, stride), 128, np.uint8)
        planes[:height, :width] = np.linspace(0, 255, width, dtype=np.uint8)
        planes[:height, width:] = 77
        for n, packet in enumerate(packets):
            if self._stop.wait(self.pace_s):
                return
            self.post_callback(SimpleNamespace(make_array=lambda name: {"lores": planes}[name]))
            if n in self.lost or not self._coding.is_set():
                continue
            if self.restarted is None:
                self.restarted = n
            self.output.outputframe(packet.data, packet.keyframe, (n - self.restarted) * 100_000, None, False)

    def stop_encoder(self, encoder: FakeH264Encoder) -> None:
        assert encoder is self.encoder
        self._coding.clear()

    def start_encoder(self, encoder: FakeH264Encoder, output: Any) -> None:
        assert (encoder, output) == (self.encoder, self.output)
        self.restarted = None
        self._coding.set()

    def stop_recording(self) -> None:
        self._stop.set()
        self._thread.join()
        if self.hangs is not None:
            self.hangs.wait()
        self.output.stop()
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")


def install(monkeypatch: pytest.MonkeyPatch, *, pi: int = 4) -> None:
    """Make it importable as on this model of Pi."""
    h264 = FakeH264Encoder if pi < 5 else FakeLibavH264Encoder
    encoders = ModuleType("picamera2.encoders")
    encoders.__dict__.update(H264Encoder=h264, LibavH264Encoder=FakeLibavH264Encoder)
    outputs = ModuleType("picamera2.outputs")
    outputs.__dict__.update(Output=FakeOutput)
    whole = ModuleType("picamera2")
    whole.__dict__.update(Picamera2=FakePicamera2, encoders=encoders, outputs=outputs)
    for module in (whole, encoders, outputs):
        monkeypatch.setitem(sys.modules, module.__name__, module)
