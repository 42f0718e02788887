"""`examroom faces`: make a face pack ready, list what is there."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.progress import Progress

from edge.config import Config
from edge.vision import packs
from edge.vision.manifest import known_packs, read_manifest


@click.group()
def faces() -> None:
    """Install and list face packs 人脸模型."""


@faces.command()
@click.argument("pack", default="dlib")
@click.option("--from", "origin", metavar="FOLDER|URL", help="Where the pack's files are, if not where it says itself.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def install(context: Any, pack: str, origin: str | None, as_json: bool) -> None:
    """Make a pack ready: fetch what it needs, check it against the pinned hashes, convert it.

    `dlib` comes from its installed Python package and downloads nothing. A download that broke off goes on where it
    stopped when this is run again. Only files with the pinned SHA-256 are taken.
    """
    config: Config = context.config()
    if as_json:
        path = packs.install(pack, config.paths.models, origin=origin)
        click.echo(json.dumps({"pack": pack, "version": read_manifest(pack).version, "path": str(path)}))
        return
    with Progress() as bar:
        task = bar.add_task(pack, total=1.0)
        path = packs.install(
            pack,
            config.paths.models,
            lambda share, words: bar.update(task, completed=share, description=words),
            origin=origin,
        )
    click.echo(str(path))


@faces.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_command(context: Any, as_json: bool) -> None:
    """The packs this room knows, and which versions are installed."""
    config: Config = context.config()
    found = packs.installed(config.paths.models)
    rows = [
        {
            "pack": manifest.name,
            "version": manifest.version,
            "installed": any((i.name, i.version) == (manifest.name, manifest.version) for i in found),
            "untested": manifest.untested,
        }
        for manifest in map(read_manifest, known_packs())
    ]
    rows += [{"pack": i.name, "version": i.version, "installed": True} for i in found if not i.current]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        state = "已安装 installed" if row["installed"] else "未安装 not installed"
        state += "  未经测试 untested" if row.get("untested") else ""
        click.echo(f"{row['pack']}  {row['version']}  {state}")
