"""What a question bank holds, checked whole before anything of it is used: items, practical rubrics, blueprints."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.domain.paper import LETTERS, ItemFacts
from edge.errors import BadInput

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Test = Literal["safety", "theory"]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(Part):
    zh: Text
    en: str = ""


class Option(Part):
    key: Annotated[str, Field(pattern=f"^[{LETTERS}]$")]
    text: Text


class Source(Part):
    """The standard, its edition in force and the clause an item tests."""

    standard: Text
    title: Text
    edition: Text
    clause: Text


class Item(Part):
    """One question. `template` names the fact it tests, so that near-twins can be told apart and counted."""

    id: Id
    test: Test
    topic: Text
    type: Literal["judgement", "single", "multiple"]
    stem: Text
    options: Annotated[list[Option], Field(min_length=2, max_length=len(LETTERS))]
    answer: Annotated[list[str], Field(min_length=1)]
    difficulty: Annotated[int, Field(ge=1, le=5)]
    points: Annotated[int, Field(ge=1, le=20)]
    source: Source
    template: Id
    sample: bool = False

    @model_validator(mode="after")
    def answer_fits_options(self) -> Item:
        keys = [option.key for option in self.options]
        if len(set(keys)) != len(keys):
            raise ValueError("two options have one key")
        if len({option.text for option in self.options}) != len(keys):
            raise ValueError("two options have one text")
        if len(set(self.answer)) != len(self.answer) or set(self.answer) - set(keys):
            raise ValueError("the answer is not among the options")
        if self.type != "multiple" and len(self.answer) != 1:
            raise ValueError("this type has exactly one right option")
        if self.type == "multiple" and len(self.answer) < 2:
            raise ValueError("multiple choice has at least two right options")
        return self

    def facts(self) -> ItemFacts:
        keys = tuple(option.key for option in self.options)
        return ItemFacts(self.id, self.test, self.type, keys, self.points, self.template)


class Deduction(Part):
    id: Id
    title: Bilingual
    points: Annotated[int, Field(ge=1, le=100)]


class Step(Part):
    id: Id
    title: Bilingual
    points: Annotated[int, Field(ge=1, le=100)]
    deductions: list[Deduction]
    source: Source | None = None


class Veto(Part):
    id: Id
    title: Bilingual


class Trade(Part):
    name: Text
    level: Text


class Rubric(Part):
    """A practical 实操 score sheet: steps with deductions, and veto items 一票否决."""

    id: Id
    title: Bilingual
    trade: Trade
    points: Annotated[int, Field(ge=1, le=1000)]
    # named `pass` in the document: the percentage the sheet itself suggests; signed policy decides
    suggested_pass: Annotated[int, Field(ge=0, le=100, alias="pass")] = 60
    minutes: Annotated[int, Field(ge=1, le=600)]
    steps: Annotated[list[Step], Field(min_length=1)]
    vetoes: list[Veto] = []
    sample: bool = False

    @model_validator(mode="after")
    def adds_up(self) -> Rubric:
        if sum(step.points for step in self.steps) != self.points:
            raise ValueError("the steps' points do not add up to the sheet's")
        ids = (
            [d.id for s in self.steps for d in s.deductions] + [s.id for s in self.steps] + [v.id for v in self.vetoes]
        )
        if len(set(ids)) != len(ids):
            raise ValueError("an id stands twice")
        return self


class Draw(Part):
    type: Literal["judgement", "single", "multiple"]
    count: Annotated[int, Field(ge=1, le=300)]


class BlueprintPart(Part):
    test: Test
    title: Bilingual
    draw: Annotated[list[Draw], Field(min_length=1)]


class Blueprint(Part):
    """How a paper is put together for one post or trade and level."""

    id: Id
    title: Bilingual
    post: Text
    regime: Literal["skilled-worker", "site-professional"]
    level: str | None = None
    minutes: Annotated[int, Field(ge=1, le=600)]
    parts: Annotated[list[BlueprintPart], Field(min_length=1)]


class BankDocument(Part):
    """A whole bank as it is sealed."""

    bank: Id
    title: Bilingual
    sample: bool = False
    items: Annotated[list[Item], Field(min_length=1)]
    rubrics: list[Rubric] = []
    blueprints: list[Blueprint] = []

    @model_validator(mode="after")
    def ids_once(self) -> BankDocument:
        seen: set[str] = set()
        for item in self.items:
            if item.id in seen:
                raise ValueError(f"item {item.id} stands twice")
            seen.add(item.id)
        return self


def parse_bank(content: bytes) -> BankDocument:
    """The bank in `content` (JSON). BadInput names the first place that is wrong; nothing is half taken."""
    try:
        return BankDocument.model_validate(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise BadInput("bank_broken", **where(error)) from error


def where(error: Exception) -> dict[str, str]:
    """The first problem of a failed check, as facts for a sentence."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return {"where": ".".join(str(part) for part in first["loc"]) or "-", "detail": first["msg"]}
    return {"where": "-", "detail": str(error)[:200]}
