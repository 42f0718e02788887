"""Small libraries in C that are put below a process, where a device or a disk is to be other than it is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def library(name: str, folder: Path) -> Path:
    """`name`.c of this folder, compiled into `folder` for LD_PRELOAD; the test is skipped without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler; see provisioning/test-packages.sh")
    made = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", made, source, "-ldl"], check=True)
    return made
