"""The figures of the long runs and benchmarks: `measured.json` beside this file, one object a name.

Shape: {name: {figure: number, ..., "date": "YYYY-MM-DD" (UTC), "machine": {"cores", "arch", "python"}}}.
"""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("measured.json")


def machine() -> dict[str, Any]:
    """What the figures were measured on; `cores` are those this process may use."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "arch": platform.machine(),
        "python": platform.python_version(),
    }


def read_measured() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return found


def record(name: str, figures: dict[str, Any]) -> None:
    """Put the figures of one run in place of those of its last."""
    entry = {**figures, "date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    everything = read_measured() | {name: entry}
    part = FILE.with_suffix(".part")
    part.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n")
    part.replace(FILE)
