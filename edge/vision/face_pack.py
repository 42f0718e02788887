"""One installed face pack at work: find faces, cut them upright, turn them into templates, compare templates.

A pack is a detector with its landmarks, a way of cutting chips by them, and an embedder. Callers see `FacePack` and
`Face` and need not know which.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from edge.domain.faces import FitLimits, Threshold
from edge.domain.liveness import ChallengeLimits
from edge.domain.search import SearchThreshold
from edge.errors import BadInput
from edge.vision.align import cut_chip
from edge.vision.face import CHIP, Detector, Embedder, Face, Picture, check_picture
from edge.vision.template import Template, check_template

__all__ = ["Face", "FacePack", "Picture", "check_picture"]

# Where the eyes' centres, the nose's tip and the mouth's corners lie in a chip of 112 pixels, in YuNet's order: the
# places that face networks of the ArcFace line, SFace among them, are trained on.
UPRIGHT_112 = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)


class FacePack:
    """One process or thread, one pack: detectors keep state between calls.

    `version` names the weights and the way faces are found and cut; templates of different versions must not be
    compared. `spent`: the seconds of the last `detect` and `embed`, by stage (`detect`, `landmarks`, `embed`).
    """

    def __init__(
        self,
        name: str,
        version: str,
        threshold: Threshold,
        fit: FitLimits,
        challenge: ChallengeLimits,
        detector: Detector,
        embedder: Embedder,
        search: SearchThreshold | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.threshold = threshold
        self.fit = fit
        self.challenge = challenge
        self.search = search
        self.spent: dict[str, float] = {}
        self._detector = detector
        self._embedder = embedder
        self._upright = detector.scheme.upright if embedder.side == CHIP else UPRIGHT_112

    def detect(self, bgr: Picture, thorough: bool = False) -> list[Face]:
        """The faces in a picture, best score first. BadInput (`picture_invalid`) unless uint8 [rows, columns, 3].

        `thorough`: small or doubtful faces are looked for longer, as enrolment can wait.
        """
        check_picture(bgr)
        found = self._detector.find(bgr, thorough)
        self.spent = dict(self._detector.spent)
        return found

    def chip(self, bgr: Picture, face: Face) -> Picture:
        """The face upright, uint8 [side, side, 3], BGR; side as the embedder wants it. BadInput `picture_invalid`."""
        check_picture(bgr)
        return cut_chip(bgr, face.landmarks, self._upright, self._embedder.side)

    def embed_chips(self, chips: Picture) -> npt.NDArray[np.float32]:
        """The templates, float32 [n, 128], of chips, uint8 [n, side, side, 3], BGR. BadInput (`picture_invalid`)."""
        side = self._embedder.side
        if chips.dtype != np.uint8 or chips.shape[1:] != (side, side, 3):
            raise BadInput("picture_invalid")
        return self._embedder.run(chips)

    def embed(self, bgr: Picture, face: Face) -> Template:
        """The template, float32 [128], of a face in a picture. BadInput (`template_invalid`) if it is not finite."""
        chip = self.chip(bgr, face)[np.newaxis]
        began = time.perf_counter()
        templates = self.embed_chips(chip)
        self.spent["embed"] = time.perf_counter() - began
        return check_template(templates[0])

    def check_version(self, version: str) -> None:
        """BadInput (`template_other_pack`) unless a template of `version` may be compared by this pack."""
        if version != self.version:
            raise BadInput("template_other_pack")

    def distance(self, first: Template, second: Template) -> float:
        """The Euclidean distance of two templates; the networks were trained for it. BadInput for anything else."""
        return float(np.linalg.norm(check_template(first) - check_template(second)))
