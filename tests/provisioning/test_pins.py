"""The pins of a Pi: they fit what pyproject.toml asks for, keep the system's numpy, and name no place to fetch from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

TREE = Path(__file__).parents[2]
# python3-numpy of Debian bookworm and trixie, which Raspberry Pi OS takes over and picamera2 is built against
NUMPY = {"pi311": "1.24.2", "pi313": "2.2.4"}
# taken from Debian: neither has wheels for every Python of a Pi
DEBIANS = {"evdev": {"pi311": "1.6.1", "pi313": "1.9.1"}, "lgpio": {"pi311": "0.2.2", "pi313": "0.2.2"}}


def pins(name: str) -> dict[str, Version]:
    lines = (TREE / "constraints" / f"{name}.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", line) for line in lines)
    return {(requirement := Requirement(line)).name: Version(str(requirement.specifier)[2:]) for line in lines}


@pytest.mark.parametrize("name", ["pi311", "pi313"])
def test_everything_asked_for_is_pinned_or_debians(name: str) -> None:
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
    pinned = pins(name)
    for text in [*project["dependencies"], *project["optional-dependencies"]["pi"]]:
        wanted = Requirement(text)
        key = canonicalize_name(wanted.name)
        version = Version(DEBIANS[key][name]) if key in DEBIANS else pinned[key]
        assert version in wanted.specifier, f"{text}: a Pi has {version}"


@pytest.mark.parametrize("name", ["pi311", "pi313"])
def test_numpy_is_the_systems(name: str) -> None:
    assert pins(name)["numpy"] == Version(NUMPY[name])
    assert not DEBIANS.keys() & pins(name).keys()
