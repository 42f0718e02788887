"""`examroom gateway`: the province's side. Needs the `gateway` extra; a room does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

from edge.bank.model import parse_bank
from edge.bank.outline import outline
from edge.domain.reasons import words
from edge.errors import BadInput
from edge.gateway import bundles, results, rooms
from edge.gateway.clip_commands import clip_group
from edge.gateway.page import overview
from edge.gateway.passes import pass_group
from edge.gateway.serve import serve as run_server
from edge.gateway.settings import Province, init_gateway, open_province
from edge.trust.protocol import MAX_BATCH, ReceiptsFile, ResultItem, ResultsFile, parse
from edge.trust.seal import Kind
from edge.trust.shares import Content, new_codes
from edge.trust.slips import need_free, write_slips
from edge.trust.token import spaced
from edge.why import why

LATEST_MS = 4_102_444_800_000
"""The year 2100: later times nobody could read."""
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
_dir = click.option("--dir", "folder", type=_FOLDER, required=True, help="网关目录 / the gateway's folder.")
_json = click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象 / print one JSON object.")


@contextmanager
def _province(folder: Path) -> Iterator[Province]:
    province = open_province(folder)
    try:
        yield province
    finally:
        province.close()


def _print(as_json: bool, facts: dict[str, Any], *lines: str) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False, sort_keys=True) if as_json else "\n".join(lines))


@click.group()
def gateway() -> None:
    """The province's receiving side 省级网关."""


gateway.add_command(pass_group)
gateway.add_command(clip_group)


@gateway.command()
@click.argument("folder", type=_FOLDER)
@click.option("--name", default="examroom-gateway", show_default=True, help="见证方名称 / the witness's name.")
@click.option("--title", default="考试网关", show_default=True, help="网页标题、证书签发者 / title and issuer.")
@click.option("--host", "hosts", multiple=True, help="另外的域名或地址 / more host names or addresses.")
@click.option("--database", default="", help="SQLAlchemy URL; 留空为本目录 SQLite / empty: SQLite in the folder.")
@_json
def init(folder: Path, name: str, title: str, hosts: tuple[str, ...], database: str, as_json: bool) -> None:
    """新建网关：根密钥、签名密钥、HTTPS 证书 / Make a province: root key, signing key, HTTPS certificate."""
    init_gateway(folder, name, title, hosts, database)
    with _province(folder) as province:
        facts = {"dir": str(folder), "ca": str(province.ca), "root": province.root.public.hex()}
    _print(as_json, facts, f"{folder}: 已建立 / made", f"root {facts['root']}", f"CA {facts['ca']}")


@gateway.command()
@_dir
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8443, show_default=True)
@click.option("--threads", type=click.IntRange(2, 256), default=16, show_default=True)
def serve(folder: Path, host: str, port: int, threads: int) -> None:
    """在 HTTPS 上提供服务，直到 SIGTERM / Serve over HTTPS until SIGTERM."""
    run_server(folder, host, port, threads)


@gateway.command()
@_dir
@click.option("--room", required=True, help="考场号 / the room's id.")
@click.option("--institution", required=True, help="机构名称 / the institution's name.")
@click.option("--days", type=click.IntRange(1, 365), help="有效天数 / days it is valid.")
@_json
def token(folder: Path, room: str, institution: str, days: int | None, as_json: bool) -> None:
    """发放一次性登记令牌 / Issue a one-time enrolment token."""
    with _province(folder) as province:
        issued = rooms.issue_token(province, room, institution, days)
        facts = {"room": room, "token": issued, "ca": str(province.ca)}
    _print(as_json, facts, f"{room}: {spaced(issued)}")


@gateway.command()
@_dir
@click.option("--kind", type=click.Choice(get_args(Kind)), required=True)
@click.option("--name", required=True)
@click.option("--content", type=_FILE, required=True, help="明文内容 / the plain content.")
@click.option(
    "--room", "audience", multiple=True, help="收件考场，可重复；不写为全部 / whom it is for; none: all rooms."
)
@click.option(
    "--version", type=click.IntRange(1, 2**53 - 1), help="版本号，默认递增 / version; the next where none is given."
)
@click.option(
    "--not-before-ms", type=click.IntRange(0, LATEST_MS), help="启用时间 / may be opened from, ms since 1970."
)
@click.option("--days", type=click.IntRange(1, 3660), default=365, show_default=True)
@click.option("--two-person", is_flag=True, help="题库由两人共管，到时放行 / a bank under two shares.")
@click.option("--codes-out", type=_FOLDER, help="两张密码条写到的文件夹 / where the two code slips are written.")
@_json
@click.pass_obj
def publish(
    context: Any,
    folder: Path,
    kind: Kind,
    name: str,
    content: Path,
    audience: tuple[str, ...],
    version: int | None,
    not_before_ms: int | None,
    days: int,
    two_person: bool,
    codes_out: Path | None,
    as_json: bool,
) -> None:
    """封装并发布题库、名册或规则 / Seal and publish a bank, roster or policy."""
    data = _read(content)
    _check_form(context, kind, data)
    if two_person != (codes_out is not None) or (two_person and kind != "bank"):
        raise BadInput("codes_out_wanted")
    codes, facts = None, None
    if codes_out is not None:
        need_free(codes_out)
        codes, bank = new_codes(), parse_bank(data)
        facts = {"items": len(bank.items), "sample": bank.sample, **outline(bank)}
    with _province(folder) as province:
        item = bundles.publish(
            province,
            kind,
            name,
            data,
            list(audience) or None,
            version=version,
            not_before_ms=not_before_ms,
            days=days,
            facts=facts,
            codes=codes,
        )
    slips = []
    if codes is not None and codes_out is not None:
        slips = [str(file) for file in write_slips(codes_out, Content(kind, name, item.version, item.sha256), codes)]
    told = item.model_dump() | ({"slips": slips} if slips else {})
    _print(as_json, told, f"{kind} {name} v{item.version}: 已发布 / published", *slips)


@gateway.command()
@_dir
@click.option("--room", required=True)
@click.option("--reason", help="停用原因 / why.")
@click.option("--lift", is_flag=True, help="恢复 / lift the suspension.")
@_json
def suspend(folder: Path, room: str, reason: str | None, lift: bool, as_json: bool) -> None:
    """停用或恢复考场 / Suspend a room, or lift it."""
    if lift == bool(reason):
        raise click.UsageError("--reason 或 --lift 二选一 / give either --reason or --lift")
    with _province(folder) as province:
        rooms.suspend(province, room, None if lift else reason)
    _print(as_json, {"room": room, "suspended": not lift}, f"{room}: {'恢复 / lifted' if lift else '停用 / suspended'}")


@gateway.command()
@_dir
@click.argument("file", type=_FILE)
@click.option("--out", type=_FILE, required=True, help="回执文件 / where the receipts go.")
@_json
def intake(folder: Path, file: Path, out: Path, as_json: bool) -> None:
    """接收 U 盘送来的成绩，写出回执 / Take in results from a memory stick and write their receipts."""
    carried = parse(ResultsFile, _read(file))
    items: list[ResultItem] = []
    with _province(folder) as province:
        for start in range(0, len(carried.envelopes), MAX_BATCH):
            batch = carried.envelopes[start : start + MAX_BATCH]
            items += results.accept(province, carried.room, batch, "intake")
        answer = ReceiptsFile(
            format="examroom-receipts-1", room=carried.room, gateway=province.statement.decode(), items=items
        )
    try:
        bundles.write_file(out, answer.model_dump_json().encode())
    except OSError as error:
        raise BadInput("file_unreadable", path=out, detail=why(error)) from error
    counted = {name: sum(item.outcome == name for item in items) for name in ("stored", "repeated", "refused")}
    facts = {"room": carried.room, "receipts": str(out), **counted}
    _print(as_json, facts, f"{carried.room}: {counted}", f"回执 / receipts: {out}")
    if counted["refused"]:
        raise SystemExit(1)


@gateway.command()
@_dir
@click.option("--requests", "recent", type=click.IntRange(0), default=50, show_default=True)
@_json
def report(folder: Path, recent: int, as_json: bool) -> None:
    """考场、警报、发布、请求记录 / Rooms, alarms, publications, the request log."""
    with _province(folder) as province:
        found = overview(province, recent)
    lines = [f"{room['room']}  v{room['epoch']}  {room['results']}" for room in found.rooms]
    lines += [f"! {alarm['room']} {alarm['code']} {alarm['subject']} ×{alarm['count']}" for alarm in found.alarms]
    _print(as_json, asdict(found), *lines)


# what tells a document of each kind from the others
_NEEDED = {"bank": {"bank", "items"}, "roster": {"session", "candidates", "staff"}, "policy": {"pass"}}


def _check_form(context: Any, kind: Kind, data: bytes) -> None:
    """So that what no room could use is not sealed for thirty thousand of them."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput("content_form", kind=words(f"kind_{kind}"), detail=why(error)) from error
    missing = _NEEDED[kind] - set(document) if isinstance(document, dict) else _NEEDED[kind]
    if missing:
        raise BadInput(
            "content_form", kind=words(f"kind_{kind}"), detail=words("check_lacks", names=", ".join(sorted(missing)))
        )
    try:
        context.check_document(kind, data)
    except BadInput as error:
        if error.code == "roster_problems":
            raise BadInput("content_problems", count=error.facts["count"]) from error
        detail = words("input_at", where=error.facts.get("where"), detail=error.facts.get("detail"))
        raise BadInput("content_form", kind=words(f"kind_{kind}"), detail=detail) from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput("file_unreadable", path=file, detail=why(error)) from error
