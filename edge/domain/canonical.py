"""One byte form for everything that is hashed or signed: JSON with sorted keys, no spaces, UTF-8, no NaN.

For the values used here (strings, integers, booleans, null, lists, objects; no floats in signed data) this is the
form of RFC 8785.
"""

from __future__ import annotations

import json
from typing import Any

# made once: json.dumps would make one a call, which costs more than a short value does
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def canonical(value: Any) -> bytes:
    """The bytes of `value`; ValueError for NaN or infinity, TypeError for what JSON cannot say."""
    return _encode(value).encode()


def canonical_text(value: Any) -> str:
    return canonical(value).decode()
