"""JSON as the format has it and no other: both verifiers take the same texts, so that their verdicts are the same.

Canonical, without floats, integers below 2^53 (where JavaScript's are exact), nested at most 500 deep.
"""

from __future__ import annotations

import json
from typing import Any

from edge.domain.canonical import canonical

DEEPEST = 500
_LARGEST = 2**53 - 1
_DIGITS = len(str(_LARGEST))


def strict_json(data: bytes, *, floats: bool = False) -> Any:
    """The value whose canonical bytes are exactly `data`; ValueError otherwise. `floats`: points may be no integers."""
    try:
        value = json.loads(
            data.decode(), parse_int=_integer, parse_float=float if floats else _none, parse_constant=_none
        )
        if data.count(b"[") + data.count(b"{") > DEEPEST:
            _need_shallow(value)
        same = canonical(value) == data
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not same:
        raise ValueError("not in canonical form")
    return value


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= _DIGITS + 1 else _LARGEST + 1
    if abs(value) > _LARGEST:
        raise ValueError("too large a number")
    return value


def _none(text: str) -> float:
    raise ValueError(f"no number of the format: {text[:20]}")


def _need_shallow(value: Any) -> None:
    level, depth = [value], 0
    while containers := [one for one in level if isinstance(one, (dict, list))]:
        depth += 1
        if depth > DEEPEST:
            raise ValueError("nested too deep")
        level = [inner for one in containers for inner in (one.values() if isinstance(one, dict) else one)]
