"""Forms that are filled in by hand when the box cannot be used: answer sheets, and score sheets for each rubric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge.domain.paper import LETTERS

# lines of boxes that go on an answer sheet; a heading takes two of them
SHEET_LINES, HEADING_LINES = 26, 2
TICKED = ("judgement", "single", "multiple")
CASE_MOST = 10  # questions that a case of a bank can have
# tenths of a millimetre: what a page of a score sheet has for rows, the sums below its last, a line, a row's own; and
# Chinese characters on a line
PAGE_ROOM, SUMS, LINE, PAD, LINE_LENGTH = 1600, 250, 46, 30, 25


def answer_sheets(paper: Mapping[str, Any] | None, blueprint: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """Sheets of parts, each its numbers in columns, without any question.

    From the candidate's own paper once it is drawn; before, from the blueprint, with as many lines for each case as a
    case can have at the most.
    """
    sheets: list[list[dict[str, Any]]] = [[]]
    room = SHEET_LINES
    for title, labels, written in _parts(paper, blueprint):
        columns = 2 if written else 3
        left = labels
        while left:
            if room <= HEADING_LINES:
                sheets.append([])
                room = SHEET_LINES
            height = min(room - HEADING_LINES, -(-len(left) // columns))
            here, left = left[: height * columns], left[height * columns :]
            listed = [here[at : at + height] for at in range(0, len(here), height)]
            sheets[-1].append({"title": title, "columns": listed, "written": written})
            room -= height + HEADING_LINES
    return sheets


def _parts(
    paper: Mapping[str, Any] | None, blueprint: Mapping[str, Any]
) -> Iterable[tuple[Mapping[str, str], list[str], bool]]:
    """Title, labels and whether anything is written rather than ticked, of each part."""
    number = 0
    if paper is not None:
        for part in paper["parts"]:
            labels = []
            for item in part["items"]:
                number += 1
                labels += _labels(number, len(item["items"]) if "items" in item else None)
            answered = [sub for item in part["items"] for sub in item.get("items") or (item,)]
            yield part["title"], labels, any(one["type"] not in TICKED for one in answered)
        return
    for part in blueprint["parts"]:
        labels = []
        for draw in part["draw"]:
            for _ in range(int(draw["count"])):
                number += 1
                labels += _labels(number, CASE_MOST if draw["type"] == "case" else None)
        yield part["title"], labels, any(draw["type"] not in TICKED for draw in part["draw"])


def _labels(number: int, questions: int | None) -> list[str]:
    return [str(number)] if questions is None else [f"{number}.{at}" for at in range(1, questions + 1)]


def letters_of(paper: Mapping[str, Any] | None) -> str:
    """The letters that stand on each line: as many as any question of the paper has; all, before it is drawn."""
    if paper is None:
        return LETTERS
    answered = [sub for part in paper["parts"] for item in part["items"] for sub in item.get("items") or (item,)]
    return LETTERS[: max(4, *(len(one.get("order", ())) for one in answered))]


def score_sheets(rubrics: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Pages of rows, each rubric from a page of its own. Every row has its `rubric` and a `kind`; a page that has none
    to print is one row of kind `none`."""
    pages: list[list[Mapping[str, Any]]] = []
    for rubric in rubrics:
        rows = list(_rows(rubric))
        page: list[Mapping[str, Any]] = []
        room = PAGE_ROOM
        for at, row in enumerate(rows):
            # a step is not parted from the first row below it
            following = _height(rows[at + 1]) if row["kind"] == "step" and at + 1 < len(rows) else 0
            if page and _height(row) + following > room:
                pages.append(page)
                page, room = [], PAGE_ROOM
            page.append(row)
            room -= _height(row)
        if room < SUMS and len(page) > 1:
            pages.append(page[:-1])
            page = page[-1:]
        pages.append([*page[:-1], {**page[-1], "last": True}])
    return pages or [[{"kind": "none", "rubric": None}]]


def _rows(rubric: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for number, step in enumerate(rubric["steps"], start=1):
        below = [
            *({"kind": "deduction", "row": one} for one in step["deductions"]),
            *({"kind": "measure", "row": one} for one in step.get("measures", ())),
        ]
        yield {"kind": "step", "row": step, "n": str(number), "rubric": rubric}
        for at, row in enumerate(below, start=1):
            yield {**row, "n": f"{number}.{at}", "rubric": rubric}
    for number, veto in enumerate(rubric.get("vetoes", ()), start=1):
        yield {"kind": "veto", "row": veto, "n": str(number), "rubric": rubric}


def _height(row: Mapping[str, Any]) -> int:
    """Of a row, by the longer of its two titles: Latin letters are half as wide as Chinese characters."""
    title = row["row"]["title"]
    lines = max(_lines(title["zh"]), _lines(title.get("en", "")))
    if row["kind"] == "measure":
        lines += 1 + len(row["row"]["bands"]) // 3
    if row["kind"] == "step" and row["row"].get("minutes"):
        lines += 1
    return lines * LINE + PAD


def _lines(text: str) -> int:
    width = sum(1 if ord(sign) > 0x2E7F else 0.55 for sign in text)
    return 1 + int(width) // LINE_LENGTH
