"""The gateway's server: gunicorn threads with TLS in the process; a proxy in front is for larger places."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from edge.errors import ExamroomError
from edge.gateway import clips
from edge.gateway.app import THREADS, create_gateway
from edge.gateway.settings import Province, open_province

log = logging.getLogger("examroom.gateway")


class GatewayServer(BaseApplication):  # type: ignore[misc]
    """One worker with threads; the province is opened in the worker, behind the fork."""

    def __init__(self, folder: Path, host: str, port: int, threads: int) -> None:
        self._folder = folder
        self._threads = threads
        self._province: Province | None = None
        self._settings: dict[str, Any] = {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": threads,
            "timeout": 60,
            "graceful_timeout": 3,
            "keepalive": 5,
            "certfile": str(folder / "tls" / "cert.pem"),
            "keyfile": str(folder / "tls" / "key.pem"),
            "accesslog": None,
            "proc_name": "examroom-gateway",
            "control_socket_disable": True,
            "worker_exit": self._exit,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        # after the fork: database connections belong to the worker that uses them
        self._province = open_province(self._folder)
        try:
            clips.tidy(self._province)
        except ExamroomError as error:
            log.warning("footage is not tidied: %s", error.code)
        return create_gateway(self._province, self._threads)

    def _exit(self, _server: object, _worker: object) -> None:
        if self._province is not None:
            self._province.close()


def serve(folder: Path, host: str, port: int, threads: int = THREADS) -> None:
    """Serve the gateway in `folder` over HTTPS until SIGTERM. ConfigError when there is no gateway there."""
    open_province(folder).close()
    GatewayServer(folder, host, port, threads).run()
