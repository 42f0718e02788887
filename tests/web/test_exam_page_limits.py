"""What staff change of an open page: every change of time is on it within two seconds of the page's own time, and how a
person needs the paper goes with them to any tablet.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.ops.desk import Person
from edge.ops.ports import free_port
from support.kinds_room import kinds_document, make_kinds_room
from support.pictures import shot_both
from support.rooms import DeskRoom, make_desk_room
from support.serving import answers, open_exam, serving, until
from support.tablet_page import CHROMIUM, enter_code, seat, stored, tablet

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="Chromium is not installed; see provisioning/test-packages.sh"
    ),
]
WITHIN_MS = 2000


def person_of(proctor: Person, session: str, code: str) -> str:
    board = proctor.get(f"/console/api/{session}/board")
    return str(next(one["person"] for one in board["seats"] if one.get("seat_code") == code))


@contextmanager
def held(page: Page) -> Iterator[None]:
    """The page's time stands still but for what the test lets pass, so that nothing here is about machine speed."""
    page.clock.pause_at((page.evaluate("() => Date.now()") + 1000) / 1000)
    page.wait_for_timeout(300)  # a poll that was on its way comes back
    yield
    page.clock.run_for(WITHIN_MS)


def minutes_on(page: Page, timer: str = ".timer") -> float:
    found = re.search(r"(?:(\d+):)?(\d+):(\d+)", page.locator(timer).inner_text())
    assert found is not None
    return int(found[1] or 0) * 60 + int(found[2]) + int(found[3]) / 60


def shows_more(page: Page, before: float, minutes: float, timer: str = ".timer") -> None:
    until(lambda: minutes_on(page, timer) > before + minutes - 0.5, 5, f"{minutes} minutes more on {timer}")


def shows_less(page: Page, before: float, minutes: float, timer: str = ".timer") -> None:
    until(lambda: minutes_on(page, timer) < before - minutes + 0.5, 5, f"{minutes} minutes less on {timer}")


def measured(proctor: Person, session: str) -> dict[str, Any] | None:
    outages = proctor.get(f"/console/api/{session}/board")["outages"]
    return next((one for one in outages if one["cause"] != "reboot"), None)


def power_cut(room: DeskRoom, minutes: int) -> str:
    """As the room notes one over which the exam clock stood still; its id."""
    room.db.execute(
        "INSERT INTO outages (id, session_id, from_ms, to_ms, elapsed_ms, ms, proposed_ms, cause, quality)"
        " VALUES ('cut-1', ?, 1, 2, 1, ?, 0, 'reboot', 'synchronised')",
        (room.session, minutes * 60_000),
    )
    return "cut-1"


def test_every_change_of_time_is_on_an_open_page_within_two_seconds(browser: Browser, tmp_path: Path) -> None:
    room = make_kinds_room(tmp_path, kinds_document(test_minutes=20), web={"port": free_port(), "threads": 24})
    with serving(room, tmp_path) as (web, base):
        proctor, codes = open_exam(base, room.session)
        with tablet(browser, base) as page:
            polls: list[float] = []
            page.on("request", lambda request: polls.append(0) if "/exam/api/clock" in request.url else None)
            page.clock.install()
            page.goto(f"{base}/exam/")
            enter_code(page, codes[0])
            page.locator(".two .button.main").click()
            page.locator(".cover.part .button").first.click()
            page.locator("#question").wait_for()
            expect(page.locator(".part-timer")).to_contain_text("19:")
            person = person_of(proctor, room.session, codes[0])

            def act(name: str, **more: Any) -> None:
                polls.clear()
                with held(page):
                    proctor.post(f"/console/api/{room.session}/{name}", reason="现场情况", **more)
                until(lambda: polls, 5, "a poll within two seconds")
                page.wait_for_timeout(50)

            act("pause")
            expect(page.locator(".cover.paused")).to_be_visible(timeout=3000)
            act("resume")
            expect(page.locator(".cover.paused")).to_have_count(0, timeout=3000)
            act("pause", person=person)
            expect(page.locator(".cover.paused")).to_be_visible(timeout=3000)
            act("resume", person=person)
            expect(page.locator(".cover.paused")).to_have_count(0, timeout=3000)
            whole, part = minutes_on(page), minutes_on(page, ".part-timer")
            act("add-time", person=person, minutes=12)
            shows_more(page, whole, 12)
            shows_more(page, part, 4, ".part-timer")  # in proportion: 20 of 60 minutes
            whole = minutes_on(page)
            act("add-time", minutes=6)
            shows_more(page, whole, 6)
            whole = minutes_on(page)
            act("shorten-time", person=person, minutes=7)
            shows_less(page, whole, 7)
            whole = minutes_on(page)
            act("shorten-time", minutes=3)
            shows_less(page, whole, 3)
            part = minutes_on(page, ".part-timer")
            act("set-part-limit", part=0, minutes=31)
            shows_more(page, part, 11, ".part-timer")
            part = minutes_on(page, ".part-timer")
            act("set-part-limit", part=0, minutes=22)
            shows_less(page, part, 9, ".part-timer")
            whole = minutes_on(page)
            act("settle-standstill", outage=power_cut(room, minutes=4), seconds=150)
            shows_less(page, whole, 2.5)
            page.clock.resume()
            web.kill()
            time.sleep(6.5)
            web.start()
            until(lambda: answers(base), 30, "web is back")
            outage = until(lambda: measured(proctor, room.session), what="the outage")
            until(lambda: page.locator(".banners .warn").count() == 0, 20, "the page has the room again")
            whole, part = minutes_on(page), minutes_on(page, ".part-timer")
            act("credit-outage", outage=outage["id"], minutes=3)
            shows_more(page, whole, 3)
            shows_more(page, part, 3, ".part-timer")
        proctor.close()
    room.db.close()


def test_how_a_person_needs_the_paper_goes_with_them(browser: Browser, tmp_path: Path) -> None:
    room: DeskRoom = make_desk_room(tmp_path, size=2, web={"port": free_port(), "threads": 24})
    with serving(room, tmp_path) as (_, base):
        proctor, codes = open_exam(base, room.session)
        person = person_of(proctor, room.session, codes[0])
        wanted = {"size": 2, "contrast": True}
        proctor.post(f"/console/api/{room.session}/set-settings", person=person, settings=wanted, reason="视力不便")
        with tablet(browser, base) as other:
            seat(other, base, codes[1])
            assert other.evaluate("() => ({ ...document.documentElement.dataset })")["size"] == "0"
            # what staff set reaches a page that is open, and that one only
            neighbour = person_of(proctor, room.session, codes[1])
            asked: list[str] = []
            other.on("request", lambda r: asked.append(r.url) if r.url.endswith("/exam/api/paper") else None)
            wants = {"size": 1, "contrast": True}
            proctor.post(
                f"/console/api/{room.session}/set-settings", person=neighbour, settings=wants, reason="视力不便"
            )
            expect(other.locator("html[data-size='1'][data-contrast='1']")).to_be_attached(timeout=8000)
            assert len(asked) == 1
            # the end is near: told when it comes near, to who loads the page late, and again after added time
            left = [299_000]
            clock = {"s": "running", "now": 0, "v": 1}
            other.route("**/exam/api/clock*", lambda route: route.fulfill(json={**clock, "left": left[0]}))

            def warned(words: str) -> None:
                expect(other.locator("#toasts .notice", has_text=words)).to_be_visible(timeout=8000)

            warned("还剩 5 分钟")
            left[0] = 900_000
            expect(other.locator(".timer")).to_contain_text("15:00", timeout=8000)
            left[0] = 200_000
            warned("快结束了，还剩 03:")
            other.reload()
            warned("快结束了，还剩 03:")
        with tablet(browser, base) as first, tablet(browser, base) as second:
            seat(first, base, codes[0])
            shown = first.evaluate("() => ({ ...document.documentElement.dataset })")
            assert (shown["size"], shown["contrast"]) == ("2", "1")
            shot_both(first, "page-set-for-a-person")
            # the candidate's own choice wins, also when the room hears of it late
            first.context.set_offline(True)
            first.locator(".tools .button").first.click()
            first.locator("dialog input[name=size]").nth(3).check(force=True)
            first.locator("dialog .button.main").click()
            notes = dict(stored(first)["notes"])
            assert next(value for key, value in notes.items() if key.startswith("settings/"))["unsent"]
            first.context.set_offline(False)

            def told() -> bool:
                kept = dict(stored(first)["notes"])
                return not next(value for key, value in kept.items() if key.startswith("settings/")).get("unsent")

            until(told, 20, "the room has the choice")
            proctor.post(f"/console/api/{room.session}/release-tablet", person=person, reason="平板没电")
            seat(second, base, codes[0])
            shown = second.evaluate("() => ({ ...document.documentElement.dataset })")
            assert (shown["size"], shown["contrast"]) == ("3", "1")
        rows = room.db.execute("SELECT entry FROM ledger WHERE kind = 'settings_set'").fetchall()
        assert len(rows) == 2 and not [row for row in rows if b"contrast" in bytes(row["entry"])]
        proctor.close()
    room.db.close()
