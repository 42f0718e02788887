"""One real gateway process a test file, and rooms enrolled with it over HTTPS."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.gateway.settings import Province
from support.gateways import GatewayProcess, RealRoom, gateway_process, make_province, real_room

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    made = make_province(tmp_path_factory.mktemp("gateway") / "province")
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(province: Province) -> Iterator[GatewayProcess]:
    with gateway_process(province.folder) as running:
        yield running


@pytest.fixture
def make_room(tmp_path: Path, province: Province, gateway: GatewayProcess) -> Iterator[Callable[..., RealRoom]]:
    """`make_room(**gateway options)`: a newly enrolled room of a new name."""
    made: list[RealRoom] = []

    def make(**options: object) -> RealRoom:
        number = next(_NUMBERS)
        made.append(real_room(tmp_path / f"room-{number}", province, gateway, f"room-{number}", **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def room(make_room: Callable[..., RealRoom]) -> RealRoom:
    return make_room()
