"""Tablets that go on answering while the line between them and the room drops, and what must have come of it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page

from edge.store.db import connect
from support.lossy_front import LossyFront
from support.rooms import DeskRoom
from support.serving import until
from support.tablet_page import journal_of, paper_of

QUESTIONS = 12
"""The first ones, all with options to choose from; then from the start again, so that answers are changed, too."""


@dataclass
class Candidate:
    """One tablet's page and every choice made on it, in order: (item id, value)."""

    page: Page
    given: list[tuple[str, list[str]]] = field(default_factory=list)
    attempt: str = ""

    def answer(self) -> None:
        """Choose another option of the question on the screen and go to the next."""
        if not self.attempt:
            self.attempt = paper_of(self.page)["attempt"]
        n = self.page.locator(".cell[aria-current]").inner_text()
        item = next(i for part in paper_of(self.page)["parts"] for i in part["items"] if str(i["n"]) == n)
        keys = [option["key"] for option in item["options"]]
        before = next((value for one, value in reversed(self.given) if one == item["id"]), [])
        at = (keys.index(before[-1]) + 1) % len(keys) if before else 0
        self.page.locator("label.option").nth(at).click()
        several = item["type"] == "multiple"  # where a second touch takes the first back
        self.given.append((item["id"], sorted({*before} ^ {keys[at]}) if several else [keys[at]]))
        following = self.page.locator(".foot .button.main")
        if int(n) == QUESTIONS:
            if self.page.locator(".map-open").is_visible() and not self.page.locator(".map-shown").count():
                self.page.locator(".map-open").click()
            self.page.locator(".cell[aria-label^='1,']").click()
        else:
            following.click()


def drop_and_answer(
    candidates: Sequence[Candidate], front: LossyFront, cycles: int, up_s: float, down_s: float, pause_s: float
) -> None:
    """`cycles` times: the line is there for `up_s`, losing replies on the way, and gone for `down_s`; all answer on."""
    for _ in range(cycles):
        for seconds, cut in ((up_s, False), (down_s, True)):
            front.cut() if cut else front.mend()
            end = time.monotonic() + seconds
            while True:
                for one in candidates:
                    one.answer()
                    one.page.wait_for_timeout(pause_s * 1000)
                if time.monotonic() >= end:
                    break
    front.mend()


def standing(room: DeskRoom) -> dict[tuple[str, str], list[str]]:
    connection = connect(room.config.paths.answers_db)
    try:
        rows = connection.execute("SELECT attempt_id, item_id, value FROM responses")
        return {(row["attempt_id"], row["item_id"]): json.loads(row["value"]) for row in rows}
    finally:
        connection.close()


def nothing_lost(room: DeskRoom, candidates: Sequence[Candidate], seconds: float) -> dict[str, int]:
    """Wait until every last choice stands in the room, then hold the journal against what was chosen."""
    wanted = {(one.attempt, item): value for one in candidates for item, value in one.given}
    until(lambda: wanted.items() <= standing(room).items(), seconds, "all answers")
    rows, doubled, strange = journal_of(room), 0, 0
    for one in candidates:
        own: list[dict[str, Any]] = [row for row in rows if row["attempt_id"] == one.attempt]
        assert [row["tablet_seq"] for row in own] == list(range(1, len(own) + 1))
        strange += sum(row["outcome"] != "applied" for row in own)
        told = [(row["item_id"], json.loads(row["value"])) for row in own]
        doubled += sum(max(0, told.count(choice) - one.given.count(choice)) for choice in one.given)
        left = iter(one.given)
        assert all(one_told in left for one_told in told), "not in the order in which they were chosen"
    assert (doubled, strange) == (0, 0)
    missing = sum(standing(room).get(key) != value for key, value in wanted.items())
    chosen = sum(len(one.given) for one in candidates)
    return {"chosen": chosen, "rows": len(rows), "lost": missing, "doubled": doubled, "stale": strange}
