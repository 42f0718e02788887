"""For developers: restart the desk room's services when a source file changes."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import edge
from edge.demo.room import DemoRoom
from edge.services.supervisor import read_pids


def watch_code(room: DemoRoom, stop: threading.Event) -> None:
    """Until `stop`: when a file of the package is newer than before, end every service; `run` starts it again."""
    folder = Path(edge.__file__).parent
    before = _newest(folder)
    while not stop.wait(1.0):
        newest = _newest(folder)
        if newest > before:
            before = newest
            for pid in read_pids(room.config.paths.runtime).values():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)


def _newest(folder: Path) -> float:
    kinds = ("*.py", "*.html", "*.css", "*.js", "*.toml")
    return max(file.stat().st_mtime for kind in kinds for file in folder.rglob(kind))
