"""How a benchmark says what it found: a table with its limits, or one JSON object; `measured.json` where asked to."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench.limits import limit_of, misses
from bench.measured import machine, record


def report(name: str, figures: dict[str, Any], as_json: bool, keep: bool) -> None:
    """Say it, and exit 1 when a figure misses its limit (`limits.py`)."""
    if keep:
        record(name, figures)
    missed = misses(name, figures)
    if as_json:
        click.echo(json.dumps({**figures, "machine": machine(), "missed": missed}))
    else:
        table = Table("figure", "value", "limit", title=name)
        for figure, value in figures.items():
            table.add_row(figure.replace("_", " "), str(value), str(limit_of(name, figure) or ""))
        Console().print(table)
        for line in missed:
            click.echo(f"MISS {line}")
    sys.exit(1 if missed else 0)
