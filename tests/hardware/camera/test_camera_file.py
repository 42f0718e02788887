"""A file plays as a live camera: real pace, endless, and honest about time."""

from __future__ import annotations

import io
import time
from itertools import pairwise
from pathlib import Path

import av
import pytest

from edge import clock
from edge.config import Camera
from edge.errors import BadInput, Unavailable
from edge.hardware.camera import Packet, open_camera
from edge.hardware.camera.clip_file import BACKLOG_MS
from edge.hardware.camera.source import TICKS
from support.cameras import FPS, make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=2)


def options(source: Path, **more: object) -> Camera:
    return Camera.model_validate({"backend": "file", "source": str(source), "fps": FPS, **more})


def test_pace_and_time_over_the_loop(clip: Path) -> None:
    camera = open_camera("door", options(clip))
    try:
        began = clock.mono_ms()
        packets, positions = list[Packet](), list[int]()
        while clock.mono_ms() - began < 4600:
            packets += camera.packets(0.2)
            picture = camera.picture()
            if picture is not None:
                positions.append(picture.source_ms)
                assert (picture.width, picture.height) == (320, 240)
                assert len(picture.bgr) == 320 * 240 * 3
                assert picture.jpeg[:2] == b"\xff\xd8"
    finally:
        camera.close()
    # two whole passes of two seconds and a bit: more packets than the clip has, at the clip's pace
    assert 40 < len(packets) <= 49
    steps = [b.dts - a.dts for a, b in pairwise(packets)]
    assert set(steps) == {TICKS // FPS}
    assert [b.mono_ms - a.mono_ms for a, b in pairwise(packets)] == [100] * len(steps)
    assert [p.keyframe for p in packets[:21]] == [True, *[False] * 9, True, *[False] * 9, True]
    assert packets[20].data == packets[0].data
    assert abs(packets[-1].mono_ms - clock.mono_ms()) < 500
    # the position is within the clip, and starts again with it
    assert max(positions) < 2000
    assert any(later < earlier for earlier, later in pairwise(positions))
    assert 15 <= len(positions) <= 25
    assert 0.01 < camera.look_cpu_s < 4.6


def test_what_a_stopped_process_misses_is_lost_and_the_clock_goes_on(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = open_camera("door", options(clip), pictures=False)
    try:
        first = camera.packets(0.2)
        ahead = BACKLOG_MS + 123_456
        real = clock.mono_ms
        monkeypatch.setattr(clock, "mono_ms", lambda: real() + ahead)
        skipping = time.monotonic()
        assert camera.packets(0.1) == []  # the key frame now due is not yet there
        found = list[Packet]()
        while not found:
            found = camera.packets(0.1)
        assert time.monotonic() - skipping < 3
    finally:
        camera.close()
    assert found[0].keyframe
    assert camera.dropped > 0
    passed_ms = found[0].mono_ms - first[0].mono_ms
    assert ahead <= passed_ms < ahead + 3000
    assert found[0].dts - first[0].dts == passed_ms * TICKS // 1000
    assert camera.picture() is None
    assert camera.look_cpu_s == 0


def test_no_file_is_a_state(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        open_camera("door", options(tmp_path / "no.mp4"))
    assert caught.value.code == "camera_missing"
    assert "door" in caught.value.sentence("zh")


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 50])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "x.mp4"
    source.write_bytes(content)
    with pytest.raises((Unavailable, BadInput)):
        open_camera("door", options(source))


def test_a_title_in_another_encoding_is_no_hindrance(tmp_path: Path) -> None:
    source, plain = tmp_path / "gbk.mp4", io.BytesIO()
    with av.open(str(make_clip(tmp_path / "clip.mp4", seconds=1))) as clip, av.open(plain, "w", format="mp4") as out:
        out.metadata["title"] = "kaochang"
        stream = out.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert b"kaochang" in plain.getvalue()
    source.write_bytes(plain.getvalue().replace(b"kaochang", "考场甲乙".encode("gbk")))
    camera = open_camera("door", options(source), pictures=False)
    try:
        assert camera.format is not None
    finally:
        camera.close()


def test_another_codec_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "x.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(BadInput) as caught:
        open_camera("door", options(source))
    assert caught.value.code == "camera_format"
