"""The `sdt` backend: a resident ID card reader on a serial port, asked again and again whether a card lies on it.

Name and number are taken out and everything else of a card is dropped where it arrives; the photograph would need a
proprietary decoder. A card counts once two readings of it agree, where the reader gives two. Written to the published
frames; tried with a simulator at the far end of a pseudo-terminal, never yet on a reader.
"""

from __future__ import annotations

import importlib
import termios
import time
from contextlib import suppress
from typing import Any

from edge import clock
from edge.config import Badge as Options
from edge.domain import sdt
from edge.domain.badges import Badge, TapFilter
from edge.domain.idcard import IdCard
from edge.errors import BadInput
from edge.hardware.badge import ReaderState, Tap, taps_within

_RETRY_MS = 1000
_PAUSE_S = 0.2
"""Between two questions whether there is a card."""
_ANSWER_S = 0.5
_LINE_BITS = 15_000
"""Of the longest answer but one, start and stop bits counted: 1.3 kB after about half a second with the card."""
_MUTE_AFTER = 3
"""Questions without an answer after which the reader is taken for switched off."""


class SdtReader:
    """The reader on the serial port `options.device`, present or not."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._filter = TapFilter(options.debounce_ms)
        self._port: Any = None
        self._seen = False
        self._closed = False
        self._unanswered = 0
        self._told_ms = -options.debounce_ms
        self._read_s = 1.0 + _LINE_BITS / options.baud
        self._state = ReaderState(False, "reader_missing")
        self._retry_ms = clock.mono_ms()
        self._open()

    def poll(self, timeout_s: float) -> list[Tap]:
        return taps_within(self._ask_for_a_card, timeout_s, _PAUSE_S)

    def state(self) -> ReaderState:
        return self._state

    def close(self) -> None:
        self._closed = True
        self._lose("reader_missing")

    def _open(self) -> None:
        self._retry_ms = clock.mono_ms() + _RETRY_MS
        try:
            serial = importlib.import_module("serial")
        except ImportError:
            self._state = ReaderState(False, "serial_driver")
            return
        try:
            self._port = serial.Serial(
                self._options.device, self._options.baud, timeout=0.05, write_timeout=1.0, exclusive=True
            )
        except (
            OSError,
            ValueError,
        ) as error:  # pyserial's own error is an OSError, without the cause's number at times
            denied = "ermission" in str(error)
            busy = "xclusive" in str(error)
            missing = "reader_lost" if self._seen else "reader_missing"
            self._state = ReaderState(False, "serial_denied" if denied else "reader_busy" if busy else missing)
            return
        self._unanswered = 0

    def _lose(self, reason: str) -> None:
        port, self._port = self._port, None
        if port is not None:
            with suppress(Exception):  # whatever a cable that has been pulled does to it
                port.close()
        self._state = ReaderState(False, reason)
        self._retry_ms = clock.mono_ms() + _RETRY_MS

    def _ask_for_a_card(self) -> list[Tap]:
        """One round: is there a card, which, and what stands on it, twice."""
        if self._port is None:
            if self._closed or clock.mono_ms() < self._retry_ms:
                return []
            self._open()
        if self._port is None:
            return []
        try:
            return self._round()
        except (OSError, TypeError, termios.error):  # unplugged, as pyserial says it in one place or another
            self._lose("reader_lost")
            return []

    def _round(self) -> list[Tap]:
        found = self._exchange(sdt.FIND, _ANSWER_S)
        if found is None:
            self._unanswered += 1
            if self._unanswered >= _MUTE_AFTER:
                self._state = ReaderState(False, "reader_mute")
            return []
        self._unanswered, self._seen, self._state = 0, True, ReaderState(True)
        if found.status != sdt.FOUND:
            return []
        selected = self._exchange(sdt.SELECT, _ANSWER_S)
        if selected is None or selected.status != sdt.SELECTED:
            return self._failed("badge_frame_cut")
        try:
            first = self._read()
            second = self._exchange(sdt.READ, self._read_s) if first is not None else None
            # some readers give a card once and say no the second time; another card, or none, is no answer
            if first is None or second is None:
                return self._failed("badge_frame_cut")
            if second.status == sdt.DONE and sdt.card_in(second.data) != first:
                return self._failed("badge_frame_cut")
        except BadInput as error:
            return self._failed(error.code)
        now = clock.mono_ms()
        new = self._filter.accept(Badge(first.number, now))
        return [Tap(None, None, now, "signed", card=first)] if new else []

    def _failed(self, reason: str) -> list[Tap]:
        """Said once in the while of the debounce, since the card is asked again at once."""
        now = clock.mono_ms()
        told, self._told_ms = self._told_ms, now
        return [Tap(None, reason, now)] if now - told >= self._options.debounce_ms else []

    def _read(self) -> IdCard | None:
        """What stands on the card that was selected; None when the reader does not say."""
        answer = self._exchange(sdt.READ, self._read_s)
        if answer is None or answer.status != sdt.DONE:
            return None
        return sdt.card_in(answer.data)

    def _exchange(self, what: tuple[int, int], timeout_s: float) -> sdt.Frame | None:
        """Ask, and take the one frame that comes; None when none comes in time or it may belong to another question.

        Whatever came before the question is thrown away, and after a failure the line has to fall silent first.
        """
        port = self._port
        port.reset_input_buffer()
        port.write(sdt.command(what))
        decoder = sdt.SdtDecoder()
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            frames = decoder.feed(port.read(max(1, port.in_waiting)))
            if frames:
                if len(frames) == 1 and not decoder.busy:
                    return frames[0]
                break
        decoder.reset()
        self._until_silent()
        return None

    def _until_silent(self) -> None:
        """Throw away what still comes, at most as long as the longest answer takes."""
        deadline = time.monotonic() + self._read_s
        quiet = self._options.gap_ms / 1000
        last = time.monotonic()
        while time.monotonic() < min(deadline, last + quiet):
            if self._port.read(max(1, self._port.in_waiting)):
                last = time.monotonic()
