"""Services forked from a process that has imported the program: real processes, without a second of imports each.

Whoever needs a fresh interpreter (the command line's own tests, the whole room, the demo) starts one.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

# What the helper runs: one JSON request a line, answered by the pid of a child that leads a session of its own.
_HELPER = """
import gc, json, os, signal, sys, traceback
import edge.cli, edge.gateway.app, edge.services.entry, edge.services.web
assert len(os.listdir("/proc/self/task")) == 1, "a fork would lose threads"
gc.freeze()

def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass

def become(request, ready):
    os.setsid()
    os.write(ready, b"1")
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for number, file in ((0, null), (1, log), (2, log)):
        os.dup2(file, number)
    os.closerange(3, 64)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["examroom", *request["words"]]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    code = 1
    try:
        edge.cli.main(request["words"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(code)

signal.signal(signal.SIGCHLD, reap)
signal.signal(signal.SIGINT, signal.SIG_IGN)
for line in sys.stdin:
    heard, ready = os.pipe()
    child = os.fork()
    if not child:
        become(json.loads(line), ready)
    os.close(ready)
    os.read(heard, 1)
    os.close(heard)
    print(child, flush=True)
"""


class Forked:
    """A started child: of `subprocess.Popen` what tests use of a service."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd: int | None = None
        with suppress(ProcessLookupError):
            self._fd = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """None while it runs."""
        return None if self._runs(0) else 0

    def wait(self, seconds: float | None = None) -> int:
        if self._runs(None if seconds is None else seconds * 1000):
            raise subprocess.TimeoutExpired("service", seconds or 0)
        return 0

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def _runs(self, milliseconds: float | None) -> bool:
        if self._fd is None:
            return False
        ended = select.poll()
        ended.register(self._fd, select.POLLIN)
        if not ended.poll(milliseconds):
            return True
        os.close(self._fd)
        self._fd = None
        return False


def start(words: list[str], log: Path, environment: Mapping[str, str] = os.environ) -> Forked:
    """`examroom WORDS` in a session of its own, both its outputs appended to `log`."""
    helper = _helper()
    assert helper.stdin is not None and helper.stdout is not None
    request = {"words": words, "log": str(log), "environment": dict(environment)}
    helper.stdin.write(json.dumps(request) + "\n")
    helper.stdin.flush()
    said = helper.stdout.readline()
    assert said, "the process that forks services has ended"
    return Forked(int(said))


@cache
def _helper() -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-c", _HELPER]
    helper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end() -> None:
        for pipe in (helper.stdin, helper.stdout):
            if pipe is not None:
                pipe.close()
        helper.wait(10)

    atexit.register(end)
    return helper
