"""`examroom footage sample`: the random minutes of a spot check, announced, drawn, and drawn again by anyone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from edge import clock
from edge.config import Config
from edge.domain.sampling import MOST, Drawn
from edge.errors import Exists
from edge.recording.sampling import SampleFile, announce, draw_announced, read_sample, redraw, write_sample
from edge.store.db import open_room
from edge.store.refusals import notes_refusals
from edge.trust import enrolment

_FILE = click.Path(dir_okay=False, path_type=Path)
_READ = click.Path(dir_okay=False, exists=True, path_type=Path)
_by = click.option("--by", required=True, help="Who does it: a staff id.")
_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.group()
def sample() -> None:
    """The random minutes of a spot check 抽查抽样: first announced, then drawn from a public seed."""


@sample.command("announce")
@click.option("--session", "wanted", multiple=True, required=True, help="A closed session; may be repeated.")
@click.option("--count", type=click.IntRange(1, MOST), required=True, help="How many minutes.")
@click.option("--source", required=True, help="Where the seed will come from, before anybody can know it.")
@_by
@click.option("--out", type=_FILE, required=True, help="The sample's file, to be drawn later.")
@_json
@click.pass_obj
@notes_refusals("footage sample announce")
def announce_command(
    context: Any, wanted: tuple[str, ...], count: int, source: str, by: str, out: Path, as_json: bool
) -> None:
    """Fix what is drawn from and where the seed comes from; both are in the ledger from then on."""
    _need_free(out)
    config: Config = context.config()
    room = enrolment.load(config.paths).certificate.room
    with closing(open_room(config.paths.room_db)) as connection:
        made = announce(connection, room, wanted, list(config.camera), source=source, count=count, by=by)
    write_sample(out, made)
    facts = {"sample": made.id, "seq": made.seq, "population_sha256": made.population_sha256, "file": str(out)}
    click.echo(json.dumps(facts) if as_json else f"{out}: {made.id}，台账第 / ledger entry {made.seq}")


@sample.command("draw")
@click.argument("file", type=_READ)
@click.option("--seed", required=True, help="The public value, exactly as it was published.")
@_by
@click.option("--out", type=_FILE, required=True, help="The drawn sample's file, for anybody to draw again.")
@_json
@click.pass_obj
@notes_refusals("footage sample draw")
def draw_command(context: Any, file: Path, seed: str, by: str, out: Path, as_json: bool) -> None:
    """Draw an announced sample with its seed, once."""
    _need_free(out)
    config: Config = context.config()
    room = enrolment.load(config.paths).certificate.room
    with closing(open_room(config.paths.room_db)) as connection:
        drawn = draw_announced(connection, room, read_sample(file), seed, by)
    write_sample(out, drawn)
    _say(drawn, redraw(drawn), as_json)


@sample.command("redraw")
@click.argument("file", type=_READ)
@_json
def redraw_command(file: Path, as_json: bool) -> None:
    """Draw a sample again from its file, on any machine: exit code 1 where it gives something else."""
    found = read_sample(file)
    _say(found, redraw(found), as_json)


def _need_free(out: Path) -> None:
    if out.exists():
        raise Exists("sample_exists", path=out)


def _say(of: SampleFile, chosen: Iterable[Drawn], as_json: bool) -> None:
    rows = [{"session": one.session, "camera": one.camera, "from": clock.iso(one.from_ms)} for one in chosen]
    facts = {"sample": of.id, "population_sha256": of.population_sha256, "seed": of.seed, "chosen": rows}
    lines = [f"{row['session']}  {row['camera']}  {row['from']}" for row in rows]
    click.echo(json.dumps(facts, ensure_ascii=False) if as_json else "\n".join([of.population_sha256, *lines]))
