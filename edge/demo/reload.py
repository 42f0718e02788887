"""For developers: restart the desk room's services and its gateway when a source file changes."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import edge
from edge.demo.room import DemoRoom
from edge.services.supervisor import read_pids

EVERY_SECONDS = 1.0
# what the program reads; what editors keep beside it (locks, backups, swap files) is none of it
SOURCES = frozenset((".py", ".html", ".css", ".js", ".toml", ".json", ".svg", ".yaml", ".webmanifest"))

Seen = dict[str, tuple[int, int]]


def watch_code(room: DemoRoom, stop: threading.Event, folder: Path | None = None) -> None:
    """Until `stop`: when a source file under `folder` (the package) is written, made, moved or deleted, start over.

    The services are ended, and `run` starts them again; the gateway is started again by the room.
    """
    folder = folder or Path(edge.__file__).parent
    before = _seen(folder)
    while not stop.wait(EVERY_SECONDS):
        now = _seen(folder)
        if now != before:
            before = now
            for pid in read_pids(room.config.paths.runtime).values():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            room.restart_gateway()


def _seen(folder: Path) -> Seen:
    """Path to (time of change in ns, size). A file that goes while it is looked at was not there."""
    found: Seen = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        for name in files:
            if not name.startswith(".") and Path(name).suffix in SOURCES:
                file = os.path.join(place, name)  # noqa: PTH118 - hundreds of them each second
                with suppress(OSError):
                    status = os.stat(file)  # noqa: PTH116 - the same
                    found[file] = (status.st_mtime_ns, status.st_size)
    return found
