"""Answers sent by the thread that commits: each tablet its own, refusals too, whatever the sockets do."""

from __future__ import annotations

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.ops.ports import free_port
from support.rooms import make_desk_room
from support.serving import open_exam, serving


class Raw:
    """A tablet on one bare connection."""

    def __init__(self, base: str, code: str) -> None:
        host, port = base.removeprefix("http://").split(":")
        self.host = f"{host}:{port}"
        self.sock = socket.create_connection((host, int(port)), 20)
        self.cookie = self.csrf = ""
        head, claimed = self.ask("POST", "/exam/api/claim", {"seat_code": code})
        self.cookie = head.split("Set-Cookie: ")[1].split(";")[0]
        self.csrf = claimed["csrf"]
        _, paper = self.ask("GET", "/exam/api/paper")
        self.items = [i["id"] for part in paper["parts"] for i in part["items"] if i["type"] in ("judgement", "single")]
        self.seq = 0

    def request(self, method: str, path: str, body: dict[str, Any] | None = None, more: str = "") -> bytes:
        data = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nCookie: {self.cookie}\r\nX-CSRF: {self.csrf}\r\n{more}"
        )
        if data:
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        return head.encode() + b"\r\n" + data

    def answer(self, **other: Any) -> dict[str, Any]:
        self.seq += 1
        item = self.items[self.seq % len(self.items)]
        body = {"op_id": uuid.uuid4().hex, "seq": self.seq, "item": item, "base_version": 0, "value": ["A"]}
        return body | other

    def read(self) -> tuple[str, dict[str, Any]]:
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self._more()
        return head.decode(), json.loads(body)

    def _more(self) -> bytes:
        data = self.sock.recv(65536)
        assert data, "hung up"
        return data

    def ask(self, *what: Any, **more: Any) -> tuple[str, dict[str, Any]]:
        self.sock.sendall(self.request(*what, **more))
        return self.read()


@pytest.fixture
def tablets(tmp_path: Path) -> Iterator[list[Raw]]:
    """Eight tablets at a `web` of four threads, the exam running."""
    room = make_desk_room(tmp_path, size=8, web={"port": free_port(), "threads": 4})
    with serving(room, tmp_path) as (_, base):
        proctor, codes = open_exam(base, room.session)
        proctor.close()
        seated = [Raw(base, code) for code in codes]
        yield seated
        for tablet in seated:
            tablet.sock.close()
    room.db.close()


def test_more_tablets_than_threads_each_hear_of_their_own(tablets: list[Raw]) -> None:
    def work(tablet: Raw) -> None:
        for _ in range(20):
            sent = tablet.answer(base_version=tablet.seq // len(tablet.items))
            head, told = tablet.ask("POST", "/exam/api/answers", sent)
            heard.append((head.split()[1], told.get("op_id") == sent["op_id"]))

    heard: list[tuple[str, bool]] = []
    threads = [threading.Thread(target=work, args=(tablet,)) for tablet in tablets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert heard == [("200", True)] * 20 * len(tablets)


def test_a_refusal_is_the_same_as_from_any_view(tablets: list[Raw]) -> None:
    tablet = tablets[0]
    head, told = tablet.ask("POST", "/exam/api/answers", tablet.answer(seq=7))
    assert head.startswith("HTTP/1.1 409 ")
    assert (told["error"], told["expected"]) == ("sequence_wrong", 1)
    assert told["zh"] != told["en"]
    for name in ("Cache-Control: no-store", "X-Content-Type-Options: nosniff", "Content-Type: application/json"):
        assert name in head
    head, _ = tablet.ask("POST", "/exam/api/answers", tablet.answer(seq=1))
    assert head.startswith("HTTP/1.1 200 ")
    assert "Connection: keep-alive" in head
    head, told = tablet.ask("POST", "/exam/api/answers", tablet.answer(seq=2), more="Connection: close\r\n")
    assert told["outcome"] == "applied"
    assert "Connection: close" in head
    assert tablet.sock.recv(1) == b""


def test_two_requests_in_one_packet_are_answered_in_their_order(tablets: list[Raw]) -> None:
    tablet = tablets[0]
    first, second = tablet.answer(), tablet.answer()
    both = [tablet.request("POST", "/exam/api/answers", body) for body in (first, second)]
    tablet.sock.sendall(b"".join(both))
    got = b""
    while got.count(b'"op_id"') < 2:
        got += tablet.sock.recv(65536)
    assert 0 < got.index(first["op_id"].encode()) < got.index(second["op_id"].encode())


def test_tablets_that_vanish_hold_up_nobody(tablets: list[Raw]) -> None:
    for _ in range(30):
        for tablet in tablets[1:]:
            tablet.sock.sendall(tablet.request("POST", "/exam/api/answers", tablet.answer()))
        began = time.monotonic()
        head, _ = tablets[0].ask("POST", "/exam/api/answers", tablets[0].answer(base_version=99))
        assert head.startswith("HTTP/1.1 200 ")
        assert time.monotonic() - began < 20
        for tablet in tablets[1:]:
            tablet.sock.close()
            host, port = tablet.host.split(":")
            tablet.sock = socket.create_connection((host, int(port)), 20)
