"""What the reader of RTSP makes of bytes as cameras send them, piece by piece, and what it leaves to libavformat."""

from __future__ import annotations

import base64
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import pairwise

import pytest

from edge.config import Camera
from edge.errors import ExamroomError
from edge.hardware.camera import open_camera, rtsp
from edge.hardware.camera.feed import Coded, LibavFeed
from edge.hardware.camera.rtspfeed import RtspFeed
from edge.hardware.camera.rtspwire import Refused, Unusual
from support.rtsp import access_units, network_camera

SETS, KEY, LATER = (b"\x67sps", b"\x68pps"), b"\x65key", b"\x41later"
START = b"\0\0\0\1"


def rtp(stamp: int, payload: bytes, *, mark: bool = False, head: int = 0x80, channel: int = 0, kind: int = 96) -> bytes:
    packet = struct.pack(">BBHII", head, kind | (0x80 if mark else 0), 1, stamp & 0xFFFFFFFF, 7) + payload
    return b"$" + bytes([channel]) + struct.pack(">H", len(packet)) + packet


def picture(stamp: int, unit: bytes, *, mark: bool = True) -> bytes:
    return rtp(stamp, unit, mark=mark)


SDP = (
    "v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:audio\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={base64.b64encode(SETS[0]).decode()}\r\na=control:video\r\n"
)


@contextmanager
def camera(stream: bytes, sdp: str = SDP, step: int = 0) -> Iterator[tuple[RtspFeed, list[str]]]:
    """A feed of a camera that answers every request and then sends this, `step` bytes at a time, and hangs up."""
    listener, asked = socket.create_server(("127.0.0.1", 0)), list[str]()

    def serve() -> None:
        connection, _ = listener.accept()
        buffer = b""
        with connection, suppress(OSError):
            while True:
                while b"\r\n\r\n" not in buffer:
                    data = connection.recv(4096)
                    if not data:
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                line = head.decode().split("\r\n")[0]
                asked.append(line)
                body = sdp if line.startswith("DESCRIBE") else ""
                more = "Transport: RTP/AVP/TCP;interleaved=0-1\r\nSession: 42;timeout=4\r\n"
                answer = f"RTSP/1.0 200 OK\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()
                if not line.startswith("PLAY"):
                    connection.sendall(answer)
                    continue
                whole = answer + stream  # the first pictures may come with the answer
                for at in range(0, len(whole), step or len(whole)):
                    connection.sendall(whole[at : at + (step or len(whole))])
                connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        with closing(RtspFeed(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x", "", "", open_s=5, read_s=5)) as feed:
            yield feed, asked
    finally:
        listener.close()
        thread.join(5)


def read(stream: bytes, step: int = 0) -> list[Coded]:
    with camera(stream, step=step) as (feed, asked):
        found = list(feed.read())
    assert asked[2].startswith("SETUP") and "/x/video" in asked[2]
    return found


@pytest.mark.parametrize("step", [0, 7])
def test_units_whole_aggregated_and_in_fragments_are_pictures(step: int) -> None:
    aggregated = b"\x78" + b"".join(struct.pack(">H", len(unit)) + unit for unit in (*SETS, KEY))
    stream = b"".join(
        (
            rtp(0, aggregated, mark=True),
            rtp(3600, b"\x5c\x81la") + rtp(3600, b"\x5c\x01t") + rtp(3600, b"\x5c\x41er", mark=True),
            rtp(9, b"no video", kind=97) + rtp(9, b"a report", channel=1),
            b"RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n$\0\0",  # an answer to what keeps the session alive
            rtp(7200, b"\xbe\xde\0\1oooo" + LATER + b"\0\0\3", head=0xB0),  # an extension, and padding
            rtp(10800, LATER, mark=True),
        )
    )
    found = read(stream, step)
    assert [(one.data, one.keyframe, one.pts) for one in found] == [
        (b"".join(START + unit for unit in (*SETS, KEY)), True, 0),
        (START + b"\x41later", False, 3600),
        (START + LATER, False, 7200),
    ]  # the last is complete only by the next


def test_a_marker_is_believed_once_it_has_been_right_for_a_while_and_never_again_once_wrong() -> None:
    right = b"".join(picture(n * 3600, KEY if n == 0 else LATER) for n in range(30))
    assert [one.pts for one in read(right)] == [n * 3600 for n in range(30)]  # the last, too
    slices = picture(30 * 3600, LATER) + picture(30 * 3600, b"\x41rest") + picture(31 * 3600, LATER)
    found = read(right + slices + picture(32 * 3600, LATER))
    assert [one.pts for one in found[-3:]] == [30 * 3600, 30 * 3600, 31 * 3600]


def test_times_go_on_beyond_32_bits_and_pictures_out_of_order_are_unusual() -> None:
    near = (1 << 32) - 3600
    found = read(b"".join(picture(near + n * 3600, KEY if n == 0 else LATER) for n in range(4)))
    times = [one.pts or 0 for one in found]
    assert [b - a for a, b in pairwise(times)] == [3600, 3600]
    with camera(b"".join(picture(t, LATER) for t in (0, 7200, 3600, 10800))) as (feed, _), pytest.raises(Unusual):
        list(feed.read())


def test_sets_with_a_time_of_their_own_go_with_the_picture_behind_them() -> None:
    [first] = read(rtp(0, SETS[0]) + rtp(0, SETS[1], mark=True) + rtp(40, KEY, mark=True) + picture(3640, LATER))
    assert first.data == b"".join(START + unit for unit in (*SETS, KEY))


def test_a_session_is_kept_alive_without_losing_a_picture() -> None:
    """Requests, with the login, and reports go out between the pictures, and the answers come among them."""
    with network_camera(access_units(320, 180), user="u", password="p") as server:
        with closing(RtspFeed(server.url, "u", "p", open_s=5, read_s=5)) as feed:
            feed._every_s, found = 0.0, list[Coded]()
            for one in feed.read():
                found.append(one)
                if len(found) == 15:
                    break
        assert server.asked.count("GET_PARAMETER") >= 10
        assert server.logins == 0
    assert {(b.pts or 0) - (a.pts or 0) for a, b in pairwise(found)} == {3600}


def test_what_is_not_h264_or_refuses_is_said() -> None:
    with pytest.raises(Unusual), camera(b"", SDP.replace("H264", "H265")):
        pass
    with network_camera([], path="/elsewhere") as server, pytest.raises(Refused):
        RtspFeed(server.url, "", "", open_s=2, read_s=2)


def test_a_clock_that_stands_still_is_unusual_and_opens_or_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unusual), camera(b"", SDP.replace("/90000", "/0")):
        pass
    monkeypatch.setattr(rtsp, "_unusual", set[str]())
    with network_camera(access_units(320, 180, 1), codec="H264/0\r\na=was:") as server:
        with suppress(ExamroomError):
            open_camera("door", Camera(backend="rtsp", source=server.url)).close()
        assert server.asked.count("DESCRIBE") == 2, "libavformat was asked too"


def test_answers_that_trickle_end_at_one_deadline() -> None:
    listener, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def trickle() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            while not over.wait(0.05):
                connection.sendall(b"x")

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    began = time.monotonic()
    with listener, pytest.raises(TimeoutError):
        RtspFeed(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x", "", "", open_s=0.2, read_s=5)
    assert time.monotonic() - began < 2
    over.set()
    thread.join(5)


def test_an_unusual_camera_is_left_to_libavformat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found out while it plays: the next time it is opened it is read the other way, and recorded."""
    monkeypatch.setattr(rtsp, "_unusual", set[str]())
    with network_camera(access_units(320, 180)) as server:
        options = Camera(backend="rtsp", source=server.url)
        with closing(rtsp._feed("door", options)) as feed:
            assert isinstance(feed, RtspFeed)
        rtsp._unusual.add(server.url)
        with closing(rtsp._feed("door", options)) as other:
            assert isinstance(other, LibavFeed)
        camera = open_camera("door", options)
        packets = list[object]()
        try:
            while len(packets) < 3:
                packets += camera.packets(0.05)
        finally:
            camera.close()
