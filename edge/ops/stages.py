"""Progress of a long run: a bar a stage on a terminal, a line a stage elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Tick = Callable[[float, str], None]


class Stages:
    """`with stages("name") as tick: tick(share, detail)`; share from 0 to 1."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(width=None if Console().is_terminal else 110)
        self.started = time.monotonic()

    @contextmanager
    def __call__(self, name: str) -> Iterator[Tick]:
        columns = (TextColumn("{task.description:<34}"), BarColumn(), TextColumn("{task.fields[detail]}"))
        start = time.monotonic()
        if not self.console.is_terminal:
            yield lambda _share, _detail: None
            spent = time.monotonic() - start
            self.console.print(f"{name:<40} done 完成  {spent:6.1f} s", highlight=False)
            return
        with Progress(*columns, TimeElapsedColumn(), console=self.console) as progress:
            task = progress.add_task(name, total=1.0, detail="")
            yield lambda share, detail: progress.update(task, completed=share, detail=detail)
            progress.update(task, completed=1.0)
