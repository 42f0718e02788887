"""Free TCP ports for the processes of a desk: a demo, a rehearsal, a test."""

from __future__ import annotations

import itertools
import os
import socket

from edge.errors import Unavailable

# Below where the kernel takes the near ends of outgoing connections from (Linux: 32768), so that none of those is in
# the way by the time the process that was given the port binds it.
FIRST, BLOCK, BLOCKS = 10_240, 64, 350
_turn = itertools.count()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on. Processes that run side by side choose from blocks of their own.

    Unavailable when all are taken.
    """
    start = os.getpid() % BLOCKS * BLOCK
    for turn in itertools.islice(_turn, BLOCK * BLOCKS):
        port = FIRST + (start + turn) % (BLOCK * BLOCKS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as those bind it who get it
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise Unavailable("no_port")
