"""Sheets for a box that is dead: a line for every question there is, a row for everything an examiner may mark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.bank.build import sample_bank
from edge.exam import conduct
from edge.exam.banks import open_bank
from edge.exam.forms import make_form
from edge.exam.paper_forms import CASE_MOST, PAGE_ROOM, SUMS, _height, answer_sheets, letters_of, score_sheets
from edge.store import people, sessions
from support.rooms import DeskRoom, make_desk_room

RUBRIC = sample_bank().rubrics[0].model_dump(by_alias=True)


@pytest.fixture
def desk(tmp_path: Path) -> DeskRoom:
    return make_desk_room(tmp_path, size=3)


def labels(sheets: list[list[dict[str, Any]]]) -> list[str]:
    return [label for sheet in sheets for part in sheet for column in part["columns"] for label in column]


def test_once_drawn_each_candidate_has_a_line_for_each_of_their_questions(desk: DeskRoom) -> None:
    session = sessions.find(desk.db, desk.session)
    before = make_form(desk.db, desk.session, "answer-sheets")
    conduct.open_checkin(desk.db, desk.session, open_bank(desk.identity, desk.config.paths.bundles, session), "P-001")
    attempts = sessions.attempts(desk.db, desk.session)
    form = make_form(desk.db, desk.session, "answer-sheets")
    for who in people.candidates(desk.db, desk.session):
        wanted, number = [], 0
        for part in attempts[who.person].paper["parts"]:
            for item in part["items"]:
                number += 1
                subs = item.get("items")
                wanted += [str(number)] if subs is None else [f"{number}.{n}" for n in range(1, len(subs) + 1)]
        assert any("." in label for label in wanted)
        own = [row["parts"] for page in form.pages for row in page if row["number"] == who.number]
        assert labels(own) == wanted
        # before, as many as any case may have
        first = [row["parts"] for page in before.pages for row in page if row["number"] == who.number]
        assert set(wanted) <= set(labels(first)) and f"{number}.{CASE_MOST}" in labels(first)


def test_letters_reach_as_far_as_the_questions_do() -> None:
    def paper(options: int) -> dict[str, Any]:
        return {"parts": [{"items": [{"type": "single", "order": ["A"] * options}, {"type": "fill"}]}]}

    assert [letters_of(paper(n)) for n in (2, 5, 8)] == ["ABCD", "ABCDE", "ABCDEFGH"]
    assert letters_of(None) == "ABCDEFGH"


def test_a_long_paper_goes_on_the_next_sheet() -> None:
    title = {"zh": "理论", "en": ""}
    draw = [{"type": "single", "count": 90}, {"type": "case", "count": 2}]
    sheets = answer_sheets(None, {"parts": [{"title": title, "draw": draw}]})
    assert len(sheets) > 1
    assert labels(sheets) == [str(n) for n in range(1, 91)] + [f"{c}.{n}" for c in (91, 92) for n in range(1, 11)]


def test_a_score_sheet_has_a_row_for_everything_that_can_be_marked(desk: DeskRoom) -> None:
    form = make_form(desk.db, desk.session, "score-sheets")
    rows = [row for page in form.pages for row in page]
    found = [row["row"]["id"] for row in rows]
    wanted = []
    for step in RUBRIC["steps"]:
        wanted += [step["id"], *(d["id"] for d in step["deductions"]), *(m["id"] for m in step["measures"])]
    assert found == wanted + [veto["id"] for veto in RUBRIC["vetoes"]]
    assert [row.get("last", False) for row in rows] == [False] * (len(rows) - 1) + [True]


@pytest.mark.parametrize("steps", [1, 5, 9, 10, 11, 12, 30])
def test_pages_of_a_score_sheet_are_never_too_full(steps: int) -> None:
    step = RUBRIC["steps"][1]
    pages = score_sheets([{**RUBRIC, "steps": [step] * steps}, RUBRIC])
    for page in pages:
        used = sum(map(_height, page))
        assert used <= PAGE_ROOM - (SUMS if page[-1].get("last") else 0)
        assert page[-1]["kind"] != "step"
    assert sum(page[-1].get("last", False) for page in pages) == 2
    assert score_sheets([]) == [[{"kind": "none", "rubric": None}]]
