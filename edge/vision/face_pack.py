"""One installed face pack at work: find faces, cut them upright, turn them into templates, compare templates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
import numpy.typing as npt
import onnxruntime

from edge.domain.faces import Threshold
from edge.errors import BadInput
from edge.vision.dlib_weights import INPUT, OUTPUT
from edge.vision.template import Template, check_template

Picture = npt.NDArray[np.uint8]

CHIP = 150
LARGEST_SIDE = 8192
# The detector's window is 80 pixels; at this working size it finds faces from an eighth of the picture's longer side.
WORKING_SIDE = 640
SMALL_SIDE = 480
# Faces looked straight at score 0.6 to 2.3; the folds of a space suit up to 0.25.
DOUBTFUL_SCORE = 0.3
# Where the five landmarks lie in an upright chip, in its pixels: the outer and inner corner of the eye on the right of
# the picture, the same of the eye on the left, the base of the nose. The network was trained on chips cut like this.
UPRIGHT = np.array([(110.957, 46.350), (89.606, 47.897), (37.058, 46.373), (58.409, 47.906), (74.011, 87.780)])

# dlib reads a halved picture this far (in its pixels) from the true place; found by comparing chips of large faces.
HALVING = np.array([-0.25, 0.25])


@dataclass(frozen=True)
class Face:
    """A face in a picture, in its pixels: box (left, top, right, bottom), the detector's score, landmarks [5, 2].

    The landmarks are those of `UPRIGHT`, in its order.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: npt.NDArray[np.float32]

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def area(self) -> float:
        return self.width * (self.box[3] - self.box[1])


class FacePack:
    """The pack `dlib`: HOG detector and five landmarks of dlib, its ResNet embedding run by onnxruntime.

    One process or thread, one pack: dlib's detector keeps state between calls. `version` names the weights and the way
    faces are cut; templates of different versions must not be compared.
    """

    def __init__(self, name: str, version: str, threshold: Threshold, landmarks: Path, embedder: Path) -> None:
        self.name = name
        self.version = version
        self.threshold = threshold
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(landmarks))
        self._session = open_session(embedder)

    def detect(self, bgr: Picture, thorough: bool = False) -> list[Face]:
        """The faces in a picture, best score first. BadInput (`picture_invalid`) unless uint8 [rows, columns, 3].

        The search runs on the picture shrunk to 640 pixels. Where that finds nothing, or only what may be a pattern
        on clothes, it runs once more at twice the size where the picture has those pixels; beyond them, enlarged, for
        pictures of at most 480 pixels (a portrait from a card) and for all with `thorough`, as enrolment can wait.
        """
        check_picture(bgr)
        gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        longest = max(gray.shape)
        working = min(longest, WORKING_SIDE)
        found = self._search(gray, working / longest)
        closer = 2 * working if thorough or longest <= SMALL_SIDE else min(2 * working, longest)
        if closer > working and (not found or found[0][0] < DOUBTFUL_SCORE):
            found = max(found, self._search(gray, closer / longest), key=_best_score)
        return [Face(box, score, self._find_landmarks(gray, box)) for score, box in found]

    def _search(self, gray: Picture, scale: float) -> list[tuple[float, tuple[float, float, float, float]]]:
        rows, columns = gray.shape
        if scale != 1:
            size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            gray = np.asarray(cv2.resize(gray, size, interpolation=method), np.uint8)
        boxes, scores, _ = self._detector.run(gray, 0, 0.0)
        across, down = columns / gray.shape[1], rows / gray.shape[0]
        found = [
            (
                float(score),
                (box.left() * across, box.top() * down, (box.right() + 1) * across, (box.bottom() + 1) * down),
            )
            for box, score in zip(boxes, scores, strict=True)
        ]
        return sorted(found, key=lambda one: -one[0])

    def _find_landmarks(self, gray: Picture, box: tuple[float, float, float, float]) -> npt.NDArray[np.float32]:
        left, top, right, bottom = (round(side) for side in box)
        shape = self._landmarks(gray, dlib.rectangle(left, top, right - 1, bottom - 1))
        return np.array([(part.x, part.y) for part in shape.parts()], np.float32)

    def chip(self, bgr: Picture, face: Face) -> Picture:
        """The face upright, uint8 [150, 150, 3], BGR."""
        check_picture(bgr)
        return cut_chip(bgr, face.landmarks)

    def embed_chips(self, chips: Picture) -> npt.NDArray[np.float32]:
        """The templates, float32 [n, 128], of chips, uint8 [n, 150, 150, 3], BGR."""
        if chips.dtype != np.uint8 or chips.shape[1:] != (CHIP, CHIP, 3):
            raise BadInput("picture_invalid")
        templates: npt.NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: chips})[0]
        return templates

    def embed(self, bgr: Picture, face: Face) -> Template:
        """The template, float32 [128], of a face in a picture. BadInput (`template_invalid`) if it is not finite."""
        return check_template(self.embed_chips(self.chip(bgr, face)[np.newaxis])[0])

    def check_version(self, version: str) -> None:
        """BadInput (`template_other_pack`) unless a template of `version` may be compared by this pack."""
        if version != self.version:
            raise BadInput("template_other_pack")

    def distance(self, first: Template, second: Template) -> float:
        """The Euclidean distance of two templates; the network was trained for it. BadInput for anything else."""
        return float(np.linalg.norm(check_template(first) - check_template(second)))


def _best_score(found: list[tuple[float, tuple[float, float, float, float]]]) -> float:
    return found[0][0] if found else float("-inf")


def open_session(model: Path | bytes) -> Any:
    """An onnxruntime session of a model file or its bytes, on one thread that sleeps between pictures."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Idle threads that spin take the core from the recording.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def check_picture(bgr: object) -> None:
    """BadInput (`picture_invalid`) unless it is a non-empty uint8 array [rows, columns, 3] of at most 8192 a side."""
    if not isinstance(bgr, np.ndarray) or bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3:
        raise BadInput("picture_invalid")
    if min(bgr.shape) == 0 or max(bgr.shape) > LARGEST_SIDE:
        raise BadInput("picture_invalid")


def cut_chip(bgr: Picture, landmarks: npt.NDArray[np.float32]) -> Picture:
    """The upright chip, uint8 [150, 150, 3], as dlib's `get_face_chip` cuts it with padding 0.25.

    The similarity that best takes `UPRIGHT` to the landmarks (least squares; Umeyama 1991 without the reflection case)
    says where each chip pixel lies in the picture; a face of twice the chip's size or more is halved first, so that
    no pixel is skipped. Like dlib, the outermost chip pixels lie on the edge of the area that is cut.
    """
    points = landmarks.astype(np.float64)
    if points.shape != UPRIGHT.shape or not np.isfinite(points).all():
        raise BadInput("picture_invalid")
    matrix, scale = _similarity(points)
    while scale >= 2:
        # Only the part the chip needs is halved; its start is even, so that the pixel grids agree.
        bgr, start = _surroundings(bgr, matrix)
        bgr = np.asarray(cv2.pyrDown(bgr), np.uint8)
        matrix[:, 2] -= start
        matrix /= 2
        matrix[:, 2] += HALVING
        scale /= 2
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(bgr, matrix, (CHIP, CHIP), flags=flags), np.uint8)


def _similarity(points: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """The 2x3 matrix from chip pixels to picture pixels, and its scale."""
    upright = UPRIGHT - UPRIGHT.mean(axis=0)
    spread = float((upright**2).sum())
    moved = points - points.mean(axis=0)
    along = float((upright * moved).sum()) / spread
    across = float((upright[:, 0] * moved[:, 1] - upright[:, 1] * moved[:, 0]).sum()) / spread
    scale = float(np.hypot(along, across))
    if scale == 0:
        raise BadInput("picture_invalid")
    turn = np.array([[along, -across], [across, along]])
    centre = turn @ (CHIP / 2 - UPRIGHT.mean(axis=0)) + points.mean(axis=0)
    turn *= (CHIP * scale - 1) / ((CHIP - 1) * scale)
    corner = centre - turn @ np.full(2, (CHIP - 1) / 2)
    return np.hstack([turn, corner[:, np.newaxis]]), scale


def _surroundings(bgr: Picture, matrix: npt.NDArray[np.float64]) -> tuple[Picture, npt.NDArray[np.int64]]:
    """The part of the picture under the chip with a margin, and its (x, y) start, both even."""
    corners = np.array([(0, 0, 1), (CHIP, 0, 1), (0, CHIP, 1), (CHIP, CHIP, 1)]) @ matrix.T
    limit = np.array([bgr.shape[1], bgr.shape[0]])
    start = (np.clip(np.floor(corners.min(axis=0)) - 8, 0, np.maximum(limit - 2, 0)) // 2 * 2).astype(np.int64)
    end = np.clip(np.ceil(corners.max(axis=0)) + 8, start + 2, np.maximum(limit, start + 1)).astype(np.int64)
    return bgr[start[1] : end[1], start[0] : end[0]], start
