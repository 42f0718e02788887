"""The same door with the pack `yunet`."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.demo.people import HOPPER
from edge.services.checkin import _load_pack
from edge.store import people
from edge.vision.face_pack import FacePack

from .conftest import Doorway, portrait


@pytest.fixture(scope="module")
def pack(yunet: FacePack) -> FacePack:
    return yunet


def test_the_right_person_enters_and_another_does_not(doorway: Doorway, pack: FacePack) -> None:
    assert people.template(doorway.desk.db, doorway.who(HOPPER).person, "yunet", pack.version)
    doorway.tap(HOPPER)
    assert doorway.look(portrait("astronaut")).reason == "face_other_person"
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).state == "welcome"


def test_the_configuration_chooses_the_pack(doorway: Doorway, more_models: Path) -> None:
    config = doorway.desk.config
    for name, reason in (("dlib", None), ("yunet", None), ("sface", "pack_untested"), ("liveness", "pack_not_faces")):
        chosen = config.model_copy(
            update={
                "paths": config.paths.model_copy(update={"models": more_models}),
                "checkin": config.checkin.model_copy(update={"pack": name, "accept_at_most": 0.4}),
            }
        )
        loaded, why = _load_pack(chosen)
        assert why == reason and (loaded.name if loaded else None) == (name if reason is None else None)
        assert loaded is None or loaded.threshold.accept == 0.4, "the room's own limit"
