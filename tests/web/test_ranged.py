"""Ranges, resuming and revalidating as RFC 9110 has them; and the pace at which footage goes out."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from edge.errors import TooMany
from edge.ui import init_ui
from edge.web import bucket
from edge.web.bucket import Bucket, FootageFlow
from edge.web.ranged import ranged

DATA = bytes(range(256)) * 4
TAG = "a1b2"


class Told:
    """What was asked of the source of bytes."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def blocks(self, start: int, end: int) -> Iterator[bytes]:
        self.asked.append((start, end))
        return (DATA[at : min(at + 100, end)] for at in range(start, end, 100))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def client(told: Told) -> FlaskClient:
    app = Flask("ranged")
    init_ui(app)
    app.extensions["examroom"] = SimpleNamespace(footage=FootageFlow(lambda: 1e12, 2, lambda _: False))
    app.add_url_rule(
        "/api/film", "film", lambda: ranged(len(DATA), TAG, told.blocks, mimetype="video/mp4", name="film.mp4")
    )
    return app.test_client()


def get(client: FlaskClient, **headers: str) -> Any:
    return client.get("/api/film", headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_the_whole_says_how_to_ask_for_parts(client: FlaskClient, told: Told) -> None:
    answer = get(client)
    assert (answer.status_code, answer.data, answer.mimetype) == (200, DATA, "video/mp4")
    assert (answer.headers["ETag"], answer.headers["Accept-Ranges"]) == (f'"{TAG}"', "bytes")
    assert answer.headers["Content-Length"] == "1024" and "Content-Range" not in answer.headers
    assert answer.headers["Content-Disposition"] == 'attachment; filename="film.mp4"'
    assert told.asked == [(0, 1024)]


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1), ("bytes=7-7", 7, 8), ("bytes=0-", 0, 1024), ("bytes=1000-", 1000, 1024),
        ("bytes=1023-1023", 1023, 1024), ("bytes=500-99999", 500, 1024), ("bytes=-1", 1023, 1024),
        ("bytes=-5000", 0, 1024), ("BYTES=3-9", 3, 10),
    ],
)  # fmt: skip
def test_one_range_is_sent_alone(client: FlaskClient, told: Told, wanted: str, start: int, end: int) -> None:
    answer = get(client, Range=wanted)
    assert (answer.status_code, answer.data) == (206, DATA[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/1024"
    assert answer.headers["Content-Length"] == str(end - start)
    assert told.asked == [(start, end)], "no byte is read that is not sent"


@pytest.mark.parametrize("wanted", ["bytes=1024-", "bytes=5000-6000"])
def test_a_range_of_nothing_is_refused_with_the_length(client: FlaskClient, told: Told, wanted: str) -> None:
    answer = get(client, Range=wanted)
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */1024")
    assert answer.json["error"] == "footage_past_end" and "1024" in answer.json["zh"]
    assert told.asked == []


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=x-y",
        "bytes=5-2",
        "bytes=-0",
        "items=0-4",
        "bytes=1-2,5-6",
        "bytes=--4",
        "bytes=9²-",
    ],
)
def test_what_is_no_single_range_gets_the_whole(client: FlaskClient, wanted: str) -> None:
    answer = get(client, Range=wanted.encode().decode("latin-1"))
    assert (answer.status_code, answer.data) == (200, DATA)


def test_a_download_that_broke_off_goes_on_if_it_is_the_same_file(client: FlaskClient) -> None:
    broken = get(client)
    first = next(iter(broken.response))
    broken.close()
    rest = get(client, Range=f"bytes={len(first)}-", If_Range=broken.headers["ETag"])
    assert rest.status_code == 206 and first + rest.data == DATA
    for other in ('"other"', f'W/"{TAG}"', "Sat, 28 Nov 2026 00:00:00 GMT", ""):
        whole = get(client, Range="bytes=100-", If_Range=other)
        assert (whole.status_code, whole.data) == (200, DATA), other
    past = get(client, Range="bytes=4000-", If_Range='"other"')
    assert (past.status_code, past.data) == (200, DATA), "the range of another version counts for nothing"


def test_what_the_browser_has_is_not_sent_again(client: FlaskClient, told: Told) -> None:
    for known in (f'"{TAG}"', f'W/"{TAG}"', f'"x", "{TAG}"', "*"):
        answer = get(client, If_None_Match=known, Range="bytes=0-3")
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", f'"{TAG}"')
    assert told.asked == []
    assert get(client, If_None_Match='"other"').status_code == 200


def test_head_tells_all_and_reads_nothing(client: FlaskClient, told: Told) -> None:
    answer = client.head("/api/film", headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.data) == (200, b"")
    assert (answer.headers["Content-Length"], answer.headers["ETag"]) == ("1024", f'"{TAG}"')
    assert told.asked == []


# ---- the pace


def test_a_bucket_gives_what_was_saved_up_and_then_its_rate() -> None:
    now, rate = [100.0], [8_000.0]  # a thousand bytes a second
    one = Bucket(lambda: rate[0], lambda: now[0])
    assert one.take(1000) == 0
    assert one.take(500) == pytest.approx(0.5)
    assert one.take(500) == pytest.approx(1.0), "the next in line waits for those before"
    now[0] += 1
    rate[0] = 2_000.0
    assert one.take(500) == pytest.approx(2.0), "an exam has begun"
    now[0] += 60
    assert one.take(250) == 0, "no more than a second is saved up"
    assert one.take(250) == pytest.approx(1.0)


def test_a_minute_of_downloads_takes_no_more_than_its_share() -> None:
    now, sent = [0.0], 0
    one = Bucket(lambda: 8_000_000, lambda: now[0])
    while now[0] < 60:
        now[0] += one.take(262_144)
        sent += 262_144
    assert 60e6 <= sent <= 62e6


def flow(streams: int, waited: list[float]) -> FootageFlow:
    return FootageFlow(lambda: 8e6, streams, lambda seconds: waited.append(seconds) or False)


def test_few_are_sent_at_once_and_each_end_lets_the_next_one_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "PATIENCE_S", 0.0)
    one = flow(2, [])
    first, second = one.paced(lambda: iter([b"a"])), one.paced(lambda: iter([b"b"]))
    with pytest.raises(TooMany):
        one.paced(lambda: iter([b"c"]))
    assert list(first) == [b"a"]
    third = one.paced(lambda: iter([b"c"]))
    second.close()  # a client that went away before the first byte
    fourth = one.paced(lambda: iter([b"d"]))
    del third, fourth
    assert list(one.paced(lambda: iter([b"e"]))) == [b"e"]

    def broken() -> Iterator[bytes]:
        raise OSError

    for _ in range(5):
        with pytest.raises(OSError):
            one.paced(broken)
    assert list(one.paced(lambda: iter([b"f"]))) == [b"f"]


def test_blocks_wait_their_turn_and_end_with_the_process() -> None:
    waited: list[float] = []
    assert len(list(flow(1, waited).paced(lambda: iter([bytes(500_000)] * 4)))) == 4
    assert waited == [pytest.approx(0.5, abs=0.1), pytest.approx(1.0, abs=0.1)]
    ending = FootageFlow(lambda: 8, 1, lambda _: True)
    with pytest.raises(ConnectionResetError):
        list(ending.paced(lambda: iter([b"x" * 100] * 4)))


def test_a_paused_player_gives_its_place_to_whoever_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "PATIENCE_S", 0.0)
    one = flow(1, [])
    paused = one.paced(lambda: iter([b"a"] * 9))
    assert next(paused) == b"a"
    with pytest.raises(TooMany):
        one.paced(lambda: iter([b"b"]))
    monkeypatch.setattr(bucket, "STALLED_S", -1.0)
    others = [one.paced(lambda: iter([b"b"] * 9)) for _ in range(2)]
    with pytest.raises(TooMany):  # their threads are not free yet
        one.paced(lambda: iter([b"c"]))
    with pytest.raises(ConnectionResetError):
        next(paused)
    others.append(one.paced(lambda: iter([b"d"])))
    assert list(others[-1]) == [b"d"]
