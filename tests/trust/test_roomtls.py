"""The room's own TLS as a tablet meets it: one authority, trusted once, and a server that goes on being believed."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509

from edge.cli import main
from edge.errors import Unavailable
from edge.trust import addresses, roomtls

NOW = datetime.now(UTC).replace(microsecond=0)
NAMES = ["room7", "room7.local", "exam.school.example"]
LAN = [ipaddress.ip_address("192.168.7.2"), ipaddress.ip_address("fd00::7")]


def made(folder: Path, names: list[str] | None = None, own: list[addresses.Address] | None = None) -> roomtls.RoomTls:
    return roomtls.make(folder, NAMES if names is None else names, LAN if own is None else own, NOW)


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """One TLS server on loopback with the room's certificate; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "room.crt", folder / "room.key")
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                try:
                    with context.wrap_socket(client, server_side=True) as secure:
                        secure.sendall(b"yes")
                except (ssl.SSLError, OSError):
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def asks(port: int, ca: Path | None, host: str) -> bytes:
    """What a client that trusts `ca` alone hears when it means `host`."""
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    # as strict as the strictest tablet
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return secure.recv(3)


@pytest.mark.parametrize("host", [*NAMES, "localhost", "127.0.0.1", "192.168.7.2", "fd00::7"])
def test_who_trusts_the_authority_trusts_every_name_and_address(tmp_path: Path, host: str) -> None:
    made(tmp_path)
    with server(tmp_path) as port:
        assert asks(port, tmp_path / "ca.crt", host) == b"yes"


@pytest.mark.parametrize("host", ["192.168.7.3", "room8.local", "example.com"])
def test_for_another_name_it_is_not_believed(tmp_path: Path, host: str) -> None:
    made(tmp_path)
    with server(tmp_path) as port, pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid"):
        asks(port, tmp_path / "ca.crt", host)


def test_without_the_authority_and_with_another_rooms_it_is_not_believed(tmp_path: Path) -> None:
    made(tmp_path / "a")
    made(tmp_path / "b")
    with server(tmp_path / "a") as port:
        for ca in (None, tmp_path / "b" / "ca.crt"):
            with pytest.raises(ssl.SSLCertVerificationError):
                asks(port, ca, "192.168.7.2")


def test_a_stolen_authority_is_good_for_this_room_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate for a bank under the room's authority is refused by whoever trusts the room."""
    made(tmp_path)
    monkeypatch.setattr(roomtls, "_may_name", lambda _ca, _name: True)
    roomtls.make(tmp_path, ["www.bank.example"], LAN, NOW)
    with server(tmp_path) as port, pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        asks(port, tmp_path / "ca.crt", "www.bank.example")


def test_a_name_the_authority_was_not_made_for_is_left_out_and_said(tmp_path: Path) -> None:
    made(tmp_path)
    found = roomtls.make(tmp_path, [*NAMES, "other.example"], [*LAN, ipaddress.ip_address("8.8.8.8")], NOW)
    assert found.refused == ("other.example", "8.8.8.8")
    assert "other.example" not in found.names
    again = roomtls.make(tmp_path, [*NAMES, "other.example"], LAN, NOW, new_ca=True)
    assert again.refused == () and "other.example" in again.names
    assert again.fingerprint != found.fingerprint


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    made(tmp_path / "tls")
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "tls").iterdir() if file.name != ".lock"}
    assert modes == {"ca.key": 0o600, "room.key": 0o600, "ca.crt": 0o644, "room.crt": 0o644}


def test_lives_are_what_browsers_take(tmp_path: Path) -> None:
    found = made(tmp_path)
    life = found.server.not_valid_after_utc - found.server.not_valid_before_utc
    assert timedelta(days=300) < life <= timedelta(days=397)
    assert found.ca.not_valid_after_utc > NOW + timedelta(days=3640)


def test_it_is_left_alone_until_there_is_a_reason(tmp_path: Path) -> None:
    first = made(tmp_path)
    assert first.changed
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert not made(tmp_path).changed
    assert not roomtls.make(tmp_path, NAMES, LAN, NOW + timedelta(days=300)).changed
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("why", ["nearly over", "other address", "other name", "key lost", "half written", "openssl"])
def test_it_is_renewed_under_the_same_authority(tmp_path: Path, why: str) -> None:
    first = made(tmp_path)
    now, names, own = NOW, NAMES, LAN
    if why == "nearly over":
        now = NOW + timedelta(days=340)
    elif why == "other address":
        own = [ipaddress.ip_address("10.1.2.3")]
    elif why == "other name":
        names = ["renamed", "renamed.local"]
    elif why == "key lost":
        (tmp_path / "room.key").unlink()
    elif why == "half written":
        (tmp_path / "room.crt").write_bytes((tmp_path / "room.crt").read_bytes()[:200])
    else:  # what a box has that was set up before there was an authority
        roomtls.make(tmp_path / "old", NAMES, LAN, NOW)
        for name in ("room.crt", "room.key"):
            (tmp_path / name).write_bytes((tmp_path / "old" / name).read_bytes())
    again = roomtls.make(tmp_path, names, own, now)
    assert again.changed
    assert again.fingerprint == first.fingerprint
    assert again.server.not_valid_after_utc > now + timedelta(days=300)
    again.server.verify_directly_issued_by(again.ca)
    if why == "other address":
        with server(tmp_path) as port:
            assert asks(port, tmp_path / "ca.crt", "10.1.2.3") == b"yes"
    if why == "other name":  # the bare name is not the authority's, the one on the link is
        assert again.refused == ("renamed",) and "renamed.local" in again.names


def test_a_clock_that_woke_up_in_the_past_makes_nothing_older_than_the_authority(tmp_path: Path) -> None:
    found = made(tmp_path)
    late = roomtls.make(tmp_path, ["room7.local"], LAN, datetime(2021, 1, 1, tzinfo=UTC))
    assert late.server.not_valid_before_utc >= found.ca.not_valid_before_utc


def test_it_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as missing:
        roomtls.load(tmp_path)
    assert missing.value.code == "tls_missing"
    made(tmp_path)
    (tmp_path / "ca.crt").write_text("no certificate")
    with pytest.raises(Unavailable) as broken:
        made(tmp_path)
    assert broken.value.code == "tls_unusable"


def test_another_authoritys_key_signs_nothing(tmp_path: Path) -> None:
    made(tmp_path / "a")
    made(tmp_path / "b")
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    with pytest.raises(Unavailable, match="does not belong"):
        roomtls.make(tmp_path / "a", ["new.local"], LAN, NOW)


def test_the_command_makes_and_shows_them(tmp_path: Path) -> None:
    config = tmp_path / "examroom.toml"
    config.write_text(f'[paths]\ntls = "{tmp_path / "tls"}"\n[web]\nnames = ["Exam.School.Example"]\n')

    def run(*words: str) -> str:
        done = CliRunner().invoke(main, ["--config", str(config), "tls", *words])
        assert done.exit_code == 0, done.output
        return done.output

    first = json.loads(run("make", "--json"))
    assert first["changed"] and not json.loads(run("make", "--json"))["changed"]
    assert run("make", "--quiet") == ""
    assert {"exam.school.example", f"{os.uname().nodename.lower().partition('.')[0]}.local"} <= set(first["names"])
    assert {str(one) for one in addresses.addresses()} <= set(first["addresses"])
    assert first["fingerprint"] in run("show")
    der = x509.load_pem_x509_certificate((tmp_path / "tls" / "ca.crt").read_bytes())
    assert roomtls.load(tmp_path / "tls").ca == der
    (tmp_path / "tls" / "room.crt").unlink()
    assert run("make", "--quiet").strip() == "changed"


def test_addresses_are_those_a_tablet_can_reach() -> None:
    own = addresses.addresses()
    assert not [one for one in own if one.is_loopback or one.is_link_local or one.is_unspecified]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return
        assert str(own[0]) == probe.getsockname()[0]
    for one in own:
        with socket.socket(socket.AF_INET if one.version == 4 else socket.AF_INET6) as mine:
            mine.bind((str(one), 0))
