"""What is wrong with a bank that is being imported: each problem with its place, its item and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.domain.reasons import LANGUAGES, sentence
from edge.errors import Wrong
from edge.why import KINDS, detail, limits, place

# the kinds of error (edge.why) that a bank has sentences of its own for, which name the field and what was given
_FIELDS = {kind: f"bank_field_{kind}" for kind in ("missing", "unknown", "empty", "long", "form", "choice", "range")}
_FIELDS |= {"few": "bank_field_few", "many": "bank_field_many", "truth": "bank_field_choice"}
_FIELDS |= dict.fromkeys(("number", "whole"), "bank_field_number")
# where a check of the whole item is best shown
CHECK_FIELDS = {
    "bank_answer_unknown": ("answer",),
    "bank_answer_one": ("answer",),
    "bank_answer_two": ("answer",),
    "bank_blank_count": ("stem",),
    "bank_order_incomplete": ("answer",),
    "bank_match_incomplete": ("answer",),
    "bank_option_key_twice": ("options",),
    "bank_option_text_twice": ("options",),
    "bank_case_points": ("points",),
    "bank_unit_wrong": ("shown_units",),
    "bank_unit_twice": ("shown_units",),
}


@dataclass(frozen=True)
class Problem:
    """`where` is a sheet, row and cell, or a package's file and element; `item` is empty where none is known."""

    where: str
    item: str
    code: str
    facts: Mapping[str, object]

    def sentence(self, language: str) -> str:
        return sentence(self.code, language, **self.facts)

    def as_json(self) -> dict[str, object]:
        return {
            "where": self.where,
            "item": self.item,
            "code": self.code,
            **{language: self.sentence(language) for language in LANGUAGES},
        }


class Fault(Exception):
    """One thing that cannot be taken over; whoever knows the item and its place makes a Problem of it."""

    def __init__(self, code: str, where: str = "", **facts: object) -> None:
        super().__init__(code)
        self.code, self.where, self.facts = code, where, facts


@dataclass
class Problems:
    """All of them, in the order they were found; `warned`: what is taken over in a way that somebody should know."""

    found: list[Problem] = field(default_factory=list)
    warned: list[Problem] = field(default_factory=list)

    def add(self, where: str, item: str, code: str, **facts: object) -> None:
        problem = Problem(where, item, code, facts)
        if problem not in self.found[-20:]:  # one cause often shows in two checks
            self.found.append(problem)

    def warn(self, where: str, item: str, code: str, **facts: object) -> None:
        self.warned.append(Problem(where, item, code, facts))


def explain(error: Mapping[str, Any]) -> tuple[str, dict[str, object]]:
    """Reason code and facts for one of pydantic's errors."""
    own = error.get("ctx", {}).get("error")
    if isinstance(own, Wrong) and own.code.startswith("bank_"):  # a sentence by itself
        return own.code, {"field": place(error)}
    facts = {"field": place(error), "detail": detail(error), "given": _short(error.get("input")), **limits(error)}
    return _FIELDS.get(KINDS.get(str(error["type"]), ""), "bank_field_wrong"), facts


def names(text: str) -> frozenset[str]:
    """A set from words with spaces between."""
    return frozenset(text.split())


def _short(value: object) -> str:
    if value is None or isinstance(value, list | dict):
        return "-"
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
