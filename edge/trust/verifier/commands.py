"""`examroom verify FILE`: exit 0 when everything holds, 1 when anything does not, 2 for wrong usage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edge.config import load_config
from edge.domain.reasons import sentence
from edge.errors import BadInput, ConfigError
from edge.trust.timestamp import read_authorities
from edge.trust.verifier.files import verify_file
from edge.trust.verifier.roots import read_root, read_witness
from edge.trust.verifier.verdict import Verdict

_SHOWN = 10
_KEY = "FILE|HEX"


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--root", "roots", multiple=True, metavar=_KEY, help="根公钥，可多次 / a root's public key, repeatable")
@click.option("--witness", "witnesses", multiple=True, metavar=_KEY, help="见证方公钥 / a witness's public key")
@click.option(
    "--tsa-ca",
    "authority",
    type=click.Path(path_type=Path, dir_okay=False),
    help="时间戳机构的根证书（PEM），核验时间戳 / a time-stamping authority's root (PEM), to check the time stamp",
)
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象 / print one JSON object")
@click.pass_context
def verify(
    context: click.Context,
    file: Path,
    roots: tuple[str, ...],
    witnesses: tuple[str, ...],
    authority: Path | None,
    as_json: bool,
) -> None:
    """核验证据、成绩、回执、证书或数据包，不联网。

    Check an evidence file, result, receipt, certificate or bundle offline, with nothing but the root's public key.
    """
    trusted = [read_root(root) for root in roots] or _own_root(context)
    authorities = [] if authority is None else read_authorities(authority)
    verdict = verify_file(file, trusted, [read_witness(witness, trusted) for witness in witnesses], authorities)
    if as_json:
        click.echo(json.dumps(verdict.as_json(), ensure_ascii=False, sort_keys=True))
    else:
        _show(verdict, authority is not None)
    context.exit(0 if verdict.ok else 1)


def _own_root(context: click.Context) -> list[bytes]:
    """On an enrolled box, the root it was enrolled under. Elsewhere one must be named: BadInput `verify_no_root`."""
    try:
        own = load_config(getattr(context.obj, "config_file", None)).paths.trust / "root.pub"
    except ConfigError as error:
        raise BadInput("verify_no_root") from error
    if not own.is_file():
        raise BadInput("verify_no_root")
    return [read_root(own)]


def _show(verdict: Verdict, wants_stamp: bool) -> None:
    click.echo(_plain(("✓ " if verdict.ok else "✗ ") + verdict.sentence("zh")))
    click.echo(_plain("  " + verdict.sentence("en")))
    for problem in verdict.details[1:_SHOWN]:
        click.echo(_plain("✗ " + problem.sentence("zh")))
        click.echo(_plain("  " + problem.sentence("en")))
    if len(verdict.details) > _SHOWN:
        click.echo(f"… +{len(verdict.details) - _SHOWN}")
    if verdict.ok and verdict.kind == "evidence":
        _show_evidence(verdict.facts, wants_stamp)


def _show_evidence(facts: Mapping[str, Any], wants_stamp: bool) -> None:
    """What outsiders vouch for, and how far; and what the file does not show."""
    names, entries = ", ".join(facts["witnesses"]), facts["witnessed_entries"]
    if not names:
        _warn("evidence_no_witness")
    elif facts["witness_covers"]:
        click.echo(f"✓ 外部见证（截至台账条数）/ witnessed (up to so many ledger entries): {names}  ({entries})")
    else:
        _warn("evidence_witness_before", names=names, entries=entries)
    _show_stamp(facts.get("timestamp"), bool(facts.get("stamp_covers")), wants_stamp)
    for gap in facts["gaps"]:
        click.echo(f"! 无录像 / no footage: {gap['from']} – {gap['until']}")
    for segment in facts["absent"]:
        _warn("verifier_absent", segment=segment)
    if facts["gaps"] and facts.get("open_end"):
        _warn("evidence_open_end")


def _show_stamp(stamp: Mapping[str, Any] | None, covers: bool, wanted: bool) -> None:
    if stamp is not None and stamp["checked"]:
        told = f"{stamp['time']}  {stamp['authority']}  ({stamp['entries']})"
        click.echo(_plain(f"✓ 时间戳（截至台账条数）/ time stamp (up to so many ledger entries): {told}"))
        if not covers:
            _warn("evidence_stamp_before", **stamp)
    elif stamp is not None or wanted:
        _warn("timestamp_none" if stamp is None else "timestamp_unchecked")


def _warn(code: str, **facts: object) -> None:
    click.echo(_plain(f"! {sentence(code, 'zh', **facts)}"))
    click.echo(_plain(f"  {sentence(code, 'en', **facts)}"))


def _plain(line: str) -> str:
    """What a file calls its room or camera turns no terminal's text around and moves no cursor."""
    return "".join(c if c.isprintable() else "?" for c in line)
