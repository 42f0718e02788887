"""Where sound comes from: a network camera's own, a microphone; and what each way of having none is called."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from edge import clock
from edge.config import Camera
from edge.errors import Unavailable
from edge.hardware.camera import ear, rtsp
from edge.hardware.camera.aac import RATE, Coder, format_of
from edge.hardware.camera.ear import Ear, open_voice
from edge.hardware.camera.rtspsound import RtspSound
from edge.hardware.camera.source import FRAME, Sound
from support.rtsp import FakeNetworkCamera, network_camera
from support.sounds import aac_camera, frame, g711_camera, make_sounds, pcm

UNIT = [[b"\x67sps", b"\x68pps", b"\x65key"]]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "_OPEN_S", 2.0)
    monkeypatch.setattr(rtsp, "_READ_S", 0.5)
    monkeypatch.setattr(ear, "SILENT_MS", 800)
    monkeypatch.setattr(ear, "_AGAIN_S", (0.2,))


@contextmanager
def listening(server: FakeNetworkCamera, **more: object) -> Iterator[Ear]:
    options = Camera.model_validate({"backend": "rtsp", "source": server.url, **more})
    with closing(Ear("door", options)) as made:
        yield made


def taken(made: Ear, count: int, seconds: float = 8) -> list[Sound]:
    found, until = list[Sound](), time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < until, made.trouble
        found += made.take()
        time.sleep(0.02)
    return found


def said(made: Ear, code: str | None, seconds: float = 6) -> None:
    until = time.monotonic() + seconds
    while (made.trouble and made.trouble[0]) != code:
        assert time.monotonic() < until, made.trouble
        time.sleep(0.02)


def samples(sounds: list[Sound]) -> int:
    """How many samples a decoder makes of these frames."""
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = sounds[0].format.config
    return sum(f.samples for one in sounds for f in decoder.decode(av.Packet(one.data)))  # type: ignore[attr-defined]


def test_aac_of_a_camera_comes_through_as_it_is() -> None:
    given = aac_camera()
    with (
        network_camera(UNIT, **given, user="u", password="p") as server,
        listening(server, user="u", password="p") as made,
    ):
        found = taken(made, 20)
        assert made.heard and made.trouble is None
    sent = [payload[4:] for payload in given["sounds"]]  # type: ignore[attr-defined]
    at = sent.index(found[0].data)
    assert [one.data for one in found] == (sent * 2)[at : at + len(found)]
    assert (found[0].format.rate, found[0].format.channels) == (16_000, 1)
    assert all(abs(b.mono_ms - a.mono_ms - 64) <= 40 for a, b in pairwise(found))
    assert 0 <= clock.mono_ms() - found[-1].mono_ms < 1500
    assert server.set_up == ["track2"], "the pictures are another connection's"


def test_g711_of_a_camera_is_coded() -> None:
    with network_camera(UNIT, **g711_camera()) as server, listening(server) as made:
        found = taken(made, 15)
    assert samples(found) >= 14 * FRAME
    assert (found[0].format.rate, found[0].format.channels) == (RATE, 1)
    assert all(abs(b.mono_ms - a.mono_ms - 64) <= 40 for a, b in pairwise(found))


def test_several_units_in_a_packet_and_one_in_several() -> None:
    sounds = make_sounds(2)
    one, two, three = (sound.data for sound in sounds[3:6])
    both = b"\0\x20" + (len(one) << 3).to_bytes(2, "big") + (len(two) << 3).to_bytes(2, "big") + one + two
    head = b"\0\x10" + (len(three) << 3).to_bytes(2, "big")
    with network_camera(UNIT, **aac_camera(1)) as server:
        feed = RtspSound(server.url, "", "", open_s=2, read_s=2)
    with closing(feed):
        found = [s for s in feed._copied(0, True, both, 1000)]
        assert [(s.data, s.mono_ms) for s in found] == [(one, 872), (two, 936)]
        assert list(feed._copied(2048, False, head + three[:50], 1064)) == []
        (last,) = feed._copied(2048, True, head + three[50:], 1064)
        assert (last.data, last.mono_ms) == (three, 1000)
        for broken in (b"", b"\0", b"\xff\xff", b"\0\x10", b"\0\x10\xff\xf8x", bytes(40)):
            assert all(s.data for s in feed._copied(0, True, broken, 0))
        for _ in range(20):
            assert list(feed._copied(4096, False, head + three[:50], 0)) == []
            assert len(feed._part) <= len(three), "a unit that never ends is not kept"


@pytest.mark.parametrize(
    ("sound", "code"),
    [
        ("", "sound_unknown"),
        ("98\r\na=rtpmap:98 OPUS/48000/2", "sound_unknown"),
        ("0\r\na=sendonly", "sound_unknown"),  # what it would play, not what it hears
        ("97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\na=fmtp:97 config=zz", "sound_unknown"),
        (
            "97\r\na=rtpmap:97 mpeg4-generic/24000/2\r\na=fmtp:97 mode=AAC-hbr; config=2b1188; sizelength=13",
            "sound_unknown",
        ),
        (
            "97\r\na=rtpmap:97 mpeg4-generic/16000/1\r\na=fmtp:97 config=1408; indexdeltalength=-13",
            "sound_unknown",
        ),  # a header without end
        ("97\r\na=rtpmap:97 mpeg4-generic/16000/1\r\na=fmtp:97 config=1408; sizelength=0", "sound_unknown"),
        ("97\r\na=rtpmap:97 mpeg4-generic/16000/1\r\na=fmtp:97 config=1408; indexlength=17", "sound_unknown"),
        ("98\r\na=rtpmap:98 L16/1", "sound_unknown"),  # a packet of half a day
        ("98\r\na=rtpmap:98 L16/99999999999", "sound_unknown"),
    ],
)
def test_sound_that_cannot_be_used_is_named(sound: str, code: str) -> None:
    with network_camera(UNIT, sound=sound) as server:
        options = Camera(backend="rtsp", source=server.url)
        with pytest.raises(Unavailable) as caught:
            open_voice("door", options)
        assert caught.value.code == code
        assert "OPUS" not in sound or "OPUS" in caught.value.sentence("en")
        assert server.set_up == []
    with pytest.raises(Unavailable) as caught:
        open_voice("door", options)
    assert caught.value.code == "sound_missing"
    with network_camera(UNIT, sound=sound, user="u", password="p") as server, pytest.raises(Unavailable) as caught:
        open_voice("door", Camera(backend="rtsp", source=server.url, user="u", password="x"))
    assert caught.value.code == "camera_login"


def test_sound_that_stops_is_told_and_comes_back() -> None:
    with network_camera(UNIT, **aac_camera()) as server, listening(server) as made:
        taken(made, 3)
        server.sound_mode = "hang"
        said(made, "sound_lost")
        made.take()
        server.sound_mode = "play"
        said(made, None)
        taken(made, 3)
        server.stop()
        said(made, "sound_missing")
        server.start()
        assert taken(made, 3)[0].data


def test_what_nobody_foresaw_ends_the_sound_for_a_moment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd:
        def read(self) -> Iterator[Sound]:
            raise MemoryError("what a camera said")

        def hang_up(self) -> None:
            return

        close = hang_up

    class Good(Odd):
        def read(self) -> Iterator[Sound]:
            while True:
                yield sound
                time.sleep(0.02)

    (sound,) = make_sounds(1)[:1]
    ways = iter([Odd, KeyError, Odd])
    monkeypatch.setattr(ear, "open_voice", lambda *_: next(ways, Good)())  # KeyError has no `read`
    with closing(Ear("door", Camera(backend="rtsp", source="rtsp://camera"))) as made:
        taken(made, 3)
        said(made, None)
    assert "MemoryError" in caplog.text and "AttributeError" in caplog.text and "what a camera said" not in caplog.text
    assert caplog.text.count("The sound of camera door broke off") == 1


def test_a_hole_in_pcm_is_a_hole_in_sound() -> None:
    coder, found = Coder(), list[Sound]()
    for n in range(100):
        if not 40 <= n < 70:
            found += coder.code(frame(pcm(0.02)), 5000 + n * 20)
    steps = [b.mono_ms - a.mono_ms for a, b in pairwise(found)]
    assert max(steps) == pytest.approx(600, abs=70) and sorted(steps)[-2] <= 65
    assert found[0].mono_ms == 5000


def test_what_is_no_plain_aac_is_known_by_its_configuration() -> None:
    assert format_of(bytes.fromhex("1408")).rate == 16_000
    assert format_of(bytes.fromhex("1210")) == format_of(bytes.fromhex("1210"))
    for wrong in ("", "14", "2b8a", "140c", "1000", "1438", "1400", "00" * 80):
        with pytest.raises(ValueError, match=r"."):
            format_of(bytes.fromhex(wrong))


@pytest.fixture
def virtual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """ALSA's `file` device, which hears what is written into a pipe at that pace; call it to stop and go."""
    pipe, going, over = tmp_path / "heard", threading.Event(), threading.Event()
    os.mkfifo(pipe)
    conf = tmp_path / "alsa.conf"
    conf.write_text(
        f'pcm.desk {{ type file slave.pcm nothing file "/dev/null" infile "{pipe}" format raw }}\n'
        "pcm.nothing { type null }\n"
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(conf))

    def play() -> None:
        tone = pcm(1).astype("<i2").tobytes()
        with suppress(OSError), pipe.open("wb", buffering=0) as out:
            at, began = 0, time.monotonic()
            while not over.wait(0.01):
                if not going.is_set():
                    began = time.monotonic() - at / (2 * RATE)
                    continue
                due = int((time.monotonic() - began) * RATE) * 2
                while at < due:
                    at += out.write(tone[at % len(tone) : at % len(tone) + min(640, due - at)]) or 0

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    going.set()
    yield lambda yes: going.set() if yes else going.clear()
    over.set()
    with suppress(OSError):
        os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    thread.join(5)


def test_a_microphone_is_heard(virtual: Callable[[bool], None]) -> None:
    options = Camera(backend="file", source="x", microphone="desk")
    with closing(Ear("door", options)) as made:
        found = taken(made, 15)
        assert samples(found) >= 14 * FRAME
        decoder = av.CodecContext.create("aac", "r")
        decoder.extradata = found[0].format.config
        loud = [f.to_ndarray() for one in found for f in decoder.decode(av.Packet(one.data))]  # type: ignore[attr-defined]
        assert np.abs(np.concatenate(loud, axis=1)).max() > 0.2
        virtual(False)
        said(made, "sound_silent")
        virtual(True)
        said(made, None)


def test_a_microphone_that_is_not_there_is_named() -> None:
    with pytest.raises(Unavailable) as caught:
        open_voice("door", Camera(backend="v4l2", microphone="hw:CARD=none"))
    assert caught.value.code == "sound_missing"
    assert "{" not in caught.value.sentence("zh")
