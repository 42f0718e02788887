"""A picture as a door's camera may show it: other light, blur, size, compression, place and pose."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from edge.vision.face import Picture


def augmentations(picture: Picture, width: float) -> Iterator[tuple[str, Picture]]:
    """Light, blur, size, compression and place, as a door's camera may do them; `width` is the face's."""
    values = picture.astype(np.float32)
    for gain in (0.5, 0.7, 1.2, 1.4):
        yield f"gain {gain}", np.clip(values * gain, 0, 255).astype(np.uint8)
    for offset in (-50, -25, 25, 50):
        yield f"offset {offset}", np.clip(values + offset, 0, 255).astype(np.uint8)
    for gamma in (0.6, 1.6):
        yield f"gamma {gamma}", (255 * (values / 255) ** gamma).astype(np.uint8)
    for part in (0.005, 0.01, 0.015):
        yield f"blur {part}", np.asarray(cv2.GaussianBlur(picture, (0, 0), max(0.3, part * width)))
    for pixels in (60, 80, 110, 300):
        method = cv2.INTER_AREA if pixels < width else cv2.INTER_CUBIC
        factor = pixels / width
        yield f"{pixels} pixels", np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=method))
    for quality in (75, 40, 20):
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        yield f"JPEG {quality}", np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    for across, down in ((13, 7), (-22, 9), (31, -5)):
        move = np.array([[1, 0, across], [0, 1, down]], np.float32)
        yield f"shift {across}", np.asarray(cv2.warpAffine(picture, move, (picture.shape[1], picture.shape[0])))
    noise = np.random.default_rng(3).normal(0, 8, picture.shape)
    yield "noise", np.clip(values + noise, 0, 255).astype(np.uint8)


def turned(picture: Picture) -> Iterator[tuple[str, Picture]]:
    """A head held askew, and a plane turned away: what a flat picture can show of pose."""
    rows, columns = picture.shape[:2]
    for degrees in (-15, -8, 8, 15):
        about = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1)
        yield f"tilt {degrees}", np.asarray(cv2.warpAffine(picture, about, (columns, rows)), np.uint8)
    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    for name, moved in {
        "left": [[0, 0], [0.85, 0.08], [0.85, 0.92], [0, 1]],
        "right": [[0.15, 0.08], [1, 0], [1, 1], [0.15, 0.92]],
        "up": [[0.08, 0.15], [0.92, 0.15], [1, 1], [0, 1]],
        "down": [[0, 0], [1, 0], [0.92, 0.85], [0.08, 0.85]],
    }.items():
        places = np.array(moved, np.float32) * np.array([columns, rows], np.float32)
        plane = cv2.getPerspectiveTransform(corners, places)
        yield f"turned {name}", np.asarray(cv2.warpPerspective(picture, plane, (columns, rows)), np.uint8)
