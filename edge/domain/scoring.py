"""Points and verdicts: what an answer, a rubric and a set of tests are worth. Integers in hundredths of a point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TESTS = ("safety", "theory", "practical")


@dataclass(frozen=True)
class Score:
    """Points reached and possible, in hundredths."""

    points: int
    full: int

    def passes(self, percent: int) -> bool:
        """Whether at least `percent` per cent was reached; integers, so 60 % of 35 needs 21.00, not 20.99."""
        return self.full > 0 and self.points * 100 >= percent * self.full


def item_points(kind: str, key: Iterable[str], chosen: Iterable[str], points: int, rule: str = "all-or-nothing") -> int:
    """Hundredths for one item.

    `all-or-nothing` gives everything for the exact set; `partial` gives half for a proper, non-empty subset of a
    multiple-choice key (少选得一半) and nothing once a wrong option is in.
    """
    right, given = set(key), set(chosen)
    if given == right:
        return points * 100
    if kind == "multiple" and rule == "partial" and given and given < right:
        return points * 50
    return 0


def rubric_score(rubric: Mapping[str, Any], marks: Mapping[str, int], vetoes: Iterable[str]) -> Score:
    """A practical score: each step's points less its deductions, never below zero; any veto item makes it zero.

    `marks` maps a deduction's id to how often it applies. ValueError for an id the rubric does not have.
    """
    known = {d["id"]: (step["id"], d["points"]) for step in rubric["steps"] for d in step["deductions"]}
    veto_ids = {veto["id"] for veto in rubric["vetoes"]}
    if unknown := (set(marks) - set(known)) | (set(vetoes) - veto_ids):
        raise ValueError(f"not in the rubric: {', '.join(sorted(unknown))}")
    full = sum(step["points"] for step in rubric["steps"]) * 100
    if list(vetoes):
        return Score(0, full)
    lost: dict[str, int] = {}
    for deduction, count in marks.items():
        step, points = known[deduction]
        lost[step] = lost.get(step, 0) + points * count * 100
    return Score(sum(max(0, step["points"] * 100 - lost.get(step["id"], 0)) for step in rubric["steps"]), full)


def verdict(records: Mapping[str, bool | None]) -> str:
    """`passed` when all three tests are, `failed` when one is not, `incomplete` while one has no record."""
    if any(records.get(test) is False for test in TESTS):
        return "failed"
    return "passed" if all(records.get(test) for test in TESTS) else "incomplete"
