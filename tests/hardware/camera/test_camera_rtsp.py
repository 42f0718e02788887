"""Network cameras, against an RTSP server on loopback: what comes through, and what each way of failing is called."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise

import av
import pytest
from pydantic import ValidationError

from edge import clock
from edge.config import Camera
from edge.errors import BadInput, ExamroomError, Unavailable
from edge.hardware.camera import CameraSource, Packet, open_camera, rtsp
from edge.hardware.camera.coded import CodedCamera, Times
from edge.hardware.camera.second import TwoStreams
from edge.hardware.camera.source import TICKS, parameter_sets
from support.rtsp import FPS, FakeNetworkCamera, access_units, network_camera

SECRET = "p@ss:w/rd 密#1"


@pytest.fixture(scope="module")
def units() -> list[list[bytes]]:
    return access_units(320, 180)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "_OPEN_S", 2.0)
    monkeypatch.setattr(rtsp, "_READ_S", 0.7)


def options(server: FakeNetworkCamera, **more: object) -> Camera:
    return Camera.model_validate({"backend": "rtsp", "source": server.url, "face_fps": 5, **more})


@contextmanager
def opened(server: FakeNetworkCamera, **more: object) -> Iterator[CameraSource]:
    camera = open_camera("door", options(server, **more))
    try:
        yield camera
    finally:
        camera.close()


def taken(camera: CameraSource, enough: Callable[[list[Packet]], bool], seconds: float = 10) -> list[Packet]:
    found, until = list[Packet](), time.monotonic() + seconds
    while not enough(found):
        assert time.monotonic() < until
        found += camera.packets(0.05)
    return found


def failure(camera: CameraSource, seconds: float = 5) -> Unavailable:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            camera.packets(0.05)
        except Unavailable as error:
            return error
    raise AssertionError("it does not notice")


@pytest.mark.parametrize(("sprop", "in_band"), [(True, True), (True, False), (False, True)])
def test_what_the_camera_coded_comes_through_as_it_is(units: list[list[bytes]], sprop: bool, in_band: bool) -> None:
    with network_camera(units, sprop=sprop, in_band=in_band) as server, opened(server) as camera:
        packets = taken(camera, lambda found: len(found) >= 15)
        video = camera.format
        assert video is not None
        assert (video.width, video.height) == (320, 180)
        picture = camera.picture()
        assert picture is not None
        assert (picture.width, picture.height, len(picture.bgr)) == (320, 180, 320 * 180 * 3)
        assert picture.look.frames > 0 == picture.look.copies
    assert packets[0].keyframe
    first = units[0] if packets[0].data.endswith(units[0][-1]) else units[FPS]
    assert packets[0].data.endswith(first[-1])
    assert parameter_sets(packets[0].data)  # wherever the camera told them
    assert {b.dts - a.dts for a, b in pairwise(packets)} == {TICKS // FPS}
    assert all(abs(b.mono_ms - a.mono_ms - 1000 / FPS) < 60 for a, b in pairwise(packets))
    assert abs(packets[-1].mono_ms - clock.mono_ms()) < 1000
    decoder = av.CodecContext.create("h264", "r")
    frames = [f for p in packets for f in decoder.decode(av.Packet(p.data))]  # type: ignore[attr-defined]
    assert len(frames) >= 14


def test_pictures_come_from_a_stream_of_their_own_and_the_main_one_is_never_decoded(units: list[list[bytes]]) -> None:
    """It may go away and come back: what is recorded goes on."""
    with (
        network_camera(units) as server,
        network_camera(access_units(160, 90)) as small,
        opened(server, look=small.url) as camera,
    ):
        assert isinstance(camera, TwoStreams)
        packets, sizes = list[Packet](), list[tuple[int, int]]()

        def shown(size: tuple[int, int] | None) -> None:
            until, sizes[:] = time.monotonic() + 8, []
            while camera.format is None or (size not in sizes if size else camera._second is not None):
                assert time.monotonic() < until
                packets.extend(camera.packets(0.05))
                picture = camera.picture()
                sizes.extend([(picture.width, picture.height)] if picture else [])

        shown((160, 90))
        small.stop()
        shown(None)
        small.start()
        shown((160, 90))
        video, main = camera.format, camera._main
        assert video is not None
        assert (video.width, video.height) == (320, 180)
        assert isinstance(main, CodedCamera)
        assert main._decoder is None
        assert main.look_cpu_s == 0 < camera.look_cpu_s
    assert {b.dts - a.dts for a, b in pairwise(packets)} == {TICKS // FPS}


def test_a_new_size_is_a_new_format_without_a_hole(units: list[list[bytes]]) -> None:
    with network_camera(units) as server, opened(server) as camera:
        before = taken(camera, lambda found: len(found) >= 3)
        server.units = access_units(480, 272)
        sizes, packets, until = list[tuple[int, int]](), before, time.monotonic() + 8
        while (480, 272) not in sizes and time.monotonic() < until:
            batch = camera.packets(0.05)
            packets += batch
            if batch and camera.format is not None:
                sizes.append((camera.format.width, camera.format.height))
                assert sizes[-1] == (320, 180) or parameter_sets(batch[0].data) or len(set(sizes)) == 1
        assert set(sizes) == {(320, 180), (480, 272)}
        assert max(b.dts - a.dts for a, b in pairwise(packets)) == TICKS // FPS


@pytest.mark.parametrize(("mode", "within"), [("cut", 1.5), ("hang", 2.5), ("half", 1.5)])
def test_a_connection_that_breaks_is_noticed_and_the_camera_opens_again(
    units: list[list[bytes]], mode: str, within: float
) -> None:
    with network_camera(units) as server:
        with opened(server) as camera:
            taken(camera, lambda found: len(found) >= 3)
            server.mode, began = mode, time.monotonic()
            error = failure(camera)
            assert error.code == "camera_failed"
            assert time.monotonic() - began < within
            assert "127.0.0.1" not in error.sentence("en")
        server.mode = "play"
        with opened(server) as camera:
            assert taken(camera, lambda found: len(found) >= 3)[0].keyframe


def test_a_stream_of_damaged_pictures_is_outlived(units: list[list[bytes]]) -> None:
    with network_camera(units) as server, opened(server) as camera:
        taken(camera, lambda found: len(found) >= 3)
        server.mode = "garbage"
        time.sleep(1)
        server.mode = "play"
        camera.packets(0.3)
        looks, until = 0, time.monotonic() + 5
        while looks < 5 and time.monotonic() < until:
            camera.packets(0.1)
            picture = camera.picture()
            looks += picture is not None and (picture.width, picture.height) == (320, 180)
        assert looks == 5


def test_pictures_the_sensor_lost_are_counted(units: list[list[bytes]]) -> None:
    with network_camera(units, skip=frozenset({14, 18, 19})) as server, opened(server) as camera:
        taken(camera, lambda found: len(found) >= 22)
        assert camera.dropped == 3


@pytest.mark.parametrize("scheme", ["digest", "basic"])
def test_a_login_with_any_password_and_nobody_reads_it(units: list[list[bytes]], scheme: str) -> None:
    with network_camera(units, user="room@7/考", password=SECRET, scheme=scheme) as server:
        with opened(server, user="room@7/考", password=SECRET) as camera:
            assert taken(camera, lambda found: len(found) >= 1)
        wrong = options(server, user="room@7/考", password=SECRET + "x")
        with pytest.raises(Unavailable) as caught:
            open_camera("door", wrong)
    assert caught.value.code == "camera_login"
    chain: BaseException | None = caught.value
    while chain is not None:
        assert not any(part in str(chain) for part in ("w/rd", "w%2Frd", "room@7", "room%407")), chain
        chain = chain.__cause__
    assert "w/rd" not in repr(wrong)


def test_what_cannot_be_watched_has_its_name(units: list[list[bytes]]) -> None:
    def code(server: FakeNetworkCamera) -> str:
        with pytest.raises(ExamroomError) as caught:
            open_camera("door", options(server))
        assert isinstance(caught.value, Unavailable | BadInput)
        return caught.value.code

    with network_camera(units, path="/elsewhere") as server:
        assert code(server) == "camera_no_stream"
    assert code(server) == "camera_unreachable"  # it is away now
    with network_camera(units, codec="H265") as server:
        assert code(server) == "camera_format"
    with network_camera(units, mode="hang") as server:
        began = time.monotonic()
        camera = open_camera("door", options(server))
        try:
            assert failure(camera).code == "camera_failed"
        finally:
            camera.close()
        assert time.monotonic() - began < 6


def times_of(stamps: list[tuple[int | None, int]]) -> list[tuple[int, int]]:
    """(ticks, monotonic ms) of packets with these stamps, each come at this monotonic ms."""
    times = Times(Fraction(1, TICKS), 10)
    return [(dts, mono) for dts, _, mono in (times.of(stamp, now) for stamp, now in stamps)]


def test_a_camera_that_sets_its_clock_makes_no_hole_and_no_overlap() -> None:
    step = TICKS // 10
    live = [(n * step, 1000 + n * 100) for n in range(50)]
    back = [(n * step - 3_600 * TICKS, 6000 + n * 100) for n in range(50)]
    ahead = [(n * step + 86_400 * TICKS, 11_000 + n * 100) for n in range(50)]
    unknown = [(None, 16_000 + n * 100) for n in range(5)]
    found = times_of([*live, *back, *ahead, *unknown])
    assert [dts for dts, _ in found] == [n * step for n in range(155)]
    assert all(abs(mono - 1000 - n * 100) <= 2 for n, (_, mono) in enumerate(found))


@pytest.mark.parametrize("jump_s", [1.5, 4.5])
def test_a_clock_set_forward_by_little_is_no_recorded_time(jump_s: float) -> None:
    """And a loss right behind it is as long as it was."""
    step, jump = TICKS // 10, round(jump_s * TICKS)
    stamps = [(n * step + (jump if n >= 55 else 0), 1000 + n * 100) for n in (*range(60), *range(80, 120))]
    found = times_of(list(stamps))
    assert [dts for dts, _ in found] == [n * step for n in (*range(60), *range(80, 120))]
    assert all(abs(mono - came) <= 2 for (_, mono), (_, came) in zip(found, stamps, strict=True))


@pytest.mark.parametrize("seconds", [0.5, 1, 2, 4])
def test_few_pictures_that_came_before_in_a_rush_keep_their_times(seconds: float) -> None:
    """Eight at once, then each when it is taken."""
    taken = [round(1000 * seconds * n) for n in range(20)]
    found = times_of([(at * TICKS // 1000, 50_000 + max(at, taken[7])) for at in taken])
    first = 1 if seconds < 2 else 2  # of the very first step nobody knows whether it is usual
    steps = [(dts - found[first][0]) * 1000 // TICKS for dts, _ in found[first:]]
    assert steps == [at - taken[first] for at in taken[first:]]
    assert all(abs(mono - 50_000 - at) <= 10 for (_, mono), at in zip(found[8:], taken[8:], strict=True))


def test_a_camera_whose_clock_runs_differently_is_followed_and_late_packets_are_not() -> None:
    chance, step = random.Random(4), TICKS // 10
    stamps = [(n * step, 1000 + n * 100 + n // 50 + chance.choice((0, 0, 5, 40))) for n in range(20_000)]
    late = [mono - (1000 + n * 100 + n // 50) for n, (_, mono) in enumerate(times_of(stamps))]
    assert max(abs(one) for one in late) < 60  # of 400 ms that it ran apart
    paused = times_of([(n * step, 1000 + n * 100 + (9000 if n > 20 else 0)) for n in range(40)])
    assert paused[39][1] == pytest.approx(1000 + 3900 + 9000, abs=100)


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "0"},
        {"source": "http://127.0.0.1/x"},
        {"source": "rtsp:///x"},
        {"source": "rtsp://h:99999/x"},
        {"source": "rtsp://user:hunter2@h/x"},
        {"source": "rtsp://h/x", "look": "rtsp://user:hunter2@h/y"},
        {"source": "rtsp://h/x", "look": "http://h/y"},
        {"backend": "v4l2", "source": "0", "look": "video1", "user": "u", "password": "hunter2"},
        {"source": "rtsp://h/x y"},
        {"source": "rtsp://h/x", "password": "hunter2"},
        {"source": "rtsp://h/x", "user": "a:b", "password": "hunter2"},
        {"backend": "file", "source": "x", "user": "u", "password": "hunter2"},
    ],
)
def test_an_address_that_cannot_be_is_refused_without_repeating_a_password(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Camera.model_validate({"backend": "rtsp", **wrong})
    assert "hunter2" not in str(caught.value)
