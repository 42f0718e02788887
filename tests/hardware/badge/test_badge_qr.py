"""Tickets shown to a camera: real codes in pictures as a camera gives them, and how little an idle door costs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge import clock
from edge.domain.reasons import REASONS
from edge.hardware.badge import ReaderState, Tap, qr
from edge.hardware.badge.qr import Picture, QrReader
from edge.trust.signer import Ed25519Signer
from edge.trust.ticket import Ticket, issue
from support.examples import fuzzed_pictures

# always the same codes: of some tickets one picture in many is not enough, and then the next one gives it
ROOT = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
TEXT = issue(Ticket("S-20250601-01", 17, 1_900_000_000_000), ROOT)
OTHER = issue(Ticket("S-20250601-01", 18, 1_900_000_000_000), ROOT)
NOISE = np.random.default_rng(4)


def wall() -> NDArray[np.uint8]:
    return np.clip(NOISE.normal(120, 3, (480, 640, 3)), 0, 255).astype(np.uint8)


def shown(text: str, side: int = 230, turn: float = 0, at: tuple[int, int] = (200, 120)) -> NDArray[np.uint8]:
    """A wall with the code of `text` before it, `side` points wide, turned by `turn` degrees."""
    rows = np.array([[bool(cell) for cell in row] for row in segno.make(text, error="m").matrix_iter(border=4)])
    code = cv2.resize(np.where(rows, 20, 235).astype(np.uint8), (side, side), interpolation=cv2.INTER_AREA)
    if turn:  # on a sheet large enough for its corners
        code = cv2.copyMakeBorder(code, *[side // 5] * 4, cv2.BORDER_CONSTANT, value=235)
        side = code.shape[0]
        about = cv2.getRotationMatrix2D((side / 2, side / 2), turn, 1)
        code = cv2.warpAffine(code, about, (side, side), borderValue=235)
    picture = wall()
    picture[at[1] : at[1] + side, at[0] : at[0] + side] = code[:, :, None]
    return picture


class Camera:
    def __init__(self) -> None:
        self.picture, self.number, self.age_ms = wall(), 0, 0

    def __call__(self) -> Picture | None:
        self.number += 1
        return Picture(self.number, clock.mono_ms() - self.age_ms, self.picture)


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Camera:
    # whatever ran before, each test has the same noise: a code that is not read must not be chance
    monkeypatch.setitem(globals(), "NOISE", np.random.default_rng(4))
    monkeypatch.setattr(qr, "_GONE_MS", 60)
    monkeypatch.setattr(qr, "_AFTER_MOTION_MS", 20)
    return Camera()


def told(reader: QrReader, camera: Camera, picture: NDArray[np.uint8]) -> list[Tap]:
    camera.picture = picture
    return reader.poll(0)


@pytest.mark.parametrize(("side", "turn"), [(230, 0), (180, 0), (280, 12), (260, -25)])
def test_a_ticket_is_read_as_it_is_shown(camera: Camera, side: int, turn: float) -> None:
    reader = QrReader(camera, 0)
    # a hand is never quite still: a code that one picture does not give is in the next
    pictures = (shown(TEXT, side, turn, at=(100 + 3 * step, 60 + 2 * step)) for step in range(6))
    (tap,) = next(found for picture in pictures if (found := told(reader, camera, picture)))
    assert (tap.ticket, tap.badge, tap.reason, tap.strength) == (TEXT, None, None, "signed")
    assert TEXT not in repr(tap)


def test_a_ticket_held_up_is_one_tap_until_it_was_away(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    at = clock.mono_ms()
    monkeypatch.setattr(clock, "mono_ms", lambda: at)
    reader = QrReader(camera, 0)
    here = shown(TEXT)
    assert [tap.ticket for tap in told(reader, camera, here)] == [TEXT]
    for later in (30, 300, 3000, 30_000):  # at rest it is not even looked for, and is the same one still
        at += later
        assert told(reader, camera, here) == []
    assert told(reader, camera, shown(TEXT, at=(204, 122))) == []
    at += 10
    assert told(reader, camera, wall()) == []
    at += 200
    assert [tap.ticket for tap in told(reader, camera, shown(OTHER))] == [OTHER]
    at += 200
    assert [tap.ticket for tap in told(reader, camera, shown(TEXT))] == [TEXT]


def test_an_idle_door_looks_for_nothing(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    at = clock.mono_ms()
    monkeypatch.setattr(clock, "mono_ms", lambda: at)
    reader = QrReader(camera, 0)
    told(reader, camera, wall())
    before = reader.looks
    for _ in range(50):
        at += 200
        assert told(reader, camera, wall()) == []
    assert reader.looks == before


def test_another_code_and_a_damaged_one(camera: Camera) -> None:
    reader = QrReader(camera, 0)
    (tap,) = told(reader, camera, shown("https://example.com/menu"))
    assert tap.reason == "ticket_other_code"
    damaged = shown(TEXT)
    damaged[180:300, 260:380] = 128
    assert told(reader, camera, damaged) == []


def beside(other: str, side: int, at: tuple[int, int], text: str, text_at: tuple[int, int]) -> NDArray[np.uint8]:
    """Two codes in one picture, the second 230 points wide."""
    picture, (x, y) = shown(text, 230, at=text_at), at
    picture[y : y + side, x : x + side] = shown(other, side, at=at)[y : y + side, x : x + side]
    return picture


@pytest.mark.parametrize(
    ("side", "at", "ticket_at"),
    [
        (230, (20, 130), (330, 130)),
        (230, (330, 130), (20, 130)),
        (150, (20, 30), (380, 200)),
        (200, (20, 30), (300, 220)),
    ],
    ids=["right", "left", "small", "below"],
)
def test_a_ticket_beside_another_code_is_read(
    camera: Camera, monkeypatch: pytest.MonkeyPatch, side: int, at: tuple[int, int], ticket_at: tuple[int, int]
) -> None:
    """Whichever of them the detector comes upon first: a payment code on the phone, a poster on the wall."""
    now = clock.mono_ms()
    monkeypatch.setattr(clock, "mono_ms", lambda: now)
    reader = QrReader(camera, 0)
    menu = "https://example.com/menu"
    steps = (2, 0, 4, 6, 8, 10)  # a hand is never quite still
    pictures = (beside(menu, side, at, TEXT, (ticket_at[0] + step, ticket_at[1] - step)) for step in steps)
    found = [tap for picture in pictures for tap in told(reader, camera, picture)]
    assert [tap.ticket for tap in found if tap.ticket] == [TEXT]
    assert {tap.reason for tap in found if not tap.ticket} <= {"ticket_other_code"}  # the other one may be read first


def test_codes_that_are_no_tickets_are_one_reason(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.mono_ms()
    monkeypatch.setattr(clock, "mono_ms", lambda: now)
    reader = QrReader(camera, 0)
    picture = beside("https://example.com/1", 230, (20, 130), "https://example.com/2", (330, 130))
    looks = [told(reader, camera, np.roll(picture, 2 * n, axis=0)) for n in range(4)]
    assert [tap.reason for taps in looks for tap in taps] == ["ticket_other_code"]


def test_a_camera_without_pictures_is_a_state(camera: Camera) -> None:
    reader = QrReader(lambda: None, 0)
    assert reader.poll(0.01) == []
    assert reader.state() == ReaderState(False, "ticket_camera")
    reader = QrReader(camera, 0)
    reader.poll(0)
    assert reader.state() == ReaderState(True)
    camera.age_ms = 6000
    reader.poll(0)
    assert reader.state() == ReaderState(False, "ticket_camera")
    reader.close()
    assert {"ticket_camera", "ticket_other_code"} <= set(REASONS)


HELD_UP = shown(TEXT)


@fuzzed_pictures
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(1, 60), st.integers(0, 255)), max_size=6)
)
def test_a_code_with_stains_is_itself_or_nobody(stains: list[tuple[int, int, int, int]]) -> None:
    picture = HELD_UP.copy()
    for left, top, size, colour in stains:
        picture[120 + top : 120 + top + size, 200 + left : 200 + left + size] = colour
    reader = QrReader(lambda: Picture(1, clock.mono_ms(), picture), 0)
    assert [tap.ticket or tap.reason for tap in reader.poll(0)] in ([TEXT], [])
