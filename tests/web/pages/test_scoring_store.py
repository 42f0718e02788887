"""When the examiner's tablet cannot keep anything: the room gets it all the same, and the page says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

CHROMIUM = "/usr/bin/chromium"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="Chromium is not installed; see provisioning/test-packages.sh"
    ),
]
MAKE = """
  const { openStore } = await import("/scoring/static/js/idb.js");
  const { makeDrafts, whereIs } = await import("/scoring/static/js/drafts.js");
  const { makeQueue } = await import("/scoring/static/js/queue.js");
  const opened = () => openStore(() => {}, { first: 300, patience: 300, again: 20 });
  const posted = [], refused = [];
  let up = true, version = 0;
  const post = async (path, body) => {
    posted.push(path);
    if (!up) throw Object.assign(new Error("no answer"), { offline: true, status: 0 });
    return { outcome: "applied", version: ++version, at_ms: 1 };
  };
  const none = () => null;
  const parts = (store) => [makeDrafts({ store, prefix: "draft/", post, changed: none }),
    makeQueue({ store, prefix: "op/", post, told: none, refused: (op) => refused.push(op), changed: none,
      roomNow: none })];
"""


@pytest.mark.parametrize("fault", ["full", "closed", "silent"])
def test_a_failing_store_stops_neither_drafts_nor_acts(page: Page, fault: str) -> None:
    found = page.evaluate(
        "async () => {"
        + MAKE
        + """
        const store = await opened(); const [drafts, queue] = parts(store);
        const mend = breakStore("FAULT");
        const record = drafts.open("p", "r"); record.content.note = "one";
        drafts.change("p", "r"); await queue.add("clock", { person: "p" });
        const sent = await until(() => whereIs(record) === "room" && !queue.waiting());
        up = false; record.content.note = "two"; drafts.change("p", "r");
        await until(() => posted.filter((path) => path === "draft").length === 2);
        const broken = [whereIs(record), drafts.where(record), store.durable()];
        mend(); await until(() => store.durable());
        const mended = [whereIs(record), drafts.where(record), store.durable()];
        const [again] = parts(await opened()); await again.load();
        return { sent, broken, mended, note: again.find("p", "r").content.note, refused: refused.length };
        }""".replace("FAULT", fault)
    )
    assert found["sent"]
    assert found["broken"] == ["here", "page", False]
    assert found["mended"] == ["here", "tablet", True]
    assert found["note"] == "two"
    assert found["refused"] == 0


def test_a_draft_whose_page_was_cut_off_in_sending_is_sent_by_the_next(page: Page) -> None:
    found = page.evaluate(
        "async () => {"
        + MAKE
        + """
        const store = await opened(); const never = new Promise(() => {});
        const cut = makeDrafts({ store, prefix: "draft/", post: () => never, changed: () => {} });
        cut.open("p", "r").content.note = "one"; cut.change("p", "r");
        await until(async () => ((await store.get("draft/p/r")) || {}).sent);
        const [drafts] = parts(await opened()); await drafts.load();
        return until(() => whereIs(drafts.find("p", "r")) === "room");
        }"""
    )
    assert found is True
