"""The preset follows how long coding takes, and does not go to and fro."""

from __future__ import annotations

import pytest

from edge.config import Camera
from edge.hardware.camera.capture import h264_encoder
from edge.hardware.camera.headroom import PRESETS, Headroom


def presets(shares: dict[str, float], seconds: int, fps: int = 10) -> list[str]:
    """The preset in each second, where coding with each takes this share of the time."""
    headroom, found = Headroom(), list[str]()
    for n in range(seconds * fps):
        headroom.took(shares[headroom.preset] / fps, n / fps)
        if n % fps == fps - 1:
            found.append(headroom.preset)
    return found


@pytest.mark.parametrize(
    ("shares", "last"),
    [
        ((0.05, 0.08, 0.12), "veryfast"),
        ((0.2, 0.4, 0.9), "superfast"),  # it stays where it is neither idle nor late
        ((0.4, 0.7, 0.9), "ultrafast"),
        ((0.9, 1.5, 2.5), "ultrafast"),  # nothing is left to be tried
    ],
)
def test_the_best_preset_that_leaves_room(shares: tuple[float, ...], last: str) -> None:
    assert presets(dict(zip(PRESETS, shares, strict=True)), 60)[-1] == last


def test_one_that_took_too_long_is_not_tried_again() -> None:
    found = presets({"ultrafast": 0.25, "superfast": 0.7, "veryfast": 0.9}, 300)
    assert [a for a, b in zip(["", *found], found, strict=False) if a != b] == ["", "ultrafast", "superfast"]
    assert found.count("superfast") <= 6
    assert found[-1] == "ultrafast"


def test_each_preset_is_one_of_x264s() -> None:
    for preset in PRESETS:
        h264_encoder(320, 240, Camera(fps=10), preset).open()
