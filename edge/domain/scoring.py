"""Points and verdicts: what an answer, a rubric and a set of tests are worth. Integers in hundredths of a point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge.domain.keys import Key, blank_right, regions_hit

TESTS = ("safety", "theory", "practical")


@dataclass(frozen=True)
class Score:
    """Points reached and possible, in hundredths."""

    points: int
    full: int

    def passes(self, percent: int) -> bool:
        """Whether at least `percent` per cent was reached; integers, so 60 % of 35 needs 21.00, not 20.99."""
        return self.full > 0 and self.points * 100 >= percent * self.full


def answer_points(key: Key, given: Sequence[str], points: int, policy: str = "all-or-nothing") -> int:
    """Hundredths for one answer in the bank's own keys, of `points` whole points; an empty answer has none.

    `all-or-nothing` gives everything for the whole right answer. `partial` gives half for a proper, non-empty subset of
    a multiple-choice key (少选得一半) and nothing once a wrong option is in; for blanks, pairs and places an equal
    share each, rounded down. The item's rule counts; where that is `policy`, the session's `policy`.
    """
    full = points * 100
    rule = policy if key.rule == "policy" else key.rule
    if not given:
        return 0
    if key.type == "order":
        return full if tuple(given) == key.answer else 0
    if key.type in ("judgement", "single", "multiple"):
        right, chosen = set(key.answer), set(given)
        if chosen == right:
            return full
        return full // 2 if key.type == "multiple" and rule == "partial" and chosen < right else 0
    met, of = _met(key, given)
    if met == of:
        return full
    return full * met // of if rule == "partial" else 0


def _met(key: Key, given: Sequence[str]) -> tuple[int, int]:
    """How many of the blanks, pairs or places are right, of how many."""
    if key.type == "fill":
        pairs = zip(key.blanks, given, strict=False)
        return sum(blank_right(blank, text) for blank, text in pairs), len(key.blanks)
    if key.type == "match":
        # a left side given twice says nothing
        once = [pair for pair in given if sum(other[0] == pair[0] for other in given) == 1]
        return len(set(key.answer) & set(once)), len(key.answer)
    if key.type == "hotspot":
        if len(given) > len(key.regions):
            return 0, len(key.regions)  # marks everywhere would find every place
        return regions_hit(key.regions, given, key.aspect), len(key.regions)
    raise ValueError(f"no way to score {key.type}")


def verdict(records: Mapping[str, bool | None], needed: Iterable[str] = TESTS) -> str:
    """`passed` when every needed test is, `failed` when one is not, `incomplete` while one has no record."""
    tests = tuple(needed)
    if any(records.get(test) is False for test in tests):
        return "failed"
    return "passed" if all(records.get(test) for test in tests) else "incomplete"
