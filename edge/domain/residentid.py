"""Resident identity numbers of the mainland (GB 11643): seventeen digits and a check character."""

from __future__ import annotations

import re

_FORM = re.compile(r"[1-9][0-9]{16}[0-9X]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def check_character(body: str) -> str:
    """The eighteenth character, 0 to 9 or X, for the first seventeen digits."""
    total = sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def holds(number: str) -> bool:
    """Whether `number`, its X a capital, has the form and the check character of a resident identity number."""
    return _FORM.fullmatch(number) is not None and check_character(number[:-1]) == number[-1]
