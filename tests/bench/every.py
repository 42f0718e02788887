"""`make bench`: every benchmark in turn, one table of all figures with their limits; exit 1 when one misses its own.

    python tests/bench/every.py [--only saves --only papers] [--record] [--out build/bench.json]

Takes about twenty minutes on a quiet machine; on a busy one its figures say little. --record writes measured.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.limits import limit_of
from bench.measured import machine

HERE = Path(__file__).resolve().parent
# name of the figures -> the command that finds them
ALL: dict[str, tuple[str, ...]] = {
    "saves": ("saves.py",),
    "saves-slow-disk": ("saves.py", "--fsync-ms", "10", "--pace", "0", "--no-double"),
    "saves-mirrored": ("saves.py", "--mirror", "--pace", "0", "--no-double"),
    "footage-load": ("footage_load.py",),
    "papers": ("papers.py",),
    "listing": ("listing.py",),
    "export": ("export.py",),
    "recording": ("recording.py",),
    "page": ("page.py",),
    "face": ("face.py",),
    "face-yunet": ("face.py", "--pack", "yunet"),
    "galleries": ("galleries.py",),
    "galleries-yunet": ("galleries.py", "--pack", "yunet"),
    "idle": ("idle.py",),
    "busy": ("busy.py",),
    "busy-yunet": ("busy.py", "--pack", "yunet"),
}


def find(name: str, keep: bool) -> dict[str, Any]:
    """The figures of one benchmark, with `missed`: its own misses, or the sentence with which it gave up."""
    command = [sys.executable, str(HERE / ALL[name][0]), *ALL[name][1:], "--json", *(["--record"] if keep else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        said = done.stderr.strip().splitlines()
        return {"missed": [f"{name}: {said[-1] if said else f'exit {done.returncode}'}"]}
    return figures


@click.command()
@click.option("--only", type=click.Choice(list(ALL)), multiple=True, help="These alone.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("build/bench.json"))
def main(only: tuple[str, ...], keep: bool, out: Path) -> None:
    """Run the benchmarks and hold what they find against the limits."""
    console, found = Console(), {}
    table = Table("benchmark", "figure", "value", "limit", "")
    for name in only or ALL:
        console.print(f"{name} ...", highlight=False)
        found[name] = find(name, keep)
        for figure, value in found[name].items():
            limit = limit_of(name, figure)
            if figure not in ("machine", "missed"):
                good = "" if limit is None else "✓" if limit.holds(value) else "✗"
                table.add_row(name, figure.replace("_", " "), str(value), str(limit or ""), good)
    console.print(table)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"machine": machine(), "figures": found}, indent=1) + "\n")
    missed = [line for figures in found.values() for line in figures["missed"]]
    for line in missed:
        console.print(f"MISS {line}", markup=False, highlight=False)
    console.print(f"{out}: {len(missed)} missed")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
