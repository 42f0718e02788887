"""How a benchmark says what it found: a table, or one JSON object; and `measured.json` where it is asked to."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench.measured import machine, record


def report(name: str, figures: dict[str, Any], as_json: bool, keep: bool) -> None:
    if keep:
        record(name, figures)
    if as_json:
        click.echo(json.dumps({**figures, "machine": machine()}))
        return
    table = Table("figure", "value", title=name)
    for figure, value in figures.items():
        table.add_row(figure.replace("_", " "), str(value))
    Console().print(table)
