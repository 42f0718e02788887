"""Synthesised pictures of a room as a camera sees it, good and bad, for tests of what notices the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def room(width: int = 320, height: int = 180, seed: int = 3) -> NDArray[np.float32]:
    """A wall with a door, posters and a desk, without noise."""
    random = np.random.default_rng(seed)
    wall = np.tile(np.linspace(170, 110, width, dtype=np.float32)[None, :, None], (height, 1, 3))
    for _ in range(14):
        x, y = int(random.integers(0, width * 9 // 10)), int(random.integers(0, height * 8 // 10))
        w, h = int(random.integers(width // 20, width // 5)), int(random.integers(height // 12, height // 3))
        colour = tuple(float(v) for v in random.integers(40, 210, 3))
        cv2.rectangle(wall, (x, y), (x + w, y + h), colour, -1)
    return wall


class Sensor:
    """Adds a sensor's noise, new in each picture, and clips to eight bits."""

    def __init__(self, noise: float = 2.0, seed: int = 5) -> None:
        self._random, self._noise = np.random.default_rng(seed), noise

    def take(self, scene: NDArray[np.float32], noise: float | None = None) -> Image:
        """`noise` in grey levels (standard deviation), cut from one large piece of it at a random place."""
        sigma = self._noise if noise is None else noise
        at = int(self._random.integers(0, _GRAIN.size - scene.size))
        grain = _GRAIN[at : at + scene.size].reshape(scene.shape)
        return np.clip(scene + grain * sigma, 0, 255).astype(np.uint8)


_GRAIN = np.random.default_rng(7).standard_normal(1_000_000, dtype=np.float32)


def person(scene: NDArray[np.float32], at: float, size: float = 0.5) -> NDArray[np.float32]:
    """Somebody with a head and a striped shirt in the scene, `at` from 0 (left) to 1, `size` of its height."""
    height, width = scene.shape[:2]
    found = scene.copy()
    x, head = int(at * width), int(size * height * 0.22)
    top = int(height * (1 - size))
    cv2.rectangle(found, (x - head * 2, top + 2 * head), (x + head * 2, height), (60.0, 90.0, 150.0), -1)
    for y in range(top + 2 * head, height, max(4, head // 2)):
        cv2.line(found, (x - head * 2, y), (x + head * 2, y), (120.0, 60.0, 50.0), 2)
    cv2.ellipse(found, (x, top + head), (head * 3 // 4, head), 0, 0, 360, (120.0, 150.0, 190.0), -1)
    cv2.circle(found, (x - head // 3, top + head * 4 // 5), max(1, head // 8), (30.0, 30.0, 30.0), -1)
    cv2.circle(found, (x + head // 3, top + head * 4 // 5), max(1, head // 8), (30.0, 30.0, 30.0), -1)
    return found


def covered(width: int = 320, height: int = 180) -> NDArray[np.float32]:
    """A thumb on the lens: soft reddish nothing."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    glow = 40 + 30 * x / width + 10 * y / height
    return np.stack([glow * 0.5, glow * 0.6, glow * 1.3], axis=2)


def pictures(seconds: float, fps: int, scene: Callable[[float], Image]) -> Iterator[Image]:
    """`scene` at each moment, in seconds from the beginning."""
    for n in range(round(seconds * fps)):
        yield scene(n / fps)
