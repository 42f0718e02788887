"""Fetching pack files from a real HTTP server that breaks off, lies and sends pages; nothing half installed."""

from __future__ import annotations

import errno
import hashlib
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.cli import main
from edge.errors import BadInput, ExamroomError, NotFound, Unavailable, VerificationFailed
from edge.vision import download, packs
from edge.vision.download import address, obtain
from edge.vision.manifest import Source, manifest_root

DATA = bytes(range(256)) * 1200
SOURCE = Source(role="detector", file="net.onnx", size=len(DATA), sha256=hashlib.sha256(DATA).hexdigest())


class Server(ThreadingHTTPServer):
    """Serves `data` under any path, as `how` says, and remembers the ranges it was asked for."""

    daemon_threads = True
    data = DATA
    how = "whole"
    cuts = 1

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.paths: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of these tests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/models"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        server.paths.append(self.path)
        if server.how in ("404", "500", "503"):
            return self.answer(int(server.how), b"no")
        if server.how == "page":
            return self.answer(200, b"<!DOCTYPE html><p>sign in", "text/html; charset=utf-8")
        if server.how == "page in disguise":
            return self.answer(200, (b"\n<html>" + DATA)[: len(DATA)])
        if server.how == "another":
            return self.answer(200, DATA[::-1])
        if server.how == "short":
            return self.answer(200, DATA[:-1])
        if server.how == "endless":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(DATA + b"more" * 50_000)
            self.close_connection = True
            return None
        start = int(wanted[6:-1]) if wanted and server.how != "no ranges" else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.data) - start))
        if start:
            first = start + 1 if server.how == "another range" else start
            self.send_header("Content-Range", f"bytes {first}-{len(server.data) - 1}/{len(server.data)}")
        self.end_headers()
        if server.cuts:
            server.cuts -= 1
            self.wfile.write(server.data[start : start + len(server.data) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return None
        self.wfile.write(server.data[start:])
        return None

    def answer(self, status: int, body: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSE_S", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_connection_cut_half_way_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    told: list[int] = []
    path = obtain(SOURCE, server.url, tmp_path, lambda come, size: told.append(come))
    assert path.read_bytes() == DATA and left(tmp_path) == [SOURCE.sha256]
    first, second = server.asked
    assert first is None and second is not None and 0 < int(second[6:-1]) <= len(DATA) // 2
    assert told == sorted(told) and told[-1] == len(DATA)
    assert server.paths == ["/models/net.onnx"] * 2
    server.how = "404"
    assert obtain(SOURCE, server.url, tmp_path) == path, "what is whole is not fetched again"


def test_what_a_killed_attempt_left_is_the_next_ones_start(server: Server, tmp_path: Path) -> None:
    server.cuts = 0
    (tmp_path / f"{SOURCE.sha256}.part").write_bytes(DATA[:1000])
    assert obtain(SOURCE, server.url, tmp_path).read_bytes() == DATA
    assert server.asked == ["bytes=1000-"]


@pytest.mark.parametrize("how", ["no ranges", "another range"])
def test_a_server_that_cannot_resume_is_read_from_the_start_or_given_up(
    server: Server, tmp_path: Path, how: str
) -> None:
    server.how = how
    if how == "no ranges":
        assert obtain(SOURCE, server.url, tmp_path).read_bytes() == DATA
        assert len(server.asked) == 2
        return
    with pytest.raises(Unavailable) as refusal:
        obtain(SOURCE, server.url, tmp_path)
    assert refusal.value.code == "pack_download_broken"
    assert len(server.asked) == 1 + download.TRIES


@pytest.mark.parametrize("length", [1000, len(DATA), len(DATA) + 1])
def test_a_part_of_something_else_is_found_out_and_fetched_anew(server: Server, tmp_path: Path, length: int) -> None:
    server.cuts = 0
    (tmp_path / f"{SOURCE.sha256}.part").write_bytes(b"x" * length)
    assert obtain(SOURCE, server.url, tmp_path).read_bytes() == DATA
    assert server.asked[-1] is None and len(server.asked) == (2 if length == 1000 else 1)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("404", "pack_download_status"),
        ("500", "pack_download_status"),
        ("503", "pack_download_broken"),
        ("page", "pack_download_page"),
        ("page in disguise", "pack_download_page"),
        ("another", "pack_file_differs"),
        ("short", "pack_download_size"),
        ("endless", "pack_download_size"),
    ],
)
def test_anything_else_is_refused_and_leaves_nothing(server: Server, tmp_path: Path, how: str, code: str) -> None:
    server.how = how
    with pytest.raises(ExamroomError) as refusal:
        obtain(SOURCE, server.url, tmp_path)
    assert refusal.value.code == code and "{" not in str(refusal.value)
    assert left(tmp_path) == []


@pytest.mark.parametrize("how", ["page", "page in disguise", "short", "404"])
def test_what_is_answered_in_place_of_the_rest_costs_nothing_that_came(
    server: Server, tmp_path: Path, how: str
) -> None:
    part = tmp_path / f"{SOURCE.sha256}.part"
    part.write_bytes(DATA[:1000])
    server.how = how
    with pytest.raises(ExamroomError):
        obtain(SOURCE, server.url, tmp_path)
    assert part.read_bytes() == DATA[:1000]
    other = tmp_path / SOURCE.file
    other.write_bytes(DATA[:-1])
    with pytest.raises(VerificationFailed):
        obtain(SOURCE, str(other), tmp_path)
    other.unlink()
    server.how, server.cuts = "whole", 0
    assert obtain(SOURCE, server.url, tmp_path).read_bytes() == DATA and server.asked[-1] == "bytes=1000-"
    assert left(tmp_path) == [SOURCE.sha256]


def test_a_connection_that_gives_nothing_more_keeps_what_came(server: Server, tmp_path: Path) -> None:
    server.cuts, server.how = 1, "whole"
    original = Handler.do_GET

    def cut_then_dead(handler: Handler) -> None:
        if len(handler.server.asked) >= 1:
            handler.server.asked.append(None)
            handler.close_connection = True
            return
        original(handler)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "do_GET", cut_then_dead)
        with pytest.raises(Unavailable) as refusal:
            obtain(SOURCE, server.url, tmp_path)
    assert refusal.value.code == "pack_download_broken"
    (part,) = left(tmp_path)
    assert part.endswith(".part") and 0 < (tmp_path / part).stat().st_size < len(DATA)
    server.cuts = 0
    assert obtain(SOURCE, server.url, tmp_path).read_bytes() == DATA


def test_no_network_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(download, "PAUSE_S", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        with pytest.raises(Unavailable) as refusal:
            obtain(SOURCE, f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path)
    assert refusal.value.code == "pack_no_network" and left(tmp_path) == []


def test_a_full_disk_leaves_nothing(server: Server, tmp_path: Path) -> None:
    def full(come: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        obtain(SOURCE, server.url, tmp_path, full)
    assert left(tmp_path) == []


def test_a_folder_or_the_file_itself_is_taken(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(DATA)
    for place, origin in enumerate((tmp_path, tmp_path / "net.onnx")):
        assert obtain(SOURCE, str(origin), tmp_path / f"to{place}").read_bytes() == DATA
    (tmp_path / "net.onnx").write_bytes(DATA[:-1] + b"x")
    with pytest.raises(VerificationFailed):
        obtain(SOURCE, str(tmp_path), tmp_path / "to2")
    (tmp_path / "net.onnx").write_bytes(DATA[:-1])
    with pytest.raises(VerificationFailed):
        obtain(SOURCE, str(tmp_path), tmp_path / "to2")
    assert left(tmp_path / "to2") == []
    for nowhere in (tmp_path / "nowhere", tmp_path / "to0"):
        with pytest.raises(NotFound):
            obtain(SOURCE, str(nowhere), tmp_path / "to2")


def test_what_cannot_be_an_origin_is_one_clear_error(tmp_path: Path) -> None:
    assert address("https://example.org/a/net.onnx?v=1", "net.onnx") == "https://example.org/a/net.onnx?v=1"
    assert address("https://example.org/a/", "net.onnx") == "https://example.org/a/net.onnx"
    for wrong in ("ftp://example.org/x", "http://", "http://[", "https://exa mple.org", "://x"):
        with pytest.raises(BadInput) as refusal:
            obtain(SOURCE, wrong, tmp_path)
        assert refusal.value.code == "pack_origin_invalid"


def test_without_a_hash_or_an_address_nothing_is_installed(tmp_path: Path) -> None:
    for source, code in (
        (Source(role="detector", file="net.onnx", url="https://example.org/net.onnx"), "pack_hash_unknown"),
        (SOURCE, "pack_no_origin"),
    ):
        with pytest.raises(Unavailable) as refusal:
            obtain(source, None, tmp_path)
        assert refusal.value.code == code
    with pytest.raises(Unavailable, match="--from"):
        packs.install("liveness", tmp_path / "models")
    assert left(tmp_path / "models") == [packs.LOCK]


def test_the_command_installs_over_a_cut_connection_or_leaves_all_as_it_was(
    server: Server, shared_models: Path, tmp_path: Path
) -> None:
    config = tmp_path / "examroom.toml"
    config.write_text(f'[paths]\nmodels = "{tmp_path / "models"}"\n')
    server.data = (shared_models / "yunet_s_dynamic.onnx").read_bytes()
    install = ["--config", str(config), "faces", "install", "yunet", "--json", "--from"]
    runner = CliRunner()
    server.how = "page"
    refused = runner.invoke(main, [*install, server.url])
    assert refused.exit_code == 1 and "web page" in refused.output
    assert left(tmp_path / "models" / packs.DOWNLOADS) == []
    assert left(tmp_path / "models") == [packs.DOWNLOADS, packs.LOCK]
    server.how = "whole"
    done = runner.invoke(main, [*install, server.url])
    assert done.exit_code == 0, done.output
    assert server.asked[-1] is not None, "it went on where it broke"
    (name,) = [name for name in left(tmp_path / "models") if not name.startswith(".")]
    assert name.startswith("yunet-") and left(tmp_path / "models") == [packs.LOCK, name]
    assert packs.load("yunet", tmp_path / "models").version == name[6:]
    again = runner.invoke(main, [*install[:-2]])
    assert again.exit_code == 0 and "yunet" in again.output


def test_a_network_that_does_not_run_is_not_installed(tmp_path: Path) -> None:
    root = Path(shutil.copytree(manifest_root(), tmp_path / "manifests"))
    manifest = root / "yunet" / "manifest.toml"
    noise = b"\x08\x08" + DATA
    text = manifest.read_text()
    text = text.replace("size = 237823", f"size = {len(noise)}")
    text = text.replace(
        "daede24002cc8590f457998cc5e6c9e8b82f45f6bd969506a8913cd4ed10a2d3", hashlib.sha256(noise).hexdigest()
    )
    manifest.write_text(text)
    (tmp_path / "yunet_s_dynamic.onnx").write_bytes(noise)
    with pytest.raises(VerificationFailed) as refusal:
        packs.install("yunet", tmp_path / "models", root=root, origin=str(tmp_path))
    assert refusal.value.code == "pack_network_differs"
    assert not [name for name in left(tmp_path / "models") if not name.startswith(".")]


def test_an_untested_pack_and_one_of_another_kind_are_no_door_s(tmp_path: Path) -> None:
    for name, code in (("sface", "pack_untested"), ("liveness", "pack_not_faces")):
        with pytest.raises(BadInput) as refusal:
            packs.load(name, tmp_path)
        assert refusal.value.code == code
    with pytest.raises(BadInput) as refusal:
        packs.load_liveness(tmp_path, pack="dlib")
    assert refusal.value.code == "pack_not_liveness"
