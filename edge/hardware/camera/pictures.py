"""Pictures of the size faces are looked for, and their JPEG previews."""

from __future__ import annotations

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config import Camera
from edge.hardware.camera.eye import Eye
from edge.hardware.camera.source import Picture

WIDTH = 640
LEAST_FPS = 2.0
"""So many pictures a second are made at least: fewer would tell of a blind camera too late."""
_QUALITY = 80
THUMB_WIDTH = 160
_THUMB_QUALITY = 70


def face_size(width: int, height: int) -> tuple[int, int]:
    """Width and height (both even) of the picture made from one of this size: at most 640 wide, same shape."""
    target = min(WIDTH, width - width % 2)
    return target, max(2, round(height * target / width / 2) * 2)


def picture_fps(options: Camera) -> float:
    """Pictures a second to be made of this camera's video."""
    return max(options.face_fps, LEAST_FPS)


def from_frame(frame: av.VideoFrame, eye: Eye, mono_ms: int, source_ms: int) -> Picture:
    width, height = face_size(frame.width, frame.height)
    scaled = frame.reformat(width=width, height=height, format="bgr24", interpolation="AREA")
    return from_bgr(scaled.to_ndarray().astype(np.uint8, copy=False), eye, mono_ms, source_ms)


def from_bgr(bgr: NDArray[np.uint8], eye: Eye, mono_ms: int, source_ms: int) -> Picture:
    """A picture of an array of height x width x 3, as it is, and what `eye` sees in it."""
    height, width = bgr.shape[:2]
    look = eye.look(bgr, mono_ms)
    _, jpeg = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return Picture(mono_ms, source_ms, width, height, bgr.tobytes(), jpeg.tobytes(), look, eye.moved_ms)


def thumbnail(picture: Picture) -> bytes:
    """A JPEG of some kilobytes, THUMB_WIDTH wide, of a picture; nothing of one without pixels."""
    if not picture.bgr:
        return b""
    bgr = np.frombuffer(picture.bgr, np.uint8).reshape(picture.height, picture.width, 3)
    height = max(2, round(picture.height * THUMB_WIDTH / picture.width))
    small = cv2.resize(bgr, (THUMB_WIDTH, height), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, _THUMB_QUALITY))
    return jpeg.tobytes()
