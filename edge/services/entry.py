"""The entry of each process: signals, logging, systemd, then the service's own loop until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable

from edge.config import Config
from edge.errors import BadInput
from edge.services.notify import notify
from edge.services.parent import follow_supervisor
from edge.services.watchdog import start_watchdog


def run_service(config: Config, name: str) -> None:
    """Run one service in this process until SIGTERM or SIGINT. BadInput for a name there is none of."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    config.paths.runtime.mkdir(parents=True, exist_ok=True)
    if name == "web":
        follow_supervisor()
        from edge.services import web

        web.run(config)
        return
    loop = _loop_of(config, name)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    follow_supervisor()
    notify("READY=1")
    start_watchdog(config, name, stop)
    try:
        loop(stop)
    finally:
        stop.set()
        notify("STOPPING=1")


def _loop_of(config: Config, name: str) -> Callable[[threading.Event], None]:
    kind, _, instance = name.partition("@")
    if kind == "camera" and instance in config.camera:
        from edge.services import camera

        return lambda stop: camera.run(config, instance, stop)
    if name == "checkin":
        from edge.services import checkin

        return lambda stop: checkin.run(config, stop)
    if name == "uplink":
        from edge.services import uplink

        return lambda stop: uplink.run(config, stop)
    raise BadInput("service_unknown", name=name)
