"""`examroom session close`, `practice` and `unplug`: what the console does, from the box itself."""

from __future__ import annotations

import fcntl
import json
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from edge.config import Config
from edge.errors import Conflict, Refused
from edge.exam import marking, pins, written
from edge.exam import practice as rehearsed
from edge.exam.acts import Op, carry_out, make_op, second_person, wants_second
from edge.exam.banks import open_bank
from edge.exam.conduct import need_reason
from edge.exam.farewell import safe_to_unplug
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.store import sessions, staff
from edge.store.db import connect, open_answers, open_room
from edge.store.refusals import notes_refusals
from edge.store.status import read_statuses
from edge.trust import enrolment

pin_option = click.option("--pin", prompt="PIN", hide_input=True, help="Asked for when it is not given.")


@contextmanager
def _room(config: Config) -> Iterator[sqlite3.Connection]:
    connection = open_room(config.paths.room_db)
    try:
        yield connection
    finally:
        connection.close()


@click.command()
@click.argument("session_id")
@click.option("--badge", prompt="工牌 / badge", help="Of a proctor of this session.")
@pin_option
@click.option("--reason", prompt="理由 / reason", help="Kept with the session, as at the console.")
@click.option("--second-badge", help="Who confirms, where policy wants two people; their PIN is asked for.")
@click.pass_obj
@notes_refusals("session close")
def close(context: Any, session_id: str, badge: str, pin: str, reason: str, second_badge: str | None) -> None:
    """Close a running session while the web service is stopped.

    The answers belong to the web service: while it runs, close at the console.
    """
    config: Config = context.config()
    words = need_reason(reason)
    _web_is_stopped(config.paths.answers_db)
    with _room(config) as connection:
        op = _proctor(connection, session_id, badge, pin, words, second_badge)
        here = enrolment.load(config.paths)
        journal = AnswerJournal(config.paths.answers_db)
        try:
            live = LiveExam(journal, lambda s: open_bank(here, config.paths.bundles, s))
            live.refresh(connection)
            bank = open_bank(here, config.paths.bundles, sessions.find(connection, session_id))

            def work() -> None:
                marking.close(connection, journal, live, session_id, bank, words, op.by, op)

            carry_out(connection, op, work)
            written.ledger_digests(journal, connection)
        finally:
            journal.close()
    click.echo(f"{session_id}: 已结束 / closed")


def _web_is_stopped(answers: Path) -> None:
    """Conflict while another process holds the journal: asked without waiting, since it may never let go."""
    with answers.with_suffix(".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict("web_runs") from error


def _proctor(
    connection: sqlite3.Connection, session_id: str, badge: str, pin: str, reason: str, second_badge: str | None
) -> Op:
    """Who closes, checked as at the console: badge and PIN of a proctor of this session, and of a second if need be."""
    session = sessions.find(connection, session_id)
    who = staff.by_badge(connection, badge.strip().upper())
    if who is None or staff.role_in(connection, session_id, who.id) != "proctor":
        pins.look_busy(pin)
        raise Refused("no_proctor_badge")
    pins.check_pin(connection, who.id, pin, session_id)
    second = None
    if wants_second(session.policy, "close"):
        if second_badge is None:
            raise Refused("second_wanted")
        second = second_person(connection, session_id, who.id, second_badge)
        pins.check_pin(connection, second.id, click.prompt("PIN 2", hide_input=True), session_id)
    body = {"reason": reason, "badge": who.id}
    return make_op(uuid.uuid4().hex, session_id, "close", body, who.id, second.id if second else None)


@click.command()
@click.option("--candidates", type=click.IntRange(1, rehearsed.MOST), default=6, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
@notes_refusals("session practice")
def practice(context: Any, candidates: int, as_json: bool) -> None:
    """Make a practice session with invented candidates; delete it at the console when done."""
    config: Config = context.config()
    here = enrolment.load(config.paths)
    with _room(config) as connection:
        made = rehearsed.create(connection, here.certificate.room, here.keys.data, candidates, None)
    if as_json:
        click.echo(json.dumps({"session": made, "candidates": candidates}))
    else:
        click.echo(f"{made}: 练习场次，{candidates} 名虚构考生 / practice session, {candidates} invented candidates")


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def unplug(context: Any, as_json: bool) -> None:
    """Whether the box may be switched off: exit code 0 when everything is safe, 1 with what is missing."""
    config: Config = context.config()
    with _room(config) as connection:
        open_answers(config.paths.answers_db).close()  # made where there was none, so that it can be read
        answers = connect(config.paths.answers_db)
        try:
            answers.execute("PRAGMA query_only = ON")
            found = safe_to_unplug(connection, answers, config, read_statuses(config.paths.status))
        finally:
            answers.close()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        good = "已全部上传，可以断电 / all uploaded, safe to unplug"
        if not found["gateway"]:
            good = "已全部签发并写成文件，可以断电 / all signed and written, safe to unplug"
        click.echo(good if found["safe"] else "还不能断电 / not yet safe to unplug")
        for one in (*found["missing"], *found["notes"]):
            click.echo(f"  {one['zh']} / {one['en']}")
    sys.exit(0 if found["safe"] else 1)
