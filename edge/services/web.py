"""The `web` process: gunicorn with one worker and many threads; the group commit lives in the worker."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from edge.config import Config
from edge.services.notify import notify
from edge.services.parent import end_with_parent
from edge.services.watchdog import start_watchdog
from edge.web.app import create_app
from edge.web.keeper import start

GRACE_SECONDS = 3


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, config: Config) -> None:
        self._config = config
        self._stop = threading.Event()
        super().__init__()

    def load_config(self) -> None:
        web = self._config.web
        settings: dict[str, Any] = {
            "bind": f"{web.host}:{web.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": web.threads,
            "timeout": 60,
            "graceful_timeout": GRACE_SECONDS,
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
        start(app.extensions["examroom"], self._stop)
        start_watchdog(self._config, "web", self._stop)
        return app

    def _exit(self, _server: object, worker: Any) -> None:
        self._stop.set()
        app = getattr(worker, "wsgi", None)
        if isinstance(app, Flask):
            app.extensions["examroom"].journal.close()


def _post_fork(cpu: int | None) -> Any:
    def post_fork(_server: object, _worker: object) -> None:
        # a worker must not outlive its master: the next one waits for the journal's lock
        end_with_parent(signal.SIGKILL)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    return post_fork


def run(config: Config) -> None:
    """Serve until SIGTERM. Gunicorn owns the signals of this process."""
    _Server(config).run()
