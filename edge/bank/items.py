"""Items: what one question is, by type, each checked whole before anything of it is used."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.domain.keys import BlankKey, Key, RegionKey, cased
from edge.domain.paper import LETTERS, ItemFacts
from edge.errors import Wrong

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Test = Literal["safety", "theory"]
Regime = Literal["skilled-worker", "site-professional"]
ItemType = Literal["judgement", "single", "multiple", "fill", "order", "match", "hotspot", "case"]
Rule = Literal["policy", "all-or-nothing", "partial"]
Language = Annotated[str, Field(pattern=r"^(en|bo|ug|mn|kk|ko|za|ii)$")]
"""Languages beside Chinese: English, Tibetan, Uyghur, Mongolian, Kazakh, Korean, Zhuang, Yi (BCP 47)."""
MediaName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
MediaType = Literal[
    "image/png", "image/jpeg", "image/webp", "image/svg+xml", "audio/mpeg", "audio/mp4", "video/mp4", "video/webm"
]
BLANK = "____"


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(Part):
    zh: Text
    en: str = ""


class Option(Part):
    key: Annotated[str, Field(pattern=f"^[{LETTERS}]$")]
    text: Text
    image: MediaName | None = None


Options = Annotated[list[Option], Field(min_length=2, max_length=len(LETTERS))]


class Source(Part):
    """The standard, its edition in force and the clause an item tests."""

    standard: Text
    title: Text
    edition: Text
    clause: Text


class Media(Part):
    """A picture, sound or film that an item shows; its bytes stand in the bank's `media` under this name."""

    name: MediaName
    alt: Text
    """What it shows, for who cannot see or hear it; never gives the answer away."""


class Translation(Part):
    """An item's words in another language, shown beside the Chinese. `options` is by option key, `left` by left key."""

    stem: Text
    options: dict[str, Text] = {}
    left: dict[str, Text] = {}


class ItemBase(Part):
    """What every item has. `template` names the fact it tests, so that near-twins can be told apart and counted."""

    id: Id
    test: Test
    topic: Text
    stem: Text
    difficulty: Annotated[int, Field(ge=1, le=5)]
    points: Annotated[int, Field(ge=1, le=100)]
    source: Source
    template: Id
    sample: bool = False
    posts: list[Text] = []
    """Posts or trades 职业（工种） it is for; empty: all."""
    levels: list[Text] = []
    regimes: list[Regime] = []
    exposure: Annotated[int, Field(ge=0)] = 0
    """How often the bank's owner knows it to have been used."""
    local: bool = False
    """From an institution's own bank; how many a paper may hold is signed policy's to say."""
    media: Annotated[list[Media], Field(max_length=4)] = []
    translations: dict[Language, Translation] = {}

    @property
    def responses(self) -> tuple[str, ...]:
        """The ids under which answers are kept: its own, or those of a case's sub-items."""
        return (self.id,)

    def facts(self) -> ItemFacts:
        """What drawing a paper needs to know of the item."""
        own = self.__dict__  # a field that a type lacks is dear to ask a model for: it makes up an exception
        return ItemFacts(
            self.id,
            self.test,
            own["type"],  # every subclass has its own literal
            tuple(option.key for option in own.get("options", ())),
            self.points,
            self.template,
            topic=self.topic,
            difficulty=self.difficulty,
            posts=frozenset(self.posts),
            levels=frozenset(self.levels),
            regimes=frozenset(self.regimes),
            local=self.local,
            exposure=self.exposure,
            left=tuple(place.key for place in own.get("left", ())),
            places=len(own.get("blanks", ())) or len(own.get("regions", ())),
            subs=tuple(sub.facts() for sub in own.get("items", ())),
        )

    def key(self) -> Key:
        """What scoring needs to know of the item; ValueError for one that is not answered itself."""
        raise ValueError(f"{self.id} has no key of its own")


class ChoiceItem(ItemBase):
    """判断 judgement, 单选 single, 多选 multiple."""

    type: Literal["judgement", "single", "multiple"]
    options: Options
    answer: Annotated[list[str], Field(min_length=1)]
    rule: Rule = "policy"
    """How several right options are scored; `policy` leaves it to the session's signed policy."""

    @model_validator(mode="after")
    def answer_fits_options(self) -> ChoiceItem:
        keys = _distinct(self.options)
        if len(set(self.answer)) != len(self.answer) or set(self.answer) - set(keys):
            raise Wrong("bank_answer_unknown")
        if self.type != "multiple" and len(self.answer) != 1:
            raise Wrong("bank_answer_one")
        if self.type == "multiple" and len(self.answer) < 2:
            raise Wrong("bank_answer_two")
        return self

    def key(self) -> Key:
        return Key(self.type, tuple(self.answer), rule=self.rule)


class TextBlank(Part):
    """A blank for words: right when it equals one of `accepted`, widths, spaces and case apart."""

    kind: Literal["text"] = "text"
    accepted: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(min_length=1, max_length=20)]


Unit = Annotated[str, Field(min_length=1, max_length=20)]


class NumberBlank(Part):
    """A blank for a number: right within `tolerance` of `value`.

    Its unit is either given, printed beside the field, or asked, chosen from `shown_units`. What is accepted never goes
    to a page.
    """

    kind: Literal["number"]
    value: Decimal
    tolerance: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    units: Annotated[list[Unit], Field(max_length=10)] = []
    """Units that are right, best first; without `shown_units` the first is given. Empty: the number has none."""
    shown_units: Annotated[list[Unit], Field(max_length=10)] = []
    """The units to choose from, right and wrong, MPa and mPa being two; empty: the unit is not asked."""

    @model_validator(mode="after")
    def a_right_unit_is_shown(self) -> NumberBlank:
        if len(set(self.shown_units)) != len(self.shown_units):
            raise Wrong("bank_unit_twice")
        if self.shown_units and not {cased(one) for one in self.shown_units} & {cased(one) for one in self.units}:
            raise Wrong("bank_unit_wrong")
        return self


def _blank_key(blank: TextBlank | NumberBlank) -> BlankKey:
    if isinstance(blank, TextBlank):
        return BlankKey("text", tuple(blank.accepted))
    asked = bool(blank.shown_units)
    return BlankKey("number", (), blank.value, blank.tolerance, tuple(blank.units), asked)


Blank = Annotated[TextBlank | NumberBlank, Field(discriminator="kind")]


class FillItem(ItemBase):
    """填空: the stem has one `____` (four underscores) a blank, in order."""

    type: Literal["fill"]
    blanks: Annotated[list[Blank], Field(min_length=1, max_length=10)]
    rule: Rule = "partial"

    @model_validator(mode="after")
    def stem_has_the_blanks(self) -> FillItem:
        if len(re.findall(BLANK, self.stem)) != len(self.blanks):
            raise Wrong("bank_blank_count")
        return self

    def key(self) -> Key:
        return Key("fill", blanks=tuple(_blank_key(blank) for blank in self.blanks), rule=self.rule)


class OrderItem(ItemBase):
    """排序: `answer` is all option keys in the right order."""

    type: Literal["order"]
    options: Options
    answer: list[str]

    @model_validator(mode="after")
    def answer_is_an_order(self) -> OrderItem:
        if sorted(self.answer) != sorted(_distinct(self.options)):
            raise Wrong("bank_order_incomplete")
        return self

    def key(self) -> Key:
        return Key("order", tuple(self.answer))


class Left(Part):
    key: Annotated[str, Field(pattern=r"^[1-8]$")]
    text: Text


class MatchItem(ItemBase):
    """匹配: each thing on the left goes with one option; an option may go with several or none."""

    type: Literal["match"]
    left: Annotated[list[Left], Field(min_length=2, max_length=8)]
    options: Options
    answer: dict[str, str]
    rule: Rule = "partial"

    @model_validator(mode="after")
    def answer_matches_all(self) -> MatchItem:
        keys = _distinct(self.options)
        if sorted(self.answer) != sorted(place.key for place in self.left):
            raise Wrong("bank_match_incomplete")
        if set(self.answer.values()) - set(keys):
            raise Wrong("bank_answer_unknown")
        return self

    def key(self) -> Key:
        return Key("match", tuple(sorted(left + right for left, right in self.answer.items())), rule=self.rule)


class Region(Part):
    """A right place on a picture, in thousandths of its width and height."""

    shape: Literal["circle", "rect", "poly"]
    coords: Annotated[list[Annotated[int, Field(ge=0, le=1000)]], Field(min_length=3, max_length=40)]
    """circle: x, y, radius (of the width); rect: left, top, right, bottom; poly: x, y, x, y, ..."""

    @model_validator(mode="after")
    def shape_has_its_coords(self) -> Region:
        count = len(self.coords)
        if (self.shape == "circle" and count != 3) or (self.shape == "rect" and count != 4):
            raise Wrong("check_region_count")
        if self.shape == "poly" and (count < 6 or count % 2):
            raise Wrong("check_region_polygon")
        if self.shape == "rect" and not (self.coords[0] < self.coords[2] and self.coords[1] < self.coords[3]):
            raise Wrong("check_region_empty")
        return self


class HotspotItem(ItemBase):
    """看图点选: touch the places on a picture; as many marks as there are regions."""

    type: Literal["hotspot"]
    image: MediaName
    aspect: Annotated[int, Field(ge=100, le=10_000)] = 1000
    """The picture's height in thousandths of its width: circles are round in it."""
    regions: Annotated[list[Region], Field(min_length=1, max_length=8)]
    rule: Rule = "partial"

    def key(self) -> Key:
        regions = tuple(RegionKey(region.shape, tuple(region.coords)) for region in self.regions)
        return Key("hotspot", regions=regions, aspect=self.aspect, rule=self.rule)


SubItem = Annotated[ChoiceItem | FillItem | OrderItem | MatchItem, Field(discriminator="type")]


class CaseItem(ItemBase):
    """案例: a situation with several questions about it; its points are theirs together."""

    type: Literal["case"]
    items: Annotated[list[SubItem], Field(min_length=2, max_length=10)]

    @model_validator(mode="after")
    def items_belong(self) -> CaseItem:
        if sum(item.points for item in self.items) != self.points:
            raise Wrong("bank_case_points")
        for number, item in enumerate(self.items, start=1):
            if item.id != f"{self.id}.{number}":
                raise Wrong("bank_case_id")
            if item.test != self.test:
                raise Wrong("bank_case_test")
        return self

    @property
    def responses(self) -> tuple[str, ...]:
        return tuple(item.id for item in self.items)


Item = Annotated[
    ChoiceItem | FillItem | OrderItem | MatchItem | HotspotItem | CaseItem,
    Field(discriminator="type"),
]


def _distinct(options: list[Option]) -> list[str]:
    keys = [option.key for option in options]
    if len(set(keys)) != len(keys):
        raise Wrong("bank_option_key_twice")
    if len({(option.text, option.image) for option in options}) != len(keys):
        raise Wrong("bank_option_text_twice")
    return keys


def media_names(item: Item) -> set[str]:
    """Every file an item shows, its sub-items' too."""
    names = {media.name for media in item.media}
    if isinstance(item, HotspotItem):
        names.add(item.image)
    if isinstance(item, ChoiceItem | OrderItem | MatchItem):
        names |= {option.image for option in item.options if option.image is not None}
    if isinstance(item, CaseItem):
        for sub in item.items:
            names |= media_names(sub)
    return names
