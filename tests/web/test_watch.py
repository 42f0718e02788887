"""The exam page in a browser: leaving it is told beforehand, noted without haste, and never in the way of an answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.demo.tablets import Tally
from edge.domain.canonical import canonical_text
from edge.exam import seb as room_seb
from edge.ops.ports import free_port
from edge.store.db import transaction
from edge.trust import roomtls
from support.rooms import DeskRoom, make_desk_room
from support.serving import claimed, open_exam, serving, until

CHROMIUM = "/usr/bin/chromium"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="Chromium is not installed; see provisioning/test-packages.sh"
    ),
]
# what a tab that is switched away from sees: Chromium without a screen shows every tab at once
HIDE = """hidden => {
  Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskRoom]:
    made = make_desk_room(tmp_path, size=2, web={"port": free_port(), "threads": 48})
    yield made
    made.db.close()


def with_policy(desk: DeskRoom, **rules: Any) -> None:
    row = desk.db.execute("SELECT policy FROM sessions WHERE id = ?", (desk.session,)).fetchone()
    policy = canonical_text({**json.loads(row["policy"]), **rules})
    with transaction(desk.db):
        desk.db.execute("UPDATE sessions SET policy = ? WHERE id = ?", (policy, desk.session))


def enter(page: Page, base: str, code: str) -> None:
    page.goto(f"{base}/exam/?lang=en")
    page.fill("#seat-code", code)
    page.keyboard.press("Enter")


Event = dict[str, Any]


def watched(page: Page) -> list[list[Event]]:
    """What the page sends of what it sees, sending by sending."""
    sent: list[list[Event]] = []
    page.on(
        "request",
        lambda r: sent.append(json.loads(r.post_data or "{}")["events"]) if r.url.endswith("/exam/api/watch") else None,
    )
    return sent


def test_leaving_is_told_beforehand_and_noted_as_it_begins(browser: Browser, desk: DeskRoom, tmp_path: Path) -> None:
    with serving(desk, tmp_path) as (_, base):
        proctor, codes = open_exam(base, desk.session)
        page = browser.new_page(viewport={"width": 800, "height": 1280})
        sent = watched(page)

        def tile() -> dict[str, Any]:
            board = proctor.get(f"/console/api/{desk.session}/board")
            return next(dict(s) for s in board["seats"] if s.get("seat_code") == codes[0])

        page.clock.install()
        enter(page, base, codes[0])
        expect(page.get_by_text("Stay on this page during the exam")).to_be_visible()
        page.locator(".two .button.main").click()
        page.clock.run_for(2000)
        expect(page.locator(".stem").first).to_be_visible()
        page.evaluate(HIDE, True)
        until(lambda: page.wait_for_timeout(50) or sent, 10, "the beginning is sent at once")
        until(lambda: tile()["away_ms"], 10, "the board shows that nobody looks at the page")
        assert "away" in tile()["alarms"]
        page.clock.run_for(5000)
        page.evaluate(HIDE, False)
        page.clock.run_for(2100)
        until(lambda: page.wait_for_timeout(50) or len(sent) == 2, 10, "and so is the end")
        begun, ended = (event for events in sent for event in events)
        assert (begun["kind"], begun["for_ms"], "end" in begun) == ("page_hidden", 0, False)
        assert (ended["kind"], ended["end"]) == ("page_hidden", True) and ended["for_ms"] >= 5000
        until(lambda: tile()["away_ms"] is None, 10, "they are back")
        page.evaluate("document.dispatchEvent(new ClipboardEvent('copy'))")
        page.evaluate("document.dispatchEvent(new ClipboardEvent('copy'))")
        page.clock.run_for(5000)
        assert len(sent) == 2
        page.clock.run_for(6000)
        until(lambda: page.wait_for_timeout(50) or len(sent) == 3, 10, "what can wait is sent")
        page.clock.run_for(30_000)
        assert [e["kind"] for e in sent[2]] == ["copy"] and len(sent) == 3
        until(lambda: tile()["focus_lost"] == 2, 10, "the board counts")

        # gone once more, and the room does not hear it; the page is loaded again, and it is heard all the same, once
        page.route("**/exam/api/watch", lambda route: route.abort())
        page.evaluate(HIDE, True)
        until(lambda: page.wait_for_timeout(50) or len(sent) == 4, 10, "it is tried")
        page.unroute("**/exam/api/watch")
        page.reload()
        page.clock.run_for(2100)
        until(lambda: page.wait_for_timeout(50) or any(e["id"] == sent[3][0]["id"] for e in sent[-1]), 10, "heard")
        until(lambda: tile()["focus_lost"] >= 3, 10, "the board counts it")
        assert tile()["away_ms"] is None

        # a reload ends the full screen: that is noted, and the next touch asks for it again
        page.clock.run_for(12_000)
        until(lambda: page.wait_for_timeout(50) or sent[-1][-1]["kind"] == "not_fullscreen", 10, "not full screen")
        assert page.evaluate("() => document.fullscreenElement === null")
        page.locator("label.option").first.click()
        until(lambda: page.evaluate("() => document.fullscreenElement !== null"), 5, "full screen again")

        # an absence that is open when the exam ends ends with it
        page.evaluate(HIDE, True)
        until(lambda: tile()["away_ms"], 10, "away")
        person = tile()["person"]
        proctor.post(f"/console/api/{desk.session}/hand-in", person=person, reason="离场")
        page.clock.run_for(20_000)
        expect(page.locator(".screen.done")).to_be_visible()
        assert sent[-1][-1]["end"] and sent[-1][-1]["for_ms"] > 0
        page.close()


def test_nothing_is_watched_where_the_policy_says_so(browser: Browser, desk: DeskRoom, tmp_path: Path) -> None:
    with_policy(desk, lockdown="none")
    with serving(desk, tmp_path) as (_, base):
        _, codes = open_exam(base, desk.session)
        page = browser.new_page()
        sent: list[str] = []
        page.on("request", lambda r: sent.append(r.url) if r.url.endswith("/exam/api/watch") else None)
        page.clock.install()
        enter(page, base, codes[0])
        expect(page.locator(".two .button.main")).to_be_visible()
        assert page.get_by_text("Stay on this page").count() == 0
        page.locator(".two .button.main").click()
        page.clock.run_for(2000)
        expect(page.locator(".stem").first).to_be_visible()
        assert page.evaluate("document.fullscreenElement") is None
        page.evaluate(HIDE, True)
        page.evaluate(HIDE, False)
        page.clock.run_for(30_000)
        assert sent == []
        page.close()


@pytest.mark.parametrize("late", [False, True])
def test_safe_exam_browsers_newer_view_is_let_in_by_its_script_interface(
    browser: Browser, desk: DeskRoom, tmp_path: Path, late: bool
) -> None:
    """Its keys stand ready in later versions; the first filled them in when asked."""
    with_policy(desk, lockdown="seb")
    roomtls.make(desk.config.paths.tls, ["room7.local"], [], datetime.now(UTC))
    with serving(desk, tmp_path) as (_, base):
        _, codes = open_exam(base, desk.session)
        key = room_seb.own_key(base, roomtls.load(desk.config.paths.tls).ca_der, "")
        told = hashlib.sha256(f"{base}/exam/?lang=en{key}".encode()).hexdigest()
        page = browser.new_page()
        ready = f"window.SafeExamBrowser = {{ security: {{ configKey: '{told}' }} }};"
        asked = (
            "window.SafeExamBrowser = { security: { updateKeys(then) { setTimeout(() => {"
            f" this.configKey = '{told}'; window[then.name](); }}, 100); }} }} }};"
        )
        page.add_init_script(asked if late else ready)
        enter(page, base, codes[0])
        page.locator(".two .button.main").click()
        expect(page.locator(".stem").first).to_be_visible(timeout=15_000)
        page.close()


def test_another_browser_is_told_what_to_do_and_its_answers_stay(
    browser: Browser, desk: DeskRoom, tmp_path: Path
) -> None:
    with serving(desk, tmp_path) as (_, base):
        _, codes = open_exam(base, desk.session)
        page = browser.new_page()
        enter(page, base, codes[0])
        page.locator(".two .button.main").click()
        expect(page.locator(".stem").first).to_be_visible(timeout=15_000)
        with_policy(desk, lockdown="seb")
        expect(page.get_by_text("has to be opened in Safe Exam Browser")).to_be_visible(timeout=15_000)
        other = browser.new_page()
        enter(other, base, codes[1])
        expect(other.get_by_text("has to be opened in Safe Exam Browser")).to_be_visible(timeout=15_000)
        page.close()
        other.close()


def test_a_tablet_that_reports_nothing_answers_as_ever(desk: DeskRoom, tmp_path: Path) -> None:
    with serving(desk, tmp_path) as (_, base):
        _, codes = open_exam(base, desk.session)
        tally = Tally()
        (tablet,) = claimed(base, codes[:1], tally)
        assert tablet.paper()["session"]["lockdown"] == "note"
        assert tablet.paper()["session"]["sound"] is False
        tablet.close()
