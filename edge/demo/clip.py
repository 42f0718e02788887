"""The demo's camera clip: two public-domain portraits walk up to a kiosk, stand, and leave; the wall between them.

The portraits come with ordinary wheels (matplotlib's `grace_hopper.jpg`, scikit-image's `astronaut.png`) and are found
there without importing the packages. The same machine makes the same clip each time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import Unavailable

Image = NDArray[np.uint8]

WIDTH, HEIGHT, FPS, SECONDS = 960, 540, 15, 40
FAR, NEAR = 0.45, 1.0


@dataclass(frozen=True)
class Person:
    """A portrait: its file in a package, the head's centre there, and the scale that makes the face kiosk-sized."""

    who: str
    package: str
    file: str
    head: tuple[int, int]
    scale: float
    half_width: int


HOPPER = Person("hopper", "matplotlib", "mpl-data/sample_data/grace_hopper.jpg", (258, 190), 0.95, 205)
ASTRONAUT = Person("astronaut", "skimage", "data/astronaut.png", (224, 125), 1.95, 125)

# (who, comes, stands, goes, is gone): seconds into the clip
VISITS = ((HOPPER, 4.0, 8.0, 16.5, 18.0), (ASTRONAUT, 22.0, 26.0, 34.5, 36.0))


def build_clip(path: Path, progress: Callable[[int, int], None] | None = None) -> list[dict[str, object]]:
    """Write the clip (H.264 MP4, 960x540, 15 pictures and one key frame a second, 40 s) and `clip.json` beside it.

    Returns what clip.json holds under `sections`: {who, from_ms, until_ms}, only where somebody stands still with a
    good face, or surely nobody is there. Unavailable (`portrait_missing`) without the wheels that carry the portraits.
    """
    total = FPS * SECONDS
    scene = _Scene()
    path.parent.mkdir(parents=True, exist_ok=True)

    def pictures() -> Iterable[Image]:
        for n in range(total):
            yield scene.picture(n)
            if progress is not None:
                progress(n + 1, total)

    write_clip(path, pictures(), FPS)
    sections = _sections()
    facts = {"width": WIDTH, "height": HEIGHT, "fps": FPS, "length_ms": SECONDS * 1000, "sections": sections}
    path.with_name("clip.json").write_text(json.dumps(facts, indent=1))
    return sections


def standing(person: Person, fps: int) -> Iterator[Image]:
    """The part of the clip in which `person` stands still as people do, at another rate: pictures of 960x540, BGR."""
    stands, goes = next((stands, goes) for who, _, stands, goes, _ in VISITS if who is person)
    scene = _Scene()
    for n in range(round((goes - stands) * fps)):
        yield scene.picture(n, stands + n / fps)


def write_clip(path: Path, pictures: Iterable[Image], fps: int, bitrate: int = 1_500_000) -> None:
    """Encode BGR pictures of one size (height x width x 3, both even) to an H.264 MP4 with a key frame each second."""
    with av.open(str(path), "w", format="mp4") as container:
        stream: av.VideoStream | None = None
        for n, picture in enumerate(pictures):
            if stream is None:
                options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0"}
                stream = container.add_stream("libx264", rate=fps, options=options)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt, stream.bit_rate = "yuv420p", bitrate
                stream.codec_context.gop_size = fps
                stream.codec_context.thread_count = 2
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = n, Fraction(1, fps)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))


def _sections() -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    reached = 0.0
    for person, comes, stands, goes, gone in VISITS:
        found.append(_section("nobody", reached, comes))
        found.append(_section(person.who, stands, goes))
        reached = gone
    return [*found, _section("nobody", reached, SECONDS)]


def _section(who: str, start: float, end: float) -> dict[str, object]:
    return {"who": who, "from_ms": round(start * 1000), "until_ms": round(end * 1000)}


def portrait_file(person: Person) -> Path:
    """Where the installed package keeps the portrait."""
    spec = find_spec(person.package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        file = Path(folder) / person.file
        if file.is_file():
            return file
    raise Unavailable("portrait_missing", package=person.package)


class _Scene:
    """A wall under a weak lamp, and who stands before it."""

    def __init__(self) -> None:
        random = np.random.default_rng(20)
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
        lamp = np.exp(-(((x - WIDTH * 0.3) / WIDTH) ** 2 + ((y - HEIGHT * 0.1) / HEIGHT) ** 2) * 1.5)
        wall = np.array([150, 160, 165], np.float32) * (0.45 + 0.4 * lamp[..., None])
        self._wall = wall.astype(np.uint8)
        self._noise = [random.integers(0, 9, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(6)]
        self._people = {person.who: _cut_out(person) for person, *_ in VISITS}

    def picture(self, n: int, seconds: float | None = None) -> Image:
        """Picture `n` of the clip, or what is seen so many `seconds` into it with the noise of picture `n`."""
        t = n / FPS if seconds is None else seconds
        picture = self._wall.copy()
        for person, comes, stands, goes, gone in VISITS:
            if comes <= t < gone:
                self._place(picture, person, t, (comes, stands, goes, gone))
        light = 0.97 + 0.03 * math.sin(2 * math.pi * t / SECONDS)
        picture = cv2.convertScaleAbs(picture, alpha=light)
        return np.asarray(cv2.add(picture, self._noise[n % len(self._noise)]), np.uint8)

    def _place(self, picture: Image, person: Person, t: float, times: tuple[float, ...]) -> None:
        comes, stands, goes, gone = times
        if t < stands:
            way = (t - comes) / (stands - comes)
            size, aside = FAR + (NEAR - FAR) * _smooth(way), (1 - _smooth(way)) * 0.3
        elif t < goes:
            size, aside = NEAR, 0.0
        else:
            way = (t - goes) / (gone - goes)
            size, aside = NEAR - 0.4 * _smooth(way), -0.75 * _smooth(way)
        sway = 0.006 * math.sin(2 * math.pi * t / 3.1)
        nod = 0.004 * math.sin(2 * math.pi * t / 2.3)
        scale = person.scale * size * (1 + 0.01 * math.sin(2 * math.pi * t / 4.7))
        head_x = WIDTH * (0.5 + aside + sway)
        below = (self._people[person.who][0].shape[0] - person.head[1]) * scale
        head_y = HEIGHT * nod + max(HEIGHT * 0.44, HEIGHT + 6 - below)  # nobody floats
        turn = math.radians(1.2 * math.sin(2 * math.pi * t / 3.7))
        c, s = scale * math.cos(turn), scale * math.sin(turn)
        x, y = person.head
        matrix = np.array([[c, -s, head_x - c * x + s * y], [s, c, head_y - s * x - c * y]], np.float32)
        image, mask = self._people[person.who]
        shine = 0.72 + 0.28 * _smooth((size - FAR) / (NEAR - FAR))
        lit = cv2.warpAffine(cv2.convertScaleAbs(image, alpha=shine), matrix, (WIDTH, HEIGHT))
        cover = cv2.warpAffine(mask, matrix, (WIDTH, HEIGHT))
        blended = cv2.multiply(lit, cover, scale=1 / 255)
        rest = cv2.multiply(picture, cv2.bitwise_not(cover), scale=1 / 255)
        np.copyto(picture, cv2.add(blended, rest))


def _smooth(way: float) -> float:
    way = min(1.0, max(0.0, way))
    return way * way * (3 - 2 * way)


def _cut_out(person: Person) -> tuple[Image, Image]:
    """The portrait and a soft mask (three channels) of head and shoulders around the head's centre."""
    image = cv2.imread(str(portrait_file(person)), cv2.IMREAD_COLOR)
    if image is None:
        raise Unavailable("portrait_missing", package=person.package)
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    x, y = person.head
    half = person.half_width
    cv2.ellipse(mask, (x, y), (half * 3 // 4, half), 0, 0, 360, 255, -1)
    cv2.ellipse(mask, (x, y + 2 * half), (half, half * 4 // 3), 0, 180, 360, 255, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), half / 14)
    return np.asarray(image, np.uint8), np.asarray(cv2.merge([mask, mask, mask]), np.uint8)
