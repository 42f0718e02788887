"""The gateway releases the second share near a session it planned, to the room the bank is for, and notes it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.cli import main
from edge.errors import Refused
from edge.gateway.app import create_gateway
from edge.gateway.bundles import publish
from edge.gateway.rooms import suspend
from edge.gateway.settings import DAY_MS, Province
from edge.gateway.tables import releases, requests
from edge.trust.protocol import open_release, release_info
from edge.trust.seal import open_bundle, read_manifest
from edge.trust.shares import new_codes, open_slip, read_code, xor
from support.gateways import FakeRoom

PLAIN = b'{"bank":"safety","items":[]}'
HOUR_MS = 3_600_000


def ask(room: FakeRoom, name: str = "safety", version: int = 1) -> TestResponse:
    return room.post("releases", json.dumps({"name": name, "version": version, "session": "S-1"}).encode())


def share_of(room: FakeRoom, province: Province, answer: TestResponse) -> bytes:
    assert answer.status_code == 200, answer.text
    grant = open_release(answer.get_json()["release"].encode(), province.key.public)
    assert (grant.room, grant.epoch, grant.name, grant.session) == (room.room, room.epoch, "safety", "S-1")
    return room.seal.unwrap(base64.b64decode(grant.share), release_info(room.room, room.epoch, "safety", 1))


def fetched(room: FakeRoom) -> bytes:
    with room.get("bundles/bank/safety/1") as response:
        return response.data


def plan(province: Province, planned_ms: int, name: str = "S-1", bank: str = "safety") -> None:
    roster: dict[str, Any] = {"session": {"id": name, "planned_ms": planned_ms}, "bank": {"name": bank, "version": 1}}
    publish(province, "roster", name, json.dumps(roster).encode(), ["room-1"])


@pytest.fixture
def codes(province: Province) -> tuple[str, str]:
    made = new_codes()
    publish(province, "bank", "safety", PLAIN, ["room-1"], codes=made)
    return made


def test_it_opens_the_bundle_with_the_release_and_with_the_slips(
    room: FakeRoom, province: Province, codes: tuple[str, str]
) -> None:
    data, root = fetched(room), [province.root.public]
    with pytest.raises(Refused):
        open_bundle(data, root, room.room, room.seal, clock.wall_ms())
    manifest = read_manifest(data, root)
    assert manifest.release is not None and manifest.release.ways == ["gateway", "codes"]
    share = share_of(room, province, ask(room))
    assert share == xor(*(open_slip(manifest.release, manifest.content, n, codes[n - 1]) for n in (1, 2)))
    assert open_bundle(data, root, room.room, room.seal, clock.wall_ms(), share)[1] == PLAIN
    with province.engine.connect() as connection:
        [kept] = connection.execute(select(releases)).all()
        [logged] = connection.execute(select(requests).where(requests.c.route.like("%releases"))).all()
    assert (kept.room, kept.name, kept.session, json.loads(logged.shas)) == ("room-1", "safety", "S-1", [kept.sha256])


def test_a_room_that_enrols_again_keeps_its_codes_and_gets_a_new_half(
    room: FakeRoom, province: Province, codes: tuple[str, str]
) -> None:
    before = share_of(room, province, ask(room))
    old = fetched(room)
    again = FakeRoom(room.client, province).enrol()
    assert again.get("bundles").status_code == 200  # sealed for the new key when the list is asked for
    assert share_of(again, province, ask(again)) == before
    manifest = read_manifest(fetched(again), [province.root.public])
    assert fetched(again) != old and manifest.release is not None
    assert open_slip(manifest.release, manifest.content, 1, codes[0])


@pytest.mark.parametrize(("hours", "reason"), [(3, "release_early"), (-30, "release_no_session")])
def test_not_before_the_session_s_time_and_not_long_after(
    room: FakeRoom, province: Province, codes: tuple[str, str], hours: int, reason: str
) -> None:
    assert codes
    plan(province, clock.wall_ms() + hours * HOUR_MS)
    answer = ask(room)
    assert (answer.status_code, answer.get_json()["error"]) == (403, reason)
    assert "{" not in answer.get_json()["zh"]
    plan(province, clock.wall_ms() + HOUR_MS // 2, "S-2")
    assert ask(room).status_code == 200


def test_not_before_the_bank_s_own_day_and_for_no_other_room(
    room: FakeRoom, province: Province, client: FlaskClient, codes: tuple[str, str]
) -> None:
    assert codes
    later = clock.wall_ms() + DAY_MS
    publish(province, "bank", "late", PLAIN, None, codes=new_codes(), not_before_ms=later)
    publish(province, "bank", "plain", PLAIN, None)
    other = FakeRoom(client, province, "room-2").enrol()
    assert other.get("bundles").status_code == 200
    for asking, name, status, reason in (
        (room, "late", 403, "release_early"),
        (room, "plain", 404, "release_unknown"),
        (room, "nowhere", 404, "release_unknown"),
        (other, "safety", 404, "release_unknown"),
    ):
        answer = ask(asking, name)
        assert (answer.status_code, answer.get_json()["error"]) == (status, reason)
    suspend(province, "room-1", "核查")
    assert ask(room).get_json()["error"] == "room_suspended"
    assert room.post("releases", b"{}").status_code in (400, 403)


def test_the_command_publishes_with_slips_and_counts(tmp_path: Path, province: Province) -> None:
    plain, out = tmp_path / "bank.json", tmp_path / "slips"
    plain.write_bytes(content_of(sample_bank()))
    FakeRoom(create_gateway(province).test_client(), province).enrol()
    command = ["gateway", "publish", "--dir", str(province.folder), "--kind", "bank", "--name", "sample"]
    command += ["--content", str(plain), "--json", "--two-person"]
    assert CliRunner().invoke(main, command).exit_code == 2
    made = CliRunner().invoke(main, [*command, "--codes-out", str(out)])
    assert made.exit_code == 0, made.output
    told = json.loads(made.output)
    assert len(told["slips"]) == 4 and told["version"] == 1
    [bundle] = province.bundles.glob("bank/sample/*.bundle")
    manifest = read_manifest(bundle.read_bytes(), [province.root.public])
    assert manifest.release is not None and sum(row[-1] for row in manifest.facts["stock"]) == manifest.facts["items"]
    typed = next(line for line in (out / "slip-2.txt").read_text().splitlines() if line.startswith("    "))
    assert open_slip(manifest.release, manifest.content, 2, read_code(typed, 2))
    assert typed.replace(" ", "") not in (province.folder / "gateway.db").read_bytes().decode("latin-1")
    assert CliRunner().invoke(main, [*command, "--codes-out", str(out)]).exit_code == 2
