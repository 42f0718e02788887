"""Score sheets 评分表 for safety and practical 实操: what an examiner marks, measures and times."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from edge.bank.items import Bilingual, Id, Source, Text
from edge.errors import Wrong


def _number_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Number = Annotated[str, BeforeValidator(_number_text), Field(pattern=r"^-?[0-9]{1,7}([.][0-9]{1,4})?$")]
"""A decimal kept as it was written, so that no float stands in what is hashed."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Deduction(Part):
    id: Id
    title: Bilingual
    points: Annotated[int, Field(ge=1, le=100)]


class Band(Part):
    """Up to `within` from the target: so many points deducted, or so many of the measure's points given."""

    within: Number
    deduct: Annotated[int | None, Field(ge=0, le=100)] = None
    points: Annotated[int | None, Field(ge=0, le=100)] = None

    @model_validator(mode="after")
    def one_of_both(self) -> Band:
        if (self.deduct is None) == (self.points is None):
            raise Wrong("check_band_both")
        if Decimal(self.within) < 0:
            raise Wrong("check_band_below")
        return self


class Measure(Part):
    """A value 实测值 the examiner measures: bands round the target, narrowest first, and what lies beyond them."""

    id: Id
    title: Bilingual
    unit: Annotated[str, Field(max_length=20)] = ""
    target: Number
    bands: Annotated[list[Band], Field(min_length=1, max_length=10)]
    beyond: Annotated[int, Field(ge=0, le=100)] | Literal["zero", "veto"] = "zero"
    """Beyond the last band: points deducted, the step at zero, or the sheet vetoed."""
    points: Annotated[int | None, Field(ge=1, le=100)] = None
    required: bool = True

    @model_validator(mode="after")
    def bands_widen(self) -> Measure:
        widths = [Decimal(band.within) for band in self.bands]
        if widths != sorted(set(widths)):
            raise Wrong("check_bands_narrow")
        for band in self.bands:
            if band.points is not None and (self.points is None or band.points > self.points):
                raise Wrong("check_band_points")
        return self


class Overtime(Part):
    """What a time limit costs: points for each started minute over, and an end after so many minutes over."""

    per_minute: Annotated[int, Field(ge=0, le=100)] = 0
    most: Annotated[int | None, Field(ge=0, le=1000)] = None
    end_after: Annotated[int | None, Field(ge=0, le=600)] = None
    then: Literal["zero", "veto"] = "zero"


class Step(Part):
    id: Id
    title: Bilingual
    points: Annotated[int, Field(ge=1, le=100)]
    deductions: list[Deduction]
    source: Source | None = None
    measures: Annotated[list[Measure], Field(max_length=20)] = []
    minutes: Annotated[int | None, Field(ge=1, le=600)] = None
    over: Overtime | None = None
    """None: its time is shown and not judged."""

    @model_validator(mode="after")
    def time_has_a_limit(self) -> Step:
        if self.over is not None and self.minutes is None:
            raise Wrong("check_overtime")
        return self


class Veto(Part):
    id: Id
    title: Bilingual


class Trade(Part):
    name: Text
    level: Text


class Rubric(Part):
    """A score sheet for safety or practical 实操: steps with deductions, values, time, and veto items 一票否决."""

    id: Id
    test: Literal["safety", "practical"] = "practical"
    title: Bilingual
    trade: Trade
    points: Annotated[int, Field(ge=1, le=1000)]
    # named `pass` in the document: the percentage the sheet itself suggests; signed policy decides
    suggested_pass: Annotated[int, Field(ge=0, le=100, alias="pass")] = 60
    minutes: Annotated[int, Field(ge=1, le=600)]
    over: Overtime | None = None
    """What the whole sheet's time limit costs; None: time is shown and not judged."""
    steps: Annotated[list[Step], Field(min_length=1)]
    vetoes: list[Veto] = []
    sample: bool = False

    @model_validator(mode="after")
    def adds_up(self) -> Rubric:
        if sum(step.points for step in self.steps) != self.points:
            raise Wrong("check_steps_points")
        ids = [step.id for step in self.steps] + [veto.id for veto in self.vetoes]
        for step in self.steps:
            ids += [deduction.id for deduction in step.deductions] + [measure.id for measure in step.measures]
        if len(set(ids)) != len(ids):
            raise Wrong("check_id_twice")
        return self
