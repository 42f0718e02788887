"""What each process says of itself: one small JSON file a service in the runtime directory, replaced whole."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from edge import clock

log = logging.getLogger("examroom.status")
_failing: set[str] = set()


def write_status(folder: Path, name: str, **facts: Any) -> None:
    """Replace the status of `name`; readers see the old file or the new one, never half.

    Where it cannot be written (a full or missing runtime directory) the old one grows stale: nobody stops for that.
    """
    content = {"name": name, "pid": os.getpid(), "mono_ms": clock.mono_ms(), "wall_ms": clock.wall_ms(), **facts}
    part, text = f"{folder}/.{name}.{os.getpid()}.part", json.dumps(content, ensure_ascii=False).encode()
    try:
        try:
            _write(part, text)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            _write(part, text)
        os.replace(part, f"{folder}/{name}.json")  # noqa: PTH105 - each service does this each second
        _failing.discard(name)
    except OSError as error:
        if name not in _failing:
            _failing.add(name)
            log.warning("the status of %s cannot be written: %s", name, error)


def _write(file: str, content: bytes) -> None:
    with open(file, "wb", buffering=0) as out:  # noqa: PTH123
        out.write(content)


def read_statuses(folder: Path) -> dict[str, dict[str, Any]]:
    """All statuses by service name; a file that is not one is passed over."""
    found: dict[str, dict[str, Any]] = {}
    if folder.is_dir():
        for file in sorted(folder.glob("*.json")):
            if status := read_status(folder, file.stem):
                found[file.stem] = status
    return found


def read_status(folder: Path, name: str) -> dict[str, Any]:
    """What `name` said last; empty when it has said nothing."""
    try:
        found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    except (OSError, ValueError):
        return {}
    return found
