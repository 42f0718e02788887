"""Durable answer saves a second of the real `web`, beside a route of the same process that touches no disk.

    python tests/bench/saves.py [--clients 100] [--seconds 8] [--json] [--record]

One selector loop plays every tablet: a connection each, the next request as soon as the last is answered, so the
server is saturated and the client is not the limit. The no-op is GET /exam/api/clock: the same connection, cookie,
layers and JSON, and nothing to write. Where strace is there, a third run counts the disk's flushes.
"""

from __future__ import annotations

import json
import selectors
import shutil
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import report
from support.rooms import DeskRoom, make_desk_room
from support.serving import free_port, open_exam, serving

MOST_CLIENTS = 150  # seats the simulated class can have
TIMEOUT = 30.0


@dataclass
class Client:
    """One tablet on one keep-alive connection."""

    sock: socket.socket
    host: str
    cookie: str = ""
    csrf: str = ""
    seq: int = 0
    items: list[tuple[str, str]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    inbox: bytearray = field(default_factory=bytearray)
    turn: int = 0

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nCookie: {self.cookie}\r\nX-CSRF: {self.csrf}\r\n"
        if data:
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        return head.encode() + b"\r\n" + data

    def take(self) -> tuple[bytes, bytes] | None:
        """One whole response (head, body) out of the inbox, or None while it is not all there."""
        end = self.inbox.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.inbox[:end])
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self.inbox) < end + 4 + length:
            return None
        body = bytes(self.inbox[end + 4 : end + 4 + length])
        del self.inbox[: end + 4 + length]
        return head, body

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[bytes, dict[str, Any]]:
        """One request and its answer, waited for; not for the measured part."""
        self.sock.sendall(self.request(method, path, body))
        while (whole := self.take()) is None:
            self._receive()
        head, data = whole
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(f"{path}: {data.decode()[:300]}")
        return head, json.loads(data)

    def _receive(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise RuntimeError("web hung up")
        self.inbox += data

    def sit_down(self, code: str) -> None:
        head, answer = self.ask("POST", "/exam/api/claim", {"seat_code": code})
        self.cookie = head.split(b"Set-Cookie: ")[1].split(b";")[0].decode()
        self.csrf = answer["csrf"]
        _, paper = self.ask("GET", "/exam/api/paper")
        self.seq = paper["next_seq"]
        self.items = [(i["id"], i["options"][0]["key"]) for part in paper["parts"] for i in part["items"]]

    def next_save(self) -> bytes:
        item, key = self.items[self.turn % len(self.items)]
        self.turn += 1
        body = {"op_id": uuid.uuid4().hex, "seq": self.seq, "item": item, "value": [key]}
        self.seq += 1
        version = self.versions.get(item, 0)
        self.versions[item] = version + 1
        return self.request("POST", "/exam/api/answers", {**body, "base_version": version})

    def next_noop(self) -> bytes:
        return self.request("GET", "/exam/api/clock")


def saturate(clients: list[Client], seconds: float, make: Callable[[Client], bytes]) -> tuple[float, list[float]]:
    """Answered requests a second over `seconds`, and each one's latency in seconds. Any refusal is an error."""
    chooser = selectors.DefaultSelector()
    sent: dict[int, float] = {}
    waiting = len(clients)
    for client in clients:
        chooser.register(client.sock, selectors.EVENT_READ, client)
        client.sock.sendall(make(client))
        sent[client.sock.fileno()] = time.perf_counter()
    took: list[float] = []
    began = time.perf_counter()
    end = began + seconds
    within = 0
    while waiting:
        for key, _ in chooser.select(TIMEOUT):
            client = key.data
            client._receive()
            whole = client.take()
            if whole is None:
                continue
            now = time.perf_counter()
            if b" 200 " not in whole[0].split(b"\r\n")[0]:
                raise RuntimeError(whole[1].decode()[:300])
            if now < end:
                within += 1
                took.append(now - sent[key.fd])
                client.sock.sendall(make(client))
                sent[key.fd] = time.perf_counter()
            else:
                waiting -= 1
    chooser.close()
    return within / seconds, took


def open_clients(room: DeskRoom, base: str, limit: int) -> list[Client]:
    proctor, codes = open_exam(base, room.session)
    proctor.close()
    host, port = base.removeprefix("http://").split(":")
    clients = []
    for code in codes[:limit]:
        sock = socket.create_connection((host, int(port)), TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients.append(Client(sock, f"{host}:{port}"))
        clients[-1].sit_down(code)
    return clients


def hang_up(clients: list[Client]) -> None:
    for client in clients:
        client.sock.close()


def a_room(folder: Path, clients: int) -> DeskRoom:
    return make_desk_room(folder, size=clients, web={"port": free_port(), "threads": clients + 8})


def save_figures(folder: Path, count: int, seconds: float) -> dict[str, Any]:
    """Rates in turn (no-op, save, no-op, save), the better of each, and the latencies of the saves."""
    room = a_room(folder, count)
    rates: dict[str, float] = {"noop": 0.0, "save": 0.0}
    latencies: list[float] = []
    try:
        with serving(room, folder) as (_, base):
            clients = open_clients(room, base, count)
            saturate(clients, 1.0, Client.next_noop)
            for kind, make in (("noop", Client.next_noop), ("save", Client.next_save)) * 2:
                rate, took = saturate(clients, seconds / 4, make)
                rates[kind] = max(rates[kind], rate)
                latencies += took if kind == "save" else []
            hang_up(clients)
    finally:
        room.db.close()
    latencies.sort()
    return {
        "clients": count,
        "saves_a_second": round(rates["save"]),
        "noop_a_second": round(rates["noop"]),
        "saves_to_noop": round(rates["save"] / rates["noop"], 2),
        "save_ms_median": round(1000 * latencies[len(latencies) // 2]),
        "save_ms_p99": round(1000 * latencies[len(latencies) * 99 // 100]),
    }


def flushes_per_save(folder: Path, count: int, seconds: float) -> float:
    """fdatasync and fsync calls of `web` for each acknowledged save, counted by strace in a run of its own."""
    trace = folder / "trace"
    prefix = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=fsync,fdatasync", "-o", str(trace))
    room = a_room(folder, count)
    try:
        with serving(room, folder, prefix) as (_, base):
            clients = open_clients(room, base, count)
            before = len(trace.read_bytes().splitlines())
            _, took = saturate(clients, seconds / 2, Client.next_save)
            flushes = len(trace.read_bytes().splitlines()) - before
            hang_up(clients)
    finally:
        room.db.close()
    return flushes / (len(took) + count)


@click.command()
@click.option("--clients", type=click.IntRange(1, MOST_CLIENTS), default=100, show_default=True)
@click.option("--seconds", type=click.FloatRange(2, 600), default=16.0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(clients: int, seconds: float, as_json: bool, keep: bool) -> None:
    """Benchmark durable answer saves of the real web process."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        figures = save_figures(Path(first), clients, seconds)
        if shutil.which("strace"):
            figures["flushes_per_save"] = round(flushes_per_save(Path(second), clients, seconds), 3)
    report("saves", figures, as_json, keep)


if __name__ == "__main__":
    main()
