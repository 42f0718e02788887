"""More people than the two portraits, where the folder beside the checkout has them. Three prove nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge.vision.face_pack import FacePack, Picture
from edge.vision.template import Template


@pytest.fixture(scope="module")
def people(
    shared_faces: dict[str, list[Picture]], template_of: Callable[[Picture], Template]
) -> dict[str, list[Template]]:
    return {name: [template_of(picture) for picture in pictures] for name, pictures in shared_faces.items()}


def test_no_two_people_match(pack: FacePack, people: dict[str, list[Template]], templates: dict[str, Template]) -> None:
    everyone = people | {name: [template] for name, template in templates.items()}
    distances = [
        pack.distance(one, two)
        for name, own in everyone.items()
        for other, theirs in everyone.items()
        if name < other
        for one in own
        for two in theirs
    ]
    assert len(distances) >= 60
    assert min(distances) >= pack.threshold.refuse


def test_people_match_their_other_pictures(pack: FacePack, people: dict[str, list[Template]]) -> None:
    """None is refused, and at most one pair in seven asks for a second look."""
    distances = [
        pack.distance(one, two) for own in people.values() for place, one in enumerate(own) for two in own[:place]
    ]
    assert len(distances) >= 20
    assert max(distances) < pack.threshold.refuse
    assert np.mean([distance > pack.threshold.accept for distance in distances]) <= 1 / 7


def test_an_average_of_pictures_is_nearer_than_its_worst(pack: FacePack, people: dict[str, list[Template]]) -> None:
    from edge.vision.template import average

    for own in people.values():
        if len(own) < 3:
            continue
        for place, left_out in enumerate(own):
            others = [template for number, template in enumerate(own) if number != place]
            mean = average(others, pack.threshold.refuse)
            assert pack.distance(mean, left_out) < max(pack.distance(other, left_out) for other in others)
