"""A candidate's limits, from what the session, its signed policy, the paper and the proctor's acts say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edge.domain.paper import responses_of
from edge.domain.timing import Credit, Limits
from edge.store import sessions

MINUTE_MS = 60_000
GRACE_SECONDS = 60
"""For sessions whose policy was signed before it could say."""


def limits_of(
    session: sessions.Session,
    attempt: sessions.Attempt,
    credited: tuple[Credit, ...],
    late: bool,
    parts: Mapping[int, int],
) -> Limits:
    """`credited`: outages made good in this session; `late`: first let in after the start; `parts`: ms by the index of
    a part, where the proctor set another limit than the paper's."""
    policy = session.policy
    own = [part.get("minutes") for part in attempt.paper["parts"]]
    limited = [None if minutes is None else int(minutes) * MINUTE_MS for minutes in own]
    return Limits(
        whole_ms=session.minutes * MINUTE_MS,
        extra_ms=attempt.extra_ms,
        parts=tuple(None if ms is None else parts.get(index, ms) for index, ms in enumerate(limited)),
        credits=credited,
        grace_ms=int(policy.get("grace_seconds", GRACE_SECONDS)) * 1000,
        earliest_ms=int(policy.get("earliest_handin_minutes", 0)) * MINUTE_MS,
        late_full=late and policy.get("late_join") == "full-time",
    )


def part_of(paper: Mapping[str, Any]) -> dict[str, int]:
    """Item id -> index of its part; a case's sub-items by their own ids."""
    return {
        entry["id"]: index for index, part in enumerate(paper["parts"]) for entry in responses_of({"parts": [part]})
    }


def grace_facts(ops: Iterable[Any], paper: Mapping[str, Any], test: str) -> dict[str, Any]:
    """What a result says of answers to one test that came in after the end: how many, and from which second on.

    {"grace": {"answers", "from_second"}} in the candidate's own time; empty when there were none. `ops`: journal rows.
    """
    taken = [op for op in _applied(ops, paper, test) if op["grace"]]
    if not taken:
        return {}
    first = min(int(op["own_ms"]) for op in taken)
    return {"grace": {"answers": len({op["item_id"] for op in taken}), "from_second": first // 1000}}


def flag_facts(ops: Iterable[Any], paper: Mapping[str, Any], test: str) -> dict[str, Any]:
    """How many answers to one test were taken though given in a pause, or while the power was off.

    {"given_in_pause": n, "given_in_outage": n}, each where there are any. `ops`: journal rows.
    """
    taken = _applied(ops, paper, test)
    found = {flag: len({op["item_id"] for op in taken if op["flag"] == flag}) for flag in ("pause", "outage")}
    return {f"given_in_{flag}": count for flag, count in found.items() if count}


def _applied(ops: Iterable[Any], paper: Mapping[str, Any], test: str) -> list[Any]:
    parts = [part for part in paper["parts"] if part["test"] == test]
    items = {entry["id"] for entry in responses_of({"parts": parts})}
    return [op for op in ops if op["outcome"] == "applied" and op["item_id"] in items]
