from __future__ import annotations

from collections.abc import Callable

import cv2
import dlib
import numpy as np
import pytest

from edge.domain.faces import Evidence, decide
from edge.errors import BadInput
from edge.vision.face_pack import Face, FacePack, Picture
from edge.vision.quality import judge, measure
from edge.vision.template import Template, average, check_template, from_bytes, to_bytes
from support.augmented import augmentations

WHO = ["hopper", "astronaut"]
OTHER = {"hopper": "astronaut", "astronaut": "hopper"}


def verdict(pack: FacePack, picture: Picture, registered: Template) -> str:
    """One frame to its decision, as a door takes it."""
    faces = pack.detect(picture)
    if judge(picture, faces, pack.fit):
        return decide([], pack.threshold).verdict
    quality = measure(picture, faces[0], pack.fit)
    distance = pack.distance(pack.embed(picture, faces[0]), registered)
    return decide([Evidence(distance, quality.value, faces[0].area)], pack.threshold).verdict


@pytest.mark.parametrize("who", WHO)
def test_the_right_person_matches_and_swapped_templates_swap_it(
    pack: FacePack, portraits: dict[str, Picture], templates: dict[str, Template], who: str
) -> None:
    frame = cv2.convertScaleAbs(portraits[who], alpha=0.9, beta=4)
    assert verdict(pack, np.asarray(frame), templates[who]) == "match"
    assert verdict(pack, np.asarray(frame), templates[OTHER[who]]) == "no_match"


@pytest.mark.parametrize("who", WHO)
def test_a_random_template_is_refused(
    pack: FacePack, portraits: dict[str, Picture], templates: dict[str, Template], who: str
) -> None:
    rng = np.random.default_rng(20)
    length = np.linalg.norm(templates[who])
    for _ in range(20):
        noise = rng.normal(size=128)
        forged = (noise / np.linalg.norm(noise) * length).astype(np.float32)
        assert pack.distance(forged, templates[who]) >= pack.threshold.refuse
    assert verdict(pack, portraits[who], forged) == "no_match"
    assert verdict(pack, portraits[who], np.zeros(128, np.float32)) == "no_match"


@pytest.mark.parametrize("value", [0, 7, 128, 255])
@pytest.mark.parametrize("shape", [(480, 640), (1, 1), (2, 3), (16, 16), (79, 81), (1, 3000), (3000, 1)])
def test_a_picture_without_a_face_asks_again(
    pack: FacePack, templates: dict[str, Template], shape: tuple[int, int], value: int
) -> None:
    picture = np.full((*shape, 3), value, np.uint8)
    assert pack.detect(picture) == []
    assert judge(picture, [], pack.fit) == ("face_none",)
    assert verdict(pack, picture, templates["hopper"]) == "ask_again"


BAD_PICTURES = {
    "empty": np.zeros((0, 0, 3), np.uint8),
    "no columns": np.zeros((480, 0, 3), np.uint8),
    "one channel": np.zeros((480, 640), np.uint8),
    "one channel of three": np.zeros((480, 640, 1), np.uint8),
    "with alpha": np.zeros((480, 640, 4), np.uint8),
    "float": np.zeros((480, 640, 3), np.float32),
    "16 bit": np.zeros((480, 640, 3), np.uint16),
    "signed": np.zeros((480, 640, 3), np.int8),
    "too large": np.zeros((1, 8193, 3), np.uint8),
    "bytes": b"\xff\xd8\xff",
    "nothing": None,
}


@pytest.mark.parametrize("which", BAD_PICTURES)
def test_what_is_no_picture_is_one_clear_error(pack: FacePack, portraits: dict[str, Picture], which: str) -> None:
    bad: Picture = BAD_PICTURES[which]  # type: ignore[assignment]
    face = pack.detect(portraits["hopper"])[0]
    acts: list[Callable[[], object]] = [
        lambda: pack.detect(bad),
        lambda: pack.embed(bad, face),
        lambda: measure(bad, face, pack.fit),
    ]
    for act in acts:
        with pytest.raises(BadInput) as refusal:
            act()
        assert refusal.value.code == "picture_invalid"


def test_landmarks_that_cannot_be_are_an_error(pack: FacePack, portraits: dict[str, Picture]) -> None:
    for points in (np.zeros((5, 2)), np.full((5, 2), np.nan), np.zeros((4, 2))):
        with pytest.raises(BadInput):
            pack.embed(portraits["hopper"], Face((0, 0, 9, 9), 1.0, points.astype(np.float32)))


BAD_TEMPLATES = {
    "not a number": np.full(128, np.nan, np.float32),
    "one infinite": np.r_[np.zeros(127), np.inf].astype(np.float32),
    "infinite once single": np.full(128, 1e200),
    "short": np.zeros(127, np.float32),
    "a row": np.zeros((1, 128), np.float32),
    "integers": np.zeros(128, np.int32),
    "objects": np.array([None] * 128),
    "a list": [0.0] * 128,
    "nothing": None,
}


@pytest.mark.parametrize("which", BAD_TEMPLATES)
def test_what_is_no_template_is_an_error_not_a_match(
    pack: FacePack, templates: dict[str, Template], which: str
) -> None:
    bad: Template = BAD_TEMPLATES[which]  # type: ignore[assignment]
    acts: list[Callable[[], object]] = [
        lambda: pack.distance(bad, templates["hopper"]),
        lambda: pack.distance(templates["hopper"], bad),
        lambda: check_template(bad),
        lambda: average([templates["hopper"], bad], 0.55),
        lambda: to_bytes(bad),
    ]
    for act in acts:
        with pytest.raises(BadInput) as refusal:
            act()
        assert refusal.value.code == "template_invalid"


def test_templates_survive_storage(templates: dict[str, Template]) -> None:
    data = to_bytes(templates["hopper"])
    assert len(data) == 512 and np.array_equal(from_bytes(data), templates["hopper"])
    for broken in (b"", data[:-1], data + b"\0", np.full(128, np.inf, "<f4").tobytes()):
        with pytest.raises(BadInput):
            from_bytes(broken)


def test_a_template_of_another_version_is_refused(pack: FacePack) -> None:
    pack.check_version(pack.version)
    with pytest.raises(BadInput, match="another version"):
        pack.check_version("0123456789ab")


def test_an_average_is_of_one_person(pack: FacePack, templates: dict[str, Template]) -> None:
    hopper = templates["hopper"]
    near = hopper + np.float32(0.01)
    assert np.allclose(average([hopper, near], pack.threshold.refuse), hopper + 0.005, atol=1e-6)
    assert np.array_equal(average([hopper], pack.threshold.refuse), hopper)
    with pytest.raises(BadInput) as refusal:
        average([hopper, near, templates["astronaut"]], pack.threshold.refuse)
    assert refusal.value.code == "enrol_pictures_differ"
    with pytest.raises(BadInput):
        average([], pack.threshold.refuse)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("scale", [1.0, 1.9, 3.3])
def test_chips_are_cut_as_dlib_cuts_them(pack: FacePack, portraits: dict[str, Picture], who: str, scale: float) -> None:
    """Against dlib's own alignment: nearly the same pixels, and a template a small part of the threshold away."""
    size = (round(512 * scale), round(portraits[who].shape[0] * scale))
    picture = np.asarray(cv2.resize(portraits[who], size, interpolation=cv2.INTER_CUBIC))
    face = pack.detect(picture)[0]
    left, top, right, bottom = (round(side) for side in face.box)
    points = dlib.points([dlib.point(int(x), int(y)) for x, y in face.landmarks])
    shape = dlib.full_object_detection(dlib.rectangle(left, top, right, bottom), points)
    expected = dlib.get_face_chip(picture, shape)
    chip = pack.chip(picture, face)
    halved = scale * face.width / 150 > 2
    assert np.abs(chip.astype(int) - expected).mean() < (2 if halved else 1)
    ours, theirs = pack.embed_chips(np.stack([chip, expected]))
    assert pack.distance(ours, theirs) < 0.03


@pytest.mark.parametrize("who", WHO)
def test_a_face_is_found_where_it_is_moved(pack: FacePack, portraits: dict[str, Picture], who: str) -> None:
    face = pack.detect(portraits[who])[0]
    canvas = np.full((720, 1280, 3), 96, np.uint8)
    rows, columns = min(720 - 40, portraits[who].shape[0]), 512
    canvas[40 : 40 + rows, 600 : 600 + columns] = portraits[who][:rows, :columns]
    moved = pack.detect(canvas)[0]
    assert np.abs(np.array(moved.box) - np.array(face.box) - [600, 40, 600, 40]).max() < 0.2 * face.width
    assert np.abs(moved.landmarks - face.landmarks - [600, 40]).max() < 0.06 * face.width


def test_the_detector_prefers_the_face_to_the_suit(pack: FacePack, portraits: dict[str, Picture]) -> None:
    """The astronaut's suit has a pattern larger than her face that the detector takes for one."""
    darker = np.asarray(cv2.convertScaleAbs(portraits["astronaut"], alpha=1, beta=0)).astype(int) - 60
    faces = pack.detect(np.clip(darker, 0, 255).astype(np.uint8))
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)
    assert faces[0].width < 120 and faces[0].box[3] < 256


def test_a_small_portrait_from_a_card_is_found(
    pack: FacePack, portraits: dict[str, Picture], templates: dict[str, Template]
) -> None:
    small = np.asarray(cv2.resize(portraits["hopper"], (150, 176), interpolation=cv2.INTER_AREA))
    (face, *_) = pack.detect(small)
    assert 50 <= face.width < 80
    assert pack.distance(pack.embed(small, face), templates["hopper"]) < pack.threshold.accept


@pytest.mark.parametrize("who", WHO)
def test_altered_pictures_match_their_own_and_never_the_other(
    pack: FacePack, portraits: dict[str, Picture], templates: dict[str, Template], who: str
) -> None:
    width = pack.detect(portraits[who])[0].width
    tried = 0
    for name, picture in augmentations(portraits[who], width):
        faces = pack.detect(picture, thorough=True)
        assert faces, name
        template = pack.embed(picture, faces[0])
        assert pack.distance(template, templates[who]) <= pack.threshold.accept, name
        assert pack.distance(template, templates[OTHER[who]]) >= pack.threshold.refuse, name
        tried += 1
    assert tried == 24


def test_a_whole_door_frame_comes_to_its_decision(
    pack: FacePack, portraits: dict[str, Picture], templates: dict[str, Template]
) -> None:
    """720p with a face of the size a door sees; what it costs is measured by tests/bench/face.py."""
    frame = np.full((720, 1280, 3), 96, np.uint8)
    frame[60:660, 400:912] = portraits["hopper"]
    assert verdict(pack, frame, templates["hopper"]) == "match"
    assert verdict(pack, frame, templates["astronaut"]) == "no_match"
