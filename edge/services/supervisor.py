"""`examroom run`: every service a process of its own on a desk, restarted when it dies. On a Pi systemd does this."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from edge.config import ENVIRONMENT, Config
from edge.ops.rehearsal.asking import REQUEST
from edge.services.parent import SUPERVISED

log = logging.getLogger("examroom.run")
RESTART_SECONDS = 0.5
RESTART_LIMIT_SECONDS = 10.0
STEADY_SECONDS = 10.0
STOP_SECONDS = 5.0
REHEARSAL = "rehearse"


def service_names(config: Config) -> list[str]:
    """camera@NAME for each camera, then checkin, web, uplink."""
    return [*(f"camera@{name}" for name in config.camera), "checkin", "web", "uplink"]


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = RESTART_SECONDS
    due: float = 0.0
    starts: int = field(default=0)


class Supervisor:
    """Starts the services in process groups of their own, so that a stray worker dies with its master."""

    def __init__(self, config: Config, config_file: Path, logs: Path | None = None) -> None:
        self._file = config_file
        self._logs = logs
        self._children = {name: _Child(name) for name in service_names(config)}
        self._config = config
        self._rehearsal: subprocess.Popen[bytes] | None = None
        self._asked: int | None = None

    def run(self, stop: threading.Event, changed: Callable[[str, str], None] = lambda _name, _what: None) -> None:
        """Keep everything running until `stop`; `changed(name, what)` hears of starts and deaths."""
        try:
            while not stop.is_set():
                for child in self._children.values():
                    self._look_after(child, lambda name, what: _tell(changed, name, what))
                self._rehearse(lambda name, what: _tell(changed, name, what))
                with suppress(OSError):  # a full disk costs the list of processes, never the room
                    self._write_pids()
                stop.wait(0.1)
        finally:
            self._stop_all()

    def _look_after(self, child: _Child, changed: Callable[[str, str], None]) -> None:
        now = time.monotonic()
        if child.process is not None and child.process.poll() is not None:
            code = child.process.returncode
            _kill_group(child.process.pid)
            child.process = None
            child.pause = RESTART_SECONDS if now - child.started > STEADY_SECONDS else child.pause * 2
            child.pause = min(child.pause, RESTART_LIMIT_SECONDS)
            child.due = now + (child.pause if child.starts > 1 else RESTART_SECONDS)
            log.warning("%s ended with %s; starting it again", child.name, code)
            changed(child.name, f"died {code}")
        if child.process is None and now >= child.due:
            try:
                child.process = self._serve(child.name)
            except OSError as error:  # no process, memory or disk to be had: the others go on
                child.pause = min(child.pause * 2, RESTART_LIMIT_SECONDS)
                child.due = now + child.pause
                log.warning("%s cannot be started: %s; will try again", child.name, error)
                changed(child.name, f"not started: {error.strerror}")
                return
            child.started = now
            child.starts += 1
            changed(child.name, "started")

    def _rehearse(self, changed: Callable[[str, str], None]) -> None:
        """Start the rehearsal that was asked for at the console; once, however it ends."""
        request = self._config.paths.runtime / REQUEST
        if self._rehearsal is not None and self._rehearsal.poll() is not None:
            _kill_group(self._rehearsal.pid)
            changed(REHEARSAL, f"ended {self._rehearsal.returncode}")
            self._rehearsal = None
            if _written(request) == self._asked:  # it could not even take it: the next would not either
                request.unlink(missing_ok=True)
        asked = _written(request)
        if self._rehearsal is None and asked is not None:
            self._asked = asked
            # with this process, however that ends, the rehearsal ends too; it is no service, and `web` of its scratch
            # room is its child, not the supervisor's
            prefix = [sys.executable, "-m", "edge.services.parent", str(os.getpid())]
            try:
                self._rehearsal = self._start(REHEARSAL, ["rehearse", "--requested"], prefix, os.environ.copy())
            except OSError as error:
                log.warning("a rehearsal cannot be started: %s", error)
                request.unlink(missing_ok=True)
                return
            changed(REHEARSAL, "started")

    def _serve(self, name: str) -> subprocess.Popen[bytes]:
        return self._start(name, ["service", name], [], os.environ | {SUPERVISED: str(os.getpid())})

    def _start(
        self, name: str, words: list[str], prefix: list[str], environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        environment[ENVIRONMENT] = str(self._file)
        command = [*prefix, sys.executable, "-m", "edge.cli", "--config", str(self._file), *words]
        if self._logs is None:
            return subprocess.Popen(command, env=environment, start_new_session=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / f"{name}.log").open("ab") as out:
            return subprocess.Popen(command, env=environment, start_new_session=True, stdout=out, stderr=out)

    def _write_pids(self) -> None:
        """runtime/pids: a line a service, for `examroom` commands and tests that want to find one."""
        lines = [f"{c.name} {c.process.pid} {c.starts}\n" for c in self._children.values() if c.process is not None]
        file = self._config.paths.runtime / "pids"
        if not file.exists() or file.read_text() != "".join(lines):
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part")
            part.write_text("".join(lines))
            part.replace(file)

    def _stop_all(self) -> None:
        living = [c.process for c in self._children.values() if c.process is not None]
        living += [] if self._rehearsal is None else [self._rehearsal]
        for process in living:
            with suppress(ProcessLookupError):
                process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for process in living:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
        for process in living:
            _kill_group(process.pid)
            process.wait()
        with suppress(OSError):
            (self._config.paths.runtime / "pids").unlink()


def read_pids(runtime: Path) -> dict[str, int]:
    """The running services' process ids by name."""
    try:
        lines = (runtime / "pids").read_text().split("\n")
    except OSError:
        return {}
    return {name: int(pid) for name, pid, _ in (line.split(" ") for line in lines if line)}


def _tell(changed: Callable[[str, str], None], name: str, what: str) -> None:
    """Whoever listens may be gone, as a closed terminal is; the room is not."""
    with suppress(OSError, ValueError):
        changed(name, what)


def _written(file: Path) -> int | None:
    """When a file was written, to the nanosecond; None where there is none."""
    with suppress(OSError):
        return file.stat().st_mtime_ns
    return None


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
