"""A contactless card in software, held to the virtual reader of vsmartcard-vpcd, and a pcscd of the test's own.

vpcd listens on a TCP port; the card connects when it is held to the reader and hangs up when it is taken away. A
message is two bytes of length (most significant first) and as many bytes: one byte is a control (0 off, 1 on, 2 reset,
4 asks for the ATR, which alone is answered), more are a command whose answer goes back in the same form.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

PCSCD = "/usr/sbin/pcscd"
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
PYSCARD = Path("/usr/lib/python3/dist-packages/smartcard")
SOCKET = Path("/run/pcscd/pcscd.comm")
# a contactless storage card, as PC/SC part 3 makes an ATR for it
ATR = bytes.fromhex("3B8F8001804F0CA0000003060300030000000068")
OK, NO = b"\x90\x00", b"\x6a\x82"


@dataclass
class Card:
    """A tag: its UID, and its NDEF message on a Type 4 file system (`files`) or in Type 2 memory (`memory`)."""

    uid: bytes | None = bytes.fromhex("04A1B2C3D4E5F6")
    files: dict[bytes, bytes] = field(default_factory=dict)
    memory: bytes = b""
    asked: list[bytes] = field(default_factory=list)
    _file: bytes = b""

    def answer(self, command: bytes) -> bytes:
        self.asked.append(command)
        head = command[:4]
        if head == bytes.fromhex("FFCA0000"):
            return NO if self.uid is None else self.uid + OK
        if command[:2] == b"\xff\xb0" and self.memory:
            at = 4 * int.from_bytes(command[2:4], "big")
            return self.memory[at : at + command[4]].ljust(command[4], b"\0") + OK
        if head == bytes.fromhex("00A40400"):
            return OK if self.files and command[5:12] == bytes.fromhex("D2760000850101") else NO
        if head == bytes.fromhex("00A4000C"):
            self._file = command[5:7]
            return OK if self._file in self.files else NO
        if command[:2] == b"\x00\xb0":
            at = int.from_bytes(command[2:4], "big")
            return self.files[self._file][at : at + command[4]] + OK
        return b"\x6d\x00"


def record(kind: bytes, payload: bytes, flags: int = 0xC0, tnf: int = 1) -> bytes:
    """A short NDEF record; with the default flags it is the whole message."""
    return bytes([flags | 0x10 | tnf, len(kind), len(payload)]) + kind + payload


def text(words: str, flags: int = 0xC0) -> bytes:
    return record(b"T", b"\x02zh" + words.encode(), flags)


def type4(message: bytes, uid: bytes = bytes.fromhex("04A1B2C3D4E5F6")) -> Card:
    size = max(len(message) + 2, 128)
    facts = bytes.fromhex("000F20003B00340406E104") + size.to_bytes(2, "big") + b"\0\xff"
    return Card(uid, {b"\xe1\x03": facts, b"\xe1\x04": len(message).to_bytes(2, "big") + message})


def type2(message: bytes, size: int = 48, before: bytes = b"\x01\x03\xa0\x0c\x34\0") -> Card:
    """`before`: the blocks in front of the message, such as where the lock bits are."""
    length = bytes([len(message)]) if len(message) < 255 else b"\xff" + len(message).to_bytes(2, "big")
    area = (before + b"\x03" + length + message + b"\xfe")[:size].ljust(size, b"\0")
    return Card(memory=bytes(12) + bytes([0xE1, 0x10, size // 8, 0]) + area)


class Held:
    """A card that is being held to the virtual reader at `port`, until `take_away`."""

    def __init__(self, card: Card, port: int) -> None:
        self._line = _connect(port)
        self._card = card
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def take_away(self) -> None:
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _serve(self) -> None:
        with self._line, suppress(OSError):
            while (message := self._read()) is not None:
                if message == b"\x04":
                    self._send(ATR)
                elif len(message) > 1:
                    self._send(self._card.answer(message))

    def _read(self) -> bytes | None:
        head = self._line.recv(2, socket.MSG_WAITALL)
        length = int.from_bytes(head, "big")
        return self._line.recv(length, socket.MSG_WAITALL) if len(head) == 2 else None

    def _send(self, data: bytes) -> None:
        self._line.sendall(len(data).to_bytes(2, "big") + data)


def _connect(port: int) -> socket.socket:
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@dataclass
class Pcscd:
    """A pcscd with one virtual reader of two slots; slot n listens on `port` + n."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [PCSCD, "-f", "-c", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: SOCKET.exists() and self._listens(), "pcscd")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def _listens(self) -> bool:
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                line.bind(("127.0.0.1", self.port + 1))
            except OSError:
                return True
        return False


def why_not() -> str | None:
    """Why no pcscd of one's own can be had here; None when it can."""
    if not (Path(PCSCD).exists() and DRIVER.exists() and PYSCARD.exists()):
        return "pcscd, vsmartcard-vpcd and python3-pyscard are not installed; see provisioning/test-packages.sh"
    if os.geteuid() != 0:
        return "a pcscd of one's own needs root"
    if SOCKET.exists() and subprocess.run(["pgrep", "-x", "pcscd"], check=False, capture_output=True).returncode == 0:
        return "another pcscd is running"
    tags = {f".cpython-3{sys.version_info.minor}-", ".abi3."}
    binaries = [file.name for file in (PYSCARD / "scard").glob("_scard*.so")]
    if not any(tag in name for name in binaries for tag in tags):
        return "Debian's pyscard is for another Python"
    return None


@contextmanager
def pcscd(folder: Path) -> Iterator[Pcscd]:
    if reason := why_not():
        pytest.skip(reason)
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port = line.getsockname()[1]
    name = f"/dev/null:0x{port:X}"
    lines = ['FRIENDLYNAME "Virtual PCD"', f"DEVICENAME {name}", f"LIBPATH {DRIVER}", f"CHANNELID 0x{port:X}"]
    (folder / "vpcd").write_text("\n".join(lines) + "\n")
    running = Pcscd(folder, port)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def debian_pyscard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `smartcard` importable from Debian's packages, and nothing else of them."""
    if "smartcard" in sys.modules or importlib.util.find_spec("smartcard") is not None:
        return
    package = ModuleType("smartcard")
    package.__path__ = [str(PYSCARD)]
    monkeypatch.setitem(sys.modules, "smartcard", package)
    # stays loaded, as a library does; only the way to it is the test's
    monkeypatch.delitem(sys.modules, "smartcard.scard", raising=False)


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
