"""Fixtures everybody shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support.rooms import DeskRoom, make_desk_room

# what is timed belongs in tests/bench: on a busy machine an example may take as long as it likes
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskRoom]:
    """A desk room with six candidates and no faces."""
    made = make_desk_room(tmp_path)
    yield made
    made.db.close()
