"""YuNet (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023): faces and five landmarks in one run.

The network gives, for each cell of its grids of 8, 16 and 32 pixels: `cls` and `obj`, whose geometric mean is the
score; `bbox`, the centre's place off the cell and the logarithms of width and height, and `kps`, five points off the
cell, all in cells. Input: float32 [1, 3, rows, columns], BGR as it is, 0 to 255, sides multiples of 32.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.vision.face import YUNET, Face, Picture, open_session

STRIDES = (8, 16, 32)
PARTS = ("cls", "obj", "bbox", "kps")
OUTPUTS = [f"{part}_{stride}" for part in PARTS for stride in STRIDES]

WORKING_SIDE = 640
# It was trained on faces up to about half of its picture: one that fills the frame is found in a smaller copy.
CLOSE_SIDE = 320
MIN_SCORE = 0.6
OVERLAP = 0.3
# So many faces of a picture are looked at before overlaps are removed; a class photograph has fewer.
MOST = 400
# No place in a picture is so many pixels away: such values, and those that are no numbers, are no faces.
BEYOND = 1e5

Floats = npt.NDArray[np.float32]


class YunetDetector:
    """The network in onnxruntime. `spent` has no time for landmarks: they come with the faces."""

    scheme = YUNET

    def __init__(self, model: Path | bytes) -> None:
        self._session = open_session(model)
        self._planes: Floats | None = None  # frames are of one size: memory that is there costs less than new memory
        self.spent: dict[str, float] = {}

    def find(self, bgr: Picture, thorough: bool) -> list[Face]:
        """The search runs on the picture shrunk to 640 pixels, and at half that where it finds nothing.

        With `thorough` it ends with the picture at 1280 pixels, enlarged where it has fewer.
        """
        began = time.perf_counter()
        longest = max(bgr.shape[:2])
        working = min(longest, WORKING_SIDE)
        found: list[Face] = []
        for side in (working, *([CLOSE_SIDE] if working > CLOSE_SIDE else []), *([2 * working] if thorough else [])):
            found = found or self._search(bgr, side / longest)
        self.spent = {"detect": time.perf_counter() - began, "landmarks": 0.0}
        return found

    def _search(self, bgr: Picture, scale: float) -> list[Face]:
        small = bgr
        if scale != 1:
            size = (max(1, round(bgr.shape[1] * scale)), max(1, round(bgr.shape[0] * scale)))
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            small = np.asarray(cv2.resize(bgr, size, interpolation=method), np.uint8)
        self._planes = planes = network_input(small, self._planes)
        values = self._session.run(OUTPUTS, {"input": planes})
        across, down = bgr.shape[1] / small.shape[1], bgr.shape[0] / small.shape[0]
        back = np.array([across, down], np.float32)
        return [
            Face(
                (float(box[0]) * across, float(box[1]) * down, float(box[2]) * across, float(box[3]) * down),
                float(score),
                points * back,
                YUNET,
            )
            for score, box, points in decode(dict(zip(OUTPUTS, values, strict=True)), planes.shape[3])
        ]


def network_input(bgr: Picture, into: Floats | None = None) -> Floats:
    """float32 [1, 3, rows, columns], the picture with black after its last row and column up to multiples of 32.

    It is written into `into` where that has the size.
    """
    rows, columns = bgr.shape[:2]
    more_rows, more_columns = -rows % 32, -columns % 32
    if more_rows or more_columns:
        bgr = np.asarray(cv2.copyMakeBorder(bgr, 0, more_rows, 0, more_columns, cv2.BORDER_CONSTANT), np.uint8)
    shape = (1, 3, *bgr.shape[:2])
    planes = into if into is not None and into.shape == shape else np.empty(shape, np.float32)
    for place, plane in enumerate(cv2.split(bgr)):
        planes[0, place] = plane
    return planes


def decode(values: Mapping[str, Floats], columns: int) -> list[tuple[float, Floats, Floats]]:
    """(score, box [4] as left, top, right, bottom, landmarks [5, 2]) of the faces in the network's outputs, best first.

    columns: of the network's input, in pixels.
    """
    scores, boxes, points = [], [], []
    for stride in STRIDES:
        cls, obj, bbox, kps = (values[f"{part}_{stride}"][0] for part in PARTS)
        # nearly all cells are nothing: the exact score is for the few others
        with np.errstate(all="ignore"):
            (hits,) = np.nonzero(cls[:, 0] * obj[:, 0] >= MIN_SCORE * MIN_SCORE - 1e-6)
        score = np.sqrt(np.clip(cls[hits, 0], 0, 1) * np.clip(obj[hits, 0], 0, 1))
        hits, score = hits[score >= MIN_SCORE], score[score >= MIN_SCORE]
        if not hits.size:
            continue
        cells = np.stack([hits % (columns // stride), hits // (columns // stride)], axis=1).astype(np.float32)
        with np.errstate(all="ignore"):
            centre = (cells + bbox[hits, :2]) * stride
            half = np.exp(bbox[hits, 2:]) * (stride / 2)
            boxes.append(np.hstack([centre - half, centre + half]))
            points.append((kps[hits].reshape(-1, 5, 2) + cells[:, np.newaxis]) * stride)
        scores.append(score)
    if not scores:
        return []
    score, box, point = np.concatenate(scores), np.concatenate(boxes), np.concatenate(points)
    box, point = np.nan_to_num(box, nan=BEYOND), np.nan_to_num(point, nan=BEYOND)
    whole = (np.abs(box) < BEYOND).all(axis=1) & (np.abs(point) < BEYOND).all(axis=(1, 2))
    score, box, point = score[whole], box[whole], point[whole]
    best = [int(place) for place in np.argsort(-score, kind="stable")[:MOST]]
    return [(float(score[place]), box[place], point[place]) for place in _apart(box, best)]


def _apart(boxes: Floats, best: list[int]) -> list[int]:
    """Those of the boxes, best first, that do not overlap a better one by `OVERLAP` of their union (greedy NMS)."""
    kept: list[int] = []
    left = np.array(best, int)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    while left.size:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        start = np.maximum(boxes[first, :2], boxes[left, :2])
        end = np.minimum(boxes[first, 2:], boxes[left, 2:])
        common = np.prod(np.clip(end - start, 0, None), axis=1)
        left = left[common < OVERLAP * (area[first] + area[left] - common)]
    return kept
