"""Fixtures everybody shares: a desk room, and one browser for all the pages a worker tests."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher
from hypothesis import settings
from playwright.sync_api import Browser, Playwright, sync_playwright

from edge.store import db
from edge.store.answers_schema import ANSWERS_MIGRATIONS
from edge.store.room_schema import ROOM_MIGRATIONS
from support.examples import examples
from support.rooms import DeskRoom, make_desk_room
from support.tablet_page import CHROMIUM, STILL, chromium
from support.tls_front import NAME

if TYPE_CHECKING:
    from edge.vision.face_pack import FacePack

# what is timed belongs in tests/bench: on a busy machine an example may take as long as it likes
settings.register_profile("suite", deadline=None, max_examples=examples(100))
settings.load_profile("suite")

# Begun in this order, the demo first since it takes longest and the many small tests last: they fill up the workers at
# the end, when whole files that one worker has to itself are over. What measures time itself does not begin while most
# of the demo is still to come.
_IN_LINE = ("checkin", "docs", "uplink", "vision", "services", "ops", "web", "recording", "hardware", "exam")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place_in_line)
    for item in items:
        if isinstance(item, pytest.Function) and _shares_with_its_module(item):
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}-{item.path.stem}"))


def pytest_collection_finish() -> None:
    """What collecting has made stays to the end: no later collection of garbage need look at it again."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Moments among the parameters differ from worker to worker, and so do whole files, by the time that is in them."""
    if isinstance(val, bytes) and len(val) > 40:
        return "bytes"
    return "moment" if isinstance(val, int) and val > 1 << 40 else None


def _shares_with_its_module(item: pytest.Function) -> bool:
    """Whether it uses what is made once for its module, which is made once only when one worker has all who use it."""
    made = item._fixtureinfo.name2fixturedefs.values()
    return any(definitions[-1].scope == "module" for definitions in made)


def _place_in_line(item: pytest.Item) -> int:
    folder, *_ = item.path.relative_to(Path(__file__).parent).parts
    if item.path.name == "test_demo.py":
        return -1
    return _IN_LINE.index(folder) if folder in _IN_LINE else len(_IN_LINE)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskRoom]:
    """A desk room with six candidates and no faces."""
    made = make_desk_room(tmp_path)
    yield made
    made.db.close()


@pytest.fixture(scope="session", autouse=True)
def quick_pins() -> Iterator[None]:
    """Hashing a PIN takes long by design, at each sign-in too; a hash says by itself what it was made with."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("edge.exam.roster_room", "edge.demo.people"):
            patch.setattr(f"{module}.PasswordHasher", lambda **_: quick)
        yield


@pytest.fixture(scope="session", autouse=True)
def stores_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new store is some fifty migrations, each flushed to the disk: made by the first test, copied for the others."""
    prepare, kept = db._prepare, tmp_path_factory.mktemp("stores")

    def copied(path: Path, name: str, migrations: Mapping[str, str]) -> None:
        if migrations in (ROOM_MIGRATIONS, ANSWERS_MIGRATIONS) and not path.exists():
            made = kept / f"{name}.db"
            prepare(made, name, migrations)
            shutil.copyfile(made, path)
        prepare(path, name, migrations)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "_prepare", copied)
        yield


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright may run once in a thread, so whoever starts a browser of its own starts it by this one."""
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed; see provisioning/test-packages.sh")
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium: every tablet is a context of its own, and finds `room.test` here."""
    running = chromium(playwright, *STILL, f"--host-resolver-rules=MAP {NAME} 127.0.0.1")
    yield running
    running.close()


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default face pack, built from the installed weights by the worker that comes first."""
    from edge.vision import packs

    mine = tmp_path_factory.getbasetemp()
    folder = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "models"
    packs.install("dlib", folder)
    return folder


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The files that the packs `yunet` and `liveness` are made of, where the folder beside the checkout has them."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "models"
    if not folder.is_dir():
        pytest.skip("no ../shared/models beside this checkout")
    return folder


@pytest.fixture(scope="session")
def more_models(models_dir: Path, shared_models: Path) -> Path:
    """The models directory with `yunet` and `liveness` in it too."""
    from edge.vision import packs

    for name in ("yunet", "liveness"):
        packs.install(name, models_dir, origin=str(shared_models))
    return models_dir


@pytest.fixture(scope="session")
def yunet(more_models: Path) -> FacePack:
    from edge.vision import packs

    return packs.load("yunet", more_models)


@pytest.fixture(scope="session")
def pack(models_dir: Path) -> FacePack:
    from edge.vision import packs

    return packs.load("dlib", models_dir)
