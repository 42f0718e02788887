"""One look at one frame: the face in it, whether it is fit to compare, and what is measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.domain.faces import Evidence
from edge.store.ring import Frame
from edge.vision.face import Face, Picture
from edge.vision.face_pack import FacePack
from edge.vision.liveness import Liveness
from edge.vision.quality import WHOLE, Zone, choose, measure, several
from edge.vision.template import Template


@dataclass(frozen=True, eq=False)
class Glance:
    """The faces, the candidate's first, none where nobody stands in the zone; `guidance`: the code of what the person
    should do so that the next frame is better, None when this one is fit."""

    picture: Picture = field(repr=False)
    faces: Sequence[Face]
    guidance: str | None
    quality: float = 0.0


@dataclass(frozen=True, eq=False)
class Seen:
    """What one fit frame gave, in memory alone and for one visit: template, quality (0 to 1), area (pixels squared),
    how live it looks (0 to 1), None where policy does not ask."""

    template: Template = field(repr=False)
    quality: float
    area: float
    live: float | None = None

    def evidence(self, pack: FacePack, template: Template) -> Evidence:
        return Evidence(pack.distance(self.template, template), self.quality, self.area)


def glance(pack: FacePack, frame: Frame, zone: Zone = WHOLE) -> Glance:
    """Detect, choose the candidate in the zone, judge."""
    picture = np.frombuffer(frame.bgr, np.uint8).reshape(frame.height, frame.width, 3)
    found = pack.detect(picture)
    faces = choose(found, (frame.height, frame.width), zone)
    if not faces:
        return Glance(picture, faces, "face_outside" if found else "face_none")
    if several(faces):
        return Glance(picture, faces, "face_several")
    quality = measure(picture, faces[0], pack.fit)
    return Glance(picture, faces, quality.codes[0] if quality.codes else None, quality.value)


def measured(pack: FacePack, liveness: Liveness | None, seen: Glance) -> Seen:
    """Embed the candidate's face of a fit picture, and score its liveness where networks for it are given."""
    face = seen.faces[0]
    live = liveness.score(seen.picture, face) if liveness is not None else None
    return Seen(pack.embed(seen.picture, face), seen.quality, face.area, live)
