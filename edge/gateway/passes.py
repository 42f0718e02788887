"""`examroom gateway pass`: supervisors' passes, signed by the province's root; who got which, and which were revoked.

A holder's name is kept until KEEP_MS after the pass has ended, so that the id in a room's ledger can be told a name.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from sqlalchemy import delete, insert, select, update

from edge import clock
from edge.errors import NotFound
from edge.gateway.database import reading
from edge.gateway.settings import DAY_MS, Province, open_province
from edge.gateway.tables import passes
from edge.trust.pass_options import Wanted, facts_of, lines_of, pass_options
from edge.trust.passes import PASSES, Pass
from edge.trust.revoked import Revoked, extend_list

KEEP_MS = 3 * 366 * DAY_MS

_dir = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="网关目录 / the gateway's folder.",
)
_json = click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象 / print one JSON object.")


@click.group("pass")
def pass_group() -> None:
    """Supervisors' passes to spot checks 抽查通行证."""


@pass_group.command("make")
@_dir
@pass_options
@_json
def make_command(folder: Path, wanted: Wanted, as_json: bool) -> None:
    """签发一张通行证 / Make a pass for named rooms and one stretch of time."""
    with closing(open_province(folder)) as province:
        made, text = wanted.make(province.root)
        keep(province, made)
    told = json.dumps(facts_of(made, text, wanted.out), ensure_ascii=False, sort_keys=True)
    click.echo(told if as_json else "\n".join(lines_of(made, text, wanted.out)))


@pass_group.command("revoke")
@click.argument("pass_ids", nargs=-1, required=True)
@_dir
@_json
def revoke_command(pass_ids: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """收回通行证，写出签名名单 / Take passes back: a signed list, to be taken in at each room."""
    with closing(open_province(folder)) as province:
        file, listed = revoke(province, [one.strip().lower() for one in pass_ids])
    facts = {"file": str(file), "serial": listed.serial, "revoked": len(listed.ids)}
    click.echo(json.dumps(facts) if as_json else f"{file}: {len(listed.ids)} 张已收回 / revoked")


@pass_group.command("list")
@_dir
@_json
def list_command(folder: Path, as_json: bool) -> None:
    """列出签发过的通行证 / Passes that were made, newest first."""
    with closing(open_province(folder)) as province:
        found = issued(province)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, sort_keys=True))
        return
    for one in found:
        state = " 已收回 / revoked" if one["revoked_ms"] else ""
        click.echo(f"{one['id']}  {clock.iso(one['expires_ms'])}  {one['name']}  {' '.join(one['rooms'])}{state}")


def keep(province: Province, made: Pass) -> None:
    """Note the pass, and forget those whose day is long over."""
    now = clock.wall_ms()
    row = {"pass_id": made.id, "body": made.model_dump_json(), "made_ms": now, "expires_ms": made.expires_ms}
    with province.engine.begin() as connection:
        connection.execute(delete(passes).where(passes.c.expires_ms < now - KEEP_MS))
        connection.execute(insert(passes).values(**row))


def revoke(province: Province, ids: list[str]) -> tuple[Path, Revoked]:
    """The province's list with these on it. NotFound (`pass_unknown`): one was never made here, and nothing is done."""
    file = province.folder / PASSES.name
    with province.engine.begin() as connection:
        for one in ids:
            changed = connection.execute(
                update(passes).where(passes.c.pass_id == one).values(revoked_ms=clock.wall_ms())
            ).rowcount
            if not changed:
                raise NotFound("pass_unknown", id=one[:40])
        listed = extend_list(file, PASSES, ids, province.root)
    return file, listed


def issued(province: Province) -> list[dict[str, Any]]:
    """Every pass that is still known, newest first, with when it was made and revoked."""
    with reading(province.engine).connect() as connection:
        rows = connection.execute(select(passes).order_by(passes.c.made_ms.desc(), passes.c.pass_id)).all()
    return [{**json.loads(row.body), "made_ms": row.made_ms, "revoked_ms": row.revoked_ms} for row in rows]
