"""Who may speak for a room: its key, its epoch, its time, once."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize, InvalidHeader, NoMoreData
from sqlalchemy import func, select

from edge import clock
from edge.gateway.settings import Province
from edge.gateway.tables import nonces
from edge.trust.protocol import SKEW_MS
from edge.trust.signer import Ed25519Signer
from support.gateways import FakeRoom

TARGET = "/v1/rooms/room-1/status"


def answer(client: FlaskClient, headers: dict[str, str], target: str = TARGET) -> tuple[int, str]:
    response = client.get(target, headers=headers)
    return response.status_code, (response.get_json() or {}).get("error", "")


def test_a_request_serves_once(room: FakeRoom) -> None:
    headers = room.header("GET", TARGET)
    assert answer(room.client, headers)[0] == 200
    assert answer(room.client, headers) == (401, "request_repeated")


def test_a_signature_is_for_one_method_target_and_body(room: FakeRoom) -> None:
    headers = room.header("GET", TARGET)
    assert answer(room.client, headers, TARGET + "?a=1") == (401, "request_signature")
    assert room.client.post("/v1/rooms/room-1/results", headers=headers).status_code == 401
    assert room.client.get(TARGET, headers=headers, data=b"x").status_code == 401
    assert answer(room.client, headers)[0] == 200, "a request somebody bent did not spend the real one"


def test_unsigned_unknown_and_foreign(room: FakeRoom, province: Province) -> None:
    assert answer(room.client, {}) == (401, "request_unsigned")
    thief = FakeRoom(room.client, province, signer=Ed25519Signer.generate(), certificate=room.certificate)
    assert answer(room.client, thief.header("GET", TARGET)) == (401, "request_signature")
    ghost = FakeRoom(room.client, province, "room-9", certificate=room.certificate)
    assert answer(room.client, ghost.header("GET", TARGET)) == (401, "request_signature")
    other = FakeRoom(room.client, province, "room-2").enrol()
    assert answer(room.client, other.header("GET", TARGET)) == (403, "request_other_room")


@pytest.mark.parametrize("off", [-SKEW_MS - 2000, SKEW_MS + 60_000, -(10**12)])
def test_a_wrong_clock_is_told_the_right_time(room: FakeRoom, off: int) -> None:
    now = clock.wall_ms()
    response = room.client.get(TARGET, headers=room.header("GET", TARGET, at_ms=now + off))
    body = response.get_json()
    assert (response.status_code, body["error"]) == (401, "clock_skew")
    assert abs(body["time_ms"] - now) < 5000
    assert answer(room.client, room.header("GET", TARGET, at_ms=body["time_ms"]))[0] == 200


@pytest.mark.parametrize("off", [-SKEW_MS + 5000, SKEW_MS - 5000])
def test_a_clock_a_little_off_will_do(room: FakeRoom, off: int) -> None:
    assert answer(room.client, room.header("GET", TARGET, at_ms=clock.wall_ms() + off))[0] == 200


def test_nonces_are_forgotten_when_their_time_is_over(
    room: FakeRoom, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = room.header("GET", TARGET)
    assert answer(room.client, early)[0] == 200
    later = clock.wall_ms() + 2 * SKEW_MS + 1000
    monkeypatch.setattr(clock, "wall_ms", lambda: later)
    assert answer(room.client, room.header("GET", TARGET))[0] == 200
    with province.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(nonces)).scalar_one() == 1
    assert answer(room.client, early) == (401, "clock_skew"), "forgotten, and yet it does not serve again"


class Broken(io.RawIOBase):
    """The body of a request as the server gives it when what comes is no HTTP."""

    def __init__(self, error: Exception) -> None:
        self.error, self.reads = error, 0

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: object) -> int:
        self.reads += 1
        raise self.error


def read_from(body: Broken) -> dict[str, object]:
    return {"wsgi.input": body, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}


BODIES = [InvalidChunkSize(b"x"), ChunkMissingTerminator(b"x"), InvalidHeader("x"), NoMoreData()]


@pytest.mark.parametrize("error", BODIES)
def test_a_body_that_is_no_http_is_a_bad_request(room: FakeRoom, error: Exception) -> None:
    for target, headers in (("/v1/enrol", {}), (TARGET.replace("status", "results"), room.header("POST", TARGET))):
        response = room.client.post(target, headers=headers, environ_overrides=read_from(Broken(error)))
        assert (response.status_code, response.get_json()["error"]) == (400, "page_request")


def test_nothing_is_read_from_whom_we_do_not_know(room: FakeRoom, province: Province) -> None:
    ghost = FakeRoom(room.client, province, "room-9", certificate=room.certificate)
    for headers in ({}, ghost.header("POST", TARGET)):
        body = Broken(NoMoreData())
        target = TARGET.replace("status", "results")
        assert room.client.post(target, headers=headers, environ_overrides=read_from(body)).status_code == 401
        assert body.reads == 0
