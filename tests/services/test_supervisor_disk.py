"""A list of processes that cannot be written stops no service."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edge.config import to_toml
from edge.services import supervisor
from edge.services.supervisor import Supervisor
from support.rooms import make_config


def test_a_list_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    config = make_config(tmp_path)
    file = tmp_path / "examroom.toml"
    file.write_text(to_toml(config))
    monkeypatch.setattr(supervisor, "service_names", lambda _config: ["nothing"])  # no service: ends at once
    stop = threading.Event()
    starts: list[str] = []

    def changed(_name: str, what: str) -> None:
        starts.append(what)
        if starts.count("started") == 2:
            stop.set()

    Supervisor(config, file, tmp_path / "logs").run(stop, changed)
    assert starts.count("started") == 2
