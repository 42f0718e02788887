"""`examroom footage looks`: who looked at a session's footage, what span, and why."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from typing import Any

import click

from edge import clock
from edge.config import Config
from edge.store import access, sessions
from edge.store.db import open_room


@click.command("looks")
@click.argument("session_id")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def looks_command(context: Any, session_id: str, as_json: bool) -> None:
    """Every view, search and export of a session's footage 谁看过录像, with its reason until that is deleted.

    Whoever fetched an export or deleted it is named too.
    """
    config: Config = context.config()
    with closing(open_room(config.paths.room_db)) as connection:
        found = access.looks(connection, sessions.find(connection, session_id).id)
    if as_json:
        click.echo(json.dumps([asdict(look) for look in found], ensure_ascii=False))
        return
    for look in found:
        span = f"{clock.iso(look.from_ms)} - {clock.iso(look.until_ms)}"
        who = " ".join(part for part in (look.by, look.name) if part) or "-"
        of = "" if look.session == session_id else f"  ({look.session or '-'})"
        click.echo(f"{look.seq}  {clock.iso(look.at_ms)}  {look.kind}  {who}  {','.join(look.cameras)}  {span}{of}")
        if look.why:
            click.echo(f"    {look.why}")
    if not found:
        click.echo("没有人看过 / nobody has looked")
