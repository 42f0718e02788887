"""`examroom faces enrol`: make the templates that consent allows now, say who lacks one and why, or check a roster."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from edge.checkin.enrol import AT_WORK_COMMAND, enrol_person, note_photos_gone
from edge.config import Config
from edge.domain.reasons import LANGUAGES, sentence
from edge.errors import BadInput
from edge.exam.photos_later import add_photos
from edge.exam.roster_options import bar, look_at, told
from edge.exam.roster_problems import Problem
from edge.exam.roster_taking import Source, show
from edge.store import faces, sessions
from edge.store.db import open_room
from edge.store.refusals import notes_refusals
from edge.trust import enrolment
from edge.trust.roomkeys import DataKey
from edge.vision import packs
from edge.vision.face_pack import FacePack

COMING = ("planned", "checkin", "running")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("enrol")
@click.option("--check", "only_check", is_flag=True, help="Store nothing: look at a roster, or say who lacks what.")
@click.option("--roster", type=_FILE, help="With --check: a workbook (.xlsx) or a .csv.")
@click.option("--settings", type=_FILE, help="Session, staff and stations, for a .csv of candidates alone.")
@click.option("--photos", type=_FILE, help="A zip of ID photos: for --check --roster, or to add to --session.")
@click.option("--photos-optional", is_flag=True, help="Whoever has no photo is checked by the proctor.")
@click.option("--session", "session_id", help="One session alone; else all that are not over.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
@notes_refusals("faces enrol")
def enrol_command(
    context: Any,
    only_check: bool,
    roster: Path | None,
    settings: Path | None,
    photos: Path | None,
    photos_optional: bool,
    session_id: str | None,
    as_json: bool,
) -> None:
    """Make face templates of the photos that consent allows; say who takes the other route and why."""
    config: Config = context.config()
    if roster is not None:
        if not only_check:
            raise BadInput("enrol_only_check")
        _check(context, Source(roster, settings, photos, photos_optional), as_json)
        return
    if settings is not None or photos_optional or (photos is not None and session_id is None):
        raise BadInput("enrol_roster_wanted")
    here = enrolment.load(config.paths)
    pack = packs.load(config.checkin.pack, config.paths.models)
    with closing(open_room(config.paths.room_db)) as connection:
        found = [sessions.find(connection, session_id)] if session_id else sessions.all_sessions(connection, *COMING)
        notes: list[Problem] = []
        if photos is not None and session_id is not None:
            judge = context.photo_judge()
            with told(as_json), bar("照片 photos", quiet=as_json) as step:
                facts = (connection, session_id, photos, here.keys.data, judge, step)
                _, notes = add_photos(*facts, store=not only_check)
        made = 0 if only_check else _with_bar(connection, pack, here.keys.data, quiet=as_json)
        answer = {
            "pack": pack.name,
            "version": pack.version,
            "enrolled": made,
            "sessions": [_standing(connection, session.id, pack) for session in found],
        }
    if as_json:
        found_notes = [one.as_json() for one in notes]
        click.echo(json.dumps(answer | {"notes": found_notes}, ensure_ascii=False))
        return
    show(notes)
    click.echo(f"{pack.name} {pack.version}: {made} 份人脸模板 / templates made")
    for one in answer["sessions"]:  # type: ignore[attr-defined]
        click.echo(f"{one['session']}: {one['ready']} 人可用人脸 / ready, {len(one['missing'])} 人走其他方式 / others")
        for lack in one["missing"]:
            click.echo(f"  {lack['number']}: {lack['zh']} / {lack['en']}")


def _check(context: Any, source: Source, as_json: bool) -> None:
    with told(as_json):
        taken = look_at(source, context.photo_judge(), quiet=as_json)
    if as_json:
        found = {
            "stored": False,
            "candidates": len(taken.document["candidates"]),
            "photos": len(taken.photos),
            "notes": [one.as_json() for one in taken.notes],
        }
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    show(taken.notes)
    count = len(taken.document["candidates"])
    click.echo(f"{count} 名考生 / candidates, {len(taken.photos)} 张照片 / photos: 没有问题 / no problems")


def _with_bar(connection: sqlite3.Connection, pack: FacePack, key: DataKey, *, quiet: bool) -> int:
    with bar("人脸模板 templates", quiet=quiet) as step:
        return enrol_waiting(connection, pack, key, step)


def enrol_waiting(
    connection: sqlite3.Connection, pack: FacePack, key: DataKey, step: Callable[[int, int], None]
) -> int:
    """Every photograph that consent allows, one after the other; how many templates were made.

    The check-in may be at the same work: whoever of the two commits first has made it.
    """
    waiting = faces.awaiting_template(connection, pack.name, pack.version)
    made = 0
    for done, person in enumerate(waiting, start=1):
        made += enrol_person(connection, pack, key, person, AT_WORK_COMMAND)
        step(done, len(waiting))
    if waiting:
        note_photos_gone(connection)
    return made


def _standing(connection: sqlite3.Connection, session: str, pack: FacePack) -> dict[str, Any]:
    """Of one session by candidate number, without names."""
    standing = faces.standings(connection, session, pack.name, pack.version)
    missing = [
        {"number": one.number, "reason": one.lack, **{lang: sentence(one.lack, lang) for lang in LANGUAGES}}
        for one in standing
        if one.lack is not None
    ]
    return {"session": session, "ready": len(standing) - len(missing), "missing": missing}
