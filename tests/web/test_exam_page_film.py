"""A real film and a real recording on a candidate's page: nothing of them before they are asked for, then they play."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from edge.bank.media import fault_of, kind_of
from edge.ops.ports import free_port
from support.kinds_room import kinds_document, make_kinds_room
from support.pictures import shot
from support.rooms import DeskRoom
from support.serving import open_exam, serving
from support.tablet_page import CHROMIUM, go_to, seat, steps, tablet

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="Chromium is not installed; see provisioning/test-packages.sh"
    ),
]
SECONDS, RATE = 2, 48_000


def film(form: str, picture: str, sound: str) -> bytes:
    """Two seconds of a moving bar with a tone."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        video: Any = container.add_stream(picture, rate=15)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        audio = add_sound(container, sound)
        for n in range(15 * SECONDS):
            pixels = np.full((120, 160, 3), 200, np.uint8)
            pixels[:, n * 5 : n * 5 + 10] = (200, 40, 40)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode(None))
        tone(container, audio)
    return out.getvalue()


def recording(form: str, sound: str) -> bytes:
    """Two seconds of a tone alone."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        tone(container, add_sound(container, sound))
    return out.getvalue()


def add_sound(container: Any, codec: str) -> Any:
    stream = container.add_stream(codec, rate=RATE)
    stream.layout = "mono"
    return stream


def tone(container: Any, stream: Any) -> None:
    wave = (np.sin(np.arange(RATE * SECONDS) / 20) * 8000).astype(np.int16).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    fifo: Any = av.AudioFifo()
    resampler = av.AudioResampler(format=stream.format, layout="mono", rate=RATE)
    for one in resampler.resample(frame):
        fifo.write(one)
    while fifo.samples:
        piece = fifo.read(min(stream.frame_size or 960, fifo.samples))
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "lift.webm": ("video/webm", lambda: film("webm", "libvpx", "libopus")),
    "tone.mp3": ("audio/mpeg", lambda: recording("mp3", "libmp3lame")),
    "tone.m4a": ("audio/mp4", lambda: recording("ipod", "aac")),
}


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    made = {name: make() for name, (_, make) in FILES.items()}
    for name, content in made.items():
        assert kind_of(content) == FILES[name][0] and fault_of(content, FILES[name][0]) is None
    return made


@pytest.fixture
def room(tmp_path: Path, contents: dict[str, bytes]) -> Iterator[DeskRoom]:
    document = kinds_document()
    item = next(item for item in document["items"] if item["id"] == "K010")
    item["media"] = [{"name": name, "alt": f"吊装 {name}"} for name in FILES]
    for name, content in contents.items():
        document["media"][name] = {"type": FILES[name][0], "data": base64.b64encode(content).decode()}
    made = make_kinds_room(tmp_path, document, web={"port": free_port(), "threads": 24})
    yield made
    made.db.close()


def plays(page: Page, what: str) -> None:
    """It has loaded, is neither broken nor empty, and its time goes on."""
    page.wait_for_function(
        f"() => {{ const it = document.querySelector('{what}');"
        " return it && it.readyState >= 2 && it.currentTime > 0.3; }"
    )
    facts = page.evaluate(
        f"() => {{ const it = document.querySelector('{what}');"
        " return {error: it.error && it.error.message, duration: it.duration, width: it.videoWidth || 0}; }"
    )
    assert facts["error"] is None
    assert abs(facts["duration"] - SECONDS) < 0.5
    assert (facts["width"] > 0) is (what == "video")


def test_a_film_and_a_recording_play_once_they_are_asked_for(
    browser: Browser, room: DeskRoom, tmp_path: Path, contents: dict[str, bytes]
) -> None:
    with serving(room, tmp_path) as (_, base):
        proctor, codes = open_exam(base, room.session)
        with tablet(browser, base) as page:
            asked: list[str] = []
            sent: list[dict[str, str]] = []

            def note(request: Request) -> None:
                if "/api/media/" in request.url:
                    asked.append(request.url.rpartition("/")[2])
                    sent.append(
                        {k: v for k, v in request.headers.items() if k.startswith("x-") or k == "authorization"}
                    )

            page.on("request", note)
            seat(page, base, codes[0])
            go_to(page, steps(page)["K010"])
            buttons = page.locator(".media button")
            expect(buttons).to_have_count(3)
            expect(page.locator("video, audio")).to_have_count(0)
            assert asked == []
            buttons.nth(0).click()
            expect(page.locator("video")).to_be_visible()
            plays(page, "video")
            assert [Path(name).suffix for name in asked] == [".webm"]
            shot(page, "exam-film", "zh")
            page.evaluate("() => document.querySelector('video').pause()")
            for count, name in enumerate((".mp3", ".m4a"), start=1):
                # each that is played takes its button's place
                buttons.nth(0).click()
                page.wait_for_function("(n) => document.querySelectorAll('audio').length === n", arg=count)
                page.evaluate("() => document.querySelectorAll('audio').forEach((a) => a.id = '')")
                page.locator("audio").last.evaluate("(a) => { a.id = 'newest'; }")
                plays(page, "#newest")
                assert Path(asked[-1]).suffix == name
            ranges = page.evaluate(
                """async ([own, film]) => {
                  const got = [];
                  for (const range of ["bytes=0-99", "bytes=100-", "bytes=-50", "bytes=99999999-"]) {
                    const answer = await fetch(film, {headers: {...own, Range: range}});
                    const bytes = (await answer.arrayBuffer()).byteLength;
                    got.push([answer.status, answer.headers.get("content-range"), bytes]);
                  }
                  return got;
                }""",
                [sent[0], f"/exam/api/media/{asked[0]}"],
            )
            size = len(contents["lift.webm"])
            assert ranges[:3] == [
                [206, f"bytes 0-99/{size}", 100],
                [206, f"bytes 100-{size - 1}/{size}", size - 100],
                [206, f"bytes {size - 50}-{size - 1}/{size}", 50],
            ]
            assert ranges[3][0] == 416
        proctor.close()
