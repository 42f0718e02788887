"""systemd's notification protocol (sd_notify(3)): ready, watchdog, stopping; silent where there is no systemd."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(*states: str) -> None:
    """Send e.g. "READY=1" or "WATCHDOG=1" to whoever started us; nobody listening is fine."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
        sender.sendto("\n".join(states).encode(), target)
