"""The networks that turn an upright chip into a template."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.vision.dlib_weights import INPUT, OUTPUT
from edge.vision.face import CHIP, Picture, open_session


class DlibEmbedder:
    """dlib's ResNet, converted (`convert`): means and channel order are inside the model."""

    side = CHIP

    def __init__(self, model: Path | bytes) -> None:
        self._session = open_session(model)

    def run(self, chips: Picture) -> npt.NDArray[np.float32]:
        templates: npt.NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: chips})[0]
        return templates


class SfaceEmbedder:
    """SFace as the OpenCV zoo has it. **Never run by us with its weights**: their file could not be had here.

    Input: RGB 0 to 255, one chip at a time, 112 pixels. Its templates are brought to unit length, so that their
    Euclidean distance goes with the angle that the network was trained for.
    """

    side = 112

    def __init__(self, model: Path | bytes) -> None:
        self._session = open_session(model)
        (self._input,) = (value.name for value in self._session.get_inputs())

    def run(self, chips: Picture) -> npt.NDArray[np.float32]:
        planes = np.ascontiguousarray(chips[:, :, :, ::-1].transpose(0, 3, 1, 2), np.float32)
        rows = [self._session.run(None, {self._input: plane[np.newaxis]})[0].reshape(-1) for plane in planes]
        templates = np.stack(rows).astype(np.float32)
        lengths = np.linalg.norm(templates, axis=1, keepdims=True)
        # a template without a length becomes not a number, which no later step takes for a face
        unit = np.divide(templates, lengths, out=np.full_like(templates, np.nan), where=lengths > 0)
        return np.asarray(unit, np.float32)
