"""The long runs are collected only where they are asked for by their mark: `-m soak`, as `make soak` does."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if "soak" in config.option.markexpr else True
