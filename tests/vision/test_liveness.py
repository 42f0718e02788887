from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.domain.liveness import begin, passive, watch
from edge.errors import BadInput
from edge.vision import packs
from edge.vision.face import DLIB, YUNET, Face
from edge.vision.face_pack import FacePack, Picture
from edge.vision.liveness import SIDE, Liveness, crop, observe
from vision.conftest import SHARED, read


@pytest.fixture(scope="module")
def live(more_models: Path) -> Liveness:
    return packs.load_liveness(more_models)


@pytest.fixture(scope="module")
def samples() -> dict[str, Picture]:
    """The pictures that the networks' own repository shows: T is a person, F are attacks."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared/faces beside this checkout")
    return {name: read(SHARED / "antispoof" / f"image_{name}.jpg") for name in ("T1", "F1", "F2")}


def test_the_official_samples_come_out_as_known(live: Liveness, yunet: FacePack, samples: dict[str, Picture]) -> None:
    known = {"T1": 1.00, "F1": 0.23, "F2": 0.00}
    for name, picture in samples.items():
        score = live.score(picture, yunet.detect(picture)[0])
        assert score == pytest.approx(known[name], abs=0.02)


def test_either_detector_s_boxes_give_the_verdict(
    live: Liveness, yunet: FacePack, pack: FacePack, samples: dict[str, Picture]
) -> None:
    for which in (yunet, pack):
        for name, picture in samples.items():
            scores = [live.score(picture, which.detect(picture)[0])] * 3
            assert passive(scores, live.threshold).verdict == ("live" if name == "T1" else "spoof")


def test_what_is_no_picture_is_an_error(live: Liveness) -> None:
    face = Face((0.0, 0.0, 9.0, 9.0), 1.0, np.zeros((5, 2), np.float32), YUNET)
    with pytest.raises(BadInput):
        live.score(np.zeros((9, 9), np.uint8), face)


@pytest.mark.parametrize(
    "box", [(10, 10, 60, 70), (-50, -50, 10, 10), (190, 90, 260, 160), (0, 0, 200, 100), (5, 5, 5, 5)]
)
@pytest.mark.parametrize("scheme", [DLIB, YUNET])
def test_a_crop_is_inside_the_picture_and_of_the_network_s_size(box: tuple[int, ...], scheme: object) -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, :, 2] = np.arange(200, dtype=np.uint8)
    left, top, right, bottom = map(float, box)
    face = Face((left, top, right, bottom), 1.0, np.zeros((5, 2), np.float32), scheme)  # type: ignore[arg-type]
    for scale in (2.7, 4.0):
        assert crop(picture, face, scale).shape == (SIDE, SIDE, 3)


def test_a_crop_has_the_face_in_its_middle_where_there_is_room() -> None:
    picture = np.zeros((600, 600, 3), np.uint8)
    picture[280:320, 285:315] = 255
    face = Face((285.0, 280.0, 315.0, 320.0), 1.0, np.zeros((5, 2), np.float32), YUNET)
    for scale in (2.7, 4.0):
        rows, columns = np.nonzero(crop(picture, face, scale)[:, :, 0] > 127)
        assert (rows.mean(), columns.mean()) == pytest.approx((39.5, 39.5), abs=1)
        assert np.ptp(rows) == pytest.approx(SIDE / scale, abs=2)


def seen_from(face: Face, degrees: float) -> Face:
    """The face's five points as a head turned to its own left shows them, the nose standing out of the plane."""
    middle = (face.eyes[0] + face.eyes[1]) / 2
    apart = np.linalg.norm(face.eyes[1] - face.eyes[0])
    points = face.landmarks.astype(np.float64) - middle
    depth = np.zeros(5)
    depth[face.scheme.nose] = face.scheme.nose_depth * apart
    radians = np.radians(degrees)
    points[:, 0] = points[:, 0] * np.cos(radians) + depth * np.sin(radians)
    return Face(face.box, face.score, (points + middle).astype(np.float32), face.scheme)


def test_a_turned_head_passes_a_challenge_and_a_turned_print_does_not(
    yunet: FacePack, pack: FacePack, portraits: dict[str, Picture]
) -> None:
    for which in (yunet, pack):
        picture = portraits["hopper"]
        face = which.detect(picture)[0]
        state = begin(0, lambda n: 0, which.challenge, 1)
        assert state.asked == ("left",)
        for number, degrees in enumerate([0, 0, 15, 30, 32]):
            state = watch(state, observe([seen_from(face, degrees)], 200 * number))
        assert state.status == "passed"

        # the portrait itself as a sheet turned away: narrower, in perspective
        rows, columns = picture.shape[:2]
        corners = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
        away = np.array([(0, 0), (columns * 0.8, rows * 0.1), (columns * 0.8, rows * 0.9), (0, rows)], np.float32)
        for flat in (away, away[[1, 0, 3, 2]] * [-1, 1] + [columns, 0]):
            turn = cv2.getPerspectiveTransform(corners, flat.astype(np.float32))
            sheet = np.asarray(cv2.warpPerspective(picture, turn, (columns, rows)), np.uint8)
            state = begin(0, lambda n: 0, which.challenge, 1)
            for number, shown in enumerate([picture, picture, sheet, sheet, sheet]):
                state = watch(state, observe(which.detect(shown), 200 * number))
            assert state.status == "asking" and state.done == 0


def test_two_people_or_nobody_are_no_face(pack: FacePack, portraits: dict[str, Picture]) -> None:
    face = pack.detect(portraits["hopper"])[0]
    assert observe([face], 5).face and not observe([face, face], 5).face and not observe([], 5).face
