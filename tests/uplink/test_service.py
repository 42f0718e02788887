"""The `uplink` service: it notices, sends, syncs and witnesses by itself, and stops when told, even mid-request."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.config import Config
from edge.gateway.bundles import publish
from edge.gateway.rooms import issue_token, suspend
from edge.gateway.settings import Province
from edge.services import uplink
from edge.store import bundles, ledger, outbox
from edge.store.db import open_room, transaction
from edge.store.status import read_statuses
from edge.trust.protocol import open_gateway_key, sign_gateway_key
from edge.trust.signer import Ed25519Signer
from edge.uplink.enrol import enrol, enrol_local
from support.gateways import GatewayProcess, RealRoom, gateway_process, make_province, real_room, room_config
from support.serving import until, write_config


@contextmanager
def running(config: Config) -> Iterator[threading.Event]:
    stop = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            uplink.run(config, stop)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        begun = time.monotonic()
        thread.join(10)
        assert not thread.is_alive()
        assert time.monotonic() - begun < 5
        assert errors == []


def said(config: Config) -> dict[str, object]:
    return read_statuses(config.paths.status).get("uplink", {})


def receipted(room: RealRoom) -> int:
    return outbox.counts(room.db)["receipted"]


def test_it_does_everything_by_itself(room: RealRoom, province: Province) -> None:
    room.add_results(3)
    publish(province, "bank", room.name, b"bank", [room.name])
    with running(room.config):
        until(lambda: receipted(room) == 3, 10)
        until(lambda: bundles.get(room.db, "bank", room.name, 1), 10)
        until(lambda: said(room.config).get("state") == "online", 10)
        room.add_results(2)
        until(lambda: receipted(room) == 5, 10)
        until(lambda: ledger.latest_checkpoint(room.db, witnessed=True), 10)
        until(lambda: said(room.config).get("receipted") == 5, 10)
        status = said(room.config)
    assert (status["last_error"], status["waiting"], status["refused"]) == (None, 0, 0)
    assert isinstance(status["contact_ms"], int)


def test_new_results_go_at_once_not_at_the_next_poll(make_room: Callable[..., RealRoom]) -> None:
    room = make_room(poll_seconds=600.0)
    with running(room.config):
        until(lambda: said(room.config).get("state") == "online", 10)
        room.add_results(1)
        until(lambda: receipted(room) == 1, 5)


def test_results_wait_while_the_gateway_is_away_and_go_when_it_is_back(tmp_path: Path) -> None:
    province = make_province(tmp_path / "province")
    gateway = GatewayProcess(province.folder).start()
    room = real_room(tmp_path / "room", province, gateway, "room-1")
    try:
        with running(room.config):
            until(lambda: said(room.config).get("state") == "online", 10)
            gateway.stop(signal.SIGKILL)
            room.add_results(4)
            until(lambda: said(room.config).get("state") == "offline", 10)
            until(lambda: said(room.config).get("last_error") == "gateway_unreachable", 10)
            assert outbox.counts(room.db)["waiting"] == 4
            gateway.start()
            until(lambda: receipted(room) == 4, 15)
            until(lambda: (said(room.config)["state"], said(room.config)["last_error"]) == ("online", None), 10)
    finally:
        room.close()
        gateway.stop()
        province.close()


@contextmanager
def tar_pit() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield server.getsockname()[1]


def test_it_stops_while_the_gateway_hangs_and_shows_life_meanwhile(make_room: Callable[..., RealRoom]) -> None:
    room = make_room(timeout_seconds=60.0)
    room.add_results(1)
    with tar_pit() as port:
        hung = room.config.gateway.model_copy(update={"url": f"https://127.0.0.1:{port}"})
        config = room.config.model_copy(update={"gateway": hung})
        with running(config):
            until(lambda: said(config), 10)
            first = said(config)["mono_ms"]
            until(lambda: said(config)["mono_ms"] != first, 3)
            with transaction(room.db):
                ledger.append(room.db, "incident", {})  # nobody holds the store while the line hangs
    assert outbox.counts(room.db) == {"waiting": 1, "receipted": 0, "refused": 0}


def test_a_frozen_gateway_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    province = make_province(tmp_path / "province")
    with gateway_process(province.folder) as gateway:
        room = real_room(tmp_path / "room", province, gateway, "room-1", timeout_seconds=60.0)
        try:
            with running(room.config):
                until(lambda: said(room.config).get("state") == "online", 10)
                gateway.send_signal(signal.SIGSTOP)
                room.add_results(1)
                time.sleep(1)
            assert outbox.counts(room.db)["waiting"] == 1
        finally:
            gateway.send_signal(signal.SIGCONT)
            room.close()
    province.close()


def test_without_a_gateway_it_still_makes_checkpoints(tmp_path: Path) -> None:
    config = room_config(tmp_path, None)
    with running(config):
        until(lambda: said(config).get("state") == "alone", 10)
        assert said(config)["last_error"] == "room_not_enrolled"
        enrol_local(config, "示例学校", "room-1")
        db = open_room(config.paths.room_db)
        until(lambda: ledger.latest_checkpoint(db), 10)
        until(lambda: (said(config)["state"], said(config)["last_error"]) == ("alone", None), 10)
        db.close()


def test_enrolment_needs_no_restart(tmp_path: Path, province: Province, gateway: GatewayProcess) -> None:
    config = room_config(tmp_path, gateway)
    with running(config):
        until(lambda: said(config).get("state") == "alone", 10)
        enrol(config, None, None, issue_token(province, "later-1", "示例学校"))
        until(lambda: said(config).get("state") == "online", 10)
        enrol(config, None, None, issue_token(province, "later-1", "示例学校"), again=True)
        until(lambda: said(config).get("last_error") is None, 10)
        db = open_room(config.paths.room_db)
        size = ledger.size(db)
        until(lambda: (tip := ledger.latest_checkpoint(db, witnessed=True)) and tip.size >= size, 10)
        db.close()


def test_a_suspended_room_says_so_and_delivers(room: RealRoom, province: Province) -> None:
    suspend(province, room.name, "检查")
    room.add_results(1)
    with running(room.config):
        until(lambda: receipted(room) == 1, 10)
        until(lambda: said(room.config).get("last_error") == "room_suspended", 10)
        assert said(room.config)["state"] == "online"
        assert said(room.config)["suspended"] is True
        until(lambda: ledger.latest_checkpoint(room.db, witnessed=True), 10)
        suspend(province, room.name, None)
        until(lambda: said(room.config).get("last_error") is None, 10)


def test_a_new_key_of_the_gateways_is_learnt_from_the_root(tmp_path: Path) -> None:
    province = make_province(tmp_path / "province")
    gateway = GatewayProcess(province.folder).start()
    room = real_room(tmp_path / "room", province, gateway, "room-1")
    try:
        gateway.stop()
        fresh = Ed25519Signer.generate()
        fresh.save(province.folder / "keys" / "gateway.key")
        told = open_gateway_key(province.statement, province.root.public).model_copy(update={"key": fresh.public.hex()})
        (province.folder / "keys" / "gateway.json").write_bytes(sign_gateway_key(told, province.root))
        gateway.start()
        room.add_results(2)
        with running(room.config):
            until(lambda: receipted(room) == 2, 15)
    finally:
        room.close()
        gateway.stop()
        province.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_process_stops_quickly_and_a_kill_loses_nothing(
    room: RealRoom, tmp_path: Path, number: signal.Signals
) -> None:
    file = write_config(room.config, tmp_path)
    command = [sys.executable, "-W", "ignore", "-m", "edge.cli", "--config", str(file), "service", "uplink"]
    room.add_results(150)
    total = 150
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            held = receipted(room)
            until(lambda held=held: receipted(room) > held, 20)
            begun = time.monotonic()
            process.send_signal(number)
            process.wait(10)
            assert time.monotonic() - begun < 5
        room.add_results(50)
        total += 50
    with running(room.config):
        until(lambda: receipted(room) == total, 20)
    seqs = [entry.body["seq"] for entry in ledger.entries(room.db, kinds=("receipt",))]
    assert sorted(seqs) == list(range(1, total + 1)), "each receipt is in the ledger once"
    ledger.check(room.db)
