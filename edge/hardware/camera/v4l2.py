"""A webcam through the kernel's V4L2: its own H.264 as it comes where it has it, else MJPEG, else raw pictures.

Run here without a webcam: tests put a camera below libavdevice, at the level of the kernel's calls, which is unplugged,
busy, mute or odd at will; no real device has been tried with this version.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av
from av.container import InputContainer

from edge.config import Camera
from edge.errors import Unavailable
from edge.hardware.camera.capture import CaptureCamera
from edge.hardware.camera.coded import CodedCamera
from edge.hardware.camera.feed import LibavFeed
from edge.hardware.camera.source import CameraSource

_TIMEOUT_S = (5.0, 3.0)  # opening, and waiting for one picture
_NAP_MS = 250
_FINAL = {
    errno.ENOENT: "camera_missing",
    errno.ENXIO: "camera_missing",
    errno.EBUSY: "camera_busy",
    errno.EACCES: "camera_denied",
    errno.EPERM: "camera_denied",
    errno.ENOTTY: "camera_not_video",
    errno.ENODEV: "camera_not_video",  # of a node that is there: it has no capture
}


def open_device(name: str, options: Camera, *, pictures: bool = True, record: bool = True) -> CameraSource:
    """`options.source` is a device node or its number. One that is not to `record` is not coded either.

    Unavailable: `camera_missing`, `camera_busy`, `camera_denied`, `camera_not_video`, or `camera_mode` where it gives
    nothing that can be used.
    """
    device = f"/dev/video{options.source}" if options.source.isdigit() else options.source
    wanted = {"video_size": f"{options.width}x{options.height}", "framerate": str(options.fps)}
    code, failure = "camera_mode", None
    choices = [{**wanted, "input_format": "mjpeg"}, wanted, {}]
    if record:
        choices.insert(0, {**wanted, "input_format": "h264"})
    for choice in choices:
        try:
            container = av.open(device, format="v4l2", options=choice, timeout=_TIMEOUT_S, metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            failure, known = error, _FINAL.get(getattr(error, "errno", None) or 0)
            if known is not None:
                code = known if known != "camera_not_video" or Path(device).exists() else "camera_missing"
                break
            continue
        if not _shows(container):
            container.close()
            continue
        stream, ready = container.streams.video[0], _unblocked(device)
        if stream.codec_context.name == "h264":
            return CodedCamera(name, LibavFeed(container, stream, ready), options, pictures=pictures, record=record)
        return CaptureCamera(name, container, options, pictures=pictures, record=record, ready=ready)
    raise Unavailable(code, camera=name, source=device) from failure


def _shows(container: InputContainer) -> bool:
    """Whether its pictures are of a kind the library can decode."""
    streams = container.streams.video
    return bool(streams) and streams[0].codec_context.name != "none" and streams[0].width > 0


def _unblocked(device: str) -> Callable[[], bool] | None:
    """Make our descriptor of the device one that never blocks, and return what waits for a picture a moment.

    A webcam that hangs would keep the thread in the kernel, and so the device in use, until it is unplugged.
    """
    name = Path(device).resolve().name
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile: it was another's
            if name in Path(link.readlink()).name:
                os.set_blocking(int(link.name), False)
                waiting = select.poll()
                waiting.register(int(link.name), select.POLLIN)
                return lambda: bool(waiting.poll(_NAP_MS))
    return None
