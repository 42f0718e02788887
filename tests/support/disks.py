"""Bad disks: small file systems of their own, and libraries by which flushes and writes hang, are slow or fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.saves import shim
from edge.store.reserve import MB
from support.preload import library


@contextmanager
def small_disk(kind: str, at: Path, image: Path, size_mb: int) -> Iterator[None]:
    """A file system of its own at `at`; takes root."""
    at.mkdir(parents=True)
    if kind == "ext4":
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("no mkfs.ext4")
        image.touch()
        os.truncate(image, size_mb * MB)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        how = ["-o", "loop", str(image)]
    else:
        how = ["-t", "tmpfs", "-o", f"size={size_mb}m", "none"]
    if subprocess.run(["mount", *how, str(at)], check=False, capture_output=True).returncode:
        pytest.skip(f"this machine lets nobody mount {kind}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


@dataclass(frozen=True)
class BadDisk:
    """What befalls the disk of a process with this `environment`, from when it is told until it is told otherwise.

    Flushes are those of every file, writes those of segments of footage alone.
    """

    environment: dict[str, str]
    _flushes: Path
    _writes: Path

    def hang(self) -> None:
        """No flush ends."""
        _told(self._flushes, str(10**9))

    def write_slowly(self, milliseconds: int) -> None:
        """Each write takes so long."""
        _told(self._writes, f"{milliseconds} 0")

    def fail(self, error: int) -> None:
        """Each write fails with this errno, a part of its bytes being written."""
        _told(self._writes, f"0 {error}")

    def good(self) -> None:
        for file in (self._flushes, self._writes):
            file.unlink(missing_ok=True)


def _told(file: Path, what: str) -> None:
    part = file.with_suffix(".part")
    part.write_text(what)
    part.replace(file)


def bad_disk(folder: Path) -> BadDisk:
    writer = library("bad_writes", folder)  # skips the test where there is no compiler
    below, flushes, writes = shim(folder, 1), folder / "flushes", folder / "writes"
    below["LD_PRELOAD"] += f":{writer}"
    told = {"SLOW_FSYNC_FILE": str(flushes), "BAD_WRITES": str(writes)}
    return BadDisk(os.environ | below | told, flushes, writes)
