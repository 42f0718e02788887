"""Gateways for tests: a province in a folder, its real HTTPS process, and a room as the gateway sees one."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from edge import clock
from edge.config import Config
from edge.gateway.rooms import issue_token
from edge.gateway.settings import Province, init_gateway, open_province
from edge.ops.ports import free_port
from edge.store import ledger, records
from edge.store.db import open_room, transaction
from edge.trust import dsse
from edge.trust.certificate import Certificate, check
from edge.trust.enrolment import Identity
from edge.trust.protocol import EnrolAnswer, EnrolRequest, authorization, enrol_proof
from edge.trust.seal import SealKey
from edge.trust.signer import Ed25519Signer
from edge.uplink.client import GatewayClient, endpoint
from edge.uplink.enrol import enrol
from support import warm
from support.rooms import make_config
from support.serving import until
from support.warm import Forked


def make_province(folder: Path, name: str = "witness.example") -> Province:
    init_gateway(folder, name, "示例省", [])
    return open_province(folder)


def result_envelope(room: str, epoch: int, seq: int, signer: Ed25519Signer, **more: Any) -> bytes:
    payload = {"version": 1, "room": room, "epoch": epoch, "seq": seq, "verdict": "passed", **more}
    return dsse.sign_envelope(dsse.RESULT, payload, [signer])


@dataclass
class FakeRoom:
    """A room's side over Flask's test client, without the room's software: the contract, and ways to break it."""

    client: FlaskClient
    province: Province
    room: str = "room-1"
    signer: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    seal: SealKey = field(default_factory=SealKey.generate)
    certificate: Certificate | None = None

    def token(self) -> str:
        return issue_token(self.province, self.room, "示例学校")

    def request(self, token: str) -> dict[str, str]:
        body = EnrolRequest(
            token=token,
            sign_key=self.signer.public.hex(),
            seal_key=self.seal.public.hex(),
            proof=enrol_proof(self.signer, token, self.seal.public),
        )
        return body.model_dump()

    def enrol(self, token: str | None = None) -> FakeRoom:
        response = self.client.post("/v1/enrol", json=self.request(token or self.token()))
        assert response.status_code == 200, response.text
        answer = EnrolAnswer.model_validate_json(response.data)
        self.certificate = check(answer.certificate.encode(), self.province.root.public)
        return self

    @property
    def epoch(self) -> int:
        assert self.certificate is not None
        return self.certificate.epoch

    def header(self, method: str, target: str, body: bytes = b"", at_ms: int | None = None) -> dict[str, str]:
        when = clock.wall_ms() if at_ms is None else at_ms
        return {"Authorization": authorization(self.signer, self.room, self.epoch, method, target, body, when)}

    def get(self, rest: str, **headers: str) -> TestResponse:
        target = f"/v1/rooms/{self.room}/{rest}"
        return self.client.get(target, headers=self.header("GET", target) | headers)

    def post(self, rest: str, body: bytes) -> TestResponse:
        target = f"/v1/rooms/{self.room}/{rest}"
        headers = self.header("POST", target, body)
        return self.client.post(target, data=body, headers=headers, content_type="application/json")

    def envelope(self, seq: int, **more: Any) -> bytes:
        return result_envelope(self.room, self.epoch, seq, self.signer, **more)

    def send(self, *envelopes: bytes) -> list[dict[str, Any]]:

        response = self.post("results", json.dumps({"envelopes": [one.decode() for one in envelopes]}).encode())
        assert response.status_code == 200, response.text
        items: list[dict[str, Any]] = response.get_json()["items"]
        return items


class GatewayProcess:
    """A real `examroom gateway serve` on a free port. `script` may be another program that serves the same folder."""

    def __init__(self, folder: Path, script: str | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = folder / "tls" / "ca.pem"
        self._script = script
        self.process: subprocess.Popen[bytes] | Forked | None = None

    def start(self) -> GatewayProcess:
        options, file = ["--dir", str(self.folder), "--port", str(self.port)], self.folder / "serve.log"
        if self._script is None:
            self.process = warm.start(["gateway", "serve", *options], file)
        else:
            command = [sys.executable, "-W", "ignore", self._script, *options]
            with file.open("ab") as log:
                self.process = subprocess.Popen(command, start_new_session=True, stdout=log, stderr=log)
        until(self.answers, 20, "the gateway answers")
        return self

    def answers(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/v1/health", verify=str(self.ca), timeout=5).status_code == 200
        return False

    def send_signal(self, number: int) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            if number == signal.SIGTERM:
                self.process.terminate()
            else:
                self.send_signal(number)
            try:
                self.process.wait(10)
            finally:
                self.send_signal(signal.SIGKILL)
                self.process.wait()
            self.process = None


@contextmanager
def gateway_process(folder: Path) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(folder).start()
    try:
        yield gateway
    finally:
        gateway.stop()


@dataclass
class RealRoom:
    """An enrolled room with its real store, speaking to a real gateway."""

    config: Config
    identity: Identity
    db: sqlite3.Connection
    client: GatewayClient

    @property
    def name(self) -> str:
        return self.identity.certificate.room

    def close(self) -> None:
        self.client.close()
        self.db.close()

    def add_results(self, count: int) -> list[records.Result]:
        """Sign `count` results as the exam does: row, ledger entry and outbox row in one transaction."""
        return add_results(self.db, self.identity, count)


def add_results(db: sqlite3.Connection, identity: Identity, count: int) -> list[records.Result]:
    made: list[records.Result] = []
    certificate = identity.certificate
    with transaction(db):
        for _ in range(count):
            seq = records.next_result_seq(db, certificate.epoch)
            envelope = result_envelope(certificate.room, certificate.epoch, seq, identity.keys.sign)
            sha256 = hashlib.sha256(envelope).hexdigest()
            result = records.Result(certificate.epoch, seq, "S", f"p{certificate.epoch}-{seq}", envelope, sha256)
            records.add_result(db, result)
            ledger.append(db, "result", {"epoch": certificate.epoch, "seq": seq, "sha256": sha256})
            made.append(result)
    return made


def room_config(folder: Path, gateway: GatewayProcess | None, **options: object) -> Config:
    section = {"poll_seconds": 0.5, "timeout_seconds": 5.0, **options}
    if gateway is not None:
        section |= {"url": gateway.url, "ca": str(gateway.ca)}
    return make_config(folder, gateway=section, ledger={"checkpoint_seconds": 0.3})


def real_room(folder: Path, province: Province, gateway: GatewayProcess, room: str, **options: object) -> RealRoom:
    config = room_config(folder, gateway, **options)
    identity = enrol(config, None, None, issue_token(province, room, "示例学校"))
    return RealRoom(
        config, identity, open_room(config.paths.room_db), GatewayClient(endpoint(config, identity), identity)
    )


def flipped(data: bytes, at: int, mask: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def payload_of(envelope: bytes) -> dict[str, Any]:
    return dsse.peek(envelope).payload


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
