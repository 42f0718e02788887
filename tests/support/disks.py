"""Bad disks: small file systems of their own, and a library that makes flushes slow or hang at will."""

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
class SlowDisk:
    """Every flush of a process with this `environment` takes as long as told, until it is told otherwise."""

    environment: dict[str, str]
    _file: Path

    def slow(self, milliseconds: int) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(str(milliseconds))
        part.replace(self._file)

    def hang(self) -> None:
        self.slow(10**9)

    def good(self) -> None:
        self._file.unlink(missing_ok=True)


def slow_disk(folder: Path) -> SlowDisk:
    if shutil.which("gcc") is None and shutil.which("cc") is None:
        pytest.skip("no C compiler; see provisioning/test-packages.sh")
    file = folder / "slow"
    return SlowDisk(os.environ | shim(folder, 1) | {"SLOW_FSYNC_FILE": str(file)}, file)
