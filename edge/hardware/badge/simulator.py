"""A virtual card reader: the key events of a real one, written to the pipe of the `events` backend."""

from __future__ import annotations

from pathlib import Path

from edge import clock
from edge.domain.badges import DIGITS, DOWN, LEFT_SHIFT, LETTERS, UP, KeyEvent
from edge.errors import BadInput
from edge.hardware.badge.pipes import write_whole
from edge.hardware.badge.records import EV_KEY, EV_SYN, RECORD, SYN_REPORT

_ENTER = 28
_KEYS = {character: code for code, character in DIGITS.items()}
_CAPITALS = {character: code for code, character in LETTERS.items()}


def key_events(text: str, start_ms: int = 0, step_ms: int = 2) -> list[KeyEvent]:
    """The presses and releases that type `text` and Enter, one each `step_ms`; Shift is held for each letter.

    BadInput for anything but digits and capital letters.
    """
    strokes: list[tuple[int, int]] = []
    for character in text:
        if character in _KEYS:
            strokes += [(_KEYS[character], DOWN), (_KEYS[character], UP)]
        elif character in _CAPITALS:
            code = _CAPITALS[character]
            strokes += [(LEFT_SHIFT, DOWN), (code, DOWN), (code, UP), (LEFT_SHIFT, UP)]
        else:
            raise BadInput("badge_text")
    if not strokes:
        raise BadInput("badge_text")
    strokes += [(_ENTER, DOWN), (_ENTER, UP)]
    return [KeyEvent(code, value, start_ms + step_ms * i) for i, (code, value) in enumerate(strokes)]


def encode(events: list[KeyEvent]) -> bytes:
    """The 24-byte records of the events, each followed by its SYN_REPORT as the kernel sends them."""
    out = bytearray()
    for event in events:
        seconds, microseconds = event.time_ms // 1000, event.time_ms % 1000 * 1000
        out += RECORD.pack(seconds, microseconds, EV_KEY, event.code, event.value)
        out += RECORD.pack(seconds, microseconds, EV_SYN, SYN_REPORT, 0)
    return bytes(out)


def press_keys(text: str, start_ms: int | None = None, step_ms: int = 2) -> bytes:
    """The records of a whole tap, from now unless `start_ms` is given."""
    return encode(key_events(text, clock.mono_ms() if start_ms is None else start_ms, step_ms))


def tap(path: Path, badge: str) -> None:
    """Hold a card to the reader at `path`.

    BadInput for a badge that no reader types; Unavailable when nothing reads the pipe, or does not take it in.
    """
    write_whole(path, press_keys(badge), nobody="reader_nobody", stalled="reader_stalled")
