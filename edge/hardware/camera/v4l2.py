"""A webcam through the kernel's V4L2: MJPEG where it has it, raw pictures otherwise."""

from __future__ import annotations

import av

from edge.config import Camera
from edge.errors import Unavailable
from edge.hardware.camera.capture import CaptureCamera
from edge.hardware.camera.source import CameraSource

_TIMEOUT_S = (5.0, 3.0)  # opening, and waiting for one picture


def open_device(name: str, options: Camera, *, pictures: bool = True) -> CameraSource:
    """`options.source` is a device node or its number. Unavailable (`camera_missing`) when it does not open."""
    device = f"/dev/video{options.source}" if options.source.isdigit() else options.source
    wanted = {"video_size": f"{options.width}x{options.height}", "framerate": str(options.fps)}
    failure: Exception | None = None
    for choice in ({**wanted, "input_format": "mjpeg"}, wanted, {}):
        try:
            container = av.open(device, format="v4l2", options=choice, timeout=_TIMEOUT_S)
        except FileNotFoundError as error:
            failure = error
            break
        except (av.FFmpegError, OSError, ValueError) as error:
            failure = error
            continue
        return CaptureCamera(name, container, options, pictures=pictures)
    raise Unavailable("camera_missing", camera=name, source=device) from failure
