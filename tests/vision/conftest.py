"""The pictures the face pack is tried on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.vision.face_pack import FacePack, Picture
from edge.vision.template import Template

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "faces"


def packaged(package: str, file: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / file


def read(path: Path) -> Picture:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


@pytest.fixture(scope="session")
def portraits() -> dict[str, Picture]:
    """Two people, in the public domain."""
    return {
        "hopper": read(packaged("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")),
        "astronaut": read(packaged("skimage", "data/astronaut.png")),
    }


@pytest.fixture(scope="session")
def template_of(pack: FacePack) -> Callable[[Picture], Template]:
    def make(picture: Picture) -> Template:
        faces = pack.detect(picture, thorough=True)
        assert faces
        return pack.embed(picture, faces[0])

    return make


@pytest.fixture(scope="session")
def templates(portraits: dict[str, Picture], template_of: Callable[[Picture], Template]) -> dict[str, Template]:
    return {name: template_of(picture) for name, picture in portraits.items()}


@pytest.fixture(scope="session")
def shared_faces() -> dict[str, list[Picture]]:
    """More people, where the folder beside the checkout has them; at most 1280 pixels, as a camera gives."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared/faces beside this checkout")
    people: dict[str, list[Picture]] = {}
    for folder in sorted((SHARED / "people").iterdir()):
        for path in sorted(folder.iterdir()):
            picture = read(path)
            scale = min(1.0, 1280 / max(picture.shape))
            shrunk = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            people.setdefault(folder.name, []).append(np.asarray(shrunk, np.uint8))
    assert len(people) >= 3
    return people
