"""How many wrong seat codes are taken before everybody has to wait: guessing stays hopeless, a room is not locked out.

A whole room may come through one router and so from one address. What a tablet calls itself is its own word, which
bounds only the honest; the address and the room bound those who make names up. Both bounds follow the number of seats
whose tablet is still to come, since as many people still have a code to mistype, and a guess can hit no other seat:
with 200 of them a guesser finds one in forty minutes of a room full of refusals, with 20 in more than a day.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from edge.errors import TooMany

WINDOW_S = 60.0
OF_TABLET = 10


def of_address(waiting: int) -> int:
    """Wrong codes a minute from one address, while `waiting` seats have no tablet."""
    return OF_TABLET + waiting // 4


class WrongCodes:
    """The wrong codes of the last minute. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wrong: deque[tuple[float, str, str]] = deque()

    def check(self, address: str, device: str, waiting: int) -> None:
        """TooMany where this tablet, this address or the room has used up its tries."""
        with self._lock:
            self._forget()
            here = [tablet for _, whence, tablet in self._wrong if whence == address]
            limit = of_address(waiting)
            if here.count(device) >= OF_TABLET or len(here) >= limit or len(self._wrong) >= 2 * limit:
                raise TooMany("seat_code_tries")

    def add(self, address: str, device: str) -> None:
        with self._lock:
            self._wrong.append((time.monotonic(), address, device))

    def _forget(self) -> None:
        while self._wrong and time.monotonic() - self._wrong[0][0] >= WINDOW_S:
            self._wrong.popleft()
