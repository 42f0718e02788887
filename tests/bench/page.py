"""How long the exam page takes to change the question: a hundred-question paper, the CPU slowed six times.

    python tests/bench/page.py [--questions 99] [--slowdown 6] [--json] [--record]

From the touch of "next" to the painted question, in a Chromium that the developer tools slow down; the size of the
page with all its files when it is opened for the first time; how long after the last answer the room has all of them,
since they come faster than anybody gives them; and how long the candidate of a tablet that was replaced waits on the
next one, from its address to the question last seen, the seat code's six touches and the "yes, that is me" done by a
machine. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from bench.limits import misses
from bench.measured import machine, record
from edge.ops.ports import free_port
from edge.ops.rehearsal.shell import Shell
from edge.ops.rehearsal.wire import Wire
from support.kinds_room import hundred_document, make_kinds_room
from support.serving import open_exam, serving, until
from support.tablet_page import PORTRAIT, answers_of, chromium, seat

# From the touch to the frame after the one in which the question stands.
_CHANGE = """(answer) => new Promise((resolve) => {
  if (answer) document.querySelector("label.option input").click();
  const began = performance.now();
  document.querySelector(".foot .button.main").click();
  requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - began)));
})"""


def measure(page: Page, questions: int, answering: bool) -> list[float]:
    """Milliseconds of each change of question; with `answering`, an answer is on its way meanwhile."""
    found = []
    for _ in range(questions):
        found.append(float(page.evaluate(_CHANGE, answering)))
        page.wait_for_timeout(30)
    return found


def summary(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "median_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
        "worst_ms": round(ordered[-1], 1),
    }


def move(browser: Browser, base: str, code: str, slowdown: float, answers: int) -> float:
    """Seconds on the next tablet, which has never seen the page, after the proctor's one act."""
    context = browser.new_context(viewport={"width": PORTRAIT[0], "height": PORTRAIT[1]})
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    began = time.monotonic()
    seat(page, base, code)
    found = time.monotonic() - began
    assert page.locator(".cell.full").count() == answers, "the answers are there"
    context.close()
    return round(found, 2)


def run(questions: int, slowdown: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        room = make_kinds_room(Path(folder), hundred_document(), web={"port": free_port(), "threads": 8})
        browser = chromium(playwright)
        try:
            with serving(room, Path(folder)) as (_, base):
                proctor, codes = open_exam(base, room.session, admit=2)
                shell = Shell(Wire(base))
                shell.open()
                result: dict[str, Any] = {"questions": questions, "cpu_slowdown": f"{slowdown:g}"}
                result["first_load_kb"] = round(shell.received / 1000, 1)
                for name, code, answering in (("looking", codes[0], False), ("answering", codes[1], True)):
                    context = browser.new_context(viewport={"width": PORTRAIT[0], "height": PORTRAIT[1]})
                    page = context.new_page()
                    seat(page, base, code)
                    tools = context.new_cdp_session(page)
                    tools.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
                    found = summary(measure(page, questions, answering))
                    result |= {f"{name}_{key}": value for key, value in found.items()}
                    if answering:
                        began = time.monotonic()
                        until(lambda: len(answers_of(room)) == questions, 120, "all is in the room")
                        result["caught_up_s"] = round(time.monotonic() - began, 2)
                    context.close()
                board = proctor.get(f"/console/api/{room.session}/board")
                person = next(one["person"] for one in board["seats"] if one.get("seat_code") == codes[1])
                proctor.post(f"/console/api/{room.session}/release-tablet", person=person, reason="平板没电")
                result["moved_s"] = move(browser, base, codes[1], slowdown, questions)
                proctor.close()
                return result
        finally:
            browser.close()
            room.db.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--questions", type=int, default=99)
    parser.add_argument("--slowdown", type=float, default=6)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="write the figures to measured.json")
    options = parser.parse_args()
    result = run(options.questions, options.slowdown)
    if options.record:
        record("page", result)
    missed = misses("page", result)
    if options.json:
        print(json.dumps({**result, "machine": machine(), "missed": missed}))
        sys.exit(1 if missed else 0)
    table = Table(title=f"change of question, {result['questions']} times, CPU {options.slowdown:g} times slower")
    for heading in ("", "median", "p95", "worst"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name in ("looking", "answering"):
        table.add_row(name, *(f"{result[f'{name}_{key}']:.1f} ms" for key in ("median_ms", "p95_ms", "worst_ms")))
    Console().print(table)
    print(f"first load {result['first_load_kb']} kB, moved to another tablet in {result['moved_s']} s")
    print(*(f"MISS {line}" for line in missed), sep="\n")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
