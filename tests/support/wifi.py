"""Tablets that go on answering while the line between them and the room drops, and what must have come of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page

from support.lossy_front import LossyFront
from support.rooms import DeskRoom
from support.serving import until
from support.tablet_page import answers_of, journal_of, paper_of


@dataclass
class Candidate:
    """One tablet's page and every choice made on it, in order: (item id, letter)."""

    page: Page
    given: list[tuple[str, str]] = field(default_factory=list)
    attempt: str = ""

    def answer(self) -> None:
        """Choose another option of the question on the screen and go to the next, from the last to the first."""
        if not self.attempt:
            self.attempt = paper_of(self.page)["attempt"]
        n = self.page.locator(".cell[aria-current]").inner_text()
        item = next(i for part in paper_of(self.page)["parts"] for i in part["items"] if str(i["n"]) == n)
        keys = [option["key"] for option in item["options"]]
        before = [letter for one, letter in self.given if one == item["id"]]
        at = (keys.index(before[-1]) + 1) % len(keys) if before else 0
        self.page.locator("label.option").nth(at).click()
        self.given.append((item["id"], keys[at]))
        following = self.page.locator(".foot .button.main")
        if int(n) == self.total():
            if self.page.locator(".map-open").is_visible() and not self.page.locator(".map-shown").count():
                self.page.locator(".map-open").click()
            self.page.locator(".cell[aria-label^='1,']").click()
        else:
            following.click()

    def total(self) -> int:
        return sum(len(part["items"]) for part in paper_of(self.page)["parts"])


def drop_and_answer(
    candidates: Sequence[Candidate], front: LossyFront, cycles: int, up_s: float, down_s: float, pause_s: float
) -> None:
    """`cycles` times: the line is there for `up_s`, losing replies on the way, and gone for `down_s`; all go on answering."""
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


def nothing_lost(room: DeskRoom, candidates: Sequence[Candidate], seconds: float) -> dict[str, int]:
    """Wait until every last choice stands in the room, then hold the journal against what was chosen."""
    wanted = {item: [letter] for one in candidates for item, letter in one.given}
    until(lambda: all(answers_of(room).get(item) == value for item, value in wanted.items()), seconds, "all answers")
    rows = journal_of(room)
    for one in candidates:
        own: list[dict[str, Any]] = [row for row in rows if row["attempt_id"] == one.attempt]
        assert [row["tablet_seq"] for row in own] == list(range(1, len(own) + 1))
        assert {row["outcome"] for row in own} == {"applied"}, {row["outcome"] for row in own}
        told = [(row["item_id"], row["value"]) for row in own]
        asked = [(item, f'["{letter}"]') for item, letter in one.given]
        left = iter(asked)
        assert all(one_told in left for one_told in told), "not in the order in which they were chosen"
    assert len({row["op_id"] for row in rows}) == len(rows)
    return {"chosen": sum(len(one.given) for one in candidates), "rows": len(rows)}
