"""What is wrong with a bank that is being imported: each problem with its place, its item and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.domain.reasons import LANGUAGES, sentence

# pydantic's own kinds of error, by our sentence
_KINDS = {
    "missing": "bank_field_missing",
    "extra_forbidden": "bank_field_unknown",
    "string_too_short": "bank_field_empty",
    "string_too_long": "bank_field_long",
    "string_pattern_mismatch": "bank_field_form",
    "literal_error": "bank_field_choice",
    "union_tag_invalid": "bank_field_choice",
    "union_tag_not_found": "bank_field_missing",
    "greater_than_equal": "bank_field_range",
    "less_than_equal": "bank_field_range",
    "greater_than": "bank_field_range",
    "less_than": "bank_field_range",
    "int_parsing": "bank_field_number",
    "int_type": "bank_field_number",
    "int_from_float": "bank_field_number",
    "decimal_parsing": "bank_field_number",
    "decimal_type": "bank_field_number",
    "finite_number": "bank_field_number",
    "bool_parsing": "bank_field_choice",
    "too_short": "bank_field_few",
    "too_long": "bank_field_many",
}
# the models' own checks, by a piece of their message
_CHECKS = {
    "the answer is not among the options": "bank_answer_unknown",
    "exactly one right option": "bank_answer_one",
    "at least two right options": "bank_answer_two",
    "the stem has not as many": "bank_blank_count",
    "does not name every option once": "bank_order_incomplete",
    "does not match every left side once": "bank_match_incomplete",
    "two options have one key": "bank_option_key_twice",
    "two options have one text": "bank_option_text_twice",
    "do not add up to the case's": "bank_case_points",
    "belongs to another test": "bank_case_test",
    "is not called": "bank_case_id",
    "none of the units shown is right": "bank_unit_wrong",
    "two of the units shown": "bank_unit_twice",
}
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
    """All of them, in the order they were found."""

    found: list[Problem] = field(default_factory=list)

    def add(self, where: str, item: str, code: str, **facts: object) -> None:
        problem = Problem(where, item, code, facts)
        if problem not in self.found[-20:]:  # one cause often shows in two checks
            self.found.append(problem)


def explain(error: Mapping[str, Any]) -> tuple[str, dict[str, object]]:
    """Reason code and facts for one of pydantic's errors."""
    kind, message = str(error["type"]), str(error["msg"])
    place = ".".join(str(part) for part in error["loc"]) or "-"
    if kind == "value_error":
        for piece, code in _CHECKS.items():
            if piece in message:
                return code, {"field": place}
        return "bank_field_wrong", {"field": place, "detail": message.removeprefix("Value error, ")}
    context = error.get("ctx", {})
    limit = next((context[name] for name in ("ge", "le", "gt", "lt") if name in context), "")
    bound = {"greater_than_equal": "≥", "less_than_equal": "≤", "greater_than": ">", "less_than": "<"}.get(kind, "")
    facts: dict[str, object] = {
        "field": place,
        "detail": message,
        "given": _short(error.get("input")),
        "bound": f"{bound} {limit}",
        "most": context.get("max_length", ""),
        "least": context.get("min_length", ""),
        "expected": context.get("expected") or context.get("expected_tags") or "true, false",
    }
    return _KINDS.get(kind, "bank_field_wrong"), facts


def names(text: str) -> frozenset[str]:
    """A set from words with spaces between."""
    return frozenset(text.split())


def _short(value: object) -> str:
    if value is None or isinstance(value, list | dict):
        return "-"
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
