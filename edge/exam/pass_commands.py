"""`examroom pass`: passes of a site that is its own root, and taking the list of revoked ones in at any room.

The province makes its own by `examroom gateway pass`.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from edge.config import Config
from edge.errors import ExamroomError
from edge.store import ledger
from edge.store.db import open_room, transaction
from edge.store.refusals import notes_refusals
from edge.trust import enrolment
from edge.trust.pass_options import Wanted, facts_of, lines_of, pass_options
from edge.trust.passes import PASSES, Pass, PassTrust
from edge.trust.revoked import extend_list
from edge.trust.signer import Ed25519Signer

_root_key = click.option(
    "--root-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="根密钥文件 / the key of the root that the rooms trust.",
)


@click.group("pass")
def pass_group() -> None:
    """Supervisors' passes to spot checks 抽查通行证."""


@pass_group.command("make")
@_root_key
@pass_options
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
@notes_refusals("pass make")
def make(context: Any, root_key: Path, wanted: Wanted, as_json: bool) -> None:
    """签发一张通行证 / Make a pass for named rooms and one stretch of time.

    On a room that trusts this root the pass is in the room's ledger too.
    """
    signer = Ed25519Signer.given(root_key)
    made, text = wanted.make(signer)
    _note(context, signer.public, made)
    told = json.dumps(facts_of(made, text, wanted.out), ensure_ascii=False, sort_keys=True)
    click.echo(told if as_json else "\n".join(lines_of(made, text, wanted.out)))


@pass_group.command("revoke")
@click.argument("pass_ids", nargs=-1, required=True)
@_root_key
@click.option(
    "--list",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="名单文件，没有则新建 / made when absent.",
)
def revoke(pass_ids: tuple[str, ...], root_key: Path, file: Path) -> None:
    """把通行证加进签名名单 / Add passes to a signed list; then take the list in at each room."""
    listed = extend_list(file, PASSES, pass_ids, Ed25519Signer.given(root_key))
    click.echo(f"{file}: {len(listed.ids)} 张已收回 / revoked")


@pass_group.command("take-in")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
@notes_refusals("pass take-in")
def take_in(context: Any, file: Path) -> None:
    """使收回名单在本考场立即生效 / Put a signed list of revoked passes in force at this room, at once."""
    config: Config = context.config()
    trust = PassTrust(config.paths.trust, [enrolment.load(config.paths).root_public])
    listed = trust.replace(file.read_bytes())
    with closing(open_room(config.paths.room_db)) as connection, transaction(connection):
        ledger.append(connection, "passes_revoked", {"serial": listed.serial, "passes": len(listed.ids)})
    click.echo(f"{len(listed.ids)} 张已收回 / revoked")


def _note(context: Any, root: bytes, made: Pass) -> None:
    try:
        config: Config = context.config()
        trusted = enrolment.load(config.paths).root_public
    except ExamroomError:
        return  # no room here: the province's own machine, or a desk
    if trusted == root:
        with closing(open_room(config.paths.room_db)) as connection, transaction(connection):
            body = made.model_dump(include={"id", "from_ms", "until_ms", "not_before_ms", "expires_ms", "export"})
            ledger.append(connection, "pass_made", body)
