"""`examroom faces evaluate`: a pack, or the liveness networks, measured on pictures somebody has.

Each picture is read and embedded once and only its template is kept, so that thousands of pairs need little memory.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.domain.faces import FULL_AREA, Evidence, Threshold, decide
from edge.domain.pictures import LARGEST_PIXELS, LARGEST_SIDE, picture_size
from edge.errors import BadInput, ExamroomError
from edge.vision import rates
from edge.vision.face import PICTURE_ERRORS, Face, Picture
from edge.vision.face_pack import FacePack
from edge.vision.liveness import Liveness
from edge.vision.pairs import KINDS, Image, Pairs, Pictures, person_folds
from edge.vision.quality import Zone, choose, measure
from edge.vision.template import Template

BONAFIDE = "bonafide"
# what folders of such sets are called, in small letters and without what divides the words
PEOPLE = {"bonafide", "live", "real", "genuine", "client"}
FARS = (1e-2, 1e-3)
STAGES = ("detect", "landmarks", "embed", "frame")
NO_PICTURE: tuple[type[Exception], ...] = (OSError, *PICTURE_ERRORS)

Told = Callable[[int, int], None]
"""Pictures done, pictures in all."""


@dataclass
class Seen:
    """What came of the pictures: templates, those without one by reason, those with more faces than the one taken,
    milliseconds of each stage."""

    templates: dict[Image, Template] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    no_face: list[str] = field(default_factory=list)
    not_fit: list[str] = field(default_factory=list)
    several: list[str] = field(default_factory=list)
    quality: Counter[str] = field(default_factory=Counter)
    spent: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})

    @property
    def failures(self) -> int:
        return len(self.missing) + len(self.unreadable) + len(self.no_face) + len(self.not_fit)


def read_picture(path: Path) -> Picture | None:
    """The picture, BGR; None for what cannot be read, is no picture or is too large."""
    try:
        data = path.read_bytes()
        columns, rows = picture_size(data) or (1, 1)
        if columns * rows > LARGEST_PIXELS or max(columns, rows) > LARGEST_SIDE:
            return None
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except NO_PICTURE:
        return None
    fits = picture is not None and picture.size > 0 and max(picture.shape) <= LARGEST_SIDE
    return np.asarray(picture, np.uint8) if fits else None


def embed_all(
    pack: FacePack, found: Pairs, folder: Path, zone: Zone, gate: bool = False, told: Told | None = None
) -> Seen:
    """A template of each picture that the pairs name. gate: only of those that the door's quality gate lets through."""
    images = sorted({image for pair in found.pairs for image in (pair.first, pair.second)})
    pictures, seen = Pictures(folder), Seen()
    paths = {image: pictures.find(image) for image in images}
    if not any(paths.values()):
        name, number = images[0]
        raise BadInput("evaluate_no_pictures", folder=folder, count=len(images), file=f"{name}/{name}_{number:04d}.jpg")
    before: Template | None = None
    for place, (image, path) in enumerate(paths.items()):
        name = f"{image[0]} {image[1]}"
        if path is None:
            seen.missing.append(name)
        elif (picture := read_picture(path)) is None:
            seen.unreadable.append(name)
        else:
            template = _template(pack, picture, zone, gate, seen, name, before)
            if template is not None:
                seen.templates[image] = before = template
        if told is not None:
            told(place + 1, len(images))
    return seen


def subject(faces: Sequence[Face], size: tuple[int, int], zone: Zone) -> Face | None:
    """Of the faces in a picture, best score first, whom it is of.

    Sets of pictures have their person in the middle and others beside: of the faces that cover the middle the best
    scored one; else the one the door would take, else the best scored. size: rows and columns of the picture.
    """
    rows, columns = size
    middle = [face for face in faces if _covers(face, columns / 2, rows / 2)]
    chosen = middle or choose(faces, size, zone) or list(faces)
    return chosen[0] if chosen else None


def _covers(face: Face, x: float, y: float) -> bool:
    left, top, right, bottom = face.box
    return left <= x <= right and top <= y <= bottom


def _template(
    pack: FacePack, picture: Picture, zone: Zone, gate: bool, seen: Seen, name: str, before: Template | None
) -> Template | None:
    """From the picture to its decision as a door takes it, timed; the decision itself is thrown away."""
    began = time.perf_counter()
    try:
        faces = pack.detect(picture)
        face = subject(faces, picture.shape[:2], zone)
        if face is None:
            seen.no_face.append(name)
            return None
        if len(faces) > 1:
            seen.several.append(name)
        quality = measure(picture, face, pack.fit)
        seen.quality.update(quality.codes[:1])
        if gate and quality.codes:
            seen.not_fit.append(name)
            return None
        template = pack.embed(picture, face)
    except ExamroomError:  # landmarks or values that no face has
        seen.no_face.append(name)
        return None
    except NO_PICTURE:  # one file of thousands must not cost the others their figures
        seen.unreadable.append(name)
        return None
    distance = pack.distance(template, template if before is None else before)
    decide([Evidence(distance, quality.value, face.area)], pack.threshold)
    took = time.perf_counter() - began
    for stage, seconds in ({"frame": took} | pack.spent).items():
        seen.spent[stage].append(1000 * seconds)
    return template


def face_report(pack: FacePack, found: Pairs, seen: Seen) -> dict[str, Any]:
    """The figures of a pack, and under `distances` what a plot needs (same, different)."""
    compared = [pair for pair in found.pairs if pair.first in seen.templates and pair.second in seen.templates]
    distances = np.array(
        [pack.distance(seen.templates[pair.first], seen.templates[pair.second]) for pair in compared], np.float64
    )
    same = np.array([pair.same for pair in compared], bool)
    own, other = distances[same], distances[~same]
    accept, refuse = pack.threshold.accept, pack.threshold.refuse
    folds, given = person_folds(found)
    right, decided, limits = rates.accuracy(
        distances, same, [(folds[pair.first[0]], folds[pair.second[0]]) for pair in compared]
    )
    report: dict[str, Any] = {
        "pack": pack.name,
        "pack_version": pack.version,
        "pairs": len(found.pairs),
        "pairs_compared": len(compared),
        "pairs_same": len(own),
        "pairs_different": len(other),
        "people": len(folds),
        "images": len({image for pair in found.pairs for image in (pair.first, pair.second)}),
        "failures_to_acquire": seen.failures,
        "missing": seen.missing,
        "unreadable": seen.unreadable,
        "no_face": seen.no_face,
        "not_fit": seen.not_fit,
        "several_faces": len(seen.several),
        "quality": dict(seen.quality.most_common()),
        "threshold": accept,
        "threshold_refuse": refuse,
        "fmr": rates.share(int(np.count_nonzero(other <= accept)), len(other)),
        "fmr_at_most": rates.at_most(int(np.count_nonzero(other <= accept)), len(other)),
        "fnmr": rates.share(int(np.count_nonzero(own > accept)), len(own)),
        "fnmr_at_most": rates.at_most(int(np.count_nonzero(own > accept)), len(own)),
        "same_refused": rates.share(int(np.count_nonzero(own >= refuse)), len(own)),
        "different_not_refused": rates.share(int(np.count_nonzero(other < refuse)), len(other)),
        "confusion": {"same": _verdicts(own, pack.threshold), "different": _verdicts(other, pack.threshold)},
        "accuracy": right,
        "accuracy_pairs": decided,
        "accuracy_at_threshold": rates.share(int(np.count_nonzero((distances <= accept) == same)), len(compared)),
        "folds": len(set(folds.values())),
        "folds_of_the_file": given,
        "fold_thresholds": [round(limit, 4) for limit in limits],
        "roc": rates.roc(own, other),
        "distances": (own, other),
    }
    for far in FARS:
        tar, limit = rates.at_far(own, other, far)
        name = f"at_far_1e-{round(-np.log10(far))}"
        report |= {f"tar_{name}": tar, f"threshold_{name}": limit}
    for stage, spent in seen.spent.items():
        report[f"ms_{stage}"] = round(float(np.median(spent)), 2) if spent else None
    return report


def _verdicts(distances: rates.Distances, threshold: Threshold) -> dict[str, int]:
    """How many of these pairs a door takes for one person, looks at again and takes for two, by its own rule."""
    found = Counter(decide([Evidence(float(one), 1.0, FULL_AREA)], threshold).verdict for one in distances)
    return {"accepted": found["match"], "asked_again": found["ask_again"], "refused": found["no_match"]}


def attack_report(
    pack: FacePack, liveness: Liveness, folder: Path, zone: Zone, told: Told | None = None
) -> dict[str, Any]:
    """APCER of each kind and BPCER on DIR/bonafide/ (or live, real, genuine) and one folder a kind of attack.

    BadInput `attacks_invalid` without pictures of both.
    """
    files: dict[str, list[Path]] = {}
    for place in sorted(folder.iterdir()) if folder.is_dir() else []:
        if place.is_dir() and not _is_noise(place.relative_to(folder)):
            plain = "".join(letter for letter in place.name.casefold() if letter.isalnum())
            inside = sorted(
                file
                for file in place.rglob("*")
                if file.suffix.lower() in KINDS and not _is_noise(file.relative_to(place)) and file.is_file()
            )
            files.setdefault(BONAFIDE if plain in PEOPLE else place.name, []).extend(inside)
    if not files.get(BONAFIDE) or not any(files[kind] for kind in files if kind != BONAFIDE):
        raise BadInput("attacks_invalid", folder=folder)
    total, done = sum(map(len, files.values())), 0
    scores: dict[str, list[float | None]] = {kind: [] for kind in files}
    unreadable = []
    for kind, paths in files.items():
        for path in paths:
            try:
                scores[kind].append(_live_score(pack, liveness, path, zone))
            except NO_PICTURE:
                unreadable.append(str(path.relative_to(folder)))
            done += 1
            if told is not None:
                told(done, total)
    report = rates.attack_rates(scores, liveness.threshold.live, BONAFIDE)
    return {"detector_of": pack.name, "liveness_version": liveness.version, **report, "attack_unreadable": unreadable}


def _is_noise(inside: Path) -> bool:
    """Whether a file or folder is what archives and desktops add of their own: `._1.jpg` is no picture."""
    return any(part.startswith(".") or part == "__MACOSX" for part in inside.parts)


def _live_score(pack: FacePack, liveness: Liveness, path: Path, zone: Zone) -> float | None:
    """None without a face; ValueError, or what the libraries raise, for what is no picture."""
    picture = read_picture(path)
    if picture is None:
        raise ValueError("no picture")
    faces = pack.detect(picture)
    taken = choose(faces, picture.shape[:2], zone) or faces  # as the door would: nobody says whom an attack is of
    return liveness.score(picture, taken[0]) if taken else None
