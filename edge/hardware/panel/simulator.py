"""A finger for the panel on mock pins: writes to the pipe that `panel.control` names."""

from __future__ import annotations

import time
from pathlib import Path

from edge.hardware.badge.pipes import write_whole


def press(control: Path, hold_s: float = 0.1) -> None:
    """Press the button, hold it, let go. Unavailable when no panel reads the pipe."""
    _line(control, b"press\n")
    time.sleep(hold_s)
    _line(control, b"release\n")


def _line(control: Path, line: bytes) -> None:
    write_whole(control, line, nobody="panel_nobody", stalled="reader_stalled")
