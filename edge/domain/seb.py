"""Safe Exam Browser's two hashes: the Config Key of a set of settings, and what the browser sends for one address.

As SEB's developer documentation has it: the settings as JSON without spaces or escapes, keys sorted without regard to
case at every level, `originatorVersion` and empty dictionaries left out, data as base64, dates as ISO 8601; SHA-256 of
that, in lower-case hex, is the Config Key. For each address the browser sends the SHA-256 of the address without its
fragment, followed by the key.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_LEFT_OUT = "originatorVersion"


def config_key(settings: Mapping[str, Any]) -> str:
    """The Config Key of `settings`, 64 hex digits. TypeError for what a property list cannot hold."""
    return hashlib.sha256(seb_json(settings).encode()).hexdigest()


def seb_json(settings: Mapping[str, Any]) -> str:
    """The text whose SHA-256 is the Config Key."""
    return _object({key: value for key, value in settings.items() if key != _LEFT_OUT})


def address_hash(address: str, key: str) -> str:
    """What SEB sends with a request for `address` under the Config Key or Browser Exam Key `key`."""
    return hashlib.sha256((address.partition("#")[0] + key).encode()).hexdigest()


def _object(entries: Mapping[str, Any]) -> str:
    kept = [(key, value) for key, value in entries.items() if value != {}]
    kept.sort(key=lambda entry: (entry[0].casefold(), entry[0].swapcase()))
    return "{" + ",".join(f'"{key}":{_value(value)}' for key, value in kept) + "}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bytes):
        return f'"{base64.b64encode(value).decode()}"'
    if isinstance(value, datetime):
        return f'"{value.replace(tzinfo=UTC).isoformat()}"'
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, Sequence):
        return "[" + ",".join(_value(one) for one in value if one != {}) + "]"
    raise TypeError(f"{type(value).__name__} has no place in a property list")
