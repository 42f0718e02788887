"""`examroom session tickets`: make the QR tickets of a session, revoke lost ones, take a list of revoked ones in."""

from __future__ import annotations

import html
import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import segno

from edge.config import Config
from edge.errors import BadInput
from edge.exam.documents import parse_roster
from edge.store import ledger, people, sessions
from edge.store.db import open_room, transaction
from edge.store.refusals import notes_refusals
from edge.trust import enrolment
from edge.trust.revoked import extend_list
from edge.trust.signer import Ed25519Signer, Signer
from edge.trust.ticket import TICKETS, Ticket, TicketTrust, issue
from edge.ui.catalogue import text

HOUR_MS = 3_600_000
_STYLE = """
body { font: 14px sans-serif; margin: 8mm } h1 { font-size: 18px }
main { display: grid; grid-template-columns: repeat(2, 1fr); gap: 6mm }
section { break-inside: avoid; border: 1px solid #999; padding: 5mm; text-align: center }
svg { width: 60mm; height: 60mm } strong { font-size: 18px } small { display: block; color: #444 }
"""

_root_key = click.option(
    "--root-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The key of the root that the rooms trust.",
)


@dataclass(frozen=True)
class Plan:
    """Whom tickets are for: the session, its title, when it is planned to begin, (number, name) of each candidate."""

    session: str
    title: str
    planned_ms: int
    candidates: list[tuple[int, str]]


@click.group("tickets")
def tickets_group() -> None:
    """QR tickets that candidates show to the camera 准考凭证."""


@tickets_group.command("make")
@click.argument("session_id", required=False)
@click.option(
    "--roster",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A roster (JSON) instead of a session of this room, as at the province.",
)
@_root_key
@click.option(
    "--hours", type=click.IntRange(1, 24 * 90), default=24, show_default=True, help="After the planned start."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The sheet to print, HTML.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
@notes_refusals("session tickets make")
def make(
    context: Any, session_id: str | None, roster: Path | None, root_key: Path, hours: int, out: Path, as_json: bool
) -> None:
    """Make a ticket for each candidate of a session, on a sheet to print and cut."""
    signer = Ed25519Signer.load(root_key)
    if (session_id is None) == (roster is None):
        raise BadInput("tickets_of_what")
    if roster is not None:
        plan = _of_roster(roster)
        made = _make(plan, signer, hours, out)
    else:
        config: Config = context.config()
        TicketTrust(config.paths.trust, [enrolment.load(config.paths).root_public]).need(signer.public)
        with closing(open_room(config.paths.room_db)) as connection:
            plan = _of_room(connection, str(session_id))
            made = _make(plan, signer, hours, out)
            with transaction(connection):
                body = {"tickets": len(made), "until_ms": plan.planned_ms + hours * HOUR_MS}
                ledger.append(connection, "tickets_made", body, session=plan.session)
    facts = {"session": plan.session, "sheet": str(out), "tickets": [{"number": t.number, "id": t.id} for t in made]}
    click.echo(json.dumps(facts) if as_json else f"{out}: {len(made)} 张凭证 / tickets")


@tickets_group.command("revoke")
@click.argument("ticket_ids", nargs=-1, required=True)
@_root_key
@click.option(
    "--list", "file", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Made when absent."
)
def revoke(ticket_ids: tuple[str, ...], root_key: Path, file: Path) -> None:
    """Add tickets to a signed list, by the numbers on their sheets; then `take-in` the list at each room."""
    signer = Ed25519Signer.load(root_key)
    listed = extend_list(file, TICKETS, ticket_ids, signer)
    click.echo(f"{file}: {len(listed.ids)} 张已收回 / revoked")


@tickets_group.command("take-in")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
@notes_refusals("session tickets take-in")
def take_in(context: Any, file: Path) -> None:
    """Put a signed list of revoked tickets in force at this room, at once."""
    config: Config = context.config()
    trust = TicketTrust(config.paths.trust, [enrolment.load(config.paths).root_public])
    listed = trust.replace(file.read_bytes())
    with closing(open_room(config.paths.room_db)) as connection, transaction(connection):
        ledger.append(connection, "tickets_revoked", {"serial": listed.serial, "tickets": len(listed.ids)})
    click.echo(f"{len(listed.ids)} 张已收回 / revoked")


def _of_room(connection: sqlite3.Connection, session_id: str) -> Plan:
    session = sessions.find(connection, session_id)
    sessions.need_state(session, "planned", "checkin", "running")
    named = [(who.number, who.name) for who in people.candidates(connection, session_id)]
    return Plan(session.id, session.title, session.planned_ms, named)


def _of_roster(file: Path) -> Plan:
    document = parse_roster(file.read_bytes())
    plan = document.session
    return Plan(plan.id, plan.title, plan.planned_ms, [(row.number, row.name) for row in document.candidates])


def _make(plan: Plan, signer: Signer, hours: int, out: Path) -> list[Ticket]:
    until_ms = plan.planned_ms + hours * HOUR_MS
    made = [(Ticket(plan.session, number, until_ms), name) for number, name in sorted(plan.candidates)]
    _write(out, _sheet(plan, made, signer).encode())
    return [ticket for ticket, _ in made]


def _sheet(plan: Plan, made: Iterable[tuple[Ticket, str]], signer: Signer) -> str:
    """One page of HTML without anything from outside, in both languages."""
    title = html.escape(f"{plan.title} · {_both('tickets.title')}")
    parts = [f"<section>{_ticket(ticket, name, signer)}</section>" for ticket, name in made]
    return (
        f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{html.escape(_both('tickets.help'))}</p><main>{''.join(parts)}</main></html>\n"
    )


def _ticket(ticket: Ticket, name: str, signer: Signer) -> str:
    drawn = BytesIO()
    segno.make(issue(ticket, signer), error="m", micro=False).save(drawn, kind="svg", xmldecl=False, border=4)
    until = datetime.fromtimestamp(ticket.expires_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    words = (_both("tickets.until", time=until), _both("tickets.id", id=ticket.id))
    small = "".join(f"<small>{html.escape(line)}</small>" for line in words)
    return f"{drawn.getvalue().decode()}<div><strong>{ticket.number}　{html.escape(name)}</strong></div>{small}"


def _both(key: str, **facts: object) -> str:
    return " / ".join(text(key, language, **facts) for language in ("zh", "en"))


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all, for its owner alone: there are names on a sheet."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(data)
    part.replace(file)
