"""The examiner's tablet in a real browser: without the room, on two tablets, by two examiners."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from edge import clock
from edge.bank.build import sample_bank
from edge.demo import people as cast
from edge.demo.people import STAFF, StaffMember
from edge.domain.canonical import canonical
from edge.domain.rubric import Marks, evaluate, step_times
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.ops.ports import free_port
from edge.store import people, practical, records, sessions, sheets
from edge.store import pictures as picture_rows
from edge.store.db import transaction
from support.pictures import shot, shot_redrawn
from support.rooms import DeskRoom, make_desk_room
from support.serving import serving, until
from support.tablet_page import axe, too_wide

CHROMIUM = "/usr/bin/chromium"
TABLET = (800, 1280)
ONE = STAFF[1]
TWO = StaffMember("E-002", "张考评", "examiner", "90000012", ONE.pin)
SESSION = "S-9"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="Chromium is not installed; see provisioning/test-packages.sh"
    ),
]


def make_room(folder: Path, **policy: object) -> DeskRoom:
    """Two examiners, a measured value, two stations, everybody admitted."""
    desk = make_desk_room(folder, web={"port": free_port(), "threads": 48})
    roster = cast.roster(SESSION, clock.wall_ms(), size=4, photos=False)
    roster["staff"].append(roster["staff"][1] | {"id": TWO.id, "name": TWO.name, "badge": TWO.badge})
    roster["stations"] = [
        {"id": "A", "title": "一号工位", "camera": "yard", "rubric": "P01"},
        {"id": "B", "title": "二号工位", "rubric": "P01"},
    ]
    spacing = {"id": "m1", "title": {"zh": "立杆纵距", "en": "Spacing"}, "unit": "m", "target": "1.5"}
    roster["rubric"]["steps"][1]["measures"] = [spacing | {"bands": [{"within": "0.1", "deduct": 0}]}]
    rules = parse_policy(canonical(cast.POLICY | policy))
    key = desk.identity.keys.data
    take_in(desk.db, parse_roster(canonical(roster)), rules, room="room-1", bank_file="bank-1.bundle", data_key=key)
    with transaction(desk.db):
        sessions.set_state(desk.db, SESSION, "checkin")
        for who in people.candidates(desk.db, SESSION):
            people.admit(desk.db, SESSION, who.person, "policy")
    return desk


@contextmanager
def tablet(
    browser: Browser, base: str, who: StaffMember, lang: str = "zh", script: str = ""
) -> Iterator[tuple[BrowserContext, Page]]:
    """A tablet of its own, signed in at the score sheets; any script error on it fails the test."""
    context = browser.new_context(viewport={"width": TABLET[0], "height": TABLET[1]}, locale="zh-CN")
    context.add_cookies([{"name": "lang", "value": lang, "url": base}])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(script)
    page.goto(f"{base}/scoring/{SESSION}")
    page.fill("input[name=badge]", who.badge)
    page.fill("input[name=pin]", who.pin)
    page.locator("form button").first.click()
    page.locator(".person-row").first.wait_for()
    yield context, page
    context.close()
    assert errors == []


def first(desk: DeskRoom) -> str:
    return people.candidates(desk.db, SESSION)[0].person


def keeps_both(page: Page) -> Callable[[str], None]:
    """Takes the page in both languages while there is a room; then the page opens in either without one."""
    pages = {lang: page.context.request.get(f"{page.url}?lang={lang}").text() for lang in ("en", "zh")}

    def opened(lang: str) -> None:
        page.evaluate(
            """async (html) => {
                 const name = (await caches.keys()).find((one) => one.startsWith("examroom-scoring"));
                 const cache = await caches.open(name);
                 await cache.put(location.pathname, new Response(html, { headers: { "Content-Type": "text/html" } }));
               }""",
            pages[lang],
        )
        page.reload()

    return opened


def measure(page: Page, value: str) -> None:
    page.locator("#measure-m1").click()
    page.locator(".keypad input").fill(value)
    page.locator(".keypad .button.main").click()


def sign(page: Page, who: StaffMember) -> None:
    page.locator(".button.sign").click()
    page.locator("dialog input[type=password]").fill(who.pin)
    page.locator("dialog .button.main").last.click()


def test_a_sheet_without_the_room_is_kept_over_a_reload_and_signed_when_it_is_back(
    browser: Browser, tmp_path: Path
) -> None:
    desk = make_room(tmp_path)
    with serving(desk, tmp_path) as (web, base), tablet(browser, base, ONE) as (_, page):
        until(lambda: page.evaluate("navigator.serviceWorker.controller !== null"), 15, "the worker serves the page")
        page.reload()  # once more under the worker, so that it has seen everything
        page.locator(".person-row").first.click()
        page.locator(".workclock .button.main").click()
        work = until(lambda: practical.find_work(desk.db, SESSION, first(desk), "P01"), 10, "the clock starts")
        assert work.timer.running
        opened = keeps_both(page)
        web.kill()
        page.locator(".plus").first.click()
        page.locator(".stepdone").first.click()
        measure(page, "1.52")
        expect(page.locator(".where")).to_contain_text("只在这台平板上")
        expect(page.locator("#kept")).to_contain_text("没有连上考场主机", timeout=15_000)

        def open_sheet() -> None:
            page.locator(".person-row").first.click()
            expect(page.locator("#kept")).not_to_be_empty(timeout=15_000)

        page.reload()
        open_sheet()
        shot_redrawn(page, "scoring-offline", open_sheet, opened)
        expect(page.locator(".count").first).to_have_text("1")
        expect(page.locator("#measure-m1")).to_contain_text("1.52")
        expect(page.locator(".stepdone").first).to_have_attribute("aria-pressed", "true")
        page.locator(".workclock .button.main").click()  # stop
        sign(page, ONE)
        expect(page.locator("#kept")).to_contain_text("等待输入 PIN", timeout=20_000)
        kept = page.evaluate(
            """() => new Promise((resolve) => {
                 const asked = indexedDB.open("examroom-scoring");
                 asked.onsuccess = () => {
                   const all = asked.result.transaction("kept").objectStore("kept").getAll();
                   all.onsuccess = () => resolve(JSON.stringify(all.result) + JSON.stringify(localStorage));
                 };
               })"""
        )
        assert ONE.pin not in kept and "p1d1" in kept
        page.reload()
        kept_there = expect(page.locator("#kept"))
        kept_there.to_contain_text("等待输入 PIN", timeout=15_000)
        shot_redrawn(page, "scoring-waits-for-pin", lambda: kept_there.to_contain_text("PIN", timeout=15_000), opened)
        assert sheets.sheets(desk.db, SESSION) == []
        web.start()
        page.locator("#kept .button.main").click(timeout=30_000)
        page.locator("dialog input[type=password]").fill(ONE.pin)
        page.locator("dialog .button.main").click()
        found = until(lambda: sheets.sheets(desk.db, SESSION), 20, "the sheet is signed")
        assert [one.points for one in found] == [9600]
        assert found[0].body["measured"] == {"m1": "1.52"}
        assert list(practical.stamps(desk.db, work.id, ONE.id)) == ["p1"]
        assert found[0].body["elapsed_ms"] > found[0].body["step_ms"]["p1"] > 0
        expect(page.locator("#kept")).to_be_empty()


def test_two_tablets_of_one_examiner(browser: Browser, tmp_path: Path) -> None:
    desk = make_room(tmp_path)
    with serving(desk, tmp_path) as (_, base), tablet(browser, base, ONE) as (context, page):
        page.locator(".person-row").first.click()
        page.locator(".workclock .button.main").click()
        page.locator(".plus").first.click()
        expect(page.locator(".where")).to_contain_text("已存到考场主机")
        context.set_offline(True)  # or it would take over what the second one saves, as it should
        with tablet(browser, base, ONE) as (_, second):

            def open_sheet() -> None:
                second.locator(".person-row").first.click()
                expect(second.locator(".banners button").first).to_be_visible()
                expect(second.locator(".count").first).to_have_text("1")

            open_sheet()
            shot_redrawn(second, "scoring-two-tablets", open_sheet)
            expect(second.locator(".banners")).to_contain_text("另一台平板")
            second.locator(".banners button").first.click()
            expect(second.locator(".banners")).not_to_contain_text("改在这台评", timeout=10_000)
            second.locator(".plus").nth(1).click()
            work = until(lambda: practical.find_work(desk.db, SESSION, first(desk), "P01"))
            until(lambda: (d := practical.drafts(desk.db, work.id, ONE.id)[0]) and d.version == 2, what="it is saved")
            page.locator(".plus").nth(2).click()
            page.locator(".workclock .button.main").click()  # stop: the second tablet's to do
            context.set_offline(False)
            expect(page.locator(".banners")).to_contain_text("两份都还在", timeout=20_000)
            expect(page.locator(".banners")).to_contain_text("1 项操作", timeout=20_000)
            expect(page.locator(".workclock")).to_have_attribute("data-state", "working")
            page.locator(".banners button", has_text="用这台平板的").click()
            expect(page.locator(".where")).to_contain_text("已存到考场主机", timeout=10_000)
        standing, beside = practical.drafts(desk.db, work.id, ONE.id)
        assert standing is not None and standing.body["marks"] == {"p1d1": 1, "p1d3": 1}
        assert beside != []


def test_another_examiner_sees_who_scores_and_two_sheets_settle(browser: Browser, tmp_path: Path) -> None:
    """The other one's tablet has no IndexedDB: it says so and scores all the same."""
    no_store = "Object.defineProperty(window, 'indexedDB', { value: undefined })"
    desk = make_room(tmp_path, examiners=2)
    with (
        serving(desk, tmp_path) as (_, base),
        tablet(browser, base, ONE) as (_, page),
        tablet(browser, base, TWO, script=no_store) as (_, other),
    ):
        page.locator(".person-row").first.click()
        measure(page, "1.5")
        page.locator(".plus").first.click()
        expect(page.locator(".where")).to_contain_text("已存到考场主机")
        expect(other.locator(".person-row").first).to_contain_text(ONE.name, timeout=10_000)
        sign(page, ONE)
        expect(page.locator(".person-row").first).to_contain_text("等另一位", timeout=10_000)
        other.locator(".person-row").first.click()
        expect(other.locator("#sheet")).not_to_contain_text("96")
        other.context.set_offline(True)
        measure(other, "1.5")
        expect(other.locator(".where")).to_contain_text("只在本页里，平板没有存下")
        expect(other.locator("#kept")).to_contain_text("这台平板不能可靠存储")
        other.context.set_offline(False)
        expect(other.locator(".where")).to_contain_text("已存到考场主机", timeout=10_000)
        sign(other, TWO)
        record = until(
            lambda: records.tests_of(desk.db, SESSION).get(first(desk), {}).get("practical"), 10, "both have signed"
        )
        assert record.points == 9800
        expect(page.locator(".person-row").first).to_contain_text("98", timeout=10_000)


def test_a_picture_from_the_tablet_reaches_the_room_without_its_notes(browser: Browser, tmp_path: Path) -> None:
    """The room refuses it at first: it stays on the tablet with the reason, and no sheet is signed without it."""
    desk = make_room(tmp_path)
    with serving(desk, tmp_path) as (_, base), tablet(browser, base, ONE) as (_, page):
        page.locator(".person-row").first.click()
        measure(page, "1.5")
        refusal = {"error": "score_held", "zh": "现在不收", "en": "not now"}
        page.route("**/pictures", lambda route: route.fulfill(status=409, json=refusal))
        made = page.evaluate(
            """async () => {
                 const canvas = document.createElement("canvas");
                 canvas.width = 2400; canvas.height = 1200;
                 const pen = canvas.getContext("2d");
                 for (let x = 0; x < 2400; x += 8) for (let y = 0; y < 1200; y += 8) {
                   pen.fillStyle = "rgb(" + [x % 255, y % 255, (x * y) % 255] + ")"; pen.fillRect(x, y, 8, 8);
                 }
                 const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
                 return Array.from(new Uint8Array(await blob.arrayBuffer()));
               }"""
        )
        page.set_input_files("#shot", {"name": "p.png", "mimeType": "image/png", "buffer": bytes(made)})
        expect(page.locator("#kept .refused")).to_contain_text("现在不收", timeout=20_000)
        page.reload()

        def open_sheet() -> None:
            page.locator(".person-row").first.click()
            expect(page.locator(".shots li")).to_contain_text(re.compile("现在不收|not now"))

        open_sheet()
        shot_redrawn(page, "scoring-refused", open_sheet)
        expect(page.locator(".shots li")).to_contain_text("现在不收")
        sign(page, ONE)
        expect(page.locator(".signbox .notice.bad")).to_contain_text("现在不收")
        page.keyboard.press("Escape")
        assert sheets.sheets(desk.db, SESSION) == []
        page.unroute("**/pictures")
        page.locator("#kept .retry").click()
        expect(page.locator(".shots li")).to_contain_text("已存到考场主机", timeout=20_000)
        expect(page.locator("#kept")).to_be_empty()

        def drawn() -> None:
            until(lambda: page.evaluate("document.querySelector('.shots img')?.naturalWidth > 0"), 10, "it is drawn")
            page.locator(".shots img").scroll_into_view_if_needed()

        def open_again() -> None:
            page.locator(".person-row").first.click()
            drawn()

        drawn()
        shot_redrawn(page, "scoring-picture", open_again)
        work = practical.find_work(desk.db, SESSION, first(desk), "P01")
        assert work is not None
        found = picture_rows.of_work(desk.db, work.id)
        assert [(one.width, one.height, one.done) for one in found] == [(1600, 800, True)]


def test_a_killed_room_loses_no_running_clock(browser: Browser, tmp_path: Path) -> None:
    desk = make_room(tmp_path)
    with serving(desk, tmp_path) as (web, base), tablet(browser, base, ONE) as (_, page):
        page.locator(".person-row").first.click()
        page.locator(".workclock .button.main").click()
        until(lambda: practical.running_works(desk.db), 10, "the clock runs")
        web.kill()
        web.start()
        expect(page.locator(".workclock")).to_have_attribute("data-state", "working")
        page.locator(".workclock .button.main").click()
        work = until(
            lambda: next((w for w in practical.works(desk.db, SESSION).values() if w.state == "stopped"), None),
            30,
            "the clock stops",
        )
        assert work.timer.elapsed_ms > 0 and not work.timer.running


@pytest.mark.parametrize("lang", ["zh", pytest.param("en", marks=pytest.mark.long)])
def test_axe_finds_nothing_serious_and_nothing_is_too_wide(browser: Browser, tmp_path: Path, lang: str) -> None:
    """By day and, in Chinese, by night: the button is pressed from within, since a dialog may be over it."""
    desk = make_room(tmp_path, examiners=2, signatures=True)
    with serving(desk, tmp_path) as (_, base), tablet(browser, base, ONE, lang) as (_, page):
        found: dict[str, object] = {}

        def look(name: str) -> None:
            for light in ("light", "dark") if lang == "zh" else ("light",):
                page.wait_for_timeout(300)
                shot(page, f"scoring-{name}-{lang}-{light}")
                if serious := axe(page):
                    found[f"{name} {light}"] = serious
                if lang == "zh":
                    page.evaluate("document.getElementById('dark').click()")
            page.set_viewport_size({"width": 360, "height": 760})
            assert not too_wide(page), name
            page.set_viewport_size({"width": TABLET[0], "height": TABLET[1]})

        look("list")
        page.locator("#station").select_option("A")
        page.locator("#next").click()
        look("called")
        page.locator(".workclock .button.main").click()
        page.locator(".plus").first.click()
        page.locator(".stepdone").first.click()
        measure(page, "1.5")
        look("sheet")
        page.locator("#measure-m1").click()
        look("keypad")
        page.keyboard.press("Escape")
        page.locator(".veto").first.click()
        look("veto")
        page.locator("dialog .button.main").click()
        page.locator(".workclock .button.main").click()
        page.locator(".button.sign").click()
        look("sign")
        assert found == {}


def test_the_tablet_counts_as_the_room_does(browser: Browser, tmp_path: Path) -> None:
    """300 sheets of a rubric with everything in it: the page's sum and the room's are one."""
    chance = random.Random(11)
    over = {"per_minute": 2, "most": 7, "end_after": 6, "then": "zero"}
    rubric = sample_bank().rubrics[0].model_dump(by_alias=True)
    rubric |= {"minutes": 5, "over": over | {"then": "veto", "end_after": 9}}
    for step in rubric["steps"]:
        bands = [{"within": "0.05", "deduct": 0}, {"within": "0.1", "deduct": 3}, {"within": "1", "points": 2}]
        beyond = chance.choice([5, "zero", "veto"])
        measure = {"id": f"m-{step['id']}", "target": "1.5", "bands": bands, "points": 6, "beyond": beyond}
        step |= {"measures": [measure], "minutes": 1, "over": over}
    steps = [step["id"] for step in rubric["steps"]]
    marks = [deduction["id"] for step in rubric["steps"] for deduction in step["deductions"]]
    cases, expected = [], []
    for _ in range(300):
        counts = {one: chance.randint(1, 4) for one in chance.sample(marks, chance.randint(0, 5))}
        values = ["1.5", "1.55", "1.5501", "1.4", "2.50", "2.51", "-3", "1。45", "1.39999", "１．５", "1,500", "−3"]
        measured = {f"m-{step}": chance.choice(values) for step in chance.sample(steps, chance.randint(0, 4))}
        vetoes = ["v1"] if chance.random() < 0.1 else []
        stamps = {step: chance.randint(0, 900_000) for step in chance.sample(steps, chance.randint(0, 7))}
        elapsed = chance.choice([None, chance.randint(0, 1_000_000)])
        took = step_times(stamps, steps) if elapsed is not None else {}
        outcome = evaluate(rubric, Marks(counts, frozenset(vetoes), measured, took, elapsed))
        expected.append([outcome.score.points / 100, outcome.vetoed])
        content = {"marks": counts, "vetoes": vetoes, "measured": measured}
        cases.append([content, {step: {"elapsed_ms": ms} for step, ms in stamps.items()}, elapsed])
    assert len({points for points, _ in expected}) > 30
    desk = make_room(tmp_path)
    with serving(desk, tmp_path) as (_, base), tablet(browser, base, ONE) as (_, page):
        counted = page.evaluate(
            """async ([rubric, cases]) => {
                 const { worth } = await import("/scoring/static/js/points.js");
                 return cases.map(([content, stamps, elapsed]) => {
                   const sum = worth(rubric, content, stamps, elapsed);
                   return [sum.points, sum.vetoed];
                 });
               }""",
            [rubric, cases],
        )
    assert counted == expected
