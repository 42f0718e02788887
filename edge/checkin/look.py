"""One look at one frame: the face in it, whether it is fit to compare, and how far it is from the template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.domain.faces import Evidence
from edge.store.ring import Frame
from edge.vision.face_pack import FacePack
from edge.vision.quality import WHOLE, Zone, choose, measure, several
from edge.vision.template import Template


@dataclass(frozen=True)
class Glance:
    """Either evidence, or the code of what the person should do so that the next frame is better."""

    evidence: Evidence | None
    guidance: str | None


def glance(pack: FacePack, frame: Frame, template: Template, zone: Zone = WHOLE) -> Glance:
    """Detect, choose the candidate in the zone, judge, and only when the picture is fit, embed and compare."""
    picture = np.frombuffer(frame.bgr, np.uint8).reshape(frame.height, frame.width, 3)
    found = pack.detect(picture)
    faces = choose(found, (frame.height, frame.width), zone)
    if not faces:
        return Glance(None, "face_outside" if found else "face_none")
    if several(faces):
        return Glance(None, "face_several")
    quality = measure(picture, faces[0])
    if quality.codes:
        return Glance(None, quality.codes[0])
    distance = pack.distance(pack.embed(picture, faces[0]), template)
    return Glance(Evidence(distance, quality.value, faces[0].area), None)
