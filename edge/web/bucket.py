"""The bandwidth that footage may take: one bucket for every answer with footage, smaller while an exam is on.

Blocks wait their turn in the order they ask, so that several downloads share it evenly; what was not used in the last
second may be sent at once. An answer that is being sent holds a thread of the exam's server, so there are few of them.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.errors import TooMany

SAVED_S = 1.0
"""So much of the rate may be saved up while nothing is sent: a click's first picture need not wait."""
PATIENCE_S = 5.0
STALLED_S = 20.0
"""So long may a browser take nothing of an answer before it can be cut off."""


class Bucket:
    """`bits`: how many a second may be sent now, asked each time."""

    def __init__(self, bits: Callable[[], float], now: Callable[[], float] = time.monotonic) -> None:
        self._bits, self._now = bits, now
        self._lock = threading.Lock()
        self._paid_until = now() - SAVED_S

    def take(self, size: int) -> float:
        """Book `size` bytes; the seconds to wait before they are sent."""
        with self._lock:
            now = self._now()
            self._paid_until = max(self._paid_until, now - SAVED_S) + size * 8 / self._bits()
            return max(0.0, self._paid_until - now)


class FootageFlow:
    """What all answers with footage share. `streams` are sent at once; as many more wait a moment for their turn.

    One whose browser takes nothing any more, as a paused player's, is cut off once another wants its place: browsers
    go on by a range. Its thread is not free before the browser has noticed, so such ones are few, too.
    """

    def __init__(self, bits: Callable[[], float], streams: int, wait: Callable[[float], bool]) -> None:
        self._bucket = Bucket(bits)
        self._streams, self._wait = streams, wait
        self._changed = threading.Condition()
        self._sent: list[_Place] = []
        self._all = 0

    def paced(self, blocks: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """The blocks at the pace there is. TooMany (`footage_streams`) while enough others are being sent; whatever
        `blocks` raises. The answer's end, or `close`, lets the next one in. ConnectionResetError where it is cut off.
        """
        place = self._let_in()
        try:
            return _Paced(blocks(), place, self._bucket, self._wait, self._done)
        except BaseException:
            self._done(place)
            raise

    def _let_in(self) -> _Place:
        end = time.monotonic() + PATIENCE_S
        with self._changed:
            if self._all >= 3 * self._streams:
                raise TooMany("footage_streams")
            self._all += 1
            while len(self._sent) >= self._streams and not self._cut_off_one():
                left = end - time.monotonic()
                if left <= 0:
                    self._all -= 1
                    raise TooMany("footage_streams")
                self._changed.wait(min(left, 0.5))
            place = _Place(time.monotonic())
            self._sent.append(place)
            return place

    def _cut_off_one(self) -> bool:
        now = time.monotonic()
        stalled = next((one for one in self._sent if now - one.handed_over > STALLED_S), None)
        if stalled is not None:
            stalled.cut_off = True
            self._sent.remove(stalled)
        return stalled is not None

    def _done(self, place: _Place) -> None:
        with self._changed:
            self._all -= 1
            if not place.cut_off:
                self._sent.remove(place)
            self._changed.notify()


@dataclass(eq=False)
class _Place:
    """One answer that is being sent: when its last block was handed over, and whether another has its place now."""

    handed_over: float
    cut_off: bool = False


class _Paced:
    """An iterator of its own, since a generator that was never begun cannot tell anybody that it is closed."""

    def __init__(
        self,
        blocks: Iterator[bytes],
        place: _Place,
        bucket: Bucket,
        wait: Callable[[float], bool],
        done: Callable[[_Place], None],
    ) -> None:
        self._blocks, self._place = blocks, place
        self._bucket, self._wait = bucket, wait
        self._done: Callable[[_Place], None] | None = done

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            block = next(self._blocks)
            seconds = self._bucket.take(len(block))
            if self._place.cut_off or (seconds and self._wait(seconds)):
                # the length was promised, so the connection has to go: the browser asks for the rest
                raise ConnectionResetError(errno.ECONNRESET, "cut off")
        except BaseException:
            self.close()
            raise
        self._place.handed_over = time.monotonic()
        return block

    def close(self) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(self._place)
            if hasattr(self._blocks, "close"):
                self._blocks.close()

    __del__ = close
