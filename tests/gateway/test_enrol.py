"""Enrolment at the gateway: a token serves once, an answer may be lost, epochs follow one another."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from edge import clock
from edge.errors import BadInput
from edge.gateway.app import create_gateway
from edge.gateway.bundles import publish
from edge.gateway.rooms import issue_token
from edge.gateway.settings import DAY_MS, Province
from edge.gateway.tables import alarms, epochs, tokens
from edge.trust import token as tokens_of_people
from edge.trust.certificate import check
from edge.trust.protocol import EnrolAnswer, enrol_proof, open_gateway_key
from edge.trust.signer import Ed25519Signer
from support.gateways import FakeRoom


def refused(room: FakeRoom, request: dict[str, str]) -> tuple[int, str]:
    response = room.client.post("/v1/enrol", json=request)
    return response.status_code, response.get_json()["error"]


def rows(province: Province, table: Any) -> list[Any]:
    with province.engine.connect() as connection:
        return list(connection.execute(select(table)))


def test_a_token_becomes_a_certificate_and_names_the_gateways_key(client: FlaskClient, province: Province) -> None:
    room = FakeRoom(client, province)
    answer = EnrolAnswer.model_validate_json(client.post("/v1/enrol", json=room.request(room.token())).data)
    certificate = check(answer.certificate.encode(), province.root.public, clock.wall_ms())
    assert (certificate.room, certificate.epoch, certificate.institution) == ("room-1", 1, "示例学校")
    assert certificate.issuer == "示例省"
    assert certificate.public == room.signer.public
    assert certificate.seal_public == room.seal.public
    assert open_gateway_key(answer.gateway.encode(), province.root.public).public == province.key.public
    assert answer.root == province.root.public.hex()


@pytest.mark.parametrize("key", [bytes(32), b"\1" + bytes(31)])
def test_a_key_that_takes_no_seal_is_refused_and_costs_no_other_room_its_bundles(
    client: FlaskClient, province: Province, key: bytes
) -> None:
    room, other = FakeRoom(client, province, "room-1"), FakeRoom(client, province, "room-2").enrol()
    token = room.token()
    request = room.request(token) | {"seal_key": key.hex(), "proof": enrol_proof(room.signer, token, key)}
    assert refused(room, request) == (400, "seal_key_wrong")
    publish(province, "policy", "policy", b"{}", None)
    assert len(other.get("bundles").get_json()["bundles"]) == 1
    room.enrol(token)


def test_a_lost_answer_is_given_again_byte_for_byte(client: FlaskClient, province: Province) -> None:
    room = FakeRoom(client, province)
    request = room.request(room.token())
    first, again = (client.post("/v1/enrol", json=request).data for _ in range(2))
    assert first == again
    assert len(rows(province, epochs)) == 1


def test_a_spent_token_is_refused_to_other_keys_and_alarmed(client: FlaskClient, province: Province) -> None:
    room = FakeRoom(client, province)
    token = room.token()
    room.enrol(token)
    thief = FakeRoom(client, province)
    for count in (1, 2):
        assert refused(thief, thief.request(token)) == (403, "token_used")
        [alarm] = rows(province, alarms)
        assert (alarm.code, alarm.room, alarm.count) == ("token_used", "room-1", count)
    half = FakeRoom(client, province, signer=room.signer)
    assert refused(half, half.request(token)) == (403, "token_used")
    assert len(rows(province, epochs)) == 1


def test_tokens_are_kept_as_hashes_only(client: FlaskClient, province: Province) -> None:
    token = issue_token(province, "room-1", "示例学校")
    [row] = rows(province, tokens)
    assert token not in str(row)
    assert row.token_sha256 == tokens_of_people.token_hash(token)
    assert row.expires_ms - row.created_ms == 30 * DAY_MS


def test_unknown_expired_and_foreign_tokens(
    client: FlaskClient, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = FakeRoom(client, province)
    unknown = tokens_of_people.new_token(province.root.public)
    foreign = tokens_of_people.new_token(Ed25519Signer.generate().public)
    for token in (unknown, foreign):
        assert refused(room, room.request(token)) == (403, "token_unknown")
    token = issue_token(province, "room-1", "示例学校", days=1)
    now = clock.wall_ms()
    with monkeypatch.context() as later:
        later.setattr(clock, "wall_ms", lambda: now + DAY_MS + 1000)
        assert refused(room, room.request(token)) == (403, "token_expired")
    assert rows(province, epochs) == []
    room.enrol(token)


def test_a_new_token_opens_the_next_epoch_and_closes_the_last(room: FakeRoom, province: Province) -> None:
    room.send(room.envelope(1), room.envelope(2))
    old = FakeRoom(room.client, province, signer=room.signer, certificate=room.certificate)
    spare = FakeRoom(room.client, province).enrol()
    assert spare.epoch == 2
    closed, opened = sorted(rows(province, epochs), key=lambda row: int(row.epoch))
    assert (closed.closed_seq, opened.closed_ms) == (2, None)
    assert closed.closed_ms is not None
    answer = old.get("status")
    assert (answer.status_code, answer.get_json()["error"]) == (403, "epoch_closed")
    assert spare.get("status").get_json()["epoch"] == 2


def test_keys_serve_in_one_epoch_only(room: FakeRoom, province: Province) -> None:
    assert refused(room, room.request(room.token())) == (409, "keys_reused")
    assert len(rows(province, epochs)) == 1
    assert room.get("status").status_code == 200, "the refused enrolment closed nothing"


def test_a_proof_by_another_key_is_refused(client: FlaskClient, province: Province) -> None:
    room, other = FakeRoom(client, province), FakeRoom(client, province)
    token = room.token()
    request = room.request(token) | {"seal_key": other.seal.public.hex()}
    assert refused(room, request) == (422, "enrol_proof")
    room.enrol(token)


@pytest.mark.parametrize("room", ["", "../x", "a b", "-x", "x" * 65, "考场"])
def test_a_room_id_that_cannot_stand_in_a_certificate_gets_no_token(province: Province, room: str) -> None:
    with pytest.raises(BadInput):
        issue_token(province, room, "示例学校")
    assert rows(province, tokens) == []


def test_two_who_race_for_one_token_do_not_both_win(province: Province) -> None:
    app = create_gateway(province)
    token = issue_token(province, "room-1", "示例学校")
    statuses: list[int] = []
    barrier = threading.Barrier(6)

    def try_it() -> None:
        with app.test_client() as client:
            request = FakeRoom(client, province).request(token)
            barrier.wait()
            statuses.append(client.post("/v1/enrol", json=request).status_code)

    threads = [threading.Thread(target=try_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 403, 403, 403, 403, 403]
    with province.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(epochs)).scalar_one() == 1
