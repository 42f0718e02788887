"""dlib's detector: histograms of gradients, frontal faces, and its five landmarks."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import dlib
import numpy as np

from edge.vision.face import DLIB, Face, Picture, Points

# The detector's window is 80 pixels; at this working size it finds faces from an eighth of the picture's longer side.
WORKING_SIDE = 640
SMALL_SIDE = 480
# Faces looked straight at score 0.6 to 2.3; the folds of a space suit up to 0.25.
DOUBTFUL_SCORE = 0.3

_Box = tuple[float, float, float, float]


class HogDetector:
    """One process or thread, one detector: it keeps state between calls."""

    scheme = DLIB

    def __init__(self, landmarks: Path) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(landmarks))
        self.spent: dict[str, float] = {}

    def find(self, bgr: Picture, thorough: bool) -> list[Face]:
        """The search runs on the picture shrunk to 640 pixels.

        Where that finds nothing, or only what may be a pattern on clothes, it runs once more at twice the size where
        the picture has those pixels; beyond them, enlarged, for pictures of at most 480 pixels (a portrait from a
        card) and for all with `thorough`, as enrolment can wait.
        """
        began = time.perf_counter()
        gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        longest = max(gray.shape)
        working = min(longest, WORKING_SIDE)
        found = self._search(gray, working / longest)
        closer = 2 * working if thorough or longest <= SMALL_SIDE else min(2 * working, longest)
        if closer > working and (not found or found[0][0] < DOUBTFUL_SCORE):
            found = max(found, self._search(gray, closer / longest), key=_best_score)
        searched = time.perf_counter()
        faces = [Face(box, score, self._find_landmarks(gray, box), DLIB) for score, box in found]
        self.spent = {"detect": searched - began, "landmarks": time.perf_counter() - searched}
        return faces

    def _search(self, gray: Picture, scale: float) -> list[tuple[float, _Box]]:
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

    def _find_landmarks(self, gray: Picture, box: _Box) -> Points:
        left, top, right, bottom = (round(side) for side in box)
        shape = self._landmarks(gray, dlib.rectangle(left, top, right - 1, bottom - 1))
        return np.array([(part.x, part.y) for part in shape.parts()], np.float32)


def _best_score(found: list[tuple[float, _Box]]) -> float:
    return found[0][0] if found else float("-inf")
