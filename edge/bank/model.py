"""What a question bank holds, checked whole before anything of it is used: items, practical rubrics, blueprints."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge.bank.items import (
    BLANK,
    Bilingual,
    Blank,
    CaseItem,
    ChoiceItem,
    FillItem,
    HotspotItem,
    Id,
    Item,
    ItemBase,
    ItemType,
    Language,
    Left,
    MatchItem,
    Media,
    MediaName,
    MediaType,
    NumberBlank,
    Option,
    OrderItem,
    Regime,
    Region,
    Rule,
    Source,
    SubItem,
    Test,
    Text,
    TextBlank,
    Translation,
    media_names,
)
from edge.bank.rubrics import Deduction, Rubric, Step, Trade, Veto
from edge.domain.canonical import canonical
from edge.errors import BadInput, Wrong
from edge.why import where

__all__ = [
    "BLANK",
    "MEDIA_LIMIT",
    "BankDocument",
    "Bilingual",
    "Blank",
    "Blueprint",
    "BlueprintPart",
    "CaseItem",
    "ChoiceItem",
    "Counted",
    "Deduction",
    "Draw",
    "FillItem",
    "HotspotItem",
    "Id",
    "Item",
    "ItemBase",
    "ItemType",
    "Language",
    "Left",
    "MatchItem",
    "Media",
    "MediaFile",
    "MediaName",
    "MediaType",
    "NumberBlank",
    "Option",
    "OrderItem",
    "Part",
    "Regime",
    "Region",
    "Rubric",
    "Rule",
    "Source",
    "Step",
    "SubItem",
    "Test",
    "Text",
    "TextBlank",
    "Trade",
    "Translation",
    "Veto",
    "fingerprint",
    "media_names",
    "parse_bank",
]

MEDIA_LIMIT = 8_000_000


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Draw(Part):
    """So many items of one type; `topics` and `difficulty` narrow it, `points` says what each is worth here."""

    type: ItemType
    count: Annotated[int, Field(ge=1, le=300)]
    topics: list[Text] = []
    difficulty: list[Annotated[int, Field(ge=1, le=5)]] = []
    points: Annotated[int | None, Field(ge=1, le=100)] = None
    """None: what the item says. A case keeps its own."""


class BlueprintPart(Part):
    test: Test
    title: Bilingual
    draw: Annotated[list[Draw], Field(min_length=1)]
    minutes: Annotated[int | None, Field(ge=1, le=600)] = None
    """A limit of its own, counted from when the candidate opens the part; None: the whole exam's alone."""


class Blueprint(Part):
    """How a paper is put together for one post or trade and level."""

    id: Id
    title: Bilingual
    post: Text
    regime: Regime
    level: str | None = None
    minutes: Annotated[int, Field(ge=1, le=600)]
    parts: Annotated[list[BlueprintPart], Field(min_length=1)]
    max_exposure: Annotated[int | None, Field(ge=0)] = None
    """Items the bank says were used more often than this are not drawn."""
    rest_sessions: Annotated[int, Field(ge=0, le=50)] = 0
    """Items of this room's last so many sessions rest, while the bank has others."""


class MediaFile(Part):
    """A file's bytes, in base64, and what they are."""

    type: MediaType
    data: Annotated[str, Field(max_length=MEDIA_LIMIT * 4 // 3 + 4)]

    @field_validator("data")
    @classmethod
    def is_base64(cls, value: str) -> str:
        try:
            content = base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise Wrong("input_base64") from error
        if not content:
            raise Wrong("check_file_empty")
        return value

    def content(self) -> bytes:
        return base64.b64decode(self.data)

    @property
    def size(self) -> int:
        """Bytes of the file itself."""
        return len(self.data) // 4 * 3 - self.data[-2:].count("=")


class Counted(Part):
    """A room's session whose use of the items is in their `exposure` already."""

    room: Id
    session: Id


class BankDocument(Part):
    """A whole bank as it is sealed."""

    bank: Id
    title: Bilingual
    sample: bool = False
    items: Annotated[list[Item], Field(min_length=1)]
    rubrics: list[Rubric] = []
    blueprints: list[Blueprint] = []
    media: dict[MediaName, MediaFile] = {}
    counted: list[Counted] = []

    @model_validator(mode="after")
    def ids_once(self) -> BankDocument:
        seen: set[str] = set()
        for item in self.items:
            for name in {item.id, *item.responses}:
                if name in seen:
                    raise Wrong("check_item_twice", item=name)
                seen.add(name)
            if lacking := sorted(media_names(item) - self.media.keys()):
                raise Wrong("check_item_media", item=item.id, file=lacking[0])
        return self


def fingerprint(bank: BankDocument) -> str:
    """SHA-256 of what the bank says, whether it came sealed or as a folder.

    What stands at its default is left out, so that a later version of this program, which knows more fields, finds the
    same in an old bank.
    """
    document = bank.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return hashlib.sha256(canonical(document)).hexdigest()


def parse_bank(content: bytes) -> BankDocument:
    """The bank in `content` (JSON). BadInput names the first place that is wrong; nothing is half taken."""
    try:
        return BankDocument.model_validate(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise BadInput("bank_broken", **where(error)) from error
