"""`examroom tls`: make, renew and show the certificates of the room's pages."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from edge.config import Config
from edge.trust import addresses, roomtls


@click.group()
def tls() -> None:
    """The certificates of the room's pages 网页证书."""


@tls.command()
@click.option("--new-ca", is_flag=True, help="Replace the authority: every tablet has to be set up again.")
@click.option("--quiet", is_flag=True, help="Say one word when something has changed, and nothing otherwise.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def make(context: Any, new_ca: bool, quiet: bool, as_json: bool) -> None:
    """Make or renew them; changes nothing that is as it should be. Exit code 0 either way."""
    config: Config = context.config()
    found = roomtls.make(
        config.paths.tls,
        addresses.names(config.web.names),
        addresses.addresses(),
        datetime.now(UTC),
        new_ca=new_ca,
    )
    if config.store.mirror is not None and os.geteuid() == 0 and config.paths.state.exists():
        _let_read(config.paths.tls, config.paths.state.stat().st_gid)
    if not quiet:
        _say(found, as_json)
    elif found.changed:
        click.echo("changed")


def _let_read(folder: Path, group: int) -> None:
    """The service that writes the second medium puts the keys on it too: without them a spare is another room."""
    for one in (folder, *folder.glob("*.key")):
        os.chown(one, -1, group)
        one.chmod(0o750 if one == folder else 0o640)


@tls.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def show(context: Any, as_json: bool) -> None:
    """Names, addresses, end, and the fingerprint to compare with a tablet's."""
    config: Config = context.config()
    _say(roomtls.load(config.paths.tls), as_json)


def _say(found: roomtls.RoomTls, as_json: bool) -> None:
    facts = {
        "changed": found.changed,
        "fingerprint": found.fingerprint,
        "ca_ends": found.ca.not_valid_after_utc.date().isoformat(),
        "ends": found.server.not_valid_after_utc.date().isoformat(),
        "names": list(found.names),
        "addresses": [str(one) for one in found.addresses],
        "refused": list(found.refused),
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"CA SHA-256: {facts['fingerprint']}")
    click.echo(f"CA 有效至 / ends {facts['ca_ends']} · 网页证书有效至 / the pages' own ends {facts['ends']}")
    click.echo(" ".join([*found.names, *map(str, found.addresses)]))
    for one in found.addresses:
        if not one.is_loopback:
            click.echo(f"平板设置 / set tablets up: http://{addresses.host_in_url(one)}/setup/")
    if found.refused:
        click.echo(
            f"CA 建立时没有包含 {' '.join(found.refused)}；要用它们，请运行 examroom tls make --new-ca，"
            "之后每台平板须重新设置。"
        )
        click.echo(
            f"This CA was not made for {' '.join(found.refused)}: to use them run examroom tls make --new-ca, "
            "then set up every tablet again."
        )
