"""The act of the console that unlocks a bank of two shares: always two persons, each with their own slip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from edge.errors import ExamroomError
from edge.exam import conduct, unlock
from edge.exam.acts import Op
from edge.web.console.bodies import ActBody, Registry
from edge.web.room import room, room_db

MINUTE_MS = 60_000
Code = Annotated[str, Field(max_length=40)]


class UnlockBank(ActBody):
    """`code1` and `code2` as they stand on slips 1 and 2."""

    code1: Code = ""
    code2: Code = ""
    two_persons: ClassVar[bool] = True


def _early_ms() -> int:
    return room().config.bank.unlock_minutes * MINUTE_MS


def locked_bank(session: str) -> dict[str, Any] | None:
    """The session's bank that waits for its second share, for the board."""
    here = room()
    try:
        identity = here.identity()
    except ExamroomError:
        return None
    return unlock.told(room_db(), identity, here.config.paths.bundles, session, _early_ms())


def _unlock(session: str, body: UnlockBank, op: Op) -> Mapping[str, Any]:
    here = room()
    typed, reason = (body.code1, body.code2), conduct.need_reason(body.reason)
    bundles = here.config.paths.bundles
    return unlock.unlock(room_db(), here.identity(), bundles, session, typed, _early_ms(), op, reason)


UNLOCK_ACTS: Registry = {"unlock-bank": (UnlockBank, _unlock)}
