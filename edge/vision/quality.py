"""Is this face fit to be compared? Size, sharpness, light and pose of one face, and what to ask of the person.

The limits stand in the pack's manifest. They were read off its own distances on altered portraits (its card says on how
few): each stands where a picture of the same person begins to drift towards another's. Yaw and nod are read off five
landmarks and an average head: good enough to ask for a straight look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.faces import FitLimits
from edge.vision.face import Face, Picture, check_picture

# All faces are judged at one size, so that sharpness means the same near and far.
JUDGED_WIDTH = 64

# How far nose and mouth stand below the eyes, and the mouth before their plane, in distances of the eyes.
NOSE_BELOW, MOUTH_BELOW, MOUTH_DEPTH = 0.61, 1.07, 0.2
# A second face counts from this part of the first's area on; detectors fire on folds of cloth with a lower score.
SECOND_AREA = 0.3


Zone = Sequence[float]
WHOLE: Zone = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Quality:
    """What was measured, and the codes of what is wrong, the first to be told first.

    width: of the face in pixels. sharpness: variance of the Laplacian over the variance of the picture, at 64 pixels
    a face. light, contrast: mean and standard deviation of the grey levels (0 to 255). burnt: share of pixels at the
    upper end. turn: how far the nose stands off the middle of the eyes, in distances of the eyes. tilt, yaw, nod:
    degrees; nod is None where the mouth is not marked. eyes: False where dark glasses or a shadow hide both.
    """

    width: float
    sharpness: float
    light: float
    contrast: float
    burnt: float
    turn: float
    tilt: float
    yaw: float
    nod: float | None
    eyes: bool
    codes: tuple[str, ...]
    limits: FitLimits = field(repr=False)

    @property
    def value(self) -> float:
        """0 (unfit) to 1: the weight of this frame beside others; half of it for sharpness, half for pose."""
        if self.codes:
            return 0.0
        sharp = min(1.0, self.sharpness / (4 * self.limits.sharpness))
        straight = 1.0 - 0.5 * abs(self.yaw) / self.limits.yaw
        return (sharp + straight) / 2


def judge(bgr: Picture, faces: Sequence[Face], limits: FitLimits) -> tuple[str, ...]:
    """The codes of what is wrong with a picture whose faces, best first, are `faces`; empty when it is fit.

    One of face_none, face_several, or those of the first face: face_too_small, face_dark, face_bright, face_blurred,
    face_turned, face_eyes_hidden.
    """
    if not faces:
        return ("face_none",)
    if several(faces):
        return ("face_several",)
    return measure(bgr, faces[0], limits).codes


def several(faces: Sequence[Face]) -> bool:
    """Whether a second person is in the picture, large and certain enough to be meant."""
    return any(
        face.area >= SECOND_AREA * faces[0].area and face.score >= face.scheme.second_score for face in faces[1:]
    )


def choose(faces: Sequence[Face], size: tuple[int, int], zone: Zone) -> list[Face]:
    """The faces with the candidate's first: the best scored whose middle lies in the zone; empty when none does.

    size: rows and columns of the picture. zone: left, top, right, bottom, as parts of it. The others follow as they
    were, in the zone or not, so that `several` still sees who stands beside.
    """
    rows, columns = size
    left, top, right, bottom = zone
    for place, face in enumerate(faces):
        x, y = (face.box[0] + face.box[2]) / 2 / columns, (face.box[1] + face.box[3]) / 2 / rows
        if left <= x <= right and top <= y <= bottom:
            return [face, *faces[:place], *faces[place + 1 :]]
    return []


def measure(bgr: Picture, face: Face, limits: FitLimits) -> Quality:
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
    sideways, updown = _degrees_of(turn, face), nod(face)
    eyes = _eyes_seen(bgr, face, limits)

    codes = []
    if face.width < limits.width:
        codes.append("face_too_small")
    if light < limits.light[0] or (contrast < limits.contrast and light < 128):
        codes.append("face_dark")
    if light > limits.light[1] or burnt > limits.burnt or (contrast < limits.contrast and light >= 128):
        codes.append("face_bright")
    if sharpness < limits.sharpness:
        codes.append("face_blurred")
    if abs(sideways) > limits.yaw or abs(tilt) > limits.tilt or (updown is not None and abs(updown) > limits.nod):
        codes.append("face_turned")
    if not eyes:
        codes.append("face_eyes_hidden")
    measured = (face.width, sharpness, light, contrast, burnt, turn, tilt, sideways, updown, eyes)
    return Quality(*measured, tuple(codes), limits)


def _inside(start: float, end: float, length: int) -> slice:
    """The part of a side within the picture, at least a pixel of it."""
    first = max(0, min(length - 1, round(start)))
    return slice(first, max(first + 1, min(length, round(end))))


def _judged(crop: Picture) -> Picture:
    rows, columns = crop.shape[:2]
    size = (JUDGED_WIDTH, max(1, round(rows * JUDGED_WIDTH / columns)))
    method = cv2.INTER_AREA if columns > JUDGED_WIDTH else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), size, interpolation=method), np.uint8)


def pose(face: Face) -> tuple[float, float]:
    """(turn, tilt) from the landmarks: turn in distances of the eyes, positive towards the right of the picture."""
    left_eye, right_eye = face.eyes
    line = right_eye - left_eye
    apart = float(np.hypot(line[0], line[1]))
    if apart == 0:
        return float("inf"), 0.0
    nose = face.centre((face.scheme.nose,))
    turn = float((nose - (right_eye + left_eye) / 2) @ line) / (apart * apart)
    return turn, float(np.degrees(np.arctan2(line[1], line[0])))


def yaw(face: Face) -> float:
    """Degrees, positive towards the right of the picture, which is the person's own left; 90 where eyes coincide.

    A nose that stands `nose_depth` before the eyes moves by its sine while their distance shrinks by the cosine.
    """
    return _degrees_of(pose(face)[0], face)


def _degrees_of(turn: float, face: Face) -> float:
    return math.degrees(math.atan2(turn, face.scheme.nose_depth))


def nod(face: Face) -> float | None:
    """Degrees, positive upwards, from where the nose stands between eyes and mouth; None without a marked mouth."""
    if face.scheme.mouth is None:
        return None
    left_eye, right_eye = face.eyes
    line = right_eye - left_eye
    apart = float(np.hypot(line[0], line[1]))
    if apart == 0:
        return 90.0
    below = np.array([-line[1], line[0]]) / apart
    middle = (left_eye + right_eye) / 2
    nose = float((face.centre((face.scheme.nose,)) - middle) @ below)
    mouth = float((face.centre(face.scheme.mouth) - middle) @ below)
    if mouth <= 0:
        return 90.0
    part = nose / mouth
    depth = face.scheme.nose_depth - part * MOUTH_DEPTH
    return float(np.degrees(np.arctan2(NOSE_BELOW - part * MOUTH_BELOW, depth)))


def _eyes_seen(bgr: Picture, face: Face, limits: FitLimits) -> bool:
    """False where both eyes' places are dark and flat beside the cheeks: dark glasses, or a cap's deep shadow.

    Nothing is said of closed eyes, clear glasses or one covered eye, which five landmarks and a few pixels do not tell.
    """
    left_eye, right_eye = face.eyes
    apart = float(np.hypot(*(right_eye - left_eye)))
    if not 8 <= apart < 4 * max(face.width, 1.0):
        return True
    half = np.array([0.18, 0.11]) * apart
    below = np.array([-(right_eye - left_eye)[1], (right_eye - left_eye)[0]]) / apart
    hidden = 0
    for eye in (left_eye, right_eye):
        there, cheek = _patch(bgr, eye, half), _patch(bgr, eye + 0.55 * apart * below, half)
        if there is None or cheek is None:
            return True
        level = max(1.0, float(cheek.mean()))
        levels = np.sort(there, axis=None)  # the patch is small: sorting it once is quicker than three percentiles
        tenth = levels.size // 10
        spread = float(levels[-1 - tenth]) - float(levels[tenth])
        hidden += float(levels[levels.size // 2]) < limits.eyes_dark * level and spread < limits.eyes_flat * level
    return hidden < 2


def _patch(bgr: Picture, centre: npt.NDArray[np.float64], half: npt.NDArray[np.float64]) -> Picture | None:
    left, top = math.floor(centre[0] - half[0]), math.floor(centre[1] - half[1])
    right, bottom = math.ceil(centre[0] + half[0]), math.ceil(centre[1] + half[1])
    if left < 0 or top < 0 or right > bgr.shape[1] or bottom > bgr.shape[0]:
        return None
    return np.asarray(cv2.cvtColor(bgr[top:bottom, left:right], cv2.COLOR_BGR2GRAY), np.uint8)
