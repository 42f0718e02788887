"""The bandwidth that footage may take: one bucket for every answer with footage, smaller while an exam is on.

Blocks wait their turn in the order they ask, so that several downloads share it evenly; what was not used in the last
second may be sent at once. An answer that is being sent holds a thread of the exam's server, so there are few of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from edge.errors import TooMany

SAVED_S = 1.0
"""So much of the rate may be saved up while nothing is sent: a click's first picture need not wait."""
PATIENCE_S = 5.0


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
    """What all answers with footage share. `streams` are sent at once; as many more wait a moment for their turn."""

    def __init__(self, bits: Callable[[], float], streams: int, wait: Callable[[float], bool]) -> None:
        self._bucket = Bucket(bits)
        self._sending = threading.BoundedSemaphore(streams)
        self._asking = threading.BoundedSemaphore(2 * streams)
        self._wait = wait

    def paced(self, blocks: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """The blocks at the pace there is. TooMany (`footage_streams`) while enough others are being sent; whatever
        `blocks` raises. The answer's end, or `close`, lets the next one in.
        """
        if not self._asking.acquire(blocking=False):
            raise TooMany("footage_streams")
        try:
            if not self._sending.acquire(timeout=PATIENCE_S):
                raise TooMany("footage_streams")
        except BaseException:
            self._asking.release()
            raise
        try:
            return _Paced(blocks(), self._bucket, self._wait, self._done)
        except BaseException:
            self._done()
            raise

    def _done(self) -> None:
        self._sending.release()
        self._asking.release()


class _Paced:
    """An iterator of its own, since a generator that was never begun cannot tell anybody that it is closed."""

    def __init__(
        self, blocks: Iterator[bytes], bucket: Bucket, wait: Callable[[float], bool], done: Callable[[], None]
    ) -> None:
        self._blocks, self._bucket, self._wait = blocks, bucket, wait
        self._done: Callable[[], None] | None = done

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            block = next(self._blocks)
            seconds = self._bucket.take(len(block))
            if seconds and self._wait(seconds):
                raise StopIteration  # the process ends; what is cut short is asked for again from there
            return block
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        done, self._done = self._done, None
        if done is not None:
            done()
            if hasattr(self._blocks, "close"):
                self._blocks.close()

    __del__ = close
