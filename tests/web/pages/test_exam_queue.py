"""The tablet's queue in a real browser, against a room that loses requests and replies and forgets nothing.

The room here follows the rules of the answer journal: operations are known by id, numbers have no holes, an answer on
an old version is stale. It is written in the page (room.js), so that a thousand requests take a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

CHROMIUM = "/usr/bin/chromium"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="Chromium is not installed; see provisioning/test-packages.sh"
    ),
]


def run(page: Page, script: str) -> Any:
    return page.evaluate("async () => {" + script + "}")


def test_nothing_is_lost_doubled_or_reordered(page: Page) -> None:
    """Three lives of one page over a lossy line, each cut off in mid-send; then the line is whole."""
    found = run(
        page,
        """
        const room = makeRoom(); const wanted = {};
        for (let life = 0; life < 3; life++) {
          const options = { attempt: "a", lossy: true };
          const tablet = await makeTablet(room, options);
          for (let i = 0; i < 60; i++) {
            const item = "q" + Math.floor(random() * 9);
            const value = ["A", "B", "C", "D"].filter(() => random() < 0.5);
            wanted[item] = value;
            tablet.queue.put(item, value, random() < 0.3 ? 5 : 0);
            if (random() < 0.4) await new Promise((r) => setTimeout(r, 3));
            if (random() < 0.3) tablet.queue.kick();
          }
          await new Promise((r) => setTimeout(r, 60));
          options.dead = true;
          await new Promise((r) => setTimeout(r, 20));
          tablet.queue.stop();
        }
        const tablet = await makeTablet(room, { attempt: "a", lossy: false });
        tablet.queue.handIn();
        const done = await settled(tablet);
        const got = {}; for (const item of Object.keys(wanted)) got[item] = (room.answers[item] || { value: [] }).value;
        const outcomes = Array.from(room.journal.values(), (one) => one.reply.outcome);
        const stale = outcomes.filter((o) => o === "stale").length;
        const left = (await tablet.store.ops("a")).length;
        return { done, wanted, got, bad: room.bad, stale, journal: outcomes.length, last: room.next.t1,
          handed: room.handed, left };
        """,
    )
    assert found["done"]
    assert found["got"] == found["wanted"]
    assert found["bad"] == []
    assert found["stale"] == 0
    assert found["journal"] == found["last"] > 20
    assert found["handed"] == 1
    assert found["left"] == 0


def test_taps_in_a_row_become_one_operation(page: Page) -> None:
    found = run(
        page,
        """
        const room = makeRoom(); const tablet = await makeTablet(room, { attempt: "b", lossy: false });
        tablet.queue.put("q1", ["A"], 400); tablet.queue.put("q1", ["A", "B"], 400); tablet.queue.put("q1", ["B"], 400);
        await new Promise((r) => setTimeout(r, 50));
        const early = room.journal.size; tablet.queue.flush(); await settled(tablet);
        return { early, journal: room.journal.size, answers: room.answers };
        """,
    )
    assert found["early"] == 0
    assert found["journal"] == 1
    assert found["answers"]["q1"] == {"version": 1, "value": ["B"], "at_ms": 1}


def test_what_another_tablet_answered_is_never_overwritten_unseen(page: Page) -> None:
    """Neither by an answer made without sight of it, nor by one queued behind such an answer."""
    found = run(
        page,
        """
        const room = makeRoom(); const options = { attempt: "c", lossy: false };
        const tablet = await makeTablet(room, options);
        tablet.queue.put("q1", ["A"], 0); await settled(tablet);
        room.answers.q1 = { version: 2, value: ["C"], at_ms: 2 };
        let open; options.gate = new Promise((r) => { open = r; });
        await tablet.queue.put("q1", ["B"], 0);
        await new Promise((r) => setTimeout(r, 20));
        await tablet.queue.put("q1", ["D"], 0);
        open(); await settled(tablet);
        const kept = room.answers.q1.value.slice();
        const stale = Array.from(room.journal.values()).filter((one) => one.reply.outcome === "stale").length;
        room.answers.q2 = { version: 1, value: ["A", "B"], at_ms: 2 };
        tablet.queue.put("q2", ["A", "B"], 0); await settled(tablet);
        tablet.queue.put("q1", ["D"], 0); await settled(tablet);
        return { kept, stale, after: room.answers.q1.value, heard: tablet.heard, same: room.answers.q2.version };
        """,
    )
    assert found["kept"] == ["C"]
    assert found["stale"] == 2
    assert ["q1", "stale", False] in found["heard"]
    assert ["q2", "stale", True] in found["heard"]
    assert found["same"] == 1
    assert found["after"] == ["D"]


@pytest.mark.parametrize("order", [["q1", "q2"], ["q2", "q1"]])
def test_a_tablet_that_was_moved_away_and_back_keeps_its_answers(page: Page, order: list[str]) -> None:
    """They go in as new operations, on what their author saw: not over what the other tablet wrote meanwhile."""
    found = run(
        page,
        """
        const room = makeRoom(); const first = await makeTablet(room, { attempt: "d", lossy: false });
        first.queue.put("q1", ["A"], 0); first.queue.put("q2", ["A"], 0); await settled(first);
        room.tablet = "t2";
        for (const item of ORDER) first.queue.put(item, ["B"], 0);
        for (let i = 0; i < 500; i++) {
          await new Promise((r) => setTimeout(r, 10));
          if (first.heard.some((one) => one[0] === "gone") && (await first.store.ops("d")).length === 2) break;
        }
        const gone = first.heard.filter((one) => one[0] === "gone");
        const kept = (await first.store.ops("d")).length;
        room.answers.q2 = { version: 2, value: ["C"], at_ms: 2 };
        const again = await makeTablet(room, { attempt: "d", lossy: false });
        const done = await settled(again);
        return { gone, kept, done, answers: room.answers, heard: again.heard, bad: room.bad };
        """.replace("ORDER", str(order)),
    )
    assert found["gone"] == [["gone", "tablet_released"]]
    assert found["kept"] == 2
    assert found["done"]
    assert found["answers"]["q1"]["value"] == ["B"]
    assert found["answers"]["q2"]["value"] == ["C"]
    assert sorted(found["heard"]) == [["q1", "applied", False], ["q2", "stale", False]]
    assert found["bad"] == []


def test_a_hand_in_can_be_withdrawn_until_it_is_sent(page: Page) -> None:
    found = run(
        page,
        """
        const room = makeRoom(); const options = { attempt: "e", dead: true };
        const tablet = await makeTablet(room, options);
        tablet.queue.put("q1", ["A"], 0); tablet.queue.handIn();
        for (let i = 0; i < 500 && (await tablet.store.ops("e")).length < 2; i++) {
          await new Promise((r) => setTimeout(r, 10));
        }
        const withdrawn = await tablet.queue.withdrawHandIn();
        const left = (await tablet.store.ops("e")).map((op) => op.kind);
        return { withdrawn, left, again: await tablet.queue.withdrawHandIn() };
        """,
    )
    assert found == {"withdrawn": True, "left": ["answer"], "again": False}


def test_an_answers_age_over_a_reload_is_not_the_tablets_clock_to_say(page: Page) -> None:
    ages = run(
        page,
        """
        const { ageOf } = await import("/exam/static/js/queue.js");
        const { hearRoom, roomNow } = await import("/exam/static/js/clock.js");
        const now = Date.now(), year = 365 * 86400000;
        const found = [ageOf({ made: now + year, room: null }), ageOf({ made: now - 60000, room: null }), roomNow()];
        hearRoom({ now: 5000000 });
        found.push(ageOf({ made: now + year, room: 4400000 }), ageOf({ made: now - year, room: 4400000 }));
        found.push(ageOf({ made: now - 60000, room: 9000000 }), ageOf({ made: now + year, room: 9000000 }));
        found.push(ageOf({ madeAt: performance.now() - 700, made: now + year, room: 1 }));
        return found.map((age) => age && Math.round(age / 100) * 100);
        """,
    )
    assert ages == [None, 60_000, None, 600_000, 600_000, 60_000, None, 700]


@pytest.mark.parametrize("fault", ["full", "closed", "silent"])
def test_a_store_that_fails_in_mid_exam_is_told_tried_again_and_stops_no_answer(page: Page, fault: str) -> None:
    found = run(
        page,
        """
        const room = makeRoom(); const options = { attempt: "f", lossy: false, patience: 400 };
        const { queue, store } = await makeTablet(room, options);
        const where = (item) => queue.where(queue.pending(item));
        let open; options.gate = new Promise((r) => { open = r; });
        await queue.put("q1", ["A"], 0); await queue.put("q2", ["A"], 0);
        await store.setNote("paper/f", { parts: [] });
        const kept = [where("q1"), where("q2"), store.durable(), queue.kept()];
        const mend = breakStore("FAULT");
        await queue.put("q2", ["B"], 0); await queue.put("q3", ["A"], 0);
        const broken = [where("q2"), where("q3"), store.durable(), queue.kept()];
        open(); const sent = await settled({ queue });
        const answers = Object.keys(room.answers).map((item) => item + room.answers[item].value);
        options.gate = new Promise((r) => { open = r; });
        await queue.put("q4", ["C"], 0); await queue.put("q1", ["D"], 0);
        await store.dropNotes(["paper/f"]);
        const again = [where("q4"), where("q1"), store.durable(), store.wiped()];
        const busy = setInterval(() => store.setNote("marks/f", {}), 5); // tapping on does not put the next try off
        mend(); await until(() => store.durable() && store.wiped()); clearInterval(busy);
        const mended = [where("q4"), where("q1"), store.durable()];
        const { openStore } = await import("/exam/static/js/idb.js");
        const other = await openStore(); const ops = await other.ops("f"); const paper = await other.note("paper/f");
        return { kept, broken, sent, answers, again, mended, paper, bad: room.bad,
          ops: ops.map((op) => op.item + op.value) };
        """.replace("FAULT", fault),
    )
    assert found["kept"] == ["tablet", "tablet", True, True]
    assert found["broken"] == ["page", "page", False, False]
    assert found["sent"]
    assert sorted(found["answers"]) == ["q1A", "q2B", "q3A"]
    assert found["again"] == ["page", "page", False, False]
    assert found["paper"] is None
    assert found["mended"] == ["tablet", "tablet", True]
    assert sorted(found["ops"]) == ["q1D", "q4C"]
    assert found["bad"] == []


def test_a_store_that_the_browser_emptied_gets_all_that_the_page_knows_again(page: Page) -> None:
    found = run(
        page,
        """
        const room = makeRoom(); const tablet = await makeTablet(room, { attempt: "g", dead: true });
        await tablet.store.setNote("claim", { attempt: "g" });
        await tablet.queue.put("q1", ["A"], 0);
        await new Promise((r) => { indexedDB.deleteDatabase("examroom-exam").onsuccess = r; });
        await until(() => tablet.store.durable());
        const { openStore } = await import("/exam/static/js/idb.js");
        const other = await openStore();
        const [ops, claim] = [await other.ops("g"), await other.note("claim")];
        return [ops.map((op) => op.item), claim, tablet.queue.where(tablet.queue.pending("q1"))];
        """,
    )
    assert found == [["q1"], {"attempt": "g"}, "tablet"]


@pytest.mark.parametrize("fault", ["refused", "unopened", "unreadable", "closed", "silent"])
def test_a_store_that_cannot_be_read_holds_up_nothing_and_loses_nothing_of_before(page: Page, fault: str) -> None:
    found = run(
        page,
        """
        const room = makeRoom(); const first = await makeTablet(room, { attempt: "h", dead: true });
        await first.queue.put("q1", ["A"], 0); await first.queue.stop();
        const mend = breakStore("FAULT");
        const options = { attempt: "h", lossy: false, patience: 150 };
        const second = await makeTablet(room, options);
        let open; options.gate = new Promise((r) => { open = r; });
        await second.queue.put("q2", ["B"], 0);
        const told = [second.store.durable(), await second.store.note("claim")];
        open(); const sent = await settled(second);
        const answers = Object.keys(room.answers);
        await second.queue.stop();
        mend(); await until(() => second.store.durable());
        const mended = second.store.durable();
        const third = await makeTablet(room, { attempt: "h", lossy: false });
        const rest = await settled(third);
        return { told, sent, answers, mended, rest, all: Object.keys(room.answers), bad: room.bad };
        """.replace("FAULT", fault),
    )
    assert found["told"] == [False, None]
    assert found["sent"] and found["answers"] == ["q2"]
    assert found["mended"] and found["rest"] and sorted(found["all"]) == ["q1", "q2"]
