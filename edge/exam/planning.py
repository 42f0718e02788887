"""What a session takes of its bank at a site without a gateway: the blueprint for its class, the score sheets named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from edge.bank.model import BankDocument, Blueprint, Rubric
from edge.domain.canonical import canonical
from edge.errors import BadInput
from edge.exam.documents import RosterDocument, TrainingClass, parse_roster
from edge.exam.roster_xlsx import STATIONS


def roster_for(
    sheets: Mapping[str, Any], bank: BankDocument, cameras: Collection[str], /, **more: Any
) -> RosterDocument:
    """The roster document of a spreadsheet and a bank; `more` says which bank it is.

    BadInput for what is wrong with it, and for a station whose camera or score sheet is not there.
    """
    stations = sheets["stations"]
    for station in stations:
        if station["camera"] is not None and station["camera"] not in cameras:
            known = ", ".join(sorted(cameras)) or "-"
            detail = f"没有摄像机 / no such camera: {station['camera']} ({known})"
            raise BadInput("roster_broken", where=f"{STATIONS} {station['id']}", detail=detail)
    first = parse_roster(canonical({**sheets, **more, "stations": [], "blueprint": bank.blueprints[0].model_dump()}))
    blueprint = blueprint_for(bank, first.class_)
    rubrics = rubrics_for(bank, first.class_, blueprint, [station["rubric"] for station in stations])
    whole = {
        **sheets,
        **more,
        "blueprint": blueprint.model_dump(),
        "rubrics": [rubric.model_dump(by_alias=True) for rubric in rubrics],
    }
    return parse_roster(canonical(whole))


def blueprint_for(bank: BankDocument, group: TrainingClass) -> Blueprint:
    """The bank's blueprint for a class: of its post, regime and level, or else of its post and regime, or the first."""
    fit = [one for one in bank.blueprints if (one.post, one.regime) == (group.post, group.regime)]
    exact = [one for one in fit if one.level == group.level]
    return [*exact, *(one for one in fit if one.level is None), *bank.blueprints][0]


def rubrics_for(bank: BankDocument, group: TrainingClass, blueprint: Blueprint, named: list[str]) -> list[Rubric]:
    """The score sheets that stations name; where none does, those for the class's trade and level, or trade, or the
    first. A test that is on paper is not on a score sheet that nobody named.
    """
    by_id = {rubric.id: rubric for rubric in bank.rubrics}
    if named:
        if unknown := next((one for one in named if one not in by_id), None):
            known = ", ".join(by_id) or "-"
            detail = f"题库没有此评分表 / the bank has no such score sheet: {unknown} ({known})"
            raise BadInput("roster_broken", where=STATIONS, detail=detail)
        return [by_id[one] for one in dict.fromkeys(named)]
    on_paper = {part.test for part in blueprint.parts}
    free = [rubric for rubric in bank.rubrics if rubric.test not in on_paper]
    of_trade = [rubric for rubric in free if rubric.trade.name == group.post]
    return [rubric for rubric in of_trade if rubric.trade.level == group.level] or of_trade or free[:1]
