"""Rosters and policies as they arrive: checked whole at the edge, so that nothing is ever half applied."""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from edge.bank.model import Blueprint, Id, Rubric
from edge.domain import consents, idcards, names, pictures
from edge.domain.acts import Act, OneRoute
from edge.domain.facerules import Liveness, WeakBadge
from edge.domain.reasons import words
from edge.errors import BadInput, Wrong, Wrongs
from edge.exam import roster_rules
from edge.why import Found, every, where

Words = Annotated[str, Field(max_length=2000, pattern=r"\S")]


def _tidied(name: object) -> object:
    """As in a spreadsheet: one rule for both ways in."""
    if not isinstance(name, str):
        return name
    tidied = names.tidy(name)
    if (sign := names.odd_sign(tidied)) is not None:
        raise Wrong("check_name_sign", sign=sign)
    return tidied


Name = Annotated[str, Field(max_length=names.LONGEST, pattern=r"\S"), BeforeValidator(_tidied)]
Version = Annotated[int, Field(ge=1, le=2**53)]
# up to 2100: no page could show a time in microseconds, and the store could not hold a larger one
WallMs = Annotated[int, Field(ge=0, le=4_102_444_800_000)]
Badge = Annotated[str, Field(pattern=r"^[A-Z0-9]{4,32}$")]
Seat = Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,8}$")]
PHOTO_LIMIT = 2_000_000
CANDIDATES, SEATS = 2000, 2600


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Institution(Part):
    id: Id
    name: Words


class TrainingClass(Part):
    id: Id
    title: Words
    regime: Literal["skilled-worker", "site-professional"]
    post: Words
    post_code: Annotated[str | None, Field(max_length=100)] = None
    level: Annotated[str | None, Field(max_length=100)] = None


class SessionPlan(Part):
    id: Id
    title: Words
    planned_ms: WallMs
    minutes: Annotated[int, Field(ge=1, le=600)]
    # personal data go so many days after the planned day; never later than the policy says, which rules without it
    purge_days: Annotated[int | None, Field(ge=1, le=3650)] = None


class BankRef(Part):
    name: Id
    version: Version


class SeatPlace(Part):
    seat: Seat
    row: Annotated[int, Field(ge=1, le=200)]
    column: Annotated[int, Field(ge=1, le=200)]


class Document(Part):
    type: Literal["resident-id", "hmt-residence", "passport", "hk-macao-permit", "taiwan-permit", "foreigner-permit"]
    number: Annotated[str, Field(min_length=4, max_length=40, pattern=r"^\S(.*\S)?$")]
    born: datetime.date | None = None
    """For documents whose number does not say it."""

    @field_validator("number")
    @classmethod
    def a_number_holds(cls, value: str, info: ValidationInfo) -> str:
        number, kind = idcards.tidy(value), info.data.get("type")
        if kind is not None and (code := idcards.fault(kind, number)) is not None:
            raise Wrong(code)
        return number

    @model_validator(mode="after")
    def one_birthday(self) -> Document:
        said = idcards.born(self.type, self.number)
        if said is not None and self.born not in (None, said):
            raise Wrong("document_born_differs")
        return self


class Consent(Part):
    """What somebody has agreed to beforehand, one answer a purpose; null: they are asked at the kiosk.

    An agreement counts with the version of the notice that was given and the day; without either they are asked again.
    """

    face: bool | None = None
    search: bool | None = None
    duplicates: bool | None = None
    still: bool | None = None
    notice: Annotated[str, Field(max_length=200)] = ""
    date: datetime.date | None = None

    def answers(self) -> dict[str, bool]:
        """Purpose -> answer, of those that count."""
        given = {
            consents.ONE_TO_ONE: self.face,
            consents.SEARCH: self.search,
            consents.DUPLICATES: self.duplicates,
            consents.STILL: self.still,
        }
        holds = self.date is not None and self.notice in consents.versions()
        return {purpose: answer for purpose, answer in given.items() if answer is False or (answer and holds)}


class PaperSettings(Part):
    """How a person needs the paper: text size 0 to 3, strong contrast, a second language, each question read aloud."""

    size: Annotated[int, Field(ge=0, le=3, strict=True)] = 0
    contrast: Annotated[bool, Field(strict=True)] = False
    second: Annotated[str, Field(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})?)?$")] = ""
    aloud: Annotated[bool, Field(strict=True)] = False


class CandidateRow(Part):
    number: Annotated[int, Field(ge=1, le=100_000)]
    name: Name
    document: Document
    badge: Badge | None = None
    seat: Seat | None = None
    photo: str | None = None
    consent: Consent = Consent()
    extra_minutes: Annotated[int, Field(ge=0, le=240)] = 0
    settings: PaperSettings | None = None

    @field_validator("photo")
    @classmethod
    def photo_is_base64(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                decoded = base64.b64decode(value, validate=True)
            except binascii.Error as error:
                raise Wrong("input_base64") from error
            if not 0 < len(decoded) <= PHOTO_LIMIT:
                raise Wrong("check_photo")
            if not pictures.size_fits(pictures.picture_size(decoded)):
                raise Wrong("check_photo_picture")
        return value


class StaffRow(Part):
    id: Id
    name: Name
    role: Literal["proctor", "examiner", "supervisor", "technician"]
    badge: Badge
    pin_hash: Annotated[str, Field(pattern=r"^\$argon2id\$")]
    chief: bool = False
    """An examiner who decides where two do not agree."""

    @model_validator(mode="after")
    def chiefs_examine(self) -> StaffRow:
        if self.chief and self.role != "examiner":
            raise Wrong("check_chief")
        return self


class StationRow(Part):
    """A place 工位 where a rubric is examined, and the camera that sees it."""

    id: Id
    title: Words
    camera: Annotated[str | None, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")] = None
    rubric: Id


class RosterDocument(Part):
    """One session: who, where, by which bank and blueprint, and which staff run it."""

    version: Literal[1] = 1
    institution: Institution
    class_: Annotated[TrainingClass, Field(alias="class")]
    session: SessionPlan
    bank: BankRef
    local_bank: BankRef | None = None
    """An institution's own bank beside the province's; how much of a paper may come from it is the policy's to say."""
    blueprint: Blueprint
    rubric: Rubric | None = None
    rubrics: Annotated[list[Rubric], Field(max_length=20)] = []
    """More score sheets beside `rubric`: one for safety, or a practical of several stations."""
    stations: Annotated[list[StationRow], Field(max_length=100)] = []
    seats: Annotated[list[SeatPlace], Field(min_length=1, max_length=SEATS)]
    candidates: Annotated[list[CandidateRow], Field(min_length=1, max_length=CANDIDATES)]
    staff: Annotated[list[StaffRow], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def rules_hold(self) -> RosterDocument:
        if found := list(roster_rules.broken(self)):
            raise Wrongs(found)
        return self

    @property
    def all_rubrics(self) -> list[Rubric]:
        return [*([self.rubric] if self.rubric else []), *self.rubrics]


class PassMarks(Part):
    """Per cent needed in each of the three tests; set by the province, never guessed."""

    safety: Annotated[int, Field(ge=0, le=100)]
    theory: Annotated[int, Field(ge=0, le=100)]
    practical: Annotated[int, Field(ge=0, le=100)]


class FacePolicy(Part):
    """Each purpose by itself, and each with a consent of its own (`edge.domain.consents`): comparing with the badge's
    photograph always, the others off unless they stand here.
    """

    without_template: Literal["badge+proctor"] = "badge+proctor"
    # looking for a face among the session's when somebody comes without a badge
    search: bool = False
    # looking for one face under two names, in the roster and among those who have entered
    duplicates: bool = False
    # one picture of an admission by face, kept as evidence for so many days
    keep_still: bool = False
    still_days: Annotated[int, Field(ge=1, le=180)] = 30
    # whether a person stands there: by the networks of the pack `liveness`, by a challenge of movements, or by both
    liveness: Liveness = "off"
    # a badge that is easily copied, where no face matches: as any other, or the proctor sees badge and person
    weak_badge: WeakBadge = "allow"
    # the kiosk shows no live picture
    curtain: bool = False


class Lockout(Part):
    tries: Annotated[int, Field(ge=1, le=50)] = 5
    minutes: Annotated[int, Field(ge=1, le=1440)] = 5


HexKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SebPolicy(Part):
    """Safe Exam Browser. Without `config_keys` the keys of the files that the room itself hands out are accepted; with
    `browser_exam_keys` one of these has to fit as well. The password that closes it stands here as its SHA-256.
    """

    required: bool = False
    config_keys: Annotated[list[HexKey], Field(max_length=50)] = []
    browser_exam_keys: Annotated[list[HexKey], Field(max_length=50)] = []
    quit_password_sha256: HexKey | None = None


class PolicyDocument(Part):
    """The rules a session runs under, signed by the province."""

    version: Literal[1] = 1
    # `pass` in the document, a word Python keeps for itself
    pass_marks: Annotated[PassMarks, Field(alias="pass")]
    face: FacePolicy = FacePolicy()
    multiple_choice: Literal["all-or-nothing", "partial"] = "all-or-nothing"
    local_bank_share: Annotated[int, Field(ge=0, le=100)] = 0
    # personal data go so many days after the planned day, a session's footage so many after its close
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 90
    keep_recordings_days: Annotated[int, Field(ge=1, le=3650)] = 180
    # "wanted": a session's footage stays, past its date too, until a supervisor has inspected the session
    inspection: Literal["wanted", "none"] = "wanted"
    # footage that the province asks for over the line is sent while no exam is on, or at any time
    remote_clips: Literal["outside-exams", "always"] = "outside-exams"
    # the cameras record sound too, from the opening of the door to the session's close; kiosk and tablets say so
    sound: bool = False
    # at the spot check what a seat answered stands beside the picture, without the items' texts
    spot_check_answers: bool = False
    lockout: Lockout = Lockout()
    # acts that a second member of staff confirms with badge and PIN: "close", "sign", "admit", "admit-manual" ...
    two_person: Annotated[list[Act | OneRoute], Field(max_length=50)] = []
    practice: bool = False
    # the tests a candidate has to pass; a session for theory alone names that alone
    tests: Annotated[list[Literal["safety", "theory", "practical"]], Field(min_length=1, max_length=3)] = [
        "safety",
        "theory",
        "practical",
    ]
    # score sheets: how many examiners a candidate, how many per cent of the full points they may lie apart before a
    # chief decides, whether both sign on the tablet, how many pictures a sheet may have
    examiners: Literal[1, 2] = 1
    max_difference: Annotated[int, Field(ge=0, le=100)] = 10
    signatures: bool = False
    pictures: Annotated[int, Field(ge=0, le=20)] = 6
    # after the end, answers given before it are still taken for this long, and flagged
    grace_seconds: Annotated[int, Field(ge=0, le=600)] = 60
    # who is let in after the start has until the room's end, or all of the exam's time from then on
    late_join: Literal["room-time", "full-time"] = "room-time"
    # after this minute of the exam the door lets nobody in without the proctor; None: no such minute
    late_join_minutes: Annotated[int | None, Field(ge=0, le=600)] = None
    # the door opens only after a rehearsal for as many candidates was passed within so many hours; 0: none is needed
    rehearsal_hours: Annotated[int, Field(ge=0, le=8760)] = 0
    # minutes of their own time before which nobody hands in
    earliest_handin_minutes: Annotated[int, Field(ge=0, le=600)] = 0
    # "none": the page watches nothing; "note": leaving the page is told beforehand, counted and shown to the proctor;
    # "seb": the same, and only Safe Exam Browser is let in (as with seb.required)
    lockdown: Literal["none", "note", "seb"] = "note"
    seb: SebPolicy | None = None

    @model_validator(mode="after")
    def lockdown_agrees(self) -> PolicyDocument:
        if self.lockdown == "none" and self.seb is not None and self.seb.required:
            raise Wrong("check_lockdown")
        return self


def parse_roster(content: bytes) -> RosterDocument:
    """BadInput names the first place that is wrong."""
    return _parse(RosterDocument, content, "roster_broken")


def roster_faults(content: bytes) -> list[Found]:
    """All that keeps a roster from being taken; none of a good one. Rules between its parts are looked at once the
    parts are right by themselves."""
    found: list[Found] = []
    try:
        document = json.loads(content)
        found += [Found(place, words("input_character"), None) for place in _unwritable(document)]
        RosterDocument.model_validate(document)
    except (ValueError, OverflowError, RecursionError) as error:
        told = {one.where for one in found}
        found += [one for one in every(error) if one.where not in told]
    return found


def parse_policy(content: bytes) -> PolicyDocument:
    """BadInput names the first place that is wrong."""
    return _parse(PolicyDocument, content, "policy_broken")


Model = TypeVar("Model", bound=Part)


def _parse(model: type[Model], content: bytes, code: str) -> Model:
    try:
        document = json.loads(content)
        if (place := next(_unwritable(document), None)) is not None:
            raise BadInput(code, where=place, detail=words("input_character"))
        return model.model_validate(document)
    except (ValueError, OverflowError, RecursionError) as error:
        raise BadInput(code, **where(error)) from error


def _unwritable(document: Any) -> Iterator[str]:
    """Where texts stand that no store, page or printer can take: control characters, half a surrogate pair.

    A key that is such a text is told by the place it stands in.
    """
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str) and _odd(value):
            yield place or "-"
        if isinstance(value, dict):
            if any(_odd(key) for key in value):
                yield place or "-"
            waiting += [(f"{place}.{key}".lstrip("."), one) for key, one in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(f"{place}.{at}".lstrip("."), one) for at, one in reversed(list(enumerate(value)))]


def _odd(text: str) -> bool:
    return not text.isprintable() and any(
        unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\r\t" for letter in text
    )
