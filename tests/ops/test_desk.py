"""Staff of a desk or demo room, who sign in over whatever leads to it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import certifi
import pytest

from edge.demo.people import STAFF
from edge.gateway.tls import make_tls
from edge.ops.desk import Person
from edge.ops.ports import free_port
from support.rooms import make_desk_room
from support.serving import serving
from support.tls_front import Front


def test_the_rooms_own_certificate_stands_before_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    tls = tmp_path / "tls"
    make_tls(tls, "room", ["127.0.0.1"], datetime.now(UTC))
    both = tls / "both.pem"
    both.write_bytes((tls / "key.pem").read_bytes() + (tls / "cert.pem").read_bytes())
    desk = make_desk_room(tmp_path, web={"port": free_port(), "threads": 24})
    with serving(desk, tmp_path):
        front = Front(desk.config.web.port, SimpleNamespace(file=both))  # type: ignore[arg-type]
        proctor = Person(f"https://127.0.0.1:{front.port}", STAFF[0], verify=str(tls / "ca.pem"))
        proctor.sign_in("/console/")
        assert proctor.get(f"/console/api/{desk.session}/board")["session"]["id"] == desk.session
        proctor.close()
        front.cut()
    desk.db.close()
