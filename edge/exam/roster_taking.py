"""A roster file and its photographs checked together, before anything is stored; used by `session create` and
`faces enrol --check`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edge.errors import BadInput
from edge.exam.documents import roster_faults
from edge.exam.roster_photos import Judge, judged, match, read_archive
from edge.exam.roster_problems import Problem, Problems
from edge.exam.roster_whole import tell_rules
from edge.exam.roster_xlsx import read_roster

Step = Callable[[int, int], None]
_SIGNS = {"error": "✗", "warning": "!", "mended": "~"}


@dataclass(frozen=True)
class Source:
    """What the person named: the roster, where its other sheets are, the photographs' zip, whether all need one."""

    roster: Path
    settings: Path | None = None
    photos: Path | None = None
    photos_optional: bool = False


@dataclass(frozen=True)
class Taken:
    """`document` but for what its bank adds; `photos` by candidate number; `notes`: warnings and what was mended."""

    document: dict[str, Any]
    photos: Mapping[int, bytes]
    notes: list[Problem]


def check(source: Source, judge: Judge | None, step: Step = lambda _done, _total: None) -> Taken:
    """Everything of the roster, or RosterProblems with all that is wrong. Without a `judge` no picture is looked at."""
    problems = Problems()
    sheets = read_roster(source.roster, problems, settings=source.settings, beside=source.photos is None)
    if not problems.errors() and len(sheets.document["candidates"]) > len(sheets.document["seats"]):
        seats = len(sheets.document["seats"])
        problems.add("考生", "roster_seats_few", {"candidates": len(sheets.document["candidates"]), "seats": seats})
    tell_rules(sheets.document, problems)
    pictures: Mapping[str, bytes] = {}
    owners: dict[int, str] = {}
    if source.photos is not None:
        try:
            pictures = read_archive(source.photos, problems)
        except BadInput as error:
            problems.take(error)
        else:
            owners = match(sheets.wanted, pictures, not source.photos_optional, problems)
    else:
        pictures, owners = sheets.beside()
    if owners and judge is not None:
        judged(sheets.wanted, owners, pictures, judge, problems, step)
    elif owners:
        problems.add("照片", "photos_unjudged", severity="warning")
    problems.need_none()
    photos = {number: pictures[name] for number, name in owners.items()}
    return Taken(sheets.document, photos, problems.told())


def need_good(content: bytes) -> None:
    """RosterProblems with everything that is wrong with a roster's document, shown first where it is several."""
    problems = Problems()
    for found in roster_faults(content):
        problems.take(BadInput("roster_broken", where=found.where, detail=found.detail))
    if problems.count > 1:
        show(problems.told())
    problems.need_none()


def show(problems: list[Problem]) -> None:
    """All of them on the error output, one a line, both languages."""
    for one in problems:
        click.echo(f"{_SIGNS[one.severity]} {one.where} {one.sentence('zh')} / {one.sentence('en')}", err=True)
