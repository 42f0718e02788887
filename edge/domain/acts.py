"""The names of what staff do at the console: one word each, in addresses, signed policies and the ledger."""

from __future__ import annotations

from typing import Literal, get_args

Act = Literal[
    "absent",
    "accept-answer",
    "add-time",
    "admit",
    "close",
    "credit-outage",
    "delete-practice",
    "deny",
    "hand-in",
    "incident",
    "open-checkin",
    "pause",
    "release-tablet",
    "resume",
    "retry",
    "seb-exempt",
    "set-part-limit",
    "set-settings",
    "settle-standstill",
    "shorten-time",
    "sign",
    "start",
    "undo",
    "unlock-bank",
    "withdraw-consent",
]
OneRoute = Literal["admit-manual", "admit-policy"]
"""Admitting by one route; a policy may ask two persons for that alone."""

ACTS: frozenset[str] = frozenset(get_args(Act))
