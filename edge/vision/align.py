"""The upright chip of a face, cut by its landmarks."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import BadInput
from edge.vision.face import CHIP, Picture

Places = npt.NDArray[np.float64]

# dlib reads a halved picture this far (in its pixels) from the true place; found by comparing chips of large faces.
HALVING = np.array([-0.25, 0.25])


def cut_chip(bgr: Picture, landmarks: npt.NDArray[np.float32], upright: Places, side: int = CHIP) -> Picture:
    """The upright chip, uint8 [side, side, 3], as dlib's `get_face_chip` cuts it with padding 0.25.

    The similarity that best takes `upright`, places in the chip, to the landmarks (least squares; Umeyama 1991 without
    the reflection case) says where each chip pixel lies in the picture; a face of twice the chip's size or more is
    halved first, so that no pixel is skipped. Like dlib, the outermost chip pixels lie on the edge of the area that is
    cut. BadInput (`picture_invalid`) for landmarks that no face can have.
    """
    points = landmarks.astype(np.float64)
    if points.shape != upright.shape or not np.isfinite(points).all():
        raise BadInput("picture_invalid")
    matrix, scale = _similarity(points, upright, side)
    while scale >= 2:
        # Only the part the chip needs is halved; its start is even, so that the pixel grids agree.
        bgr, start = _surroundings(bgr, matrix, side)
        bgr = np.asarray(cv2.pyrDown(bgr), np.uint8)
        matrix[:, 2] -= start
        matrix /= 2
        matrix[:, 2] += HALVING
        scale /= 2
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(bgr, matrix, (side, side), flags=flags), np.uint8)


def _similarity(points: Places, upright: Places, side: int) -> tuple[Places, float]:
    """The 2x3 matrix from chip pixels to picture pixels, and its scale."""
    centred = upright - upright.mean(axis=0)
    spread = float((centred**2).sum())
    moved = points - points.mean(axis=0)
    along = float((centred * moved).sum()) / spread
    across = float((centred[:, 0] * moved[:, 1] - centred[:, 1] * moved[:, 0]).sum()) / spread
    scale = float(np.hypot(along, across))
    if scale == 0:
        raise BadInput("picture_invalid")
    turn = np.array([[along, -across], [across, along]])
    centre = turn @ (side / 2 - upright.mean(axis=0)) + points.mean(axis=0)
    turn *= (side * scale - 1) / ((side - 1) * scale)
    corner = centre - turn @ np.full(2, (side - 1) / 2)
    return np.hstack([turn, corner[:, np.newaxis]]), scale


def _surroundings(bgr: Picture, matrix: Places, side: int) -> tuple[Picture, npt.NDArray[np.int64]]:
    """The part of the picture under the chip with a margin, and its (x, y) start, both even."""
    corners = np.array([(0, 0, 1), (side, 0, 1), (0, side, 1), (side, side, 1)]) @ matrix.T
    limit = np.array([bgr.shape[1], bgr.shape[0]])
    start = (np.clip(np.floor(corners.min(axis=0)) - 8, 0, np.maximum(limit - 2, 0)) // 2 * 2).astype(np.int64)
    end = np.clip(np.ceil(corners.max(axis=0)) + 8, start + 2, np.maximum(limit, start + 1)).astype(np.int64)
    return bgr[start[1] : end[1], start[0] : end[0]], start
