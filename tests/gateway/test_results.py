"""Results are stored once each and answered with their one receipt, in any order, however often they come."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import threading
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from edge import clock
from edge.domain import merkle
from edge.gateway.app import create_gateway
from edge.gateway.rooms import suspend
from edge.gateway.settings import DAY_MS, Province
from edge.gateway.tables import alarms, requests, results
from edge.trust import dsse
from edge.trust.checkpoint import sign_note
from edge.trust.protocol import open_receipt
from edge.trust.signer import Ed25519Signer
from support.examples import examples
from support.gateways import FakeRoom, flipped, result_envelope


def stored(province: Province) -> dict[tuple[int, int], str]:
    with province.engine.connect() as connection:
        return {(row.epoch, row.seq): row.sha256 for row in connection.execute(select(results))}


def count(province: Province, table: Any) -> int:
    with province.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_a_receipt_says_what_was_taken(room: FakeRoom, province: Province) -> None:
    before = clock.wall_ms()
    envelope = room.envelope(1)
    [item] = room.send(envelope)
    assert (item["status"], item["outcome"], item["error"]) == (200, "stored", None)
    receipt = open_receipt(item["receipt"].encode(), province.key.public)
    assert (receipt.room, receipt.epoch, receipt.seq) == ("room-1", 1, 1)
    assert receipt.body_sha256 == hashlib.sha256(envelope).hexdigest()
    assert receipt.contiguous_to == 1
    assert receipt.tree_head is None
    assert before <= receipt.time_ms <= clock.wall_ms()


def test_a_receipt_names_the_tree_head_the_gateway_has_seen(room: FakeRoom, province: Province) -> None:
    assert room.certificate is not None
    origin, root = room.certificate.origin, merkle.leaf_hash(b"entry")
    body = {"note": sign_note(origin, 1, root, origin, room.signer), "old_size": 0, "proof": []}
    assert room.post("checkpoints", json.dumps(body).encode()).status_code == 200
    receipt = open_receipt(room.send(room.envelope(1))[0]["receipt"].encode(), province.key.public)
    assert receipt.tree_head is not None
    assert (receipt.tree_head.size, receipt.tree_head.root) == (1, root.hex())


def test_the_same_again_gets_the_same_receipt_byte_for_byte(room: FakeRoom, province: Province) -> None:
    envelopes = [room.envelope(seq) for seq in range(1, 51)]
    first = room.send(*envelopes)
    again = room.send(*reversed(envelopes))
    assert {item["outcome"] for item in first} == {"stored"}
    assert {item["outcome"] for item in again} == {"repeated"}
    assert [item["receipt"] for item in first] == [item["receipt"] for item in reversed(again)]
    assert len(stored(province)) == 50


def test_twice_in_one_batch_is_once(room: FakeRoom, province: Province) -> None:
    envelope = room.envelope(1)
    one, two = room.send(envelope, envelope)
    assert (one["outcome"], two["outcome"]) == ("stored", "repeated")
    assert one["receipt"] == two["receipt"]


def test_both_arrivals_are_in_the_request_log(room: FakeRoom, province: Province) -> None:
    envelopes = [room.envelope(seq) for seq in (1, 2, 3)]
    room.send(*envelopes)
    room.send(*envelopes)
    with province.engine.connect() as connection:
        logged = [r for r in connection.execute(select(requests)) if r.route.endswith("/results")]
    shas = [hashlib.sha256(envelope).hexdigest() for envelope in envelopes]
    assert [json.loads(row.shas) for row in logged] == [shas, shas]
    assert [(row.room, row.status, row.count) for row in logged] == [("room-1", 200, 3)] * 2


def test_another_content_under_a_taken_number_is_a_fork(room: FakeRoom, province: Province) -> None:
    envelope = room.envelope(1)
    room.send(envelope)
    other = room.envelope(1, verdict="failed")
    good, fork = room.send(room.envelope(2), other)
    assert good["outcome"] == "stored", "a fork does not hold up the others"
    assert (fork["status"], fork["outcome"], fork["receipt"]) == (409, "refused", None)
    assert fork["error"]["error"] == "result_fork"
    assert stored(province)[(1, 1)] == hashlib.sha256(envelope).hexdigest()
    room.send(other)
    with province.engine.connect() as connection:
        [alarm] = connection.execute(select(alarms))
    assert (alarm.code, alarm.count, bytes(alarm.evidence)) == ("result_fork", 2, other)


def test_a_fork_within_one_batch(room: FakeRoom, province: Province) -> None:
    one, two = room.send(room.envelope(1), room.envelope(1, other=True))
    assert (one["status"], two["status"]) == (200, 409)
    assert count(province, alarms) == 1


def test_any_order_reaches_the_same_end(room: FakeRoom, province: Province) -> None:
    order = list(range(1, 41))
    random.Random(7).shuffle(order)
    have: set[int] = set()
    for seq in order:
        [item] = room.send(room.envelope(seq))
        have.add(seq)
        contiguous = next(n for n in range(0, 42) if n + 1 not in have)
        assert open_receipt(item["receipt"].encode(), province.key.public).contiguous_to == contiguous
    assert room.get("status").get_json()["contiguous_to"] == 40
    assert sorted(seq for _, seq in stored(province)) == list(range(1, 41))


def test_each_wrong_envelope_is_refused_by_itself(room: FakeRoom, province: Province) -> None:
    stranger = Ed25519Signer.generate()
    good = room.envelope(1)
    wrong = [
        (result_envelope("room-1", 1, 2, stranger), 422, "signature_wrong"),
        (result_envelope("room-2", 1, 2, room.signer), 403, "result_room"),
        (result_envelope("room-1", 2, 2, room.signer), 404, "epoch_unknown"),
        (result_envelope("room-1", 1, 0, room.signer), 400, "payload_wrong"),
        (
            dsse.sign_envelope(dsse.POLICY, {"room": "room-1", "epoch": 1, "seq": 2}, [room.signer]),
            400,
            "envelope_type",
        ),
        (b"{}", 400, "envelope_broken"),
        (good + b" ", 400, "envelope_broken"),
        (b"[" * 5000, 400, "envelope_broken"),
    ]
    items = room.send(*(envelope for envelope, _, _ in wrong), good)
    assert [(item["status"], item["error"]["error"]) for item in items[:-1]] == [(s, c) for _, s, c in wrong]
    assert items[-1]["outcome"] == "stored"
    assert set(stored(province)) == {(1, 1)}


def test_any_flipped_byte_of_an_envelope_is_refused(room: FakeRoom, province: Province) -> None:
    envelope = room.envelope(1)
    flips = [flipped(envelope, at) for at in range(len(envelope))]
    for start in range(0, len(flips), 50):
        batch = [one for one in flips[start : start + 50] if one.isascii()]
        assert {item["outcome"] for item in room.send(*batch)} == {"refused"}
    assert stored(province) == {}


def test_a_closed_epoch_answers_what_it_has_and_takes_nothing_new(room: FakeRoom, province: Province) -> None:
    kept, late = room.envelope(1), room.envelope(2)
    [first] = room.send(kept)
    spare = FakeRoom(room.client, province).enrol()
    same, refused, fresh = spare.send(kept, late, spare.envelope(1))
    assert (same["outcome"], same["receipt"]) == ("repeated", first["receipt"])
    assert (refused["status"], refused["error"]["error"]) == (403, "epoch_closed")
    assert fresh["outcome"] == "stored"
    assert set(stored(province)) == {(1, 1), (2, 1)}


def test_a_suspended_room_still_delivers(room: FakeRoom, province: Province) -> None:
    suspend(province, "room-1", "抽查")
    assert room.send(room.envelope(1))[0]["outcome"] == "stored"
    status = room.get("status").get_json()
    assert (status["suspended"], status["reason"]) == (True, "抽查")
    assert room.get("bundles").get_json()["error"] == "room_suspended"
    suspend(province, "room-1", None)
    assert room.get("bundles").status_code == 200


def test_an_expired_certificate_delivers_nothing(
    room: FakeRoom, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = clock.wall_ms() + (province.settings.certificate_days + 1) * DAY_MS
    monkeypatch.setattr(clock, "wall_ms", lambda: end)
    response = room.post("results", json.dumps({"envelopes": [room.envelope(1).decode()]}).encode())
    assert (response.status_code, response.get_json()["error"]) == (422, "certificate_expired")
    assert stored(province) == {}


def test_the_same_result_from_many_at_once_is_stored_once(room: FakeRoom, province: Province) -> None:
    app = create_gateway(province)
    envelopes = [room.envelope(seq) for seq in range(1, 11)]
    receipts: list[list[str]] = []
    barrier = threading.Barrier(5)

    def send() -> None:
        with app.test_client() as client:
            mine = FakeRoom(client, province, signer=room.signer, certificate=room.certificate)
            barrier.wait()
            receipts.append([item["receipt"] for item in mine.send(*envelopes)])

    threads = [threading.Thread(target=send) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receipts) == 5
    assert all(one == receipts[0] for one in receipts)
    assert len(stored(province)) == 10


_BODIES = st.one_of(
    st.binary(max_size=400),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["envelopes", "note", "old_size", "proof", "x"]), inner, max_size=4)
        ),
    ).map(lambda value: json.dumps(value).encode()),
    st.lists(st.text(min_size=2, max_size=40), min_size=1, max_size=3).map(
        lambda texts: json.dumps({"envelopes": texts}).encode()
    ),
)


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=_BODIES, route=st.sampled_from(["results", "checkpoints"]))
def test_no_body_brings_the_gateway_down_or_stores_anything(
    room: FakeRoom, province: Province, body: bytes, route: str
) -> None:
    response = room.post(route, body)
    assert response.status_code < 500
    if response.status_code == 200:
        assert {item["outcome"] for item in response.get_json()["items"]} == {"refused"}
    else:
        assert set(response.get_json()) == {"error", "zh", "en", "facts", "time_ms"}
    assert stored(province) == {}
    assert room.get("status").get_json()["seen"] is None


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(noise=st.binary(max_size=120), place=st.sampled_from(["token", "sign_key", "seal_key", "proof"]))
def test_no_enrolment_body_brings_the_gateway_down(room: FakeRoom, noise: bytes, place: str) -> None:
    for body in (noise, json.dumps({place: base64.b64encode(noise).decode()}).encode()):
        response = room.client.post("/v1/enrol", data=body, content_type="application/json")
        assert 400 <= response.status_code < 500


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(path=st.text(max_size=30))
def test_no_path_brings_the_gateway_down(room: FakeRoom, path: str) -> None:
    for start in ("/", "/v1/rooms/", "/v1/rooms/room-1/bundles/bank/", "/v1/rooms/room-1/bundles/"):
        assert room.client.get(start + quote(path)).status_code < 500
