"""A camera whose pictures for faces come from a stream of their own: a network camera's small one, or a webcam's second
node. What is recorded is then never decoded, which is most of what a camera process costs otherwise (`look_cpu` in its
status says how much). Tested with two servers on loopback, and with a webcam of two nodes put below libavdevice; with
real cameras not yet.
"""

from __future__ import annotations

import logging
import threading

from edge.config import Camera
from edge.errors import BadInput, Unavailable
from edge.hardware.camera.source import CameraSource, Packet, Picture, VideoFormat

_log = logging.getLogger(__name__)
_AGAIN_S = 2.0


def open_second(name: str, options: Camera) -> CameraSource:
    """The stream `options.look`, pictures alone. Errors as of its backend."""
    if options.look.startswith("rtsp:"):
        from edge.hardware.camera.rtsp import open_network

        return open_network(name, options.model_copy(update={"source": options.look}), record=False)
    from edge.hardware.camera.v4l2 import open_device

    return open_device(name, options.model_copy(update={"source": options.look}), record=False)


class TwoStreams:
    """See `CameraSource`: `main` records; the other is opened beside it, and again whenever it fails."""

    def __init__(self, name: str, options: Camera, main: CameraSource) -> None:
        self._name, self._options, self._main = name, options, main
        self._second: CameraSource | None = None
        self._spent_s = 0.0  # by those that failed
        self._stopping, self._gone = threading.Event(), threading.Event()
        self._gone.set()
        self._thread = threading.Thread(target=self._open, name=f"second-{name}", daemon=True)
        self._thread.start()

    @property
    def coder(self) -> str:
        return self._main.coder

    @property
    def format(self) -> VideoFormat | None:
        return self._main.format

    @property
    def dropped(self) -> int:
        return self._main.dropped

    @property
    def exact(self) -> bool:
        return not self._options.look.startswith("rtsp:")

    @property
    def keyless_ms(self) -> int:
        return self._main.keyless_ms

    @property
    def look_cpu_s(self) -> float:
        second = self._second
        return self._spent_s + (second.look_cpu_s if second is not None else 0.0)

    def packets(self, wait_s: float) -> list[Packet]:
        return self._main.packets(wait_s)

    def ease(self, share: float) -> bool:
        return self._main.ease(share)

    def picture(self) -> Picture | None:
        second = self._second
        if second is None:
            return None
        try:
            second.packets(0)  # there are none; raises when it has failed
        except Unavailable as error:
            _log.warning("camera %s, pictures for faces: %s", self._name, error)
            self._spent_s += second.look_cpu_s
            self._second = None
            self._gone.set()
            return None
        return second.picture()

    def close(self) -> None:
        """Close both; one that is being opened is closed once it is."""
        self._stopping.set()
        self._gone.set()
        self._main.close()
        self._thread.join(timeout=_AGAIN_S)

    def _open(self) -> None:
        """The thread's: opening may take seconds, for which no recording waits."""
        opened: CameraSource | None = None
        said = ""
        while True:
            self._gone.wait()
            if opened is not None:
                opened.close()
                opened = None
            if self._stopping.is_set():
                return
            try:
                opened = open_second(self._name, self._options)
            except (Unavailable, BadInput) as error:
                if error.code != said:
                    _log.warning("camera %s, pictures for faces: %s", self._name, error)
                said = error.code
                self._stopping.wait(_AGAIN_S)
            else:
                said = ""
                self._gone.clear()
                self._second = opened
                if self._stopping.is_set():
                    self._gone.set()
