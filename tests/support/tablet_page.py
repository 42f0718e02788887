"""A candidate's tablet in a real browser: seat code, paper, what is kept on it, and axe-core."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from edge.store.db import connect
from support import pictures
from support.rooms import DeskRoom

CHROMIUM = "/usr/bin/chromium"
PHONE, PORTRAIT, LANDSCAPE, NARROW = (360, 740), (800, 1280), (1280, 800), (320, 640)
# Chromium's own address bar is a page of its own in each window and costs more than a page of ours, and a renderer is
# kept ready for the next; nobody types addresses here. Chromium takes the last list it is given, so the first ones
# repeat what Playwright turns off and these tests would see.
_WITHOUT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "PreloadTopChromeWebUI",
    "SpareRendererForSitePerProcess",
    "AndroidWarmUpSpareRendererWithTimeout",
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",  # drawn in software either way, and so without a process more
    "--disable-background-networking",
    "--disable-component-update",
    f"--disable-features={','.join(_WITHOUT)}",
)
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
# what WCAG 2.2 AA asks for, and axe's own best practices
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN_AXE = """async (runOnly) => {
  const found = await axe.run(document, { resultTypes: ["violations"], runOnly });
  return found.violations.map((v) => [v.impact, v.id, v.nodes.map((n) => n.html).slice(0, 3)]);
}"""
_READ_STORE = """async () => {
  const said = (asked) => new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result); asked.onerror = () => reject(asked.error);
  });
  const db = await said(indexedDB.open("examroom-exam"));
  const all = async (name) => {
    const records = db.transaction(name).objectStore(name);
    const [keys, values] = await Promise.all([said(records.getAllKeys()), said(records.getAll())]);
    return keys.map((key, at) => [key, values[at]]);
  };
  const found = { ops: await all("ops"), notes: await all("notes") };
  db.close();
  return found;
}"""
_READ_CACHES = """async () => {
  const found = [];
  for (const name of window.caches ? await caches.keys() : []) {
    const cache = await caches.open(name);
    for (const request of await cache.keys())
      found.push([new URL(request.url).pathname, await (await cache.match(request)).text()]);
  }
  return found;
}"""


# What moves on a page and around it is drawn for nobody in a test, but in pictures.
STILL = () if pictures.WANTED else ("--force-prefers-reduced-motion", "--animation-duration-scale=0")


def chromium(playwright: Playwright, *more: str) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *more])


@contextmanager
def tablet(
    browser: Browser, base: str, size: tuple[int, int] = PORTRAIT, lang: str = "zh", keeps: bool = False, **options: Any
) -> Iterator[Page]:
    """A page in a browser context of its own; any script error on it fails the test.

    `keeps`: the browser keeps the page itself, to be loaded again without the room, and asks for every file twice.
    """
    options["service_workers"] = "allow" if keeps or pictures.WANTED else "block"
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN", **options)
    context.add_cookies([{"name": "lang", "value": lang, "url": base}])
    context.set_default_timeout(10_000)
    page = context.new_page()
    errors: list[str] = []
    context.on("page", lambda opened: opened.on("pageerror", lambda error: errors.append(f"{error} {error.stack}")))
    page.on("pageerror", lambda error: errors.append(f"{error} {error.stack}"))
    try:
        yield page
    finally:
        context.close()
        assert errors == [], errors


def enter_code(page: Page, code: str) -> None:
    for digit in code:
        page.locator(".numpad .key", has_text=digit).first.click()
    page.locator(".numpad .key.go").click()


def seat(page: Page, base: str, code: str) -> None:
    """From the seat code to the paper."""
    page.goto(f"{base}/exam/")
    enter_code(page, code)
    page.locator(".two .button.main").click()
    page.locator("#question").wait_for()


def go_to(page: Page, n: int | str) -> None:
    """To question `n` by the map, opened where it is folded away."""
    if page.locator(".map-open").is_visible() and not page.locator(".map-shown").count():
        page.locator(".map-open").click()
    page.locator(f".cell[aria-label^='{n},']").click()


def steps(page: Page) -> dict[str, str]:
    """Item id -> the number its step has on the map, by what the tablet keeps of the paper."""
    found: dict[str, str] = {}
    for part in paper_of(page)["parts"]:
        for item in part["items"]:
            for sub in item.get("items") or [item]:
                found[sub["id"]] = str(sub["n"])
    return found


def tab_to(page: Page, wanted: str, key: str = "Tab") -> None:
    """Press Tab until what has the focus matches `wanted`; nobody can use what cannot be reached so."""
    for _ in range(80):
        if page.evaluate("(css) => document.activeElement.matches(css)", wanted):
            return
        page.keyboard.press(key)
    raise AssertionError(f"the keyboard never reaches {wanted}")


def paper_of(page: Page) -> dict[str, Any]:
    notes = dict(stored(page)["notes"])
    return next(value for key, value in notes.items() if key.startswith("paper/"))


def stored(page: Page) -> dict[str, list[Any]]:
    """{"ops": [[key, value]], "notes": [[key, value]]} of the tablet's IndexedDB."""
    found: dict[str, list[Any]] = page.evaluate(_READ_STORE)
    return found


def cached(page: Page) -> dict[str, str]:
    """Path -> text of everything in the tablet's Cache storage."""
    return dict(page.evaluate(_READ_CACHES))


def axe(page: Page, *rules: str) -> list[Any]:
    """What axe-core finds serious or critical on the page as it is, by all rules or some."""
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(AXE)
    return [
        found for found in page.evaluate(_RUN_AXE, list(rules) or _STANDARDS) if found[0] in ("serious", "critical")
    ]


def too_wide(page: Page) -> bool:
    width: bool = page.evaluate("() => document.scrollingElement.scrollWidth > document.documentElement.clientWidth")
    return width


def go_offline(context: BrowserContext, offline: bool = True) -> None:
    context.set_offline(offline)


def answers_of(desk: DeskRoom) -> dict[str, list[str]]:
    """Item id -> the value that stands in the room, over all attempts."""
    connection = connect(desk.config.paths.answers_db)
    try:
        rows = connection.execute("SELECT item_id, value FROM responses")
        return {row["item_id"]: json.loads(row["value"]) for row in rows}
    finally:
        connection.close()


def journal_of(desk: DeskRoom) -> list[dict[str, Any]]:
    """Every operation the room has, in the order of its journal."""
    connection = connect(desk.config.paths.answers_db)
    try:
        return [dict(row) for row in connection.execute("SELECT * FROM journal ORDER BY n")]
    finally:
        connection.close()
