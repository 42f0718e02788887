"""`examroom bank`: import, export, lint, build and inspect question banks."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import click

from edge import clock
from edge.bank.build import content_of
from edge.bank.exposure import add_exposure, read_exposure
from edge.bank.imports import write_whole
from edge.bank.lint import Finding, errors, lint
from edge.bank.model import BankDocument
from edge.bank.outline import outline
from edge.bank.plan_commands import blueprint_group, rubric_group
from edge.bank.sources import problems_in, read_source
from edge.bank.summary import keys, summary
from edge.bank.transfer import import_command, show_problems, template_command, write_export
from edge.domain.canonical import canonical
from edge.errors import BadInput, VerificationFailed
from edge.trust import dsse, enrolment
from edge.trust.certificate import Certificate, check
from edge.trust.enrolment import Identity
from edge.trust.seal import seal_bundle
from edge.trust.shares import Content, new_codes, share_out
from edge.trust.signer import Ed25519Signer
from edge.trust.slips import need_free, write_slips

DAY_MS = 86_400_000
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


def _identity() -> Identity:
    """Who this room is, for a sealed bank: it opens only here."""
    return enrolment.load(click.get_current_context().find_root().obj.config().paths)


@click.group()
def bank() -> None:
    """Import, lint, build and inspect question banks 题库.

    SOURCE is a folder, a JSON file, a sealed bank, or the word sample.
    """


bank.add_command(import_command)
bank.add_command(template_command)
bank.add_command(blueprint_group)
bank.add_command(rubric_group)


@bank.command("export")
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="PACKAGE.zip, or BOOK.xlsx.")
@click.option("--xlsx", "as_workbook", is_flag=True, help="A workbook, with its media in BOOK-media.zip.")
@click.option("--replace", is_flag=True, help="Write over existing files.")
def export_command(source: str, out: Path, as_workbook: bool, replace: bool) -> None:
    """Write a bank with its keys as a QTI 3.0 package or a workbook; read back and compared before it is written."""
    write_export(read_source(source, _identity, now=True), out, as_workbook, replace)


@bank.command("lint")
@click.argument("source")
@click.option("--max-exposure", type=click.IntRange(0), help="Items used more often than this are named.")
@click.option(
    "--exposure",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Counts from a room (bank exposure --out), added to the items' own.",
)
@json_option
def lint_command(source: str, max_exposure: int | None, exposure: tuple[Path, ...], as_json: bool) -> None:
    """Duplicates, shortages, media, exposure, habits and translations. Exit code 1 with an error."""
    if problems := problems_in(source):
        if as_json:
            click.echo(json.dumps([{"severity": "error", **p.as_json()} for p in problems], ensure_ascii=False))
        else:
            show_problems(tuple(problems))
        sys.exit(1)
    findings = lint(add_exposure(read_source(source, _identity), read_exposure(exposure)), max_exposure)
    if as_json:
        click.echo(json.dumps([finding.as_json() for finding in findings], ensure_ascii=False))
    else:
        _show(findings)
    sys.exit(1 if errors(findings) else 0)


def _show(findings: list[Finding]) -> None:
    marks = {"error": "错误 error", "warning": "注意 warning"}
    for finding in findings:
        click.echo(f"{marks[finding.severity]}: {finding.sentence('zh')} / {finding.sentence('en')}")
    if not findings:
        click.echo("没有发现问题 / nothing found")


@bank.command()
@click.argument("source")
@click.option("--keys", "with_keys", is_flag=True, help="The questions with their answers too.")
@json_option
def inspect(source: str, with_keys: bool, as_json: bool) -> None:
    """What a bank holds, in figures; without --keys never a question or an answer."""
    found = read_source(source, _identity, now=with_keys)
    document = summary(found)
    if with_keys:
        document["keys"] = keys(found)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    mark = "  样题 SAMPLE" if found.sample else ""
    click.echo(f"{found.bank}  {found.title.zh} / {found.title.en}{mark}")
    for name, value in document.items():
        if name in ("bank", "title", "sample", "keys", "blueprints"):
            continue
        shown = value if not isinstance(value, dict) else "  ".join(f"{k} {v}" for k, v in value.items())
        click.echo(f"  {name:12} {shown if not isinstance(value, list) else ', '.join(value)}")
    for blueprint in document["blueprints"]:
        state = "可以组卷 / reachable" if blueprint["reachable"] else "; ".join(blueprint["short"])
        click.echo(f"  blueprint    {blueprint['id']}: {state}")
    for item in document.get("keys", []):
        click.echo(json.dumps(item, ensure_ascii=False))


@bank.command()
@click.argument("source")
@click.option(
    "--root-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The signing root's key.",
)
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The room it is sealed for.",
)
@click.option("--version", "number", type=click.IntRange(1), default=1, show_default=True)
@click.option("--days", type=click.IntRange(1, 3650), default=180, show_default=True, help="How long it may be used.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--local", is_flag=True, help="An institution's own bank: every item counts as local.")
@click.option(
    "--force-unlinted",
    "--even-with-findings",
    "force",
    is_flag=True,
    help="Seal in spite of lint's errors; their number is signed with the bank.",
)
@click.option("--two-person", is_flag=True, help="Under two shares: the room opens it with two persons' code slips.")
@click.option("--codes-out", type=click.Path(path_type=Path, file_okay=False), help="Where the two slips are written.")
def build(
    source: str,
    root_key: Path,
    certificate: Path,
    number: int,
    days: int,
    out: Path,
    local: bool,
    force: bool,
    two_person: bool,
    codes_out: Path | None,
) -> None:
    """Seal a bank for one room. Lint's errors stop it, its warnings do not."""
    if two_person != (codes_out is not None):
        raise BadInput("codes_out_wanted")
    if codes_out is not None:
        need_free(codes_out)
    found = read_source(source, _identity, now=True)
    if local:
        found = as_local(found)
    wrong = errors(lint(found))
    if wrong and not force:
        _show(wrong)
        click.echo(f"{len(wrong)} 个错误，没有封装 / {len(wrong)} errors, nothing was sealed", err=True)
        sys.exit(1)
    root = Ed25519Signer.given(root_key)
    room = _room_of(certificate, root)
    now = clock.wall_ms()
    plain, slips, shared, more = content_of(found), [], None, {}
    if codes_out is not None:
        content, codes = Content("bank", found.bank, number, hashlib.sha256(plain).hexdigest()), new_codes()
        shared, more = share_out(content, codes, gateway=False), outline(found)
        slips = write_slips(codes_out, content, codes)
    sealed = seal_bundle(
        "bank",
        found.bank,
        number,
        plain,
        {room.room: room.seal_public},
        [root],
        not_before_ms=now,
        expires_ms=now + days * DAY_MS,
        facts={
            "items": len(found.items),
            "sample": found.sample,
            "local": all(item.local for item in found.items),
            "lint_errors": len(wrong),
            **more,
        },
        shared=shared,
    )
    write_whole(out, sealed)
    click.echo(f"{out}: {dsse.BUNDLE}, {len(found.items)} 题 / items, {room.room}")
    for slip in slips:
        click.echo(f"{slip}: 密码条，分别交给两个人 / a code slip; each goes to another person")


def _room_of(certificate: Path, root: Ed25519Signer) -> Certificate:
    """The room that it is sealed for, by the certificate that was named."""
    try:
        return check(certificate.read_bytes(), root.public)
    except VerificationFailed as error:
        error.exit_code = 2  # the file is not what it has to be
        raise


def as_local(found: BankDocument) -> BankDocument:
    """The same bank with every item, and every question in a case, marked as the institution's own."""
    document = json.loads(content_of(found))
    for item in document["items"]:
        for one in (item, *item.get("items", [])):
            one["local"] = True
    return BankDocument.model_validate(json.loads(canonical(document)))
