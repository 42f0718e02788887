"""`examroom paper`: draw a recorded paper again. Exit codes: 0 the same, 1 not the same, 2 wrong usage."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edge.errors import BadInput, ExamroomError
from edge.exam import replay as again
from edge.exam.banks import open_bank, sources_of
from edge.store.db import connect
from edge.trust import enrolment
from edge.trust.verifier import verify_file
from edge.trust.verifier.roots import read_root

file_option = click.Path(exists=True, path_type=Path)


@click.group()
def paper() -> None:
    """Draw papers again 试卷复现."""


@paper.command()
@click.argument("attempt", required=False)
@click.option(
    "--bank", "banks", multiple=True, type=file_option, help="Folder, JSON file or sealed bundle; repeatable."
)
@click.option("--result", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A signed result file.")
@click.option("--root", metavar="FILE|HEX", help="The root's public key, to verify the result file as well.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the paper that was drawn.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def replay(
    context: Any,
    attempt: str | None,
    banks: tuple[Path, ...],
    result: Path | None,
    root: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Draw an attempt's paper again and compare it byte for byte 试卷复现.

    In its room by the id of the ATTEMPT; on any other machine from a result file and the bank.
    """
    identity = _identity(context)
    verified: bool | None = None
    if result is not None:
        recorded = again.recorded_in(result.read_bytes())
        if attempt is not None and attempt != recorded.attempt:
            raise BadInput("replay_other_attempt", attempt=recorded.attempt)
        roots = [read_root(root)] if root else [identity.root_public] if identity else []
        verified = verify_file(result, roots).ok if roots else None
        if not banks:
            raise BadInput("replay_bank_wanted")
        documents = [again.read_bank(path, identity) for path in banks]
    elif attempt is not None:
        config = context.config()
        connection = connect(config.paths.room_db)
        try:
            recorded, session = again.recorded_here(connection, attempt)
        finally:
            connection.close()
        if banks:
            documents = [again.read_bank(path, identity) for path in banks]
        else:
            here = enrolment.load(config.paths)
            documents = list(sources_of(open_bank(here, config.paths.bundles, session, whenever=True)))
    else:
        raise BadInput("replay_nothing")
    done = again.replay(recorded, documents)
    if verified is False:
        done = replace(done, difference=done.difference or "result: signature or proof")
    if out is not None and done.paper is not None:
        out.write_bytes(done.paper)
    _say(done, verified, result is not None, as_json)
    sys.exit(0 if done.match else 1)


def _identity(context: Any) -> enrolment.Identity | None:
    """Who this box is, where it is enrolled: then it may open its own bundles and knows a root."""
    with suppress(ExamroomError):
        return enrolment.load(context.config().paths)
    return None


def _say(done: again.Replay, verified: bool | None, from_result: bool, as_json: bool) -> None:
    """`verified`: None when nobody looked at a signature, which is said plainly where there is one to look at."""
    if as_json:
        answer = {
            "attempt": done.attempt,
            "match": done.match,
            "sha256": done.sha256,
            "recorded_sha256": done.recorded,
            "difference": done.difference,
            "result_verified": verified,
            "signature_checked": verified is not None,
        }
        click.echo(json.dumps(answer, ensure_ascii=False))
        return
    if done.match:
        click.echo(f"✓ {done.attempt}: 逐字节相同 / the same to the byte ({done.sha256})")
    else:
        click.echo(f"✗ {done.attempt}: 不同 / not the same: {done.difference}")
    if verified is None:
        if from_result:
            click.echo(
                "⚠ 没有核验结果文件的签名：上面只说明试卷与文件里写的一致，文件本身可能是伪造的。请加 --root 根公钥。"
                " / SIGNATURE NOT CHECKED: the paper is what this file says, and the file may be forged. Give --root."
            )
        return
    click.echo("✓ 结果文件已核验 / result file verified" if verified else "✗ 结果文件核验不通过 / result file refused")
