"""The supervisor's page in plain Firefox: both cameras in step, a gap, sound, 1 to 16 times."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.domain.reasons import sentence
from edge.ops.ports import free_port
from support.filmed import film
from support.firefox import firefox, needs_firefox
from support.rooms import make_desk_room
from support.serving import SUPERVISOR, open_exam, serving, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    needs_firefox,
]

STATE = """return [...document.querySelectorAll('.screen video')].map((video) => ({
  at: video.currentTime, ready: video.readyState, rate: video.playbackRate, empty: !video.nextElementSibling.hidden
}))"""
PLAYING = "return [...document.querySelectorAll('video')].some((video) => video.readyState >= 2)"
BOTH = """return [...document.querySelectorAll('.screen video')].every(
  (video) => video.nextElementSibling.hidden && video.readyState >= 2 && !video.paused)"""
HEARD = """const [audio, video] = ['audio', 'video'].map((kind) =>
    document.querySelector('.screen[data-camera=door] ' + kind));
return !audio.paused && audio.buffered.length > 0 && Math.abs(audio.currentTime - video.currentTime) < 0.2
    && audio.currentTime > (window.heardAt = window.heardAt || audio.currentTime) + 0.5"""


def test_footage_plays_in_plain_firefox(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, web={"port": free_port(), "threads": 48})
    with serving(room, tmp_path) as (_, base), firefox(tmp_path) as page:
        open_exam(base, room.session, admit=3)
        filmed = film(room)
        page.goto(f"{base}/staff/login?next=/spotcheck/")
        page.fill("[name=badge]", SUPERVISOR.badge)
        page.fill("[name=pin]", SUPERVISOR.pin)
        page.click("button.main")
        page.until("return location.pathname.startsWith('/spotcheck')")
        page.goto(f"{base}/spotcheck/{room.session}")
        page.until("return document.querySelector('.quick')")
        page.click(".quick")
        page.click(".reason")
        page.until(PLAYING)

        at = filmed // 1000 - 32 + 8 * 3600  # just before the door's gap ends
        page.run(
            "const moment = document.querySelector('[name=moment]'); moment.value = arguments[0];"
            " moment.dispatchEvent(new Event('input', {bubbles: true}))",
            f"{at // 3600 % 24:02}:{at // 60 % 60:02}:{at % 60:02}",
        )
        page.click(".go-to .button")
        gap = "return document.querySelector('.screen[data-camera=door] .no-picture').innerText"
        until(lambda: sentence("gap_killed", "zh") in page.run(gap), 10, "the gap is said")
        assert [one["empty"] for one in page.run(STATE)] == [True, False]
        page.until(BOTH)
        page.until(HEARD)
        for rate in (16, 4, 1):
            page.run(f"[...document.querySelectorAll('.rate')].find((one) => one.innerText === '{rate}×').click()")
            page.until(
                f"return [...document.querySelectorAll('.screen video')].every((one) => one.playbackRate === {rate})"
            )
        page.click(".pause")
        door, hall = page.run(STATE)
        assert abs(door["at"] - hall["at"]) < 0.2, "one clock for both"
    room.db.close()
