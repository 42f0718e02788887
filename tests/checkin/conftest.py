"""A door with the real face pack, a ring a test writes pictures into, and a reader a test taps."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import clock
from edge.checkin.door import Door
from edge.checkin.enrol import enrol_next, template_of
from edge.demo.people import badge_of, portrait_file
from edge.exam import conduct
from edge.exam.banks import open_bank
from edge.hardware.badge import ReaderState, Tap
from edge.hardware.panel import SilentPanel
from edge.store import checkins, people, sessions
from edge.store.db import transaction
from edge.store.ring import RingWriter
from edge.vision.face_pack import FacePack
from edge.vision.liveness import Liveness
from edge.vision.template import Template
from support.rooms import DeskRoom, make_desk_room

Picture = np.ndarray


def portrait(which: str) -> Picture:
    """The portrait as it stands before a kiosk camera: scaled into a 640x480 picture of a wall."""
    picture = cv2.imread(str(portrait_file(which)))
    scale = 480 / picture.shape[0]
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    wall = np.full((480, 640, 3), 150, np.uint8)
    left = (640 - small.shape[1]) // 2
    wall[:, left : left + small.shape[1]] = small
    return wall


def wall() -> Picture:
    return np.full((480, 640, 3), 120, np.uint8)


@dataclass
class TestReader:
    """A reader a test taps: the decoder below it has its own tests."""

    __test__ = False
    taps: list[Tap] = field(default_factory=list)
    is_now: ReaderState = field(default_factory=lambda: ReaderState(True))

    def poll(self, timeout_s: float) -> list[Tap]:
        taken, self.taps = self.taps, []
        return taken

    def state(self) -> ReaderState:
        return self.is_now

    def close(self) -> None:
        return


@dataclass
class Doorway:
    """A door and everything before it."""

    desk: DeskRoom
    door: Door
    reader: TestReader
    ring: RingWriter
    shown: int = 0

    def show(self, picture: Picture, mono_ms: int | None = None, *, noise: bool = True) -> None:
        """`noise`: as any sensor has it, which makes two pictures of the same differ."""
        rows, columns, _ = picture.shape
        at = clock.now()
        self.shown += 1
        if noise:
            picture = picture.copy()
            picture[0, 0] = (self.shown % 256, self.shown // 256 % 256, 0)
        self.ring.write(
            mono_ms=at.mono_ms if mono_ms is None else mono_ms,
            wall_ms=at.wall_ms,
            source_ms=0,
            width=columns,
            height=rows,
            bgr=picture.tobytes(),
            jpeg=b"",
        )

    def tap(self, number: int) -> None:
        self.tap_badge(badge_of(number))

    def tap_badge(self, badge: str) -> None:
        self.reader.taps.append(Tap(badge, None, clock.mono_ms()))
        self.door.step(0)

    def policy(self, **face: object) -> None:
        """The session's signed policy, as it stands once taken in."""
        with transaction(self.desk.db) as db:
            db.execute("UPDATE sessions SET policy = json_set(policy, '$.face', json(?))", (json.dumps(face),))

    def look(self, picture: Picture, steps: int = 12) -> checkins.KioskState:
        """Stand before the camera until the door has decided or `steps` frames have gone by."""
        for _ in range(steps):
            self.show(picture)
            self.door.step(0)
            if self.kiosk.state not in ("look", "consent"):
                break
        return self.kiosk

    @property
    def kiosk(self) -> checkins.KioskState:
        shown = checkins.shown(self.desk.db)
        assert shown is not None
        return shown

    def who(self, number: int) -> people.Candidate:
        return next(c for c in people.candidates(self.desk.db, self.desk.session) if c.number == number)


@pytest.fixture(scope="session")
def look_once() -> Callable[[FacePack, bytes], Template]:
    """`template_of`, once for each photograph: every room here has the same two."""
    known: dict[tuple[str, bytes], Template] = {}

    def look(pack: FacePack, photograph: bytes) -> Template:
        if (pack.version, photograph) not in known:
            known[pack.version, photograph] = template_of(pack, photograph)
        return known[pack.version, photograph]

    return look


@pytest.fixture(scope="session")
def liveness() -> Liveness | None:
    """The pack that tells a person from a picture: not installed, unless a module says otherwise."""
    return None


@pytest.fixture
def look_seconds() -> float:
    """How long the door looks before it asks again: short, unless a module needs several pictures on a busy machine."""
    return 0.6


@pytest.fixture
def doorway(
    tmp_path: Path,
    pack: FacePack,
    liveness: Liveness | None,
    look_once: Callable[[FacePack, bytes], Template],
    look_seconds: float,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Doorway]:
    if importlib.util.find_spec("matplotlib") is None or importlib.util.find_spec("skimage") is None:
        pytest.skip("the demo extra, whose wheels carry the portraits, is not installed")
    desk = make_desk_room(tmp_path, photos=True, checkin={"look_seconds": look_seconds, "show_seconds": 0.1})
    bank = open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
    monkeypatch.setattr("edge.checkin.enrol.template_of", look_once)
    while enrol_next(desk.db, pack, desk.identity.keys.data):
        pass
    conduct.open_checkin(desk.db, desk.session, bank, "P-001")
    ring = RingWriter(desk.config.paths.ring("door"), 800 * 480 * 3)
    reader = TestReader()
    door = Door(desk.config, desk.db, desk.identity.keys, reader, SilentPanel("panel_off"), pack, None, liveness)
    yield Doorway(desk, door, reader, ring)
    door.close()
    ring.close()
    desk.db.close()
