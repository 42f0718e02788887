"""A site's own policy: a DSSE envelope signed by the root that the room trusts, and how it is signed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edge.domain.canonical import canonical
from edge.errors import BadInput
from edge.exam.documents import PolicyDocument, parse_policy
from edge.store.refusals import notes_refusals
from edge.trust import dsse
from edge.trust.enrolment import Identity
from edge.trust.signer import Ed25519Signer
from edge.why import why

LOCAL_POLICY = {"version": 1, "pass": {"safety": 60, "theory": 60, "practical": 60}}
"""Where nobody signed one: no item from a local bank, 60 per cent in each test."""


def policy_of(here: Identity, file: Path | None) -> PolicyDocument:
    """The rules in `file`, or the defaults. BadInput `policy_unsigned` for what is no signed policy,
    VerificationFailed for one that another than this room's root signed, BadInput `policy_broken` for its content.
    """
    if file is None:
        return parse_policy(canonical(LOCAL_POLICY))
    try:
        content = file.read_bytes()
        kind = dsse.peek(content).payload_type
    except (OSError, BadInput) as error:
        raise BadInput("policy_unsigned", file=file.name) from error
    if kind != dsse.POLICY:
        raise BadInput("policy_unsigned", file=file.name)
    return parse_policy(canonical(dsse.open_envelope(content, dsse.POLICY, [here.root_public])))


def policy_digest(policy: Mapping[str, Any]) -> str:
    """SHA-256 of the rules a session runs under, every default written out: in the ledger and in each result."""
    return hashlib.sha256(canonical(policy)).hexdigest()


@click.group("policy")
def policy_group() -> None:
    """Rules for sessions of a site that is its own root 考务规则."""


@policy_group.command("sign")
@click.argument("policy", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--root-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The signing root's key.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.pass_obj
@notes_refusals("session policy sign")
def sign_command(_context: Any, policy: Path, root_key: Path, out: Path) -> None:
    """Sign POLICY (JSON) for `session create --policy`. What it does not say is at its default."""
    rules = parse_policy(policy.read_bytes())
    payload = rules.model_dump(mode="json", by_alias=True, exclude_unset=True)
    envelope = dsse.sign_envelope(dsse.POLICY, payload, [Ed25519Signer.given(root_key)])
    part = out.with_name(f".{out.name}.part")
    try:
        part.write_bytes(envelope)
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadInput("policy_unwritable", file=out, detail=why(error)) from error
    click.echo(f"{out}: {policy_digest(rules.model_dump(by_alias=True))}")
