"""Pictures of the size faces are looked for, and their JPEG previews."""

from __future__ import annotations

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from edge.hardware.camera.source import Picture

WIDTH = 640
_QUALITY = 80


def face_size(width: int, height: int) -> tuple[int, int]:
    """Width and height (both even) of the picture made from one of this size: at most 640 wide, same shape."""
    target = min(WIDTH, width - width % 2)
    return target, max(2, round(height * target / width / 2) * 2)


def from_frame(frame: av.VideoFrame, mono_ms: int, source_ms: int) -> Picture:
    width, height = face_size(frame.width, frame.height)
    scaled = frame.reformat(width=width, height=height, format="bgr24", interpolation="AREA")
    return from_bgr(scaled.to_ndarray().astype(np.uint8, copy=False), mono_ms, source_ms)


def from_bgr(bgr: NDArray[np.uint8], mono_ms: int, source_ms: int) -> Picture:
    """A picture of an array of height x width x 3, as it is."""
    height, width = bgr.shape[:2]
    _, jpeg = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return Picture(mono_ms, source_ms, width, height, bgr.tobytes(), jpeg.tobytes())
