"""Publishing: each room gets what is meant for it, sealed for the key it has now."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from edge import clock
from edge.errors import BadInput, Conflict, NotFound
from edge.gateway.bundles import publish
from edge.gateway.settings import DAY_MS, Province
from edge.trust.seal import open_bundle
from support.gateways import FakeRoom

CONTENT = b'{"bank":"safety"}' * 1000


def listed(room: FakeRoom) -> list[dict[str, Any]]:
    bundles: list[dict[str, Any]] = room.get("bundles").get_json()["bundles"]
    return bundles


def fetch(room: FakeRoom, item: dict[str, Any]) -> bytes:
    with room.get(f"bundles/{item['kind']}/{item['name']}/{item['version']}") as response:
        assert response.status_code == 200
        data = response.data
    assert (len(data), hashlib.sha256(data).hexdigest()) == (item["size"], item["sha256"])
    return data


def plain(room: FakeRoom, province: Province, item: dict[str, Any]) -> bytes:
    return open_bundle(fetch(room, item), [province.root.public], room.room, room.seal, clock.wall_ms())[1]


def test_a_published_bank_reaches_the_room_and_nobody_else(
    room: FakeRoom, province: Province, client: FlaskClient
) -> None:
    other = FakeRoom(client, province, "room-2").enrol()
    item = publish(province, "roster", "S-1", CONTENT, ["room-1"])
    assert item.version == 1
    [mine] = listed(room)
    assert plain(room, province, mine) == CONTENT
    assert listed(other) == []
    assert other.get("bundles/roster/S-1/1").status_code == 404
    target = "/v1/rooms/room-1/bundles/roster/S-1/1"
    stolen = client.get(target, headers=other.header("GET", target))
    assert (stolen.status_code, stolen.get_json()["error"]) == (403, "request_other_room")


def test_rooms_share_one_file_and_each_opens_it(room: FakeRoom, province: Province, client: FlaskClient) -> None:
    other = FakeRoom(client, province, "room-2").enrol()
    publish(province, "bank", "safety", CONTENT, None)
    assert listed(room) == listed(other)
    for one in (room, other):
        assert plain(one, province, listed(one)[0]) == CONTENT
    assert len(list(province.bundles.glob("bank/safety/*.bundle"))) == 1


def test_a_room_that_enrols_later_gets_it_too(province: Province, client: FlaskClient) -> None:
    publish(province, "bank", "safety", CONTENT, None)
    late = FakeRoom(client, province, "room-7").enrol()
    assert plain(late, province, listed(late)[0]) == CONTENT
    assert listed(late) == listed(late), "sealed once, not at each look"


def test_a_new_epoch_gets_it_sealed_for_its_new_key(room: FakeRoom, province: Province, client: FlaskClient) -> None:
    publish(province, "bank", "safety", CONTENT, None)
    [before] = listed(room)
    spare = FakeRoom(client, province).enrol()
    [after] = listed(spare)
    assert after["sha256"] != before["sha256"]
    assert plain(spare, province, after) == CONTENT


def test_versions_only_rise(room: FakeRoom, province: Province) -> None:
    assert publish(province, "bank", "safety", b"1", None).version == 1
    assert publish(province, "bank", "safety", b"2", None).version == 2
    assert publish(province, "bank", "safety", b"9", None, version=9).version == 9
    for version in (1, 9):
        with pytest.raises(Conflict) as error:
            publish(province, "bank", "safety", b"x", None, version=version)
        assert error.value.code == "bundle_older"
    assert [item["version"] for item in listed(room)] == [1, 2, 9]
    assert plain(room, province, listed(room)[2]) == b"9"


def test_what_has_expired_is_no_longer_offered(
    room: FakeRoom, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(province, "bank", "safety", CONTENT, None, days=1)
    assert len(listed(room)) == 1
    later = clock.wall_ms() + 2 * DAY_MS
    monkeypatch.setattr(clock, "wall_ms", lambda: later)
    assert listed(room) == []


def test_wrong_names_and_rooms_publish_nothing(room: FakeRoom, province: Province) -> None:
    for kind, name, audience in (("bank", "../x", None), ("bank", "", None), ("bank", "ok", ["a b"])):
        with pytest.raises(BadInput):
            publish(province, kind, name, b"x", audience)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        publish(province, "roster", "S-1", b"x", ["room-9"])
    assert listed(room) == []


def test_a_fetch_resumes_where_it_stopped(room: FakeRoom, province: Province) -> None:
    publish(province, "bank", "safety", CONTENT, None)
    [item] = listed(room)
    whole = fetch(room, item)
    path = "bundles/bank/safety/1"
    with room.get(path, Range="bytes=1000-", **{"If-Range": f'"{item["sha256"]}"'}) as response:
        assert response.status_code == 206
        assert response.headers["Content-Range"] == f"bytes 1000-{len(whole) - 1}/{len(whole)}"
        assert response.data == whole[1000:]
    with room.get(path, Range="bytes=1000-", **{"If-Range": '"another"'}) as response:
        assert (response.status_code, response.data) == (200, whole)


def test_a_lost_sealed_file_is_an_error_not_a_wrong_answer(room: FakeRoom, province: Province) -> None:
    publish(province, "bank", "safety", CONTENT, None)
    [file] = province.bundles.glob("bank/safety/*.bundle")
    Path(file).unlink()
    assert room.get("bundles/bank/safety/1").status_code >= 400
