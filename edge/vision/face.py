"""What all parts of a pack speak of: pictures, faces in them, and what five landmarks mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state

from edge.domain.pictures import LARGEST_SIDE
from edge.errors import BadInput

Picture = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

NETWORK_ERRORS: tuple[type[Exception], ...] = tuple(
    kind for kind in vars(onnxruntime_pybind11_state).values() if isinstance(kind, type) and issubclass(kind, Exception)
)
"""What a network raises that fails while it runs: onnxruntime's own classes, each straight from Exception."""
PICTURE_ERRORS: tuple[type[Exception], ...] = (cv2.error, MemoryError, RuntimeError, ValueError, *NETWORK_ERRORS)
"""What cv2, dlib and onnxruntime raise at a picture of odd shape: a file may hold anything behind its header."""
# Of the chips that the landmarks' places below are given in.
CHIP = 150


@dataclass(frozen=True, eq=False)
class Scheme:
    """A detector's five landmarks and its numbers: two detectors mark other points and score in other units.

    upright: where the landmarks lie in an upright chip of 150 pixels, [5, 2]. right_eye, left_eye: the indices whose
    mean is the centre of the eye on that side **of the picture**; nose; mouth: its corners (right, left of the
    picture), None where they are not marked. nose_depth: how far the marked point of the nose stands before the plane
    of the eyes, in distances of the eyes, as heads are on average. second_score: a second face below it may be a
    pattern on clothes. sides: the detector's box to the whole face from chin to forehead (width, height as parts of
    its width; centre moved down by that part of it).
    """

    upright: npt.NDArray[np.float64]
    right_eye: tuple[int, ...]
    left_eye: tuple[int, ...]
    nose: int
    mouth: tuple[int, int] | None
    nose_depth: float
    second_score: float
    sides: tuple[float, float, float] | None


# The outer and inner corner of the eye on the right of the picture, the same of the eye on the left, the base of the
# nose. dlib's network was trained on chips cut like this. Its boxes reach from the brows to the chin.
DLIB = Scheme(
    upright=np.array([(110.957, 46.350), (89.606, 47.897), (37.058, 46.373), (58.409, 47.906), (74.011, 87.780)]),
    right_eye=(0, 1),
    left_eye=(2, 3),
    nose=4,
    mouth=None,
    nose_depth=0.40,
    second_score=0.5,
    sides=(0.9, 1.25, -0.05),
)
# The centre of the eye on the left of the picture, of that on the right, the tip of the nose, the corners of the mouth,
# left and right: their mean places in chips cut by the landmarks above.
YUNET = Scheme(
    upright=np.array([(46.5, 45.0), (101.5, 45.0), (74.4, 78.4), (49.5, 103.6), (98.5, 103.7)]),
    right_eye=(1,),
    left_eye=(0,),
    nose=2,
    mouth=(4, 3),
    nose_depth=0.62,
    second_score=0.7,
    sides=None,
)


@dataclass(frozen=True)
class Face:
    """A face in a picture, in its pixels: box (left, top, right, bottom), the detector's score, landmarks [5, 2].

    The landmarks are those of `scheme`, in its order.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: Points
    scheme: Scheme = DLIB

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def area(self) -> float:
        return self.width * (self.box[3] - self.box[1])

    @property
    def whole(self) -> tuple[float, float, float, float]:
        """The box from chin to forehead, whatever the detector's box takes in."""
        if self.scheme.sides is None:
            return self.box
        across, down, moved = (part * self.width for part in self.scheme.sides)
        x, y = (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2 + moved
        return x - across / 2, y - down / 2, x + across / 2, y + down / 2

    def centre(self, points: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """The mean (x, y) of some of the landmarks."""
        chosen = self.landmarks[list(points)].astype(np.float64)
        middle: npt.NDArray[np.float64] = chosen[0] if len(points) == 1 else chosen.mean(axis=0)
        return middle

    @property
    def eyes(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The centres of the eye on the left and of that on the right of the picture, (x, y)."""
        return self.centre(self.scheme.left_eye), self.centre(self.scheme.right_eye)


class Detector(Protocol):
    """Finds faces and their landmarks. `spent`: seconds of its last search, by stage (`detect`, `landmarks`)."""

    scheme: Scheme
    spent: dict[str, float]

    def find(self, bgr: Picture, thorough: bool) -> list[Face]:
        """The faces of a checked picture, best score first; `thorough` where time does not matter."""
        ...


class Embedder(Protocol):
    """Turns upright chips, uint8 [n, side, side, 3] in BGR, into templates, float32 [n, 128]."""

    side: int

    def run(self, chips: Picture) -> npt.NDArray[np.float32]: ...


def check_picture(bgr: object) -> None:
    """BadInput (`picture_invalid`) unless it is a non-empty uint8 array [rows, columns, 3] of at most 8192 a side."""
    if not isinstance(bgr, np.ndarray) or bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3:
        raise BadInput("picture_invalid")
    if min(bgr.shape) == 0 or max(bgr.shape) > LARGEST_SIDE:
        raise BadInput("picture_invalid")


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
