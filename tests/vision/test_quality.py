from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.domain.reasons import REASONS
from edge.vision.face_pack import Face, FacePack, Picture
from edge.vision.quality import choose, judge, measure, pose, several


@pytest.mark.parametrize("who", ["hopper", "astronaut"])
def test_a_good_portrait_is_fit(pack: FacePack, portraits: dict[str, Picture], who: str) -> None:
    picture = portraits[who]
    faces = pack.detect(picture)
    assert judge(picture, faces, pack.fit) == ()
    quality = measure(picture, faces[0], pack.fit)
    assert 0.6 < quality.value <= 1 and abs(quality.turn) < 0.1 and abs(quality.tilt) < 10


def altered(picture: Picture, width: float, how: str) -> Picture:
    if how == "face_blurred":
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.045 * width))
    if how == "face_dark":
        return (picture * 0.15).astype(np.uint8)
    if how == "face_bright":
        return np.clip(picture.astype(int) + 140, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(picture, None, fx=45 / width, fy=45 / width, interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("who", ["hopper", "astronaut"])
@pytest.mark.parametrize("how", ["face_blurred", "face_dark", "face_bright", "face_too_small"])
def test_each_fault_is_told_by_its_own_code(pack: FacePack, portraits: dict[str, Picture], who: str, how: str) -> None:
    face = pack.detect(portraits[who])[0]
    picture = altered(portraits[who], face.width, how)
    if how == "face_too_small":
        scale = 45 / face.width
        box = (face.box[0] * scale, face.box[1] * scale, face.box[2] * scale, face.box[3] * scale)
        face = Face(box, face.score, face.landmarks * np.float32(scale))
    quality = measure(picture, face, pack.fit)
    assert how in quality.codes and quality.value == 0
    assert judge(picture, [face], pack.fit)[0] in quality.codes


def test_blur_lowers_sharpness_and_weight_step_by_step(pack: FacePack, portraits: dict[str, Picture]) -> None:
    face = pack.detect(portraits["hopper"])[0]
    blurred = [
        measure(np.asarray(cv2.GaussianBlur(portraits["hopper"], (0, 0), part * face.width)), face, pack.fit)
        for part in (0.005, 0.01, 0.02, 0.03, 0.05)
    ]
    sharpness = [quality.sharpness for quality in blurred]
    assert sharpness == sorted(sharpness, reverse=True)
    values = [quality.value for quality in blurred]
    assert values == sorted(values, reverse=True)


def test_light_alone_does_not_change_sharpness_much(pack: FacePack, portraits: dict[str, Picture]) -> None:
    face = pack.detect(portraits["hopper"])[0]
    plain = measure(portraits["hopper"], face, pack.fit).sharpness
    dim = measure((portraits["hopper"] * 0.5).astype(np.uint8), face, pack.fit).sharpness
    assert dim == pytest.approx(plain, rel=0.1)


def turned(face: Face, turn: float, degrees: float) -> Face:
    points = face.landmarks.astype(np.float64)
    apart = np.hypot(*(points[0:2].mean(axis=0) - points[2:4].mean(axis=0)))
    points[4, 0] += turn * apart
    matrix = cv2.getRotationMatrix2D(tuple(map(float, points.mean(axis=0))), -degrees, 1.0)
    points = points @ matrix[:, :2].T + matrix[:, 2]
    return replace(face, landmarks=points.astype(np.float32))


@pytest.mark.parametrize(("turn", "degrees", "fit"), [(0, 0, True), (0.3, 0, False), (-0.3, 0, False), (0, 40, False)])
def test_a_turned_head_is_told(
    pack: FacePack, portraits: dict[str, Picture], turn: float, degrees: float, fit: bool
) -> None:
    face = pack.detect(portraits["hopper"])[0]
    other = turned(face, turn, degrees)
    assert pose(other)[0] == pytest.approx(pose(face)[0] + turn, abs=0.05)
    assert pose(other)[1] == pytest.approx(pose(face)[1] + degrees, abs=2)
    assert ("face_turned" not in judge(portraits["hopper"], [other], pack.fit)) is fit


def test_eyes_on_one_spot_are_turned_not_a_crash(pack: FacePack, portraits: dict[str, Picture]) -> None:
    face = pack.detect(portraits["hopper"])[0]
    flat = replace(face, landmarks=np.zeros((5, 2), np.float32))
    assert "face_turned" in measure(portraits["hopper"], flat, pack.fit).codes


def test_two_people_are_told_before_anything_else(pack: FacePack, portraits: dict[str, Picture]) -> None:
    near = np.asarray(cv2.resize(portraits["astronaut"], None, fx=1.6, fy=1.6))[:600, 100:620]
    both = np.hstack([portraits["hopper"], near])
    faces = pack.detect(both)
    assert len(faces) >= 2
    assert judge(both, faces, pack.fit) == ("face_several",)
    assert judge(both, list(reversed(faces)), pack.fit) == ("face_several",)


def test_a_far_bystander_does_not_count(pack: FacePack, portraits: dict[str, Picture]) -> None:
    face = pack.detect(portraits["hopper"])[0]
    left, top, right, bottom = face.box
    far = replace(face, box=(0.0, 0.0, (right - left) / 2, (bottom - top) / 2))
    pattern = replace(face, score=0.1)
    assert judge(portraits["hopper"], [face, far, pattern], pack.fit) == ()


@pytest.mark.parametrize("box", [(-80, -80, 60, 60), (480, 560, 700, 780), (900, 900, 1000, 1000), (10, 10, 10, 10)])
def test_a_box_beyond_the_picture_is_measured_where_it_can_be(
    pack: FacePack, portraits: dict[str, Picture], box: tuple[float, float, float, float]
) -> None:
    face = replace(pack.detect(portraits["hopper"])[0], box=box)
    assert 0 <= measure(portraits["hopper"], face, pack.fit).value <= 1


def test_every_code_has_its_sentence() -> None:
    seen = ["none", "too_small", "blurred", "dark", "bright", "turned", "several", "outside", "eyes_hidden"]
    codes = [*seen, "matched", "other_person", "unsure"]
    for code in codes:
        assert REASONS[f"face_{code}"].zh and REASONS[f"face_{code}"].en


def at(face: Face, x: float, score: float = 1.0) -> Face:
    left, top, right, bottom = face.box
    return replace(face, box=(x - (right - left) / 2, top, x + (right - left) / 2, bottom), score=score)


def test_the_candidate_is_the_best_scored_face_in_the_zone(pack: FacePack, portraits: dict[str, Picture]) -> None:
    face = pack.detect(portraits["hopper"])[0]
    beside, best, other = at(face, 40, 2.0), at(face, 500, 1.5), at(face, 700, 1.0)
    zone = (0.2, 0.0, 0.8, 1.0)
    chosen = choose([beside, best, other], (800, 1000), zone)
    assert chosen == [best, beside, other] and several(chosen), "who stands beside is still seen"
    assert choose([beside], (800, 1000), zone) == [] == choose([], (800, 1000), zone)
    assert choose([beside, best], (800, 1000), (0.0, 0.0, 1.0, 1.0))[0] is beside


@pytest.mark.parametrize("who", ["hopper", "astronaut"])
def test_dark_glasses_and_a_deep_shadow_hide_the_eyes(pack: FacePack, portraits: dict[str, Picture], who: str) -> None:
    face = pack.detect(portraits[who])[0]
    assert measure(portraits[who], face, pack.fit).eyes
    apart = float(np.linalg.norm(face.eyes[1] - face.eyes[0]))
    one, both = portraits[who].copy(), portraits[who].copy()
    for number, eye in enumerate(face.eyes):
        for picture in (one, both) if number == 0 else (both,):
            centre, axes = tuple(round(float(v)) for v in eye), (round(0.36 * apart), round(0.25 * apart))
            cv2.ellipse(picture, centre, axes, 0, 0, 360, (18, 16, 15), -1)
    quality = measure(both, face, pack.fit)
    assert not quality.eyes and "face_eyes_hidden" in quality.codes
    assert measure(one, face, pack.fit).eyes, "one covered eye is not judged"
    dim = (both * 0.5).astype(np.uint8)
    assert not measure(dim, face, pack.fit).eyes, "whatever the light"
    assert measure((portraits[who] * 0.5).astype(np.uint8), face, pack.fit).eyes
