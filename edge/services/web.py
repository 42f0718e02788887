"""The `web` process: gunicorn with one worker and many threads; the group commit lives in the worker."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from typing import Any, Literal

from flask import Flask
from gunicorn.app.base import BaseApplication

from edge.config import Config
from edge.services.notify import notify
from edge.services.parent import end_with_parent
from edge.services.watchdog import start_watchdog
from edge.web.app import create_app
from edge.web.keeper import Keeper, start
from edge.web.room import Room

log = logging.getLogger("examroom.web")
STOP_SECONDS = 4
"""From SIGTERM to SIGKILL, of which the requests under way get this much, and the notes for the ledger that:"""
GRACE_SECONDS = 2
NOTES_SECONDS = 0.8
PIN_FROM_CORES = 4


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn over the room's pages; `run` returns when it has been told to stop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.stopping = threading.Event()
        self._room: Room | None = None
        self._keeper: Keeper | None = None
        super().__init__()

    def load_config(self) -> None:
        web = self._config.web
        settings: dict[str, Any] = {
            "bind": f"{web.host}:{web.port}",
            "workers": 1,
            "worker_class": "edge.services.worker.AnswerWorker",
            "threads": web.threads,
            "timeout": 60,
            "graceful_timeout": STOP_SECONDS,
            "keepalive": 30,
            "worker_tmp_dir": "/dev/shm",  # noqa: S108 - gunicorn's heartbeat file must not touch the card
            "post_fork": _post_fork(web.cpu),
            "when_ready": lambda _server: notify("READY=1"),
            "worker_exit": self._exit,
            "accesslog": None,
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        app = create_app(self._config)
        self._room = app.extensions["examroom"]
        self._room.stopping = self.stopping
        self._keeper = start(self._room, self.stopping)
        start_watchdog(self._config, "web", self.stopping)
        # what stands now stands as long as the process: the collector need not look at it again
        gc.collect()
        gc.freeze()
        return app

    def _exit(self, _server: object, _worker: object) -> None:
        self.stopping.set()
        if self._room is not None:
            self._room.journal.close()
        if self._keeper is not None:
            self._keeper.finish(NOTES_SECONDS)


def core_for(cpu: int | Literal["auto", "none"]) -> int | None:
    """The one core the worker is kept on, or None for any.

    Threads of one interpreter gain nothing from a second core and lose time handing its lock across. "auto" takes the
    last core where there are cores to spare.
    """
    cores = sorted(os.sched_getaffinity(0))
    if cpu == "none":
        return None
    if cpu != "auto":
        if cpu not in cores:
            log.warning("[web] cpu: there is no core %d here; any will do", cpu)
            return None
        return cpu
    return cores[-1] if len(cores) >= PIN_FROM_CORES else None


def _post_fork(cpu: int | Literal["auto", "none"]) -> Any:
    def post_fork(_server: object, worker: Any) -> None:
        # a worker must not outlive its master: the next one waits for the journal's lock
        end_with_parent(signal.SIGKILL)
        worker.cfg.set("graceful_timeout", GRACE_SECONDS)  # the master's stays longer: `_exit` has something to do yet
        # requests under way hold much that is young and no garbage: looking every 700 objects took 5 % of the core
        gc.set_threshold(20_000, 20, 50)
        core = core_for(cpu)
        if core is not None:
            os.sched_setaffinity(0, {core})

    return post_fork


def run(config: Config) -> None:
    """Serve until SIGTERM. Gunicorn owns the signals of this process."""
    Server(config).run()
