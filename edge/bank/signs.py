"""Raised and lowered signs that Unicode has, for words that a format raises or lowers by layout."""

from __future__ import annotations

_RAISED = str.maketrans("0123456789+-=()n−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ⁻")
_LOWERED = str.maketrans("0123456789+-=()−", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎₋")


def raised(text: str) -> str | None:
    """`text` in raised signs; None where one of its signs has no such form."""
    return _moved(text, _RAISED)


def lowered(text: str) -> str | None:
    """Likewise, lowered."""
    return _moved(text, _LOWERED)


def _moved(text: str, table: dict[int, int]) -> str | None:
    known = all(ord(sign) in table or sign.isspace() for sign in text)
    return text.translate(table) if known else None
