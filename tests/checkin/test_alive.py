"""The dishonest candidate before the camera: prints, screens and cut-outs, by the policy that asks for a living person.

The attacks are made here, from a portrait and from the sample pictures of the liveness networks' own repository: what a
room's own camera sees of a real print may be judged otherwise (`models/liveness/CARD.md`).
"""

from __future__ import annotations

import secrets
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import clock
from edge.checkin.templates import context
from edge.demo.people import HOPPER
from edge.domain.reasons import sentence
from edge.services.checkin import _load_liveness
from edge.store import checkins, ledger, people
from edge.store.db import transaction
from edge.vision import packs
from edge.vision.face_pack import FacePack
from edge.vision.liveness import Liveness
from edge.vision.quality import yaw
from edge.vision.template import to_bytes

from .conftest import Doorway, Picture, portrait

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "faces" / "antispoof"


@pytest.fixture(scope="module")
def liveness(more_models: Path) -> Liveness:
    return packs.load_liveness(more_models)


def sample(name: str) -> Picture:
    """One of the networks' sample pictures, as the door's camera of 640x480 would have it."""
    path = SAMPLES / name
    if not path.is_file():
        pytest.skip("no ../shared/faces/antispoof beside this checkout")
    picture = cv2.imread(str(path))
    scale = 480 / picture.shape[0]
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    wall = np.full((480, 640, 3), 150, np.uint8)
    columns = min(640, small.shape[1])
    left, cut = (640 - columns) // 2, (small.shape[1] - columns) // 2
    wall[:, left : left + columns] = small[:, cut : cut + columns]
    return wall


def registered(doorway: Doorway, pack: FacePack, picture: Picture) -> None:
    """The face of this picture is the one registered for the badge."""
    template = pack.embed(picture, pack.detect(picture, thorough=True)[0])
    person = doorway.who(HOPPER).person
    sealed = doorway.desk.identity.keys.data.encrypt(to_bytes(template), context(person, pack))
    with transaction(doorway.desk.db) as db:
        people.set_template(db, person, pack.name, pack.version, sealed)


def last(doorway: Doorway) -> dict[str, object]:
    return ledger.entries(doorway.desk.db, kinds=("checkin",))[-1].body


def held_up(picture: Picture, how: str) -> Picture:
    """The portrait on a sheet of paper or a telephone in somebody's hand: smaller, with its edges, before a wall."""
    small = cv2.resize(picture[:, 130:510], (240, 304), interpolation=cv2.INTER_AREA)
    scene = np.full((480, 640, 3), (120, 130, 140), np.uint8)
    if how == "telephone":  # its light is bluish and raises the shadows
        small = np.clip(small * np.array([1.35, 1.05, 0.85]) + np.array([25, 10, 0]), 0, 255).astype(np.uint8)
    scene[60:420, 180:460] = 15 if how == "telephone" else 250
    scene[88:392, 200:440] = small
    return np.asarray(cv2.GaussianBlur(scene, (0, 0), 1.2), np.uint8)


def cut_out(pack: FacePack, mask: Picture, wearer: Picture) -> Picture:
    """The face of one picture, cut out along its edge, before the face of another."""
    boxes = [[int(v) for v in pack.detect(p)[0].whole] for p in (mask, wearer)]
    (left, top, right, bottom), (to_left, to_top, to_right, to_bottom) = boxes
    size = (to_right - to_left, to_bottom - to_top)
    paper = cv2.resize(mask[max(0, top) : bottom, left:right], size)
    edge = np.zeros(paper.shape[:2], np.uint8)
    cv2.ellipse(edge, (size[0] // 2, size[1] // 2), (int(size[0] * 0.48), size[1] // 2), 0, 0, 360, 255, -1)
    worn = wearer.copy()
    worn[to_top:to_bottom, to_left:to_right][edge > 0] = paper[edge > 0]
    return worn


@pytest.mark.parametrize("attack", ["a sample of a screen", "print", "telephone"])
def test_a_picture_of_the_right_person_leads_to_the_proctor(doorway: Doorway, pack: FacePack, attack: str) -> None:
    if attack.startswith("a sample"):
        picture = sample("image_F2.jpg")
        registered(doorway, pack, picture)
    else:
        picture = held_up(portrait("hopper"), attack)
    doorway.policy(liveness="passive")
    doorway.tap(HOPPER)
    shown = doorway.look(picture)
    assert (shown.state, shown.reason) == ("see_proctor", "liveness_spoof")
    assert "照片或屏幕" in sentence(shown.reason, "zh") and "screen" in sentence(shown.reason, "en")
    assert last(doorway) == {"outcome": "waiting", "route": "manual", "reason": "liveness_spoof"}  # and no score
    assert doorway.who(HOPPER).state == "waiting"
    waiting = checkins.waiting(doorway.desk.db, doorway.desk.session)
    assert [one.reason for one in waiting] == ["liveness_spoof"]


def test_a_living_person_enters(doorway: Doorway, pack: FacePack) -> None:
    registered(doorway, pack, sample("image_T1.jpg"))
    doorway.policy(liveness="passive")
    doorway.tap(HOPPER)
    assert doorway.look(sample("image_T1.jpg")).state == "welcome"
    assert last(doorway)["reason"] == "face_matched"


def test_without_the_policy_nobody_is_judged(doorway: Doorway) -> None:
    doorway.tap(HOPPER)
    assert doorway.look(held_up(portrait("hopper"), "print")).state == "welcome"


def turn(picture: Picture, pack: FacePack, degrees: float) -> Picture:
    """The head turned, as far as five landmarks tell: the nose moves before the eyes, what is around it follows."""
    face = pack.detect(picture, thorough=True)[0]
    left, right = face.eyes
    apart = float(np.hypot(*(right - left)))
    nose = face.centre((face.scheme.nose,))
    rows, columns = np.mgrid[0:480, 0:640].astype(np.float32)
    near = np.exp(-(((columns - nose[0]) ** 2) + (rows - nose[1]) ** 2) / (2 * (0.5 * apart) ** 2))
    shift = np.float32(apart * face.scheme.nose_depth * np.tan(np.radians(degrees)))
    return np.asarray(cv2.remap(picture, columns - shift * near.astype(np.float32), rows, cv2.INTER_LINEAR), np.uint8)


class Actor:
    """Somebody before the camera, a frame every 200 ms of the room's clock, without waiting for them."""

    def __init__(self, doorway: Doorway) -> None:
        self.doorway, self.at = doorway, clock.mono_ms() + 1

    def shows(self, picture: Picture, frames: int = 1, every: int = 200) -> checkins.KioskState:
        for _ in range(frames):
            self.at += every
            self.doorway.show(picture, self.at)
            self.doorway.door.step(0)
            if self.doorway.kiosk.state != "look":
                break
        return self.doorway.kiosk


def orders(monkeypatch: pytest.MonkeyPatch, *draws: int) -> None:
    left = list(draws)
    monkeypatch.setattr(secrets, "randbelow", lambda below: left.pop(0) % below if left else 0)


def test_the_movements_asked_for_let_the_right_person_in(
    doorway: Doorway, pack: FacePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = portrait("hopper")
    poses = {"liveness_left": turn(straight, pack, 45), "liveness_right": turn(straight, pack, -45)}
    assert yaw(pack.detect(poses["liveness_left"])[0]) > 22 and yaw(pack.detect(poses["liveness_right"])[0]) < -22
    doorway.policy(liveness="active")
    doorway.tap(HOPPER)
    orders(monkeypatch, 0, 0)
    actor, asked = Actor(doorway), []
    for _ in range(12):
        reason = doorway.kiosk.reason
        if reason in poses and reason not in asked:
            asked.append(reason)
            assert all(sentence(reason, language) for language in ("zh", "en"))
        if actor.shows(poses.get(reason, straight)).state != "look":
            break
    assert asked == ["liveness_left", "liveness_right"]
    assert doorway.kiosk.state == "welcome"


def test_a_print_makes_no_movement(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    doorway.policy(liveness="active")
    doorway.tap(HOPPER)
    orders(monkeypatch)
    actor = Actor(doorway)
    assert actor.shows(portrait("hopper"), 3).reason == "liveness_left"
    assert actor.shows(portrait("hopper"), 7, every=900).reason == "liveness_too_slow"
    assert doorway.kiosk.state == "look"  # once more
    shown = actor.shows(portrait("hopper"), 11, every=900)
    assert (shown.state, shown.reason) == ("see_proctor", "liveness_failed")
    assert doorway.who(HOPPER).state == "waiting"
    told = [e.body["reason"] for e in ledger.entries(doorway.desk.db, kinds=("checkin",))]
    assert told == ["liveness_too_slow", "liveness_failed"]


def test_a_cut_out_mask_passes_the_networks_and_not_the_movements(
    doorway: Doorway, pack: FacePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The networks were not made for it, and take it for a face: a policy that fears masks asks for both."""
    mask = cut_out(pack, portrait("hopper"), sample("image_T1.jpg"))
    doorway.policy(liveness="both")
    doorway.tap(HOPPER)
    orders(monkeypatch)
    actor = Actor(doorway)
    assert actor.shows(mask, 3).reason == "liveness_left"
    edge, swung = (
        np.float32([[0, 0], [640, 0], [0, 480], [640, 480]]),
        np.float32([[70, 0], [570, 60], [70, 480], [570, 420]]),
    )
    turned = np.asarray(cv2.warpPerspective(mask, cv2.getPerspectiveTransform(edge, swung), (640, 480)), np.uint8)
    assert actor.shows(turned, 7, every=900).reason == "liveness_too_slow"
    assert (actor.shows(mask, 12, every=900).state, doorway.kiosk.reason) == ("see_proctor", "liveness_failed")


def test_a_picture_held_up_for_the_comparing_alone_does_not_help(
    doorway: Doorway, pack: FacePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another person makes the movements, and the badge holder's picture is shown when they are made."""
    me = portrait("astronaut")
    poses = {"liveness_left": turn(me, pack, 40), "liveness_right": turn(me, pack, -40)}
    doorway.policy(liveness="active")
    doorway.tap(HOPPER)
    orders(monkeypatch, 0, 0)
    actor = Actor(doorway)
    for _ in range(8):
        actor.shows(poses.get(doorway.kiosk.reason, me))
    for _ in range(12):
        if actor.shows(portrait("hopper")).state != "look":
            break
    assert doorway.kiosk.state != "welcome" and doorway.who(HOPPER).state != "admitted"


def test_a_print_that_turns_up_after_the_movements_is_a_print(
    doorway: Doorway, pack: FacePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under `both` the frames that are compared are also the ones the networks judge."""
    straight = held_up(portrait("hopper"), "telephone")
    poses = {"liveness_left": turn(straight, pack, 50), "liveness_right": turn(straight, pack, -50)}
    doorway.policy(liveness="both")
    doorway.tap(HOPPER)
    orders(monkeypatch, 0, 0)
    actor = Actor(doorway)
    for _ in range(16):
        if actor.shows(poses.get(doorway.kiosk.reason, straight)).state != "look":
            break
    assert (doorway.kiosk.state, doorway.kiosk.reason) == ("see_proctor", "liveness_spoof")


def test_the_service_takes_the_networks_where_they_are_installed(doorway: Doorway, more_models: Path) -> None:
    config = doorway.desk.config
    assert _load_liveness(config) is None  # and then the door says so where policy asks for them
    there = config.model_copy(update={"paths": config.paths.model_copy(update={"models": more_models})})
    loaded = _load_liveness(there)
    assert loaded is not None and loaded.threshold.spoof < loaded.threshold.live
