"""`examroom gateway clip`: asking a room for footage, seeing what came of it, and taking the file out."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from edge import clock
from edge.domain.reasons import REASONS, sentence
from edge.errors import BadInput
from edge.gateway import clips
from edge.gateway.settings import open_province

_dir = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="网关目录 / the gateway's folder.",
)
_json = click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象 / print one JSON object.")
_STATES = {
    "asked": "等待考场 / waiting for the room",
    "sending": "正在接收 / being received",
    "received": "已收到 / received",
    "refused": "考场拒绝 / refused by the room",
    "expired": "已过期 / ran out",
}


def _moment(text: str) -> int:
    """ISO 8601, local where no zone is given, or milliseconds since 1970."""
    try:
        return int(text) if text.isdigit() else round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BadInput("moment_wrong", text=text[:40]) from error


@click.group("clip")
def clip_group() -> None:
    """Footage of a room, asked for over the line 调取录像."""


@clip_group.command("ask")
@_dir
@click.option("--room", required=True, help="考场号 / the room's id.")
@click.option("--camera", required=True, help="摄像头 / the camera.")
@click.option("--from", "since", required=True, help="ISO 8601，或 1970 年起的毫秒 / or ms since 1970.")
@click.option("--until", "until", required=True)
@click.option("--why", required=True, help="用途，写进证据文件 / what it is for; it stands in the evidence file.")
@click.option("--by", required=True, help="经办人 / who asks.")
@click.option("--days", type=click.IntRange(1, 60), default=7, show_default=True, help="有效天数 / days it stands.")
@_json
def ask_command(
    folder: Path, room: str, camera: str, since: str, until: str, why: str, by: str, days: int, as_json: bool
) -> None:
    """向考场调取一段录像 / Ask a room for footage: it answers when it is on line and no exam is on."""
    with closing(open_province(folder)) as province:
        made = clips.ask(province, room, camera, _moment(since), _moment(until), why, by, days)
    facts = {"id": made.id, "room": room, "not_after_ms": made.not_after_ms}
    click.echo(json.dumps(facts) if as_json else f"{made.id}: {room}, → {clock.iso(made.not_after_ms)}")


@clip_group.command("list")
@_dir
@_json
def list_command(folder: Path, as_json: bool) -> None:
    """列出调取的录像和进展 / What was asked for, and how far it is, newest first."""
    with closing(open_province(folder)) as province:
        found = clips.listed(province)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, sort_keys=True))
        return
    for one in found:
        click.echo("\n".join(_lines(one)))


def _lines(one: dict[str, Any]) -> list[str]:
    span = f"{clock.iso(one['from_ms'])} - {clock.iso(one['until_ms'])}"
    share = f" {one['share']} %" if one["state"] == "sending" and one["share"] is not None else ""
    lines = [f"{one['id']}  {one['room']}/{one['camera']}  {span}  {_STATES[one['state']]}{share}"]
    if one["reason"] in REASONS:
        lines.append(f"  {sentence(one['reason'], 'zh')} / {sentence(one['reason'], 'en')}")
    return lines


@clip_group.command("save")
@click.argument("clip")
@_dir
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@_json
def save_command(clip: str, folder: Path, out: Path, as_json: bool) -> None:
    """取出收到的证据文件，可用 examroom verify 核验 / Take a received file out; examroom verify checks it."""
    with closing(open_province(folder)) as province:
        file = clips.save(province, clip, out)
    facts = {"file": str(out), "bytes": file.size, "sha256": file.sha256}
    click.echo(json.dumps(facts) if as_json else f"{out}: {file.size} 字节 / bytes")


@clip_group.command("delete")
@click.argument("clip")
@_dir
@_json
def delete_command(clip: str, folder: Path, as_json: bool) -> None:
    """收回请求，或删除收到的录像 / Take a request back, or delete the footage that came."""
    with closing(open_province(folder)) as province:
        clips.forget(province, clip)
    click.echo(json.dumps({"id": clip, "deleted": True}) if as_json else f"{clip}: 已删除 / deleted")
