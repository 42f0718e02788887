"""The board as a stream: the whole document once, then only the tiles and parts that have changed.

With 200 seats the whole is some 60 kB; a change is a few hundred bytes.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from edge import clock
from edge.web.boards import Board, Document, due_ms

LOOK_SECONDS = 0.25
STREAM_LIMIT_SECONDS = 600.0
SEATS = "seats"
TIMES = ("now", "made")


def changes(board: Board, make: Callable[[], Document], stopping: threading.Event) -> Iterator[str]:
    """Events: `board` with everything, then `change` with what is new. Browsers come back when it ends: after ten
    minutes, or with the process, which would otherwise be killed before it has written what it holds.
    """
    before, version, end = None, -1, time.monotonic() + STREAM_LIMIT_SECONDS
    yield "retry: 2000\n\n"
    while time.monotonic() < end:
        changed = board.version()
        if before is None or changed != version or clock.mono_ms() >= due_ms(before):
            version, after = changed, board.newest(make)
            yield _event(before, after)
            before = after
        if stopping.wait(LOOK_SECONDS):
            return


def _event(before: Document | None, after: Document) -> str:
    if before is None:
        return f"event: board\ndata: {_text(after)}\n\n"
    news = difference(before, after)
    return f"event: change\ndata: {_text(news)}\n\n" if len(news) > len(TIMES) else ": same\n\n"


def difference(before: Document, after: Document) -> dict[str, Any]:
    """What a page that has `before` needs to have `after`: changed parts whole, of the seats the changed tiles only.

    Where tiles come, go or change places, all of them are sent. Its times are always there.
    """
    news: dict[str, Any] = {name: after[name] for name in TIMES}
    for key, value in after.items():
        if key in (*TIMES, SEATS) or before.get(key) == value:
            continue
        news[key] = value
    old, new = ([_key(tile) for tile in one[SEATS]] for one in (before, after))
    if old != new:
        news[SEATS] = after[SEATS]
        return news
    tiles = [tile for was, tile in zip(before[SEATS], after[SEATS], strict=True) if was != tile]
    if tiles:
        news["tiles"] = tiles
    return news


def _key(tile: Document) -> str:
    return str(tile["person"] or tile["seat"])


def _text(value: object) -> str:
    """Names in the order that answers have them: the page compares the texts of what it shows."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
