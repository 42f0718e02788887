"""A list of processes that cannot be written stops no service."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

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


def test_a_service_that_cannot_be_started_is_tried_again_and_a_closed_terminal_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(tmp_path)
    file = tmp_path / "examroom.toml"
    file.write_text(to_toml(config))
    monkeypatch.setattr(supervisor, "service_names", lambda _config: ["nothing", "other"])
    monkeypatch.setattr(supervisor, "RESTART_LIMIT_SECONDS", 0.05)
    stop, said = threading.Event(), []
    real, failing = subprocess.Popen, [OSError(11, "no process"), PermissionError(13, "no folder")]

    def start(*arguments: Any, **options: Any) -> Any:
        if failing:
            raise failing.pop()
        return real(*arguments, **options)

    def changed(name: str, what: str) -> None:
        said.append((name, what))
        if {("nothing", "started"), ("other", "started")} <= set(said):
            stop.set()
        raise BrokenPipeError

    monkeypatch.setattr(subprocess, "Popen", start)
    Supervisor(config, file, tmp_path / "logs").run(stop, changed)
    assert said[:2] == [("nothing", "not started: no folder"), ("other", "not started: no process")]
