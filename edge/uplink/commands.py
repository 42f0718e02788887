"""`examroom enrol` and `examroom uplink`: becoming a room, and results by line or by memory stick."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge.config import Config
from edge.errors import BadInput
from edge.store import outbox as store_outbox
from edge.store.db import open_room
from edge.store.refusals import notes_refusals
from edge.store.status import read_statuses
from edge.trust import enrolment
from edge.trust.enrolment import Identity
from edge.trust.protocol import ReceiptsFile, parse
from edge.uplink import outbox
from edge.uplink.client import GatewayClient, endpoint
from edge.uplink.enrol import enrol as enrol_room
from edge.uplink.enrol import enrol_local
from edge.why import why

_FILE = click.Path(path_type=Path, dir_okay=False)
_json = click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象 / print one JSON object.")


@contextmanager
def _room(config: Config) -> Iterator[sqlite3.Connection]:
    connection = open_room(config.paths.room_db)
    try:
        yield connection
    finally:
        connection.close()


def _print(as_json: bool, facts: dict[str, Any], *lines: str) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False, sort_keys=True) if as_json else "\n".join(lines))


@click.command()
@click.option("--url", help="网关地址；默认用配置 / the gateway's address; default: the configuration's.")
@click.option("--ca", type=_FILE, help="网关 CA 文件 / the gateway's CA file.")
@click.option("--token", help="一次性登记令牌 / the one-time token.")
@click.option("--local", "institution", help="无网关的机构名称 / an institution that is its own authority.")
@click.option("--room", help="与 --local 同用：考场号 / with --local: the room's id.")
@click.option("--again", is_flag=True, help="重新登记 / enrol a box that is enrolled.")
@click.option("--leave-waiting", is_flag=True, help="放弃没有回执的成绩 / although results have no receipt.")
@_json
@click.pass_obj
@notes_refusals("enrol")
def enrol(
    context: Any,
    url: str | None,
    ca: Path | None,
    token: str | None,
    institution: str | None,
    room: str | None,
    again: bool,
    leave_waiting: bool,
    as_json: bool,
) -> None:
    """登记本机为考场 / Enrol this box to a room."""
    config: Config = context.config()
    if institution is not None:
        if token is not None or url is not None or room is None:
            raise click.UsageError(
                "--local 需要 --room，不用 --token 和 --url / --local wants --room and no token or url"
            )
        identity = enrol_local(config, institution, room, again=again, leave_waiting=leave_waiting)
    else:
        if token is None:
            token = click.prompt("令牌 / token", hide_input=False)
        identity = enrol_room(config, url, ca, token, again=again, leave_waiting=leave_waiting)
    certificate = identity.certificate
    facts = {
        "room": certificate.room,
        "epoch": certificate.epoch,
        "institution": certificate.institution,
        "issuer": certificate.issuer,
        "root": identity.root_public.hex(),
    }
    _print(as_json, facts, f"{certificate.institution} · {certificate.room} · 第 {certificate.epoch} 期 / epoch")


@click.group()
def uplink() -> None:
    """Uploads and receipts 上传与回执."""


@uplink.command()
@_json
@click.pass_obj
def status(context: Any, as_json: bool) -> None:
    """等待、已回执、被拒的成绩数 / How many results wait, are receipted, are refused."""
    config: Config = context.config()
    service = read_statuses(config.paths.status).get("uplink", {})
    with _room(config) as connection:
        counts = store_outbox.counts(connection)
    facts = {**counts, "state": service.get("state"), "last_error": service.get("last_error")}
    lines = [f"等待 / waiting: {counts['waiting']}", f"已回执 / receipted: {counts['receipted']}"]
    lines += [
        f"被拒 / refused: {counts['refused']}",
        f"状态 / state: {facts['state'] or '-'} {facts['last_error'] or ''}",
    ]
    _print(as_json, facts, *lines)


@uplink.command()
@_json
@click.pass_obj
@notes_refusals("uplink resend")
def resend(context: Any, as_json: bool) -> None:
    """重新上传所有成绩，核对回执不变 / Send every result again; each receipt must be the one we hold."""
    config: Config = context.config()
    identity = enrolment.load(config.paths)
    with _room(config) as connection, _client(config, identity) as client:
        done = outbox.resend_all(connection, client, identity)
    _print(
        as_json,
        asdict(done),
        f"{done.sent}: 新回执 / new {done.new}, 相同 / same {done.same}, 被拒 / refused {done.refused}",
    )
    if done.error is not None or done.new + done.same != done.sent:
        raise SystemExit(1)


@uplink.command("export")
@click.argument("file", type=_FILE)
@_json
@click.pass_obj
@notes_refusals("uplink export")
def export_file(context: Any, file: Path, as_json: bool) -> None:
    """把等待的成绩写到 U 盘文件 / Write the waiting results to a file for a memory stick."""
    config: Config = context.config()
    identity = enrolment.load(config.paths)
    with _room(config) as connection:
        content = outbox.export(connection, identity)
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("wb") as out:
            out.write(content.model_dump_json().encode())
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        raise BadInput("file_unreadable", path=file, detail=why(error)) from error
    facts = {"file": str(file), "room": content.room, "results": len(content.envelopes)}
    _print(as_json, facts, f"{file}: {len(content.envelopes)} 份成绩 / results")


@uplink.command("import")
@click.argument("file", type=_FILE)
@_json
@click.pass_obj
@notes_refusals("uplink import")
def import_file(context: Any, file: Path, as_json: bool) -> None:
    """导入网关写出的回执 / Take in the receipts that `gateway intake` wrote."""
    config: Config = context.config()
    identity = enrolment.load(config.paths)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadInput("file_unreadable", path=file, detail=why(error)) from error
    with _room(config) as connection:
        done = outbox.import_receipts(connection, identity, parse(ReceiptsFile, data))
    _print(as_json, asdict(done), f"新回执 / new {done.new}, 相同 / same {done.same}")
    if done.error is not None:
        raise SystemExit(1)


def _client(config: Config, identity: Identity) -> GatewayClient:
    return GatewayClient(endpoint(config, identity), identity)
