"""Acts of staff: each carries an op id and is done once, and where the signed policy says so, two people stand for it.

`settle` is called inside the transaction of what the act does, so that effect and record are one write. An act whose
effect lies elsewhere (the clock, a tablet) is recorded right after it; such an effect must bear being done again.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edge.domain.canonical import canonical
from edge.errors import Conflict, Refused
from edge.store import acts as store
from edge.store import ledger, staff
from edge.store.db import transaction

# an act and its repeat, sent side by side, go one after the other; acts with other ids seldom share a lock
_LOCKS = tuple(threading.Lock() for _ in range(64))
# secrets: a digest over one would let it be guessed
_NOT_KEPT = frozenset({"pin", "code1", "code2"})


@dataclass(frozen=True)
class Op:
    """One act as asked for. `by` is who asks, `second` who confirmed it, where the policy wants two."""

    op_id: str
    session: str | None
    act: str
    digest: str
    by: str
    second: str | None = None


def make_op(
    op_id: str, session: str | None, act: str, body: Mapping[str, Any], by: str, second: str | None = None
) -> Op:
    """An op over the body as it was sent; PINs, codes and the op id itself stay out of the digest."""
    kept = {
        key: ({k: v for k, v in value.items() if k not in _NOT_KEPT} if isinstance(value, Mapping) else value)
        for key, value in body.items()
        if key not in _NOT_KEPT | {"op_id"}
    }
    digest = hashlib.sha256(canonical([session, act, kept])).hexdigest()
    return Op(op_id, session, act, digest, by, second)


def done_before(connection: sqlite3.Connection, op: Op) -> dict[str, Any] | None:
    """The answer of the first time, or None. Conflict when the op id stands for something else."""
    before = store.find(connection, op.op_id)
    if before is None:
        return None
    if (before.session, before.act, before.digest, before.by) != (op.session, op.act, op.digest, op.by):
        raise Conflict("act_reused")
    return dict(before.answer)


def settle(connection: sqlite3.Connection, op: Op | None, answer: Mapping[str, Any] | None = None) -> None:
    """Keep the act in the caller's open transaction, and who confirmed it in the ledger. None: no act of staff."""
    if op is None:
        return
    if not connection.in_transaction:
        raise RuntimeError("an act belongs in the transaction of what it does")
    store.add(connection, op.op_id, op.session, op.act, op.digest, op.by, op.second, answer or {})
    if op.second is not None:
        body = {"act": op.act, "first": op.by}
        ledger.append(connection, "act_confirmed", body, session=op.session, by=op.second)


def carry_out(connection: sqlite3.Connection, op: Op, work: Callable[[], Mapping[str, Any] | None]) -> dict[str, Any]:
    """Do `work` once for this op id and return its answer; a repeat returns the first answer and does nothing.

    A refusal is not kept: the same op may be tried again. Conflict (`act_reused`) for another body under the op id.
    """
    with _LOCKS[hash(op.op_id) % len(_LOCKS)]:
        before = done_before(connection, op)
        if before is not None:
            return before
        answer = dict(work() or {})
        kept = store.find(connection, op.op_id)
        if kept is not None:
            return dict(kept.answer) | answer
        with transaction(connection):
            settle(connection, op, answer)
        return answer


def wants_second(policy: Mapping[str, Any], act: str, route: str | None = None) -> bool:
    """Whether the session's signed policy asks two people for this act ("admit", or "admit-manual" for one route)."""
    named = policy.get("two_person") or ()
    return act in named or (route is not None and f"{act}-{route}" in named)


def second_person(connection: sqlite3.Connection, session: str, first: str, badge: str) -> staff.Staff:
    """Who confirms: not `first`, and with a role in this session; Refused otherwise. The PIN is checked elsewhere."""
    who = staff.by_badge(connection, badge.strip().upper())
    if who is None:
        raise Refused("sign_in_wrong")
    if who.id == first:
        raise Refused("second_same")
    if staff.role_in(connection, session, who.id) is None:
        raise Refused("second_no_role")
    return who
