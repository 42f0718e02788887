"""Rosters and policies as they arrive: checked whole at the edge, so that nothing is ever half applied."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Hashable, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge.bank.model import Blueprint, Id, Rubric, Text, where
from edge.errors import BadInput

Badge = Annotated[str, Field(pattern=r"^[A-Z0-9]{4,32}$")]
Seat = Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,8}$")]
PHOTO_LIMIT = 2_000_000


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Institution(Part):
    id: Id
    name: Text


class TrainingClass(Part):
    id: Id
    title: Text
    regime: Literal["skilled-worker", "site-professional"]
    post: Text
    post_code: str | None = None
    level: str | None = None


class SessionPlan(Part):
    id: Id
    title: Text
    planned_ms: Annotated[int, Field(ge=0)]
    minutes: Annotated[int, Field(ge=1, le=600)]
    purge_days: Annotated[int, Field(ge=1, le=3650)] = 90


class BankRef(Part):
    name: Id
    version: Annotated[int, Field(ge=1)]


class SeatPlace(Part):
    seat: Seat
    row: Annotated[int, Field(ge=1, le=200)]
    column: Annotated[int, Field(ge=1, le=200)]


class Document(Part):
    type: Literal["resident-id", "passport", "hk-macao-permit", "taiwan-permit", "foreigner-permit"]
    number: Annotated[str, Field(min_length=4, max_length=40)]


class Consent(Part):
    face: bool | None = None
    notice: str = ""


class CandidateRow(Part):
    number: Annotated[int, Field(ge=1, le=100_000)]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    document: Document
    badge: Badge | None = None
    seat: Seat | None = None
    photo: str | None = None
    consent: Consent = Consent()
    extra_minutes: Annotated[int, Field(ge=0, le=240)] = 0

    @field_validator("photo")
    @classmethod
    def photo_is_base64(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                decoded = base64.b64decode(value, validate=True)
            except binascii.Error as error:
                raise ValueError("the photo is not base64") from error
            if not 0 < len(decoded) <= PHOTO_LIMIT:
                raise ValueError("the photo is empty or larger than 2 MB")
        return value


class StaffRow(Part):
    id: Id
    name: Text
    role: Literal["proctor", "examiner", "supervisor", "technician"]
    badge: Badge
    pin_hash: Annotated[str, Field(pattern=r"^\$argon2id\$")]


class RosterDocument(Part):
    """One session: who, where, by which bank and blueprint, and which staff run it."""

    version: Literal[1] = 1
    institution: Institution
    class_: Annotated[TrainingClass, Field(alias="class")]
    session: SessionPlan
    bank: BankRef
    blueprint: Blueprint
    rubric: Rubric | None = None
    seats: Annotated[list[SeatPlace], Field(min_length=1, max_length=500)]
    candidates: Annotated[list[CandidateRow], Field(min_length=1, max_length=500)]
    staff: Annotated[list[StaffRow], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def nothing_twice(self) -> RosterDocument:
        seats = [seat.seat for seat in self.seats]
        _once("seats", seats)
        _once("places", [(seat.row, seat.column) for seat in self.seats])
        _once("candidate numbers", [c.number for c in self.candidates])
        _once("documents", [(c.document.type, c.document.number) for c in self.candidates])
        _once("badges", [c.badge for c in self.candidates if c.badge] + [s.badge for s in self.staff])
        _once("assigned seats", [c.seat for c in self.candidates if c.seat])
        _once("staff ids", [s.id for s in self.staff])
        if unknown := {c.seat for c in self.candidates if c.seat} - set(seats):
            raise ValueError(f"seat {sorted(str(u) for u in unknown)[0]} is not in the room")
        if len(self.candidates) > len(seats):
            raise ValueError("there are more candidates than seats")
        roles = {member.role for member in self.staff}
        if "proctor" not in roles:
            raise ValueError("no proctor among the staff: nobody could open the session")
        if self.rubric is not None and "examiner" not in roles:
            raise ValueError("no examiner among the staff, although there is a practical test")
        return self


def _once(what: str, values: Sequence[Hashable]) -> None:
    """Says which places are the same, not what stands there: it may be somebody's document number."""
    seen: dict[Hashable, int] = {}
    for place, value in enumerate(values, start=1):
        if value in seen:
            raise ValueError(f"{what}: row {seen[value]} and row {place} are the same")
        seen[value] = place


class PassMarks(Part):
    """Per cent needed in each of the three tests; set by the province, never guessed."""

    safety: Annotated[int, Field(ge=0, le=100)]
    theory: Annotated[int, Field(ge=0, le=100)]
    practical: Annotated[int, Field(ge=0, le=100)]


class FacePolicy(Part):
    without_template: Literal["badge+proctor"] = "badge+proctor"
    search: bool = False


class Lockout(Part):
    tries: Annotated[int, Field(ge=1, le=50)] = 5
    minutes: Annotated[int, Field(ge=1, le=1440)] = 5


class PolicyDocument(Part):
    """The rules a session runs under, signed by the province."""

    version: Literal[1] = 1
    # `pass` in the document, a word Python keeps for itself
    pass_marks: Annotated[PassMarks, Field(alias="pass")]
    face: FacePolicy = FacePolicy()
    multiple_choice: Literal["all-or-nothing", "partial"] = "all-or-nothing"
    local_bank_share: Annotated[int, Field(ge=0, le=100)] = 0
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 90
    keep_recordings_days: Annotated[int, Field(ge=1, le=3650)] = 180
    lockout: Lockout = Lockout()
    practice: bool = False


def parse_roster(content: bytes) -> RosterDocument:
    """BadInput names the first place that is wrong."""
    try:
        return RosterDocument.model_validate(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise BadInput("roster_broken", **where(error)) from error


def parse_policy(content: bytes) -> PolicyDocument:
    try:
        return PolicyDocument.model_validate(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise BadInput("policy_broken", **where(error)) from error
