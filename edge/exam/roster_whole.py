"""The rules of a roster's document, asked of its sheets before any bank is known, with a blueprint that stands in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edge.domain.canonical import canonical
from edge.exam.documents import roster_faults
from edge.exam.planning import CELLS, cell, in_cells
from edge.exam.roster_problems import Problems

_STANDING_IN = ("bank", "blueprint", "rubrics")


def tell_rules(document: Mapping[str, Any], problems: Problems) -> None:
    """Every rule that the sheets break, each by its cell.

    Where the sheets have errors already, only what is of other rows than those is told: the rest may follow from them.
    """
    cells = document[CELLS]
    before = {_row(one.where) for one in problems.found if one.severity == "error"}
    followed = problems.errors()
    for found in roster_faults(canonical(_whole(document))):
        if found.where.partition(".")[0] in _STANDING_IN:
            continue
        wrong = in_cells(found, cells)
        rows = {_row(str(wrong.facts["where"]))}
        if found.own is not None and "other" in found.own.facts:
            rows.add(_row(cell(str(found.own.facts["other"]), cells)))
        if not followed or not rows & (before | {None}):
            problems.take(wrong, max((row[1] for row in rows if row is not None), default=None))


def _whole(document: Mapping[str, Any]) -> dict[str, Any]:
    title = {"zh": "-", "en": "-"}
    part = {"test": "theory", "title": title, "draw": [{"type": "single", "count": 1}]}
    step = {"id": "1", "title": title, "points": 1, "deductions": []}
    sheet = {"title": title, "trade": {"name": "-", "level": "-"}, "points": 1, "minutes": 1, "steps": [step]}
    named = dict.fromkeys(station["rubric"] for station in document["stations"])
    return {name: value for name, value in document.items() if name != CELLS} | {
        "bank": {"name": "stand-in", "version": 1},
        "blueprint": {
            "id": "stand-in",
            "title": title,
            "post": "-",
            "regime": "skilled-worker",
            "minutes": 1,
            "parts": [part],
        },
        "rubrics": [{"id": name} | sheet for name in named],
    }


def _row(where: str) -> tuple[str, int] | None:
    found = re.fullmatch(r"(.+)!(?:[A-Z]*)([0-9]+)", where)
    return None if found is None else (found[1], int(found[2]))
