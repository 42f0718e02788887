"""A province in a folder, its application, and an enrolled room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from edge.gateway.app import create_gateway
from edge.gateway.settings import Province
from support.gateways import FakeRoom, make_province


@pytest.fixture
def province(tmp_path: Path) -> Iterator[Province]:
    made = make_province(tmp_path / "gateway")
    yield made
    made.close()


@pytest.fixture
def client(province: Province) -> FlaskClient:
    return create_gateway(province).test_client()


@pytest.fixture
def room(client: FlaskClient, province: Province) -> FakeRoom:
    return FakeRoom(client, province).enrol()
