"""What each process says of itself."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edge.store.status import read_statuses, write_status


def test_a_runtime_directory_that_takes_nothing_ends_no_service(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "status"
    folder.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            write_status(folder, "uplink", state="online")
    assert len(caplog.records) == 1, "said once, not every second"
    assert read_statuses(folder) == {}
    folder.unlink()
    write_status(folder, "uplink", state="online")
    assert read_statuses(folder)["uplink"]["state"] == "online"
