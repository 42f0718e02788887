"""`examroom session`: plan a session from a spreadsheet and a sealed bank, list sessions, write results."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from edge.config import Config
from edge.errors import BadInput, Refused, VerificationFailed
from edge.exam.arrivals import not_used
from edge.exam.banks import joined, plan_sealed, stock_in, together
from edge.exam.endings import close, practice, unplug
from edge.exam.intake import plan_session
from edge.exam.papers import worn
from edge.exam.planning import need_enough, roster_for
from edge.exam.policies import policy_group, policy_of
from edge.exam.results import write_files
from edge.exam.roster_options import look_at, roster_options, told
from edge.exam.roster_taking import Source, Taken, show
from edge.exam.roster_template import write_template
from edge.exam.ticket_commands import tickets_group
from edge.store import bundles, records, sessions
from edge.store.db import open_room, transaction
from edge.store.refusals import notes_refusals
from edge.trust import enrolment
from edge.trust.seal import BundleManifest


@contextmanager
def _room(config: Config) -> Iterator[sqlite3.Connection]:
    connection = open_room(config.paths.room_db)
    try:
        yield connection
    finally:
        connection.close()


def _keep_bundle(config: Config, name: str, sealed: bytes) -> bool:
    """Into the bundles folder, whole or not at all and on disk; False when it was there already."""
    file = config.paths.bundles / name
    if file.exists() and file.read_bytes() == sealed:
        return False
    config.paths.bundles.mkdir(parents=True, exist_ok=True)
    part = config.paths.bundles / f".{name}.part"
    with part.open("wb") as out:
        out.write(sealed)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    return True


def _local(milliseconds: int) -> str:
    """The box's own local time, with its offset."""
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().isoformat(timespec="minutes")


@click.group()
def session() -> None:
    """Plan and list sessions, write their results 考试场次."""


@session.command()
@click.argument("file", type=click.Path(path_type=Path))
def template(file: Path) -> None:
    """Write an empty roster to fill in."""
    write_template(file)
    click.echo(f"{file}: 填好后运行 / fill it in, then run: examroom session create --roster {file} --bank BANK")


@session.command()
@roster_options
@click.option("--bank", "bank_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option(
    "--local-bank",
    "local_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The institution's own sealed bank; signed policy says how much of a paper may come from it.",
)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A policy signed by this room's root (session policy sign); else no local items, 60 per cent to pass.",
)
@click.option("--check", "only_check", is_flag=True, help="Look at everything and store nothing.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
@notes_refusals("session create")
def create(
    context: Any,
    source: Source,
    bank_file: Path,
    local_file: Path | None,
    policy: Path | None,
    only_check: bool,
    as_json: bool,
) -> None:
    """Plan a session at a site without a gateway. What is wrong is told by row, and then nothing of it is stored."""
    config: Config = context.config()
    try:
        with told(as_json):
            taken = look_at(source, context.photo_judge(), quiet=as_json)
            if not as_json:  # whoever stops here has stored nothing
                show(taken.notes)
            answer = _create(config, taken, bank_file, local_file, policy, only_check)
    except (VerificationFailed, Refused) as error:
        error.exit_code = 2  # a file that was given is not what it has to be
        raise
    answer["notes"] = [one.as_json() for one in taken.notes]
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        return
    done = "可以导入，没有存 / fit, nothing was stored" if only_check else "已建场次 / planned"
    click.echo(f"{answer['session']}: {answer['candidates']} 名考生 / candidates, {done}")


def _create(
    config: Config, taken: Taken, bank_file: Path, local_file: Path | None, policy: Path | None, only_check: bool
) -> dict[str, Any]:
    """Plan the session; nothing of it stays when anything is wrong, or when it was only to be checked."""
    here = enrolment.load(config.paths)
    sealed = bank_file.read_bytes()
    room = here.certificate.room
    manifest, bank = plan_sealed(here, sealed)
    kept = [(manifest, sealed, _bundle_name(manifest, sealed))]
    stocks, whole = [stock_in(manifest, bank)], bank
    if not bank.blueprints:
        raise BadInput("bank_no_blueprint", file=bank_file.name)
    if local_file is not None:
        own = local_file.read_bytes()
        local, local_bank = plan_sealed(here, own)
        whole = joined(bank, local_bank)
        stocks.append(stock_in(local, local_bank))
        kept.append((local, own, _bundle_name(local, own)))
    rules = policy_of(here, policy)
    more: dict[str, Any] = {"bank": {"name": manifest.name, "version": manifest.version}}
    if len(kept) > 1:
        more["local_bank"] = {"name": kept[1][0].name, "version": kept[1][0].version}
    document = roster_for(taken.document, bank, config.camera, **more)
    answer = {
        "session": document.session.id,
        "candidates": len(document.candidates),
        "staff": len(document.staff),
        "photos": len(taken.photos),
        "stored": not only_check,
    }
    new = [] if only_check else [name for _, data, name in kept if _keep_bundle(config, name, data)]
    try:
        with _room(config) as connection, _undone(only_check), transaction(connection):
            out = frozenset(worn(connection, room, document.blueprint.model_dump(), whole))
            items = (item for item in together(stocks) if item.id.removeprefix("local ") not in out)
            need_enough(items, document.blueprint, rules.local_bank_share)
            plan_session(
                connection,
                document,
                rules,
                room=room,
                bank_file=kept[0][2],
                data_key=here.keys.data,
                local_bank_file=kept[1][2] if len(kept) > 1 else None,
                photos={} if only_check else taken.photos,
            )
            for about, data, name in kept:
                digest = hashlib.sha256(data).hexdigest()
                bundles.put(connection, "bank", about.name, about.version, name, digest)
            if only_check:
                raise _Undone
    except BaseException as error:
        for name in new:
            (config.paths.bundles / name).unlink(missing_ok=True)
        if isinstance(error, sqlite3.IntegrityError):
            raise BadInput("roster_clash") from error
        raise
    return answer


class _Undone(Exception):
    """All went well, and is rolled back: it was only a check."""


@contextmanager
def _undone(only_check: bool) -> Iterator[None]:
    try:
        yield
    except _Undone:
        if not only_check:
            raise


def _bundle_name(manifest: BundleManifest, sealed: bytes) -> str:
    """Named by its content: a session goes on with exactly the file it was planned with."""
    return f"bank-{manifest.name}-{manifest.version}-{hashlib.sha256(sealed).hexdigest()[:12]}.bundle"


@session.command("list")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def list_command(context: Any, as_json: bool) -> None:
    """Sessions of this room, newest first."""
    with _room(context.config()) as connection:
        found = sessions.all_sessions(connection)
        rows = [
            {"id": s.id, "title": s.title, "state": s.state, "planned": _local(s.planned_ms)}
            | records.upload_counts(connection, s.id)
            for s in found
        ]
        lacking = not_used(connection)
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        click.echo(
            f"{row['id']}  {row['state']:8}  {row['planned']}  {row['receipted']}/{row['results']}  {row['title']}"
        )
    if not rows:
        click.echo("还没有场次 / no sessions yet")
    for one in lacking:
        click.echo(f"! {one['name']} v{one['version']}: {one['zh']} / {one['en']}")


@session.command()
@click.argument("session_id")
@click.option("--out", type=click.Path(path_type=Path), help="Where to; the room's own results folder otherwise.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
@notes_refusals("session results")
def results(context: Any, session_id: str, out: Path | None, as_json: bool) -> None:
    """Write the signed results of a session as files that `examroom verify` checks."""
    config: Config = context.config()
    with _room(config) as connection:
        sessions.need_state(sessions.find(connection, session_id), "signed")
        files = write_files(connection, enrolment.load(config.paths), session_id, out or config.paths.results)
    click.echo(json.dumps([str(file) for file in files]) if as_json else f"{len(files)} 份结果 / results")


for command in (close, practice, unplug, policy_group, tickets_group):
    session.add_command(command)
