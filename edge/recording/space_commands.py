"""`examroom footage space`, `hold`, `release`, `inspected`: the page of space from a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection
from typing import Any

import click

from edge import clock
from edge.domain.keeping import Why
from edge.errors import BadInput, NotFound
from edge.recording.commands import _json, _moment
from edge.recording.figures import document, figures
from edge.store import holds, segments
from edge.store.db import open_room
from edge.store.refusals import notes_refusals

_GB = 1_000_000_000
_WHY = {
    Why.RUNNING: "考试未结束 / not closed",
    Why.UNSIGNED: "成绩未签名 / not signed",
    Why.UNINSPECTED: "等待抽查 / waits for inspection",
    Why.HELD: "已保全 / held",
}
_by = click.option("--by", required=True, help="Who does it: a staff id.")
_why = click.option("--why", required=True, help="What for; kept with the hold and, hashed, in the ledger.")


@contextmanager
def _room(context: Any) -> Iterator[Connection]:
    connection = open_room(context.config().paths.room_db)
    try:
        yield connection
    finally:
        connection.close()


@click.command("space")
@_json
@click.pass_obj
def space_command(context: Any, as_json: bool) -> None:
    """How much footage there is, what keeps it, and how long the disk will do 录像空间."""
    with _room(context) as connection:
        found = figures(connection, context.config())
    if as_json:
        click.echo(json.dumps(document(found)))
        return
    click.echo(f"磁盘 / disk: {found.free / _GB:.1f} / {found.disk / _GB:.1f} GB 可用 / free")
    for one in found.cameras:
        rate = "-" if one.rate is None else f"{one.rate.bps / 1e6:.1f} Mbit/s"
        click.echo(f"{one.camera}: {one.bytes / _GB:.1f} GB  {rate}")
    for session in found.sessions:
        goes = _WHY.get(session.why) if session.date_ms is None else clock.iso(session.date_ms)
        click.echo(f"{session.session}: {session.bytes / _GB:.1f} GB  {goes}")
    for hold, size in found.holds:
        until = "-" if hold.until_ms is None else clock.iso(hold.until_ms)
        what = hold.session or hold.camera or "*"
        click.echo(f"保全 / hold {hold.id}: {what}  {clock.iso(hold.from_ms)} - {until}  {size / _GB:.1f} GB")
    full = found.forecast.full_ms
    click.echo("一年内够用 / enough for a year" if full is None else f"写满 / full: {clock.iso(full)}")


@click.command("hold")
@click.option("--session", help="All footage of this session; otherwise --from and --until.")
@click.option("--camera", help="Of the span, this camera's alone.")
@click.option("--from", "since", help="ISO 8601 or ms since 1970.")
@click.option("--until")
@_why
@_by
@_json
@click.pass_obj
@notes_refusals("footage hold")
def hold_command(
    context: Any,
    session: str | None,
    camera: str | None,
    since: str | None,
    until: str | None,
    why: str,
    by: str,
    as_json: bool,
) -> None:
    """Keep footage until the hold is released 保全录像."""
    if (session is None) != (since is not None and until is not None) or (session and (camera or since or until)):
        raise BadInput("hold_unclear")
    with _room(context) as connection:
        if session is not None:
            made = holds.place_on_session(connection, session, why, by)
        elif camera is not None and camera not in {*segments.cameras(connection), *context.config().camera}:
            raise NotFound("camera_unknown", camera=camera)
        else:
            made = holds.place_on_span(connection, camera, _moment(since or ""), _moment(until or ""), why, by)
    click.echo(json.dumps({"hold": made}) if as_json else made)


@click.command("release")
@click.argument("hold")
@_why
@_by
@click.pass_obj
@notes_refusals("footage release")
def release_command(context: Any, hold: str, why: str, by: str) -> None:
    """Let go of a hold: its footage goes on its date again 解除保全."""
    with _room(context) as connection:
        holds.release(connection, hold, why, by)


@click.command("inspected")
@click.argument("session")
@_by
@click.pass_obj
@notes_refusals("footage inspected")
def inspected_command(context: Any, session: str, by: str) -> None:
    """A session has been inspected, so its footage may go on its date 抽查完毕."""
    with _room(context) as connection:
        holds.inspect(connection, session, by)
