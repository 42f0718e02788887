"""The acts of the console that are about time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from edge.exam import lesstime, timeacts
from edge.exam.acts import Op
from edge.web.console.bodies import ActBody, Registry
from edge.web.room import room, room_db


class AddTime(ActBody):
    minutes: Annotated[int, Field(ge=0, le=1000)] = 0


class Credit(ActBody):
    """`minutes` and `seconds` add up; neither: what the room proposes."""

    outage: Annotated[str, Field(min_length=1, max_length=64)]
    minutes: Annotated[int | None, Field(ge=0, le=240)] = None
    seconds: Annotated[int | None, Field(ge=0, le=14_400)] = None


class Standstill(ActBody):
    """`seconds` of a power cut's free time to take back; 0 confirms it."""

    outage: Annotated[str, Field(min_length=1, max_length=64)]
    seconds: Annotated[int, Field(ge=0, le=14_400)]


class PartLimit(ActBody):
    """`part` counts from 0."""

    part: Annotated[int, Field(ge=0, le=99)]
    minutes: Annotated[int, Field(ge=1, le=1000)]


def _pause(session: str, body: ActBody, op: Op) -> None:
    timeacts.set_clock(room_db(), room().live, session, body.person, False, body.reason, op.by, op)


def _resume(session: str, body: ActBody, op: Op) -> None:
    timeacts.set_clock(room_db(), room().live, session, body.person, True, body.reason, op.by, op)


def _add_time(session: str, body: AddTime, op: Op) -> Mapping[str, Any]:
    live = room().live
    reopened = timeacts.add_time(room_db(), live, session, body.person, body.minutes, body.reason, op.by, op)
    return {"reopened": reopened}


def _credit(session: str, body: Credit, op: Op) -> Mapping[str, Any]:
    ms = None
    if body.minutes is not None or body.seconds is not None:
        ms = (body.minutes or 0) * 60_000 + (body.seconds or 0) * 1000
    return timeacts.credit_outage(room_db(), room().live, session, body.outage, ms, body.reason, op.by, op)


def _standstill(session: str, body: Standstill, op: Op) -> Mapping[str, Any]:
    ms = body.seconds * 1000
    return lesstime.settle_standstill(room_db(), room().live, session, body.outage, ms, body.reason, op.by, op)


def _shorten(session: str, body: AddTime, op: Op) -> Mapping[str, Any]:
    return lesstime.shorten(room_db(), room().live, session, body.person, body.minutes, body.reason, op.by, op)


def _part_limit(session: str, body: PartLimit, op: Op) -> Mapping[str, Any]:
    return lesstime.set_part_limit(room_db(), room().live, session, body.part, body.minutes, body.reason, op.by, op)


TIME_ACTS: Registry = {
    "pause": (ActBody, _pause),
    "resume": (ActBody, _resume),
    "add-time": (AddTime, _add_time),
    "credit-outage": (Credit, _credit),
    "settle-standstill": (Standstill, _standstill),
    "shorten-time": (AddTime, _shorten),
    "set-part-limit": (PartLimit, _part_limit),
}
