"""Is this face fit to be compared? Size, sharpness, light and pose of one face, and what to ask of the person.

The limits were read off the pack's own distances on altered portraits (`models/dlib/CARD.md` says on how few): each
stands where a picture of the same person begins to drift towards another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.vision.face_pack import Face, Picture, check_picture

# All faces are judged at one size, so that sharpness means the same near and far.
JUDGED_WIDTH = 64

MIN_WIDTH = 50.0
MIN_SHARPNESS = 0.04
MIN_LIGHT, MAX_LIGHT = 25.0, 225.0
MIN_CONTRAST = 8.0
MAX_BURNT = 0.35
MAX_TURN = 0.22
MAX_TILT = 25.0
# A second face counts from this part of the first's area on; the detector fires on folds of cloth with a lower score.
SECOND_AREA = 0.3
SECOND_SCORE = 0.5


@dataclass(frozen=True)
class Quality:
    """What was measured, and the codes of what is wrong, the first to be told first.

    width: of the face in pixels. sharpness: variance of the Laplacian over the variance of the picture, at 64 pixels
    a face. light, contrast: mean and standard deviation of the grey levels (0 to 255). burnt: share of pixels at the
    upper end. turn: how far the nose stands off the middle of the eyes, in distances of the eyes. tilt: degrees.
    """

    width: float
    sharpness: float
    light: float
    contrast: float
    burnt: float
    turn: float
    tilt: float
    codes: tuple[str, ...]

    @property
    def value(self) -> float:
        """0 (unfit) to 1: the weight of this frame beside others; half of it for sharpness, half for pose."""
        if self.codes:
            return 0.0
        sharp = min(1.0, self.sharpness / (4 * MIN_SHARPNESS))
        straight = 1.0 - 0.5 * abs(self.turn) / MAX_TURN
        return (sharp + straight) / 2


def judge(bgr: Picture, faces: Sequence[Face]) -> tuple[str, ...]:
    """The codes of what is wrong with a picture whose faces, best first, are `faces`; empty when it is fit.

    One of face_none, face_several, or those of the first face: face_too_small, face_dark, face_bright, face_blurred,
    face_turned.
    """
    if not faces:
        return ("face_none",)
    if several(faces):
        return ("face_several",)
    return measure(bgr, faces[0]).codes


def several(faces: Sequence[Face]) -> bool:
    """Whether a second person is in the picture, large and certain enough to be meant."""
    return any(face.area >= SECOND_AREA * faces[0].area and face.score >= SECOND_SCORE for face in faces[1:])


def measure(bgr: Picture, face: Face) -> Quality:
    """The quality of one face of a picture (uint8 [rows, columns, 3]). BadInput (`picture_invalid`) as for `detect`."""
    check_picture(bgr)
    rows, columns = bgr.shape[:2]
    left, top, right, bottom = face.box
    gray = _judged(bgr[_inside(top, bottom, rows), _inside(left, right, columns)])
    light, contrast = float(gray.mean()), float(gray.std())
    # Grey levels of dark pictures are few: below one level of noise a ratio says nothing.
    sharpness = float(cv2.Laplacian(gray, cv2.CV_32F).var()) / max(contrast * contrast, 1.0)
    burnt = float(np.count_nonzero(gray >= 250)) / gray.size
    turn, tilt = pose(face)

    codes = []
    if face.width < MIN_WIDTH:
        codes.append("face_too_small")
    if light < MIN_LIGHT or (contrast < MIN_CONTRAST and light < 128):
        codes.append("face_dark")
    if light > MAX_LIGHT or burnt > MAX_BURNT or (contrast < MIN_CONTRAST and light >= 128):
        codes.append("face_bright")
    if sharpness < MIN_SHARPNESS:
        codes.append("face_blurred")
    if abs(turn) > MAX_TURN or abs(tilt) > MAX_TILT:
        codes.append("face_turned")
    return Quality(face.width, sharpness, light, contrast, burnt, turn, tilt, tuple(codes))


def _inside(start: float, end: float, length: int) -> slice:
    """The part of a side within the picture, at least a pixel of it."""
    first = max(0, min(length - 1, round(start)))
    return slice(first, max(first + 1, min(length, round(end))))


def _judged(crop: Picture) -> Picture:
    rows, columns = crop.shape[:2]
    size = (JUDGED_WIDTH, max(1, round(rows * JUDGED_WIDTH / columns)))
    method = cv2.INTER_AREA if columns > JUDGED_WIDTH else cv2.INTER_LINEAR
    return np.asarray(cv2.cvtColor(cv2.resize(crop, size, interpolation=method), cv2.COLOR_BGR2GRAY), np.uint8)


def pose(face: Face) -> tuple[float, float]:
    """(turn, tilt) from the landmarks: turn in distances of the eyes, positive towards the right of the picture."""
    points = face.landmarks.astype(np.float64)
    right_eye, left_eye, nose = points[0:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    line = right_eye - left_eye
    apart = float(np.hypot(line[0], line[1]))
    if apart == 0:
        return float("inf"), 0.0
    middle = (right_eye + left_eye) / 2
    turn = float((nose - middle) @ line) / (apart * apart)
    return turn, float(np.degrees(np.arctan2(line[1], line[0])))
