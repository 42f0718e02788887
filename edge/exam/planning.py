"""What a session takes of its bank: a blueprint and score sheets that are meant for its class, and enough items."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge.bank.model import BankDocument, Blueprint, Rubric
from edge.domain.canonical import canonical
from edge.domain.paper import ItemFacts, shortages
from edge.domain.reasons import words
from edge.errors import BadInput, ExamroomError
from edge.exam.banks import stock_of
from edge.exam.documents import RosterDocument, TrainingClass, parse_roster, roster_faults
from edge.exam.papers import local_share
from edge.exam.roster_problems import Problems
from edge.store import sessions
from edge.store.db import transaction
from edge.trust.enrolment import Identity
from edge.why import Found

log = logging.getLogger("examroom.planning")
CELLS = "cells"
"""Of a spreadsheet's roster: each place of the document, with dots between, and the sheet and cell it came from."""
STATIONS = "工位"
"""The sheet of a roster's workbook with the stations; here, since `web` must not load a reader of workbooks."""


def roster_for(
    sheets: Mapping[str, Any], bank: BankDocument, cameras: Collection[str], /, **more: Any
) -> RosterDocument:
    """The roster document of a spreadsheet and a bank; `more` says which bank it is.

    BadInput for what is wrong with it, for a station whose camera or score sheet is not there, and for a bank without a
    blueprint or score sheet for its class.
    """
    cells = sheets.get(CELLS, {})
    sheets = {name: part for name, part in sheets.items() if name != CELLS}
    stations = sheets["stations"]
    for station in stations:
        if station["camera"] is not None and station["camera"] not in cameras:
            detail = words("check_no_camera", camera=station["camera"], known=", ".join(sorted(cameras)) or "-")
            raise BadInput("roster_broken", where=f"{STATIONS} {station['id']}", detail=detail)
    first = _parsed({**sheets, **more, "stations": [], "blueprint": bank.blueprints[0].model_dump()}, cells)
    blueprint = blueprint_for(bank, first.class_)
    rubrics = rubrics_for(bank, first.class_, blueprint, [station["rubric"] for station in stations])
    whole = {
        **sheets,
        **more,
        "blueprint": blueprint.model_dump(),
        "rubrics": [rubric.model_dump(by_alias=True) for rubric in rubrics],
    }
    return _parsed(whole, cells)


def _parsed(document: Mapping[str, Any], cells: Mapping[str, str]) -> RosterDocument:
    """`parse_roster`; where that refuses, RosterProblems names each problem by sheet and cell."""
    content = canonical(document)
    try:
        return parse_roster(content)
    except BadInput:
        problems = Problems()
        for found in roster_faults(content):
            problems.take(in_cells(found, cells))
        problems.need_none()
        raise


def in_cells(found: Found, cells: Mapping[str, str]) -> BadInput:
    """A problem of a document as `roster_broken`, by sheet and cell in the place of the document's path."""
    where = cell(found.where, cells)
    if found.own is None or "other" not in found.own.facts:
        return BadInput("roster_broken", where=where, detail=found.detail)
    rows = {"first": cell(str(found.own.facts["other"]), cells), "second": where}
    return BadInput("roster_broken", where=where, detail=words(found.own.code, **found.own.facts | rows))


def cell(path: str, cells: Mapping[str, str]) -> str:
    """The cell of a place in the document, or of the nearest thing around it that has one; else the place itself."""
    parts = path.split(".")
    around = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((cells[one] for one in around if one in cells), path)


def blueprint_for(bank: BankDocument, group: TrainingClass) -> Blueprint:
    """The bank's blueprint for a class: of its post, regime and level, or else of its post and regime for every level.

    BadInput `blueprint_none` where the bank has neither: nobody sits another trade's paper.
    """
    fit = [one for one in bank.blueprints if _blueprint_fits(one, group)]
    if not fit:
        known = "；".join(f"{one.id} {_group(one.post, one.regime, one.level)}" for one in bank.blueprints) or "-"
        wanted = _group(group.post, group.regime, group.level)
        raise BadInput("blueprint_none", title=group.title, group=wanted, known=known)
    return next((one for one in fit if one.level == group.level), fit[0])


def rubrics_for(bank: BankDocument, group: TrainingClass, blueprint: Blueprint, named: list[str]) -> list[Rubric]:
    """The score sheets that stations name; where none does, those for the class's trade and level.

    A test that is on paper is not on a score sheet that nobody named. BadInput for a sheet named that is not there or
    is another trade's, and where the bank has score sheets, but none for the class.
    """
    by_id = {rubric.id: rubric for rubric in bank.rubrics}
    if named:
        if unknown := next((one for one in named if one not in by_id), None):
            detail = words("check_no_rubric", rubric=unknown, known=", ".join(by_id) or "-")
            raise BadInput("roster_broken", where=STATIONS, detail=detail)
        found = [by_id[one] for one in dict.fromkeys(named)]
        _need_rubrics(found, group)
        return found
    on_paper = {part.test for part in blueprint.parts}
    free = [rubric for rubric in bank.rubrics if rubric.test not in on_paper]
    fit = [rubric for rubric in free if _rubric_fits(rubric, group)]
    if free and not fit:
        known = "；".join(f"{one.id} {_group(one.trade.name, None, one.trade.level)}" for one in free)
        raise BadInput("rubric_none", title=group.title, group=_group(group.post, None, group.level), known=known)
    return fit


def need_enough(items: Iterable[ItemFacts], blueprint: Blueprint, share: int) -> None:
    """BadInput `bank_short` unless every candidate's paper can be drawn from `items`."""
    if short := _short(items, blueprint.model_dump(), share):
        raise BadInput("bank_short", detail=short)


def note_short(connection: sqlite3.Connection, identity: Identity, bundles: Path, session_id: str) -> None:
    """Keep with a session that is planned what its bank lacks, so that the console says so long before the start.

    A bank that cannot be looked into yet says nothing: the rehearsal and the opening of the door look again.
    """
    session = sessions.find(connection, session_id)
    with suppress(ExamroomError):
        items = stock_of(identity, bundles, session, whenever=True)
        short = _short(items, session.blueprint, local_share(session))
        if short:
            log.warning("session %s: the bank falls short: %s", session_id, short)
        with transaction(connection):
            sessions.set_short(connection, session_id, short)


def _short(items: Iterable[ItemFacts], blueprint: Mapping[str, Any], share: int) -> str:
    return "; ".join(one.detail for one in shortages(items, blueprint, share))


def need_fit(roster: RosterDocument) -> None:
    """BadInput `blueprint_other` or `rubric_other` unless what a roster brings along is meant for its class."""
    group, blueprint = roster.class_, roster.blueprint
    if not _blueprint_fits(blueprint, group):
        raise BadInput(
            "blueprint_other",
            id=blueprint.id,
            made=_group(blueprint.post, blueprint.regime, blueprint.level),
            title=group.title,
            group=_group(group.post, group.regime, group.level),
        )
    _need_rubrics(roster.all_rubrics, group)


def _need_rubrics(rubrics: Iterable[Rubric], group: TrainingClass) -> None:
    for rubric in rubrics:
        if not _rubric_fits(rubric, group):
            made, wanted = _group(rubric.trade.name, None, rubric.trade.level), _group(group.post, None, group.level)
            raise BadInput("rubric_other", id=rubric.id, made=made, title=group.title, group=wanted)


def _blueprint_fits(blueprint: Blueprint, group: TrainingClass) -> bool:
    same = (blueprint.post, blueprint.regime) == (group.post, group.regime)
    return same and blueprint.level in (None, group.level)


def _rubric_fits(rubric: Rubric, group: TrainingClass) -> bool:
    return rubric.trade.name == group.post and group.level in (None, rubric.trade.level)


def _group(post: str, regime: str | None, level: str | None) -> str:
    """A post, regime and level in signs that both languages read."""
    return "/".join(part for part in (post, regime, level) if part)
