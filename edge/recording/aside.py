"""Whoever makes what can be made again lets the exam and the recorder go first."""

from __future__ import annotations

import ctypes
import os
import platform
from contextlib import suppress

EXAM_BITS = 80_000_000
"""Written a second while an exam is on: ten megabytes, so that footage finds the disk free in between."""


def step_back() -> None:
    """This thread leaves the core of the pages to them, and the disk to whoever else wants it, where it may."""
    with suppress(OSError):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    number = {"x86_64": 251, "aarch64": 30}.get(platform.machine())
    if number is not None:
        # ioprio_set(this thread, best effort, last): "idle" could hold the store's lock for ever behind a busy disk
        ctypes.CDLL(None, use_errno=True).syscall(number, 1, 0, 2 << 13 | 7)
