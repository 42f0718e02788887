"""A network camera: a small RTSP server on loopback that sends H.264 by RTP over the same TCP connection (RFC 2326).

It can do what cameras do to those who watch them: want a login (digest or basic), hang, cut the connection in the
middle of a picture, stand still in time, change its size, and go away. It may have sound: a second media, set up by
itself.
"""

from __future__ import annotations

import base64
import hashlib
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import av
import numpy as np
from numpy.typing import NDArray

from edge.config import Camera
from edge.hardware.camera.capture import h264_encoder
from support.scenes import Sensor, room

FPS = 25
_REALM, _NONCE = "camera", "0a1b2c3d"
_CLOCK = 90_000


def access_units(width: int, height: int, seconds: int = 2) -> list[list[bytes]]:
    """The NAL units of each picture of a room, a key frame with SPS and PPS each second."""
    sensor, scene = Sensor(), room(width, height)
    return coded((sensor.take(scene) for _ in range(seconds * FPS)), width, height, 400_000)


def coded(pictures: Iterable[NDArray[np.uint8]], width: int, height: int, bitrate: int) -> list[list[bytes]]:
    """The same of any pictures, FPS a second."""
    encoder = h264_encoder(width, height, Camera(fps=FPS, bitrate=bitrate))
    found = list[list[bytes]]()
    for n, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = n * _CLOCK // FPS, encoder.time_base
        for packet in encoder.encode(frame):
            units = re.split(b"\0*\0\0\1", bytes(packet))
            found.append([unit for unit in units if unit and unit[0] & 31 != 6])
    return found


@dataclass
class FakeNetworkCamera:
    """Change `mode` while it plays: `play`, `hang` (connected and silent), `half` (half a picture, then cut), `cut`.

    `garbage` plays on with bytes changed at random in every unit, and units cut short.
    """

    units: list[list[bytes]]
    user: str = ""
    password: str = ""
    scheme: str = "digest"
    path: str = "/live"
    sprop: bool = True  # parameter sets in the description
    in_band: bool = True  # and before each key frame
    skip: frozenset[int] = frozenset()  # pictures its sensor lost: times go on without them
    mode: str = "play"
    codec: str = "H264"
    sound: str = ""  # lines of its description after "m=audio 0 RTP/AVP "
    sounds: list[bytes] = field(default_factory=list)  # payloads, `sound_ticks` of `sound_clock` each
    sound_clock: int = 16_000
    sound_ticks: int = 1024
    sound_mode: str = "play"  # or `hang`, `cut`
    set_up: list[str] = field(default_factory=list)  # of which media
    logins: int = 0  # refused ones
    sessions: int = 0
    asked: list[str] = field(default_factory=list)  # methods, in order
    _listener: socket.socket = field(init=False)
    _random: random.Random = field(default_factory=lambda: random.Random(6))
    _open: list[socket.socket] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"

    def start(self) -> None:
        """Listen, at the same port as before when it was away."""
        self._over.clear()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._listener.listen()
        self._spawn(self._accept)

    def stop(self) -> None:
        """Away: nobody listens, every connection is gone."""
        self._over.set()
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        self._threads.clear()
        self._open.clear()

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._over.is_set():
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        buffer, sending, media = b"", threading.Lock(), list[str]()
        with connection, suppress(OSError, ConnectionError):
            while True:
                while buffer[:1] == b"$" or b"\r\n\r\n" not in buffer:
                    if buffer[:1] == b"$" and len(buffer) >= 4:  # RTCP of the watcher
                        length = 4 + struct.unpack(">H", buffer[2:4])[0]
                        if len(buffer) >= length:
                            buffer = buffer[length:]
                            continue
                    data = connection.recv(4096)
                    if not data:
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                self._answer(connection, sending, media, head.decode())

    def _answer(self, connection: socket.socket, sending: threading.Lock, media: list[str], head: str) -> None:
        line, *rest = head.split("\r\n")
        method, url, _ = line.split(" ")
        self.asked.append(method)
        headers = {key.lower(): value.strip() for key, _, value in (one.partition(":") for one in rest)}
        status, more, body = "200 OK", list[str](), ""
        if method != "OPTIONS" and not self._let_in(method, headers.get("authorization", "")):
            self.logins += "authorization" in headers
            status = "401 Unauthorized"
            digest = f'Digest realm="{_REALM}", nonce="{_NONCE}"'
            more = [
                f"WWW-Authenticate: {digest if self.scheme == 'digest' else f'Basic realm={chr(34)}{_REALM}{chr(34)}'}"
            ]
        elif self.path not in url:
            status = "404 Not Found"
        elif method == "OPTIONS":
            more = ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"]
        elif method == "DESCRIBE":
            more, body = ["Content-Type: application/sdp", f"Content-Base: {url}/"], self._sdp()
        elif method == "SETUP":
            media.append(url.rpartition("/")[2])
            self.set_up.append(media[-1])
            more = ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1;timeout=60"]
        else:
            more = ["Session: 1"]
        lines = [f"RTSP/1.0 {status}", f"CSeq: {headers['cseq']}", *more, f"Content-Length: {len(body)}", "", body]
        with sending:
            connection.sendall("\r\n".join(lines).encode())
        if method == "PLAY" and status == "200 OK":
            self.sessions += 1
            self._spawn(self._play_sound if media == ["track2"] else self._play, connection, sending)

    def _let_in(self, method: str, given: str) -> bool:
        if not self.user:
            return True
        if self.scheme == "basic":
            return given == "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        facts = dict(re.findall(r'(\w+)="([^"]*)"', given))

        def md5(*parts: str) -> str:
            return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()

        wanted = md5(md5(self.user, _REALM, self.password), _NONCE, md5(method, facts.get("uri", "")))
        return facts.get("response") == wanted

    def _sdp(self) -> str:
        sets = [unit for unit in self.units[0] if unit[0] & 31 in (7, 8)]
        known = ";sprop-parameter-sets=" + ",".join(base64.b64encode(unit).decode() for unit in sets)
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "t=0 0", "m=video 0 RTP/AVP 96"]
        lines += ["c=IN IP4 0.0.0.0", f"a=rtpmap:96 {self.codec}/90000"]
        lines += [f"a=fmtp:96 packetization-mode=1{known if self.sprop else ''}"] if self.codec == "H264" else []
        lines.append("a=control:track1")
        if self.sound:
            lines += [f"m=audio 0 RTP/AVP {self.sound}", "a=control:track2"]
        return "\r\n".join([*lines, ""])

    def _play_sound(self, connection: socket.socket, sending: threading.Lock) -> None:
        """Each payload when all of it has been heard."""
        began = time.monotonic()
        with suppress(OSError):
            for n in range(100_000):
                due = began + (n + 1) * self.sound_ticks / self.sound_clock
                if self._over.wait(max(0.0, due - time.monotonic())):
                    return
                while self.sound_mode == "hang":
                    if self._over.wait(0.05):
                        return
                if self.sound_mode == "cut":
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                kind = 0x80 | int(self.sound.split()[0])
                packet = struct.pack(
                    ">BBHII", 0x80, kind, n & 0xFFFF, 4_294_960_000 + n * self.sound_ticks & 0xFFFFFFFF, 8
                )
                packet += self.sounds[n % len(self.sounds)]
                with sending:
                    connection.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)

    def _play(self, connection: socket.socket, sending: threading.Lock) -> None:
        sequence, began = 0, time.monotonic()
        with suppress(OSError):
            for n in range(100_000):
                if self._over.wait(max(0.0, began + n / FPS - time.monotonic())):
                    return
                while self.mode == "hang":
                    if self._over.wait(0.05):
                        return
                if self.mode == "cut":
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                if n in self.skip:
                    continue
                units = [u for u in self.units[n % len(self.units)] if self.in_band or u[0] & 31 not in (7, 8)]
                if self.mode == "garbage":
                    units = [_spoilt(unit, self._random) for unit in units]
                pieces = [piece for unit in units for piece in _pieces(unit)]
                if self.mode == "half":
                    pieces = pieces[: max(1, len(pieces) // 2)]
                for k, piece in enumerate(pieces):
                    last = k == len(pieces) - 1 and self.mode != "half"
                    packet = struct.pack(">BBHII", 0x80, 96 | (0x80 if last else 0), sequence, n * _CLOCK // FPS, 7)
                    sequence = (sequence + 1) & 0xFFFF
                    data = b"$\0" + struct.pack(">H", len(packet) + len(piece)) + packet + piece
                    half = self.mode == "half" and k == len(pieces) - 1
                    with sending:  # an answer to the watcher, who asks now and then, goes between two of them
                        connection.sendall(data[: len(data) // 2] if half else data)
                if self.mode == "half":
                    connection.shutdown(socket.SHUT_RDWR)
                    return


def _spoilt(unit: bytes, chance: random.Random) -> bytes:
    whole = bytearray(unit)
    for _ in range(chance.randint(1, 20)):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    return bytes(whole[: chance.randint(1, len(whole))] if chance.random() < 0.3 else whole)


def _pieces(unit: bytes, size: int = 1200) -> Iterator[bytes]:
    """A NAL unit as RTP payloads: whole, or in fragments (FU-A, RFC 6184)."""
    if len(unit) <= size:
        yield unit
        return
    head = unit[0]
    for at in range(1, len(unit), size):
        first, last = at == 1, at + size >= len(unit)
        yield (
            bytes([head & 0xE0 | 28, head & 31 | (0x80 if first else 0) | (0x40 if last else 0)]) + unit[at : at + size]
        )


@contextmanager
def network_camera(units: list[list[bytes]], **more: object) -> Iterator[FakeNetworkCamera]:
    camera = FakeNetworkCamera(units, **more)  # type: ignore[arg-type]
    camera.start()
    try:
        yield camera
    finally:
        camera.stop()
