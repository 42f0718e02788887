"""What a candidate may say to an item, and the one form in which it is kept.

An answer is a list of strings; an empty one is "not answered". Which strings, by the item's type:
judgement, single: one letter shown · multiple: letters, sorted · order: every letter shown, in the candidate's order ·
fill: a string a blank, "" for an empty one · match: "1C", left key and letter, sorted by left key ·
hotspot: "412,77", thousandths of the picture's width and height, sorted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edge.domain.paper import LETTERS

MAX_TEXT, MAX_PARTS = 100, 10
_MARK = re.compile(r"(0|[1-9][0-9]{0,2}|1000),(0|[1-9][0-9]{0,2}|1000)")


class Wrong(Exception):
    """An answer that the item cannot have; `code` is a reason's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def normalise(shown: Mapping[str, Any], value: Sequence[str]) -> list[str]:
    """`value` as it is kept, for an entry of a drawn paper. Wrong for what this item cannot be answered with."""
    if len(value) > MAX_PARTS or any(len(part) > MAX_TEXT for part in value):
        raise Wrong("answer_form_wrong")
    if not value:
        return []
    check = _CHECKS.get(shown["type"])
    if check is None:
        raise Wrong("item_not_on_paper")  # a case is answered by its questions
    return check(shown, value)


def _one(shown: Mapping[str, Any], value: Sequence[str]) -> list[str]:
    found = _several(shown, value)
    if len(found) > 1:
        raise Wrong("one_option_only")
    return found


def _several(shown: Mapping[str, Any], value: Sequence[str]) -> list[str]:
    if len(set(value)) != len(value) or not set(value) <= set(LETTERS[: len(shown["order"])]):
        raise Wrong("option_not_on_item")
    return sorted(value)


def _order(shown: Mapping[str, Any], value: Sequence[str]) -> list[str]:
    if len(_several(shown, value)) != len(shown["order"]):
        raise Wrong("answer_form_wrong")
    return list(value)


def _fill(shown: Mapping[str, Any], value: Sequence[str]) -> list[str]:
    typed = [text.strip() for text in value]
    if len(typed) != shown["blanks"] or any(unicodedata.category(sign) == "Cc" for text in typed for sign in text):
        raise Wrong("answer_form_wrong")
    return typed if any(typed) else []


def _match(shown: Mapping[str, Any], value: Sequence[str]) -> list[str]:
    letters = LETTERS[: len(shown["order"])]
    if any(len(pair) != 2 or pair[0] not in shown["left"] or pair[1] not in letters for pair in value):
        raise Wrong("option_not_on_item")
    if len({pair[0] for pair in value}) != len(value):
        raise Wrong("answer_form_wrong")
    return sorted(value)


def _hotspot(shown: Mapping[str, Any], value: Sequence[str]) -> list[str]:
    if len(value) > shown["marks"] or not all(_MARK.fullmatch(mark) for mark in value):
        raise Wrong("answer_form_wrong")
    return sorted(value, key=lambda mark: tuple(int(part) for part in mark.split(",")))


_CHECKS: dict[str, Callable[[Mapping[str, Any], Sequence[str]], list[str]]] = {
    "judgement": _one,
    "single": _one,
    "multiple": _several,
    "order": _order,
    "fill": _fill,
    "match": _match,
    "hotspot": _hotspot,
}


def to_bank(shown: Mapping[str, Any], value: Sequence[str]) -> list[str]:
    """A kept answer in the bank's own keys, whatever order its options were shown in.

    ValueError for a letter that was not shown.
    """
    if shown["type"] in ("fill", "hotspot"):
        return list(value)
    key_of = dict(zip(LETTERS, shown["order"], strict=False))
    try:
        if shown["type"] == "match":
            return sorted(pair[0] + key_of[pair[1:]] for pair in value)
        keys = [key_of[letter] for letter in value]
    except KeyError as error:
        raise ValueError("no such option on this paper") from error
    return keys if shown["type"] == "order" else sorted(keys)


def to_shown(shown: Mapping[str, Any], value: Sequence[str]) -> list[str]:
    """The other way about: an answer in the bank's keys, as a candidate with this paper gives it."""
    if shown["type"] in ("fill", "hotspot"):
        return list(value)
    letter_of = dict(zip(shown["order"], LETTERS, strict=False))
    if shown["type"] == "match":
        return sorted(pair[0] + letter_of[pair[1:]] for pair in value)
    letters = [letter_of[key] for key in value]
    return letters if shown["type"] == "order" else sorted(letters)
