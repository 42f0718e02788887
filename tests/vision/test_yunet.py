from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.faces import Evidence, decide
from edge.errors import BadInput
from edge.vision.face import YUNET
from edge.vision.face_pack import FacePack, Picture
from edge.vision.quality import judge, measure, nod, pose
from edge.vision.template import Template
from edge.vision.yunet import STRIDES, decode, network_input

COLUMNS, ROWS = 128, 64


def outputs(*faces: tuple[int, int, float, float, float, float, float, float]) -> dict[str, np.ndarray]:
    """The network's outputs with some cells set: stride, cell, cls, obj, x, y, log width, log height."""
    values: dict[str, np.ndarray] = {}
    for stride in STRIDES:
        cells = COLUMNS * ROWS // stride**2
        for part, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            values[f"{part}_{stride}"] = np.zeros((1, cells, width), np.float32)
    for stride, cell, cls, obj, *box in faces:
        values[f"cls_{stride}"][0, cell] = cls
        values[f"obj_{stride}"][0, cell] = obj
        values[f"bbox_{stride}"][0, cell] = box
        values[f"kps_{stride}"][0, cell] = 0.5
    return values


def test_a_cell_becomes_a_box_and_points_in_pixels() -> None:
    # row 1, column 2 of the grid of 16 pixels (8 cells a row): centre 0.25, 0.5 of a cell further
    ((score, box, points),) = decode(outputs((16, 10, 0.81, 1.0, 0.25, 0.5, np.log(2), np.log(3))), COLUMNS)
    assert score == pytest.approx(0.9)
    centre = np.array([(2 + 0.25) * 16, (1 + 0.5) * 16])
    assert box == pytest.approx(np.add(np.tile(centre, 2), [-16, -24, 16, 24]))
    assert points == pytest.approx(np.tile([2.5 * 16, 1.5 * 16], (5, 1)))


def test_overlaps_are_one_face_and_the_better_one() -> None:
    near = (16, 10, 0.8, 0.8, 0.3, 0.5, np.log(2), np.log(3))
    better = (16, 11, 0.9, 0.9, -0.7, 0.5, np.log(2), np.log(3))
    far = (8, 100, 0.7, 0.9, 0.0, 0.0, 0.0, 0.0)
    found = decode(outputs(near, better, far), COLUMNS)
    assert [score for score, _, _ in found] == pytest.approx([0.9, np.sqrt(0.63)])


def test_weak_and_impossible_values_are_no_faces() -> None:
    weak = (16, 10, 0.5, 0.7, 0.0, 0.0, 0.0, 0.0)
    huge = (8, 3, 0.9, 0.9, 0.0, 0.0, 1000.0, 0.0)
    unknown = (32, 1, 0.9, 0.9, np.nan, 0.0, 0.0, 0.0)
    over = (32, 2, 5.0, 5.0, 0.0, 0.0, 0.0, 0.0)
    found = decode(outputs(weak, huge, unknown, over), COLUMNS)
    assert [score for score, _, _ in found] == [1.0]
    assert decode(outputs(), COLUMNS) == []


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 1.0, 30.0, 1e30]), st.sampled_from([0, 1, 200]))
def test_any_values_are_faces_in_numbers_or_none(seed: int, spread: float, wrong: int) -> None:
    rng = np.random.default_rng(seed)
    values = outputs()
    for name, value in values.items():
        noise = rng.normal(0.5, spread, value.shape).astype(np.float32)
        noise.ravel()[rng.integers(0, noise.size, wrong)] = rng.choice([np.nan, np.inf, -np.inf])
        values[name] = noise
    found = decode(values, COLUMNS)
    scores = [score for score, _, _ in found]
    assert scores == sorted(scores, reverse=True) and all(0.6 <= score <= 1 for score in scores)
    for _, box, points in found:
        assert np.isfinite(box).all() and np.isfinite(points).all() and (box[2:] >= box[:2]).all()


@pytest.mark.parametrize("shape", [(64, 96), (1, 1), (33, 65), (480, 640), (31, 640)])
def test_the_input_is_padded_to_whole_cells(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 200, np.uint8)
    planes = network_input(picture)
    rows, columns = (-(-side // 32) * 32 for side in shape)
    assert planes.shape == (1, 3, rows, columns) and planes.dtype == np.float32
    assert (planes[:, :, : shape[0], : shape[1]] == 200).all()
    assert planes.sum() == pytest.approx(200.0 * 3 * shape[0] * shape[1])


@pytest.fixture(scope="module")
def registered(yunet: FacePack, portraits: dict[str, Picture]) -> dict[str, Template]:
    return {name: yunet.embed(picture, yunet.detect(picture)[0]) for name, picture in portraits.items()}


def test_its_landmarks_are_where_dlib_s_are(yunet: FacePack, pack: FacePack, portraits: dict[str, Picture]) -> None:
    for picture in portraits.values():
        ours, theirs = yunet.detect(picture)[0], pack.detect(picture)[0]
        assert ours.scheme is YUNET
        apart = np.linalg.norm(theirs.eyes[1] - theirs.eyes[0])
        for one, other in zip(ours.eyes, theirs.eyes, strict=True):
            assert np.linalg.norm(one - other) < 0.12 * apart
        assert pose(ours)[0] == pytest.approx(pose(theirs)[0], abs=0.1)
        left, top, right, bottom = theirs.whole
        assert ours.box == pytest.approx((left, top, right, bottom), abs=0.35 * theirs.width)


@pytest.mark.parametrize("who", ["hopper", "astronaut"])
@pytest.mark.parametrize("shape", [(480, 640), (720, 1280), (330, 330)])
def test_the_right_person_matches_whatever_the_frame(
    yunet: FacePack, portraits: dict[str, Picture], registered: dict[str, Template], who: str, shape: tuple[int, int]
) -> None:
    scale = shape[0] / portraits[who].shape[0]
    small = cv2.resize(portraits[who], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((*shape, 3), 120, np.uint8)
    columns = min(shape[1], small.shape[1])
    frame[: small.shape[0], :columns] = small[:, :columns]
    faces = yunet.detect(frame)
    assert judge(frame, faces, yunet.fit) == ()
    template = yunet.embed(frame, faces[0])
    for name, known in registered.items():
        evidence = [Evidence(yunet.distance(template, known), measure(frame, faces[0], yunet.fit).value, faces[0].area)]
        assert decide(evidence, yunet.threshold).verdict == ("match" if name == who else "no_match")


def test_a_face_that_fills_the_frame_is_found(yunet: FacePack, portraits: dict[str, Picture]) -> None:
    face = yunet.detect(portraits["hopper"])[0]
    left, top, right, bottom = (round(side) for side in face.box)
    close = cv2.resize(portraits["hopper"][top:bottom, left:right], (1100, 1400), interpolation=cv2.INTER_CUBIC)
    assert yunet.detect(np.asarray(close, np.uint8))[0].width > 600


def test_nothing_is_found_in_nothing(yunet: FacePack) -> None:
    for shape in ((480, 640), (1, 1), (2, 3000)):
        assert yunet.detect(np.full((*shape, 3), 90, np.uint8), thorough=True) == []
    with pytest.raises(BadInput):
        yunet.detect(np.zeros((480, 640), np.uint8))


def test_templates_of_the_two_packs_are_not_compared(yunet: FacePack, pack: FacePack) -> None:
    assert yunet.version != pack.version
    with pytest.raises(BadInput) as refusal:
        yunet.check_version(pack.version)
    assert refusal.value.code == "template_other_pack"


def test_a_raised_or_lowered_head_is_told(yunet: FacePack, portraits: dict[str, Picture]) -> None:
    from dataclasses import replace

    face = yunet.detect(portraits["hopper"])[0]
    straight = nod(face)
    assert straight is not None and abs(straight) < 15
    apart = float(np.linalg.norm(face.eyes[1] - face.eyes[0]))
    for moved, sign in ((-0.4, 1), (0.4, -1)):
        points = face.landmarks.copy()
        points[2, 1] += moved * apart
        other = replace(face, landmarks=points)
        found = nod(other)
        assert found is not None and sign * (found - straight) > 20
        assert "face_turned" in measure(portraits["hopper"], other, yunet.fit).codes


def test_shared_people_apart_and_together(yunet: FacePack, shared_faces: dict[str, list[Picture]]) -> None:
    """Three people: it shows that the code works, and proves no threshold."""
    templates = {
        name: [yunet.embed(picture, yunet.detect(picture, thorough=True)[0]) for picture in pictures]
        for name, pictures in shared_faces.items()
    }
    others = [
        yunet.distance(one, two)
        for name, own in templates.items()
        for other, theirs in templates.items()
        if name < other
        for one in own
        for two in theirs
    ]
    assert len(others) >= 40 and min(others) >= yunet.threshold.refuse
    same = [yunet.distance(one, two) for own in templates.values() for n, one in enumerate(own) for two in own[:n]]
    assert np.median(same) <= yunet.threshold.accept


def test_enrolment_takes_either_pack(
    yunet: FacePack, pack: FacePack, template_of: Callable[[Picture], Template], portraits: dict[str, Picture]
) -> None:
    from edge.checkin.enrol import template_of as enrolled
    from edge.demo.people import portrait_file

    photograph = Path(portrait_file("hopper")).read_bytes()
    template = enrolled(yunet, photograph)
    assert yunet.distance(template, yunet.embed(portraits["hopper"], yunet.detect(portraits["hopper"])[0])) < 0.2
    assert pack.distance(enrolled(pack, photograph), template_of(portraits["hopper"])) < 0.2
