"""A line on which replies get lost although the room has acted: Wi-Fi that drops in the wrong moment."""

from __future__ import annotations

import select
import socket
import threading

from support.tls_front import Certificate, Front

SAVE = b"POST /exam/api/answers"


class LossyFront(Front):
    """Every `every`th answer reaches the room and its reply is thrown away with the connection. `lost` counts them."""

    def __init__(self, to_port: int, every: int, certificate: Certificate | None = None) -> None:
        self.every = every
        self.saves = 0
        self.lost = 0
        self._count = threading.Lock()
        super().__init__(to_port, certificate)

    def _pump(self, caller: socket.socket, room: socket.socket) -> None:  # type: ignore[override]
        drop = False
        while True:
            ready = select.select([caller, room], [], [], 60)[0]
            if not ready:
                return
            for one in ready:
                data = one.recv(65_536)
                if not data:
                    return
                if one is caller:
                    if SAVE in data:
                        drop = self._is_lost()
                    room.sendall(data)
                elif drop:
                    return  # the room has answered: what it did is on its disk
                else:
                    caller.sendall(data)

    def _is_lost(self) -> bool:
        with self._count:
            self.saves += 1
            lost = self.every > 0 and self.saves % self.every == 0
            self.lost += lost
        return lost
