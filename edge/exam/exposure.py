"""`examroom bank exposure`: how often the papers of this room's sessions had each item."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from edge.bank.exposure import ExposureFile
from edge.bank.imports import write_whole
from edge.errors import BadInput
from edge.store import sessions
from edge.store.db import open_room


def exposure_of(connection: sqlite3.Connection, session_ids: Sequence[str]) -> ExposureFile:
    """Of sessions whose papers are drawn, all of one bank. NotFound for one there is not; BadInput for practice, for
    one whose door has not opened and for sessions of several banks.
    """
    counts: Counter[str] = Counter()
    found = [sessions.find(connection, one) for one in dict.fromkeys(session_ids)]
    papers = 0
    for session in found:
        attempts = sessions.attempts(connection, session.id)
        if session.practice or not attempts:
            raise BadInput("exposure_none", session=session.id)
        if session.bank_id != found[0].bank_id:
            raise BadInput("exposure_banks", first=found[0].bank_id, other=session.bank_id)
        for attempt in attempts.values():
            papers += 1
            counts.update(item["id"] for part in attempt.paper["parts"] for item in part["items"])
    banks = [found[0].bank_id, *(one.local_bank_id for one in found if one.local_bank_id is not None)]
    return ExposureFile(
        room=found[0].room,
        sessions=[one.id for one in found],
        banks=list(dict.fromkeys(banks)),
        papers=papers,
        items=dict(sorted(counts.items())),
    )


@click.command("exposure")
@click.argument("session_ids", metavar="SESSION...", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), help="For bank import --exposure and bank lint --exposure.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def exposure_command(context: Any, session_ids: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """How often the papers of these sessions had each item 题目使用次数. No question, answer or person stands in it."""
    connection = open_room(context.config().paths.room_db)
    try:
        found = exposure_of(connection, session_ids)
    finally:
        connection.close()
    text = json.dumps(found.model_dump(mode="json"), ensure_ascii=False)
    if out is not None:
        write_whole(out, text.encode() + b"\n")
    if as_json:
        click.echo(text)
    elif out is not None:
        click.echo(f"{out}: {len(found.items)} 题 / items, {found.papers} 份试卷 / papers")
    else:
        for item, times in sorted(found.items.items(), key=lambda one: (-one[1], one[0])):
            click.echo(f"{times:6}  {item}")
