"""systemd's watchdog, fed by the service's own signs of life."""

from __future__ import annotations

import threading

from edge import clock
from edge.config import Config
from edge.services.notify import notify
from edge.store.status import read_statuses

WATCHDOG_SECONDS = 5.0


def start_watchdog(config: Config, name: str, stop: threading.Event) -> None:
    """Feed systemd's watchdog for as long as the service's own loop keeps its status fresh; a hung loop starves it."""
    key = name.replace("@", "-")

    def feed() -> None:
        while not stop.wait(WATCHDOG_SECONDS):
            said = read_statuses(config.paths.status).get(key, {})
            if clock.mono_ms() - int(said.get("mono_ms", 0)) < 2000 * WATCHDOG_SECONDS:
                notify("WATCHDOG=1")

    threading.Thread(target=feed, name="watchdog", daemon=True).start()
