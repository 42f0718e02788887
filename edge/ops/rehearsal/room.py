"""The scratch room of a rehearsal: its own keys, databases and `web`, on the same disk as the real room's.

It shares no file with the real room, so that nothing a rehearsal does can reach a real session; what it measures is
the same program on the same disk and processor, beside whatever else the box is doing.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import requests

from edge import clock
from edge.config import ENVIRONMENT, Config, to_toml
from edge.errors import Unavailable
from edge.ops.desk import StaffMember
from edge.store.status import read_statuses

log = logging.getLogger("examroom.rehearsal")
START_S = 60.0
RESTART_S = 0.5
STATUS_S = 5.0
TRIES = 3
# -I 2: it heeds SIGTERM, though it writes to a file, and passes it on
STRACE = ("strace", "-f", "--seccomp-bpf", "-I", "2", "-qq", "-A", "-e", "trace=fsync,fdatasync", "-o")
"""In the environment: count flushes by the journal's own word."""


@dataclass(frozen=True)
class Usage:
    """What `web`, or any group of processes, has used so far: processor seconds, and memory held (megabytes).

    `pss_mb`: pages that master and worker share counted once; None where the kernel does not tell.
    """

    cpu_s: float
    rss_mb: float
    pss_mb: float | None


class ScratchRoom:
    """Made by `making.make`, removed by `remove`; `web` is started again whenever it dies, as systemd would."""

    def __init__(self, folders: Sequence[Path], config: Config, proctor: StaffMember) -> None:
        """`folders`: all that is the scratch room's own, what holds its state first."""
        self._folders = folders
        folder = self._folder = folders[0]
        self.config = config
        self.proctor = proctor
        self._file = folder / "examroom.toml"
        self._file.write_text(to_toml(config), encoding="utf-8")
        self._trace: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()
        self._keeper: threading.Thread | None = None
        self._cpu_before = 0.0
        self._last = Usage(0.0, 0.0, None)
        self._flushed: dict[int, int] = {}
        """pid of a `web` -> its flushes when last asked"""
        self.starts = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.config.web.port}"

    def start(self, look: Callable[[], None] = lambda: None) -> None:
        """Start `web`. Unavailable, with the end of its log, when it does not answer in a minute or keeps dying.

        `look` is called meanwhile, and ends it by raising.
        """
        self._spawn()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.starts <= TRIES:
            if self.answers():
                return
            look()
            time.sleep(0.1)
        log.error("%s", self._said())
        raise Unavailable("rehearsal_no_web")

    def answers(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"{self.base}/healthz", timeout=2).ok
        return False

    def kill(self) -> None:
        """SIGKILL to `web` and its worker, at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        self._stop.set()
        if self._keeper is not None:
            self._keeper.join()
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
                self._process.wait()
            self.kill()

    def remove(self) -> None:
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    def mirror(self) -> str | None:
        """What `web` says of the second medium: "ok" or the reason why not; None without one."""
        if self.config.store.mirror is None:
            return None
        said = read_statuses(self.config.paths.status).get("mirror", {})
        return str(said.get("reason") or said.get("state", "unknown"))

    def usage(self) -> Usage:
        """Over all starts of `web` so far."""
        return replace(self._last, cpu_s=self._cpu_before + self._last.cpu_s)

    def flushes(self) -> int | None:
        """fsync and fdatasync calls of `web` so far: seen from outside by strace, or else by the journal's own count.

        None when `web` says nothing. Its own count is of answers.db alone, and starts anew with it.
        """
        if self._trace is not None:
            return sum(b"sync(" in line for line in self._trace.read_bytes().splitlines())
        asked = clock.mono_ms()
        end = time.monotonic() + STATUS_S
        while time.monotonic() < end:
            status = read_statuses(self.config.paths.status).get("web", {})
            if "flushes" in status and int(status["mono_ms"]) >= asked:
                return self._count(int(status["pid"]), int(status["flushes"]))
            time.sleep(0.1)
        return None

    def _count(self, pid: int, flushes: int) -> int:
        self._flushed[pid] = flushes
        return sum(self._flushed.values())

    def count_by_strace(self) -> None:
        """Before `start`: count flushes from outside. Where the kernel stops at every call it makes the room many
        times slower, so that what a rehearsal is for is done without."""
        self._trace = self._folder / "flushes"

    @property
    def traced(self) -> bool:
        """Whether `flushes` are seen from outside."""
        return self._trace is not None

    def _spawn(self) -> None:
        # with this process, however that ends, `web` ends too
        prefix = [sys.executable, "-m", "edge.services.parent", str(os.getpid())]
        if self._trace is not None:
            prefix += [*STRACE, str(self._trace)]
        command = [*prefix, sys.executable, "-m", "edge.cli", "--config", str(self._file), "service", "web"]
        with (self._folder / "web.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | {ENVIRONMENT: str(self._file)}, start_new_session=True, stdout=log, stderr=log
            )
        self.starts += 1

    def _keep(self) -> None:
        while not self._stop.wait(0.25):
            if self._process is not None and self._process.poll() is not None:
                self._cpu_before += self._last.cpu_s
                self._last = replace(self._last, cpu_s=0.0)
                if self._stop.wait(RESTART_S):
                    return
                self.kill()  # whatever of its group is left holds the journal's lock
                self._spawn()
            elif self._process is not None:
                self._measure(self._process.pid)

    def _measure(self, group: int) -> None:
        """The most it held at once, and the processor time that only grows."""
        now, last = usage_of(group), self._last
        pss = max(now.pss_mb, last.pss_mb or 0.0) if now.pss_mb else last.pss_mb
        self._last = Usage(max(now.cpu_s, last.cpu_s), max(now.rss_mb, last.rss_mb), pss)

    def _said(self) -> str:
        with suppress(OSError):
            return (self._folder / "web.log").read_text(errors="replace")[-400:]
        return ""


def usage_of(group: int) -> Usage:
    """What the processes of a group have used and hold now, summed; one that ends while it is read is left out, and so
    is strace."""
    cpu = rss = pss = 0.0
    told = True
    ticks = os.sysconf("SC_CLK_TCK")
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            name, _, rest = stat.read_text().rpartition(") ")
            fields = rest.split()
            if int(fields[2]) != group or "(strace" in name:
                continue
            cpu += (int(fields[11]) + int(fields[12])) / ticks
            rss += _memory_mb(stat.parent / "status", "VmRSS:") or 0.0
            share = _memory_mb(stat.parent / "smaps_rollup", "Pss:")
            told = told and share is not None
            pss += share or 0.0
    return Usage(cpu, rss, pss if told and pss else None)


def _memory_mb(file: Path, name: str) -> float | None:
    """A figure of one of the kernel's lists about a process; None where it is not told."""
    with suppress(OSError):
        for line in file.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    return None


def can_trace() -> bool:
    """Whether strace is here and may trace."""
    if shutil.which("strace") is None:
        return False
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([*STRACE, "/dev/null", "true"], capture_output=True, timeout=10, check=False)
        return done.returncode == 0
    return False
