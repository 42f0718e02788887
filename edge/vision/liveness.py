"""Liveness of a face in a picture: the networks' score, and what a challenge observes. Verdicts: `domain.liveness`.

For the door, by policy:

- passive: `score(bgr, face)` for each frame of a look, then `domain.liveness.passive(scores, liveness.threshold)`;
- active: `challenge = begin(now_ms, secrets.randbelow, pack.challenge)`, then for each frame `challenge =
  watch(challenge, observe(faces, at_ms))`, showing `challenge.reason`, until `challenge.status` is `passed` or
  `failed`. It needs no network beyond the face pack's own.

The networks are MiniFASNet V2 and V1SE (Silent-Face-Anti-Spoofing), each looking at its own width of surroundings:
the edge of a sheet or of a screen tells as much as the face. A mask worn tightly is not what they were made for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.liveness import LiveThreshold, Observation
from edge.vision.face import Face, Picture, check_picture, open_session
from edge.vision.quality import several, yaw

SIDE = 80
SCALES = (2.7, 4.0)
LIVE = 1  # of the three outputs: print, live, screen


class Liveness:
    """The two networks. One process or thread, one of these."""

    def __init__(self, version: str, threshold: LiveThreshold, near: Path | bytes, wide: Path | bytes) -> None:
        self.version = version
        self.threshold = threshold
        self._networks = [open_session(near), open_session(wide)]
        self._inputs = [network.get_inputs()[0].name for network in self._networks]

    def score(self, bgr: Picture, face: Face) -> float:
        """How live the face looks, 0 to 1: the mean of both networks' softmax. BadInput (`picture_invalid`)."""
        check_picture(bgr)
        live = []
        for network, name, scale in zip(self._networks, self._inputs, SCALES, strict=True):
            logits = network.run(None, {name: cv2.dnn.blobFromImage(crop(bgr, face, scale))})[0][0].astype(np.float64)
            live.append(_softmax(logits)[LIVE])
        return float(np.mean(live))


def _softmax(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum(), np.float64)


def crop(bgr: Picture, face: Face, scale: float) -> Picture:
    """The face with its surroundings, uint8 [80, 80, 3]: `scale` times its box, less where the picture is too small.

    A window that would reach beyond the picture is moved inside, as when the networks were trained.
    """
    rows, columns = bgr.shape[:2]
    left, top, right, bottom = face.whole
    width, height = max(1.0, right - left), max(1.0, bottom - top)
    scale = min(scale, (columns - 1) / width, (rows - 1) / height)
    across, down = max(1.0, width * scale), max(1.0, height * scale)
    x = min(max((left + right - across) / 2, 0.0), max(0.0, columns - 1 - across))
    y = min(max((top + bottom - down) / 2, 0.0), max(0.0, rows - 1 - down))
    window = bgr[int(y) : int(y + down) + 1, int(x) : int(x + across) + 1]
    return np.asarray(cv2.resize(window, (SIDE, SIDE)), np.uint8)


def observe(faces: Sequence[Face], at_ms: int) -> Observation:
    """What a frame shows to a challenge, of the faces found in it, the candidate's first."""
    if not faces or several(faces):
        return Observation(at_ms, face=False)
    face = faces[0]
    left, top, right, bottom = face.box
    return Observation(at_ms, True, yaw(face), (left + right) / 2, (top + bottom) / 2, face.width)
