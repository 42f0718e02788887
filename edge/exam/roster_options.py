"""The options by which a command is given a roster and its photographs, and how it tells what is wrong with them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from edge.exam.roster_photos import Judge
from edge.exam.roster_problems import RosterProblems
from edge.exam.roster_taking import Source, Taken, check, show

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def roster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--roster, --settings, --photos and --photos-optional, handed over as one `source`."""

    @click.option("--roster", type=_FILE, required=True, help="A workbook (.xlsx) or a .csv.")
    @click.option("--settings", type=_FILE, help="Session, staff and stations, for a .csv of candidates alone.")
    @click.option("--photos", type=_FILE, help="A zip of ID photos, named by document number, badge or number.")
    @click.option("--photos-optional", is_flag=True, help="Whoever has no photo is checked by the proctor.")
    @functools.wraps(command)
    def run(
        *arguments: Any,
        roster: Path,
        settings: Path | None,
        photos: Path | None,
        photos_optional: bool,
        **options: Any,
    ) -> Any:
        return command(*arguments, source=Source(roster, settings, photos, photos_optional), **options)

    return run


def look_at(source: Source, judge: Judge | None, *, quiet: bool) -> Taken:
    """`check` with a progress bar on a terminal."""
    with bar("照片 photos", quiet=quiet) as step:
        return check(source, judge, step)


@contextmanager
def bar(label: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on the error output of a terminal; gives step(done, total)."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def told(as_json: bool) -> Iterator[None]:
    """Every problem of a roster that is refused, one a line on the error output, or all as JSON; then it goes on."""
    try:
        yield
    except RosterProblems as error:
        if as_json:
            found = {"stored": False, "problems": [one.as_json() for one in error.problems]}
            click.echo(json.dumps(found, ensure_ascii=False))
        else:
            show(error.problems)
        raise
