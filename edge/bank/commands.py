"""`examroom bank`: lint, build and inspect question banks."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from edge import clock
from edge.bank.build import content_of, read_folder, sample_bank
from edge.bank.lint import lint
from edge.bank.model import BankDocument
from edge.domain.reasons import sentence
from edge.trust import dsse
from edge.trust.certificate import check
from edge.trust.seal import seal_bundle
from edge.trust.signer import Ed25519Signer

DAY_MS = 86_400_000
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


def _read(source: str) -> BankDocument:
    return sample_bank() if source == "sample" else read_folder(Path(source))


@click.group()
def bank() -> None:
    """Lint, build and inspect question banks 题库. SOURCE is a folder, or the word sample."""


@bank.command("lint")
@click.argument("source")
@json_option
def lint_command(source: str, as_json: bool) -> None:
    """Near-duplicates, crowded facts, blueprints the bank cannot fill."""
    findings = lint(_read(source))
    if as_json:
        click.echo(json.dumps([vars(f) for f in findings], ensure_ascii=False))
    for finding in findings if not as_json else []:
        for language in ("zh", "en"):
            click.echo(sentence(finding.code, language, items=", ".join(finding.items), detail=finding.detail))
    if not findings and not as_json:
        click.echo("没有发现问题 / nothing found")
    sys.exit(1 if findings else 0)


@bank.command()
@click.argument("source")
@json_option
def inspect(source: str, as_json: bool) -> None:
    """How many items of which test, type and topic; never an answer."""
    found = _read(source)
    groups = Counter((item.test, item.type) for item in found.items)
    topics = Counter(item.topic for item in found.items)
    if as_json:
        document: dict[str, Any] = {
            "bank": found.bank,
            "sample": found.sample,
            "items": len(found.items),
            "groups": {f"{test}/{kind}": n for (test, kind), n in sorted(groups.items())},
            "topics": dict(topics),
            "rubrics": [rubric.id for rubric in found.rubrics],
            "blueprints": [blueprint.id for blueprint in found.blueprints],
        }
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    click.echo(f"{found.bank}  {found.title.zh} / {found.title.en}")
    for (test, kind), count in sorted(groups.items()):
        click.echo(f"  {test:8} {kind:10} {count}")
    for topic, count in topics.most_common():
        click.echo(f"  {topic}  {count}")


@bank.command()
@click.argument("source")
@click.option("--root-key", type=click.Path(exists=True, path_type=Path), required=True, help="The signing root's key.")
@click.option(
    "--certificate", type=click.Path(exists=True, path_type=Path), required=True, help="The room it is sealed for."
)
@click.option("--version", "number", type=click.IntRange(1), default=1, show_default=True)
@click.option("--days", type=click.IntRange(1, 3650), default=180, show_default=True, help="How long it may be used.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--even-with-findings", is_flag=True, help="Seal although lint finds something.")
def build(
    source: str, root_key: Path, certificate: Path, number: int, days: int, out: Path, even_with_findings: bool
) -> None:
    """Seal a bank for one room."""
    found = _read(source)
    findings = lint(found)
    if findings and not even_with_findings:
        click.echo(
            f"{len(findings)} 个问题，先运行 examroom bank lint / findings; run examroom bank lint first", err=True
        )
        sys.exit(1)
    root = Ed25519Signer.load(root_key)
    room = check(certificate.read_bytes(), root.public)
    now = clock.wall_ms()
    sealed = seal_bundle(
        "bank",
        found.bank,
        number,
        content_of(found),
        {room.room: room.seal_public},
        [root],
        not_before_ms=now,
        expires_ms=now + days * DAY_MS,
        facts={"items": len(found.items), "sample": found.sample},
    )
    out.write_bytes(sealed)
    click.echo(f"{out}: {dsse.BUNDLE}, {len(found.items)} 题 / items, {room.room}")
