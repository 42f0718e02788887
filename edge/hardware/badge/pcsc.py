"""The `pcsc` backend: contactless cards through pcscd, by pyscard's plain interface (`smartcard.scard`).

On a Pi pyscard is Debian's python3-pyscard. Tried against pcscd with the virtual reader of vsmartcard-vpcd; never yet
on a reader of one's hand, whose FF CA and FF B0 are those of PC/SC part 3.
"""

from __future__ import annotations

import importlib
import logging
from contextlib import suppress
from functools import partial
from typing import Any

from edge import clock
from edge.config import Badge as Options
from edge.domain.badges import Badge, TapFilter
from edge.errors import BadInput
from edge.hardware.badge import ReaderState, Tap, taps_within
from edge.hardware.badge.cards import Wanted, read_badge

_log = logging.getLogger(__name__)
_RETRY_MS = 1000
_LOOK_S = 0.1
"""Between two looks at the readers: pyscard's own waiting cannot be called off."""


class PcscReader:
    """All PC/SC readers whose name contains `options.device`, present or not."""

    def __init__(self, options: Options) -> None:
        self._part = options.device
        self._wanted = Wanted(options.content, options.prefix, options.min_length, options.max_length, options.checksum)
        self._filter = TapFilter(options.debounce_ms)
        self._scard: Any = None
        self._context: Any = None
        self._held: dict[str, bool] = {}
        self._seen = False
        self._closed = False
        self._state = ReaderState(False, "reader_missing")
        self._retry_ms = clock.mono_ms()
        self._open()

    def poll(self, timeout_s: float) -> list[Tap]:
        return taps_within(self._look, timeout_s, _LOOK_S)

    def state(self) -> ReaderState:
        return self._state

    def close(self) -> None:
        self._closed = True
        self._drop("reader_missing")

    def _open(self) -> None:
        self._retry_ms = clock.mono_ms() + _RETRY_MS
        try:
            self._scard = self._scard or importlib.import_module("smartcard.scard")
        except ImportError:
            self._state = ReaderState(False, "pcsc_driver")
            return
        result, context = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_USER)
        if result == self._scard.SCARD_S_SUCCESS:
            self._context = context
        else:
            denied = result in (self._scard.SCARD_W_SECURITY_VIOLATION, self._scard.SCARD_E_NO_ACCESS)
            self._state = ReaderState(False, "pcsc_denied" if denied else "pcsc_service")

    def _drop(self, reason: str) -> None:
        context, self._context = self._context, None
        if context is not None:
            self._scard.SCardReleaseContext(context)
        self._held.clear()
        self._state = ReaderState(False, reason)
        self._retry_ms = clock.mono_ms() + _RETRY_MS

    def _look(self) -> list[Tap]:
        """One look at every reader: what cards have come since the last."""
        if self._context is None:
            if self._closed or clock.mono_ms() < self._retry_ms:
                return []
            self._open()
        if self._context is None:
            return []
        scard = self._scard
        result, names = scard.SCardListReaders(self._context, [])
        if result not in (scard.SCARD_S_SUCCESS, scard.SCARD_E_NO_READERS_AVAILABLE):
            self._drop("pcsc_service")  # pcscd has ended
            return []
        names = [name for name in (names if result == scard.SCARD_S_SUCCESS else []) if self._part in name]
        if not names:
            self._held.clear()
            self._state = ReaderState(False, "reader_lost" if self._seen else "reader_missing")
            return []
        result, states = scard.SCardGetStatusChange(
            self._context, 0, [(name, scard.SCARD_STATE_UNAWARE) for name in names]
        )
        if result != scard.SCARD_S_SUCCESS:
            if result not in (scard.SCARD_E_TIMEOUT, scard.SCARD_E_UNKNOWN_READER):
                self._drop("pcsc_service")
            return []
        self._seen, self._state = True, ReaderState(True)
        held, self._held = self._held, {}
        taps: list[Tap] = []
        for name, state, _ in states:
            here = bool(state & scard.SCARD_STATE_PRESENT)
            self._held[name] = here
            if here and not held.get(name, False):
                taps += self._read(name, mute=bool(state & scard.SCARD_STATE_MUTE))
        return taps

    def _read(self, name: str, *, mute: bool) -> list[Tap]:
        if mute:
            return [Tap(None, "badge_mute", clock.mono_ms())]
        scard = self._scard
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        result, card, protocol = scard.SCardConnect(self._context, name, scard.SCARD_SHARE_SHARED, protocols)
        if result != scard.SCARD_S_SUCCESS:
            busy = result == scard.SCARD_E_SHARING_VIOLATION
            return [Tap(None, "reader_busy" if busy else "badge_frame_cut", clock.mono_ms())]
        try:
            badge, strength = read_badge(partial(self._transmit, card, protocol), self._wanted)
        except BadInput as error:
            return [Tap(None, error.code, clock.mono_ms())]
        except OSError:
            return [Tap(None, "badge_frame_cut", clock.mono_ms())]
        finally:
            with suppress(Exception):
                scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
        now = clock.mono_ms()
        return [Tap(badge, None, now, strength)] if self._filter.accept(Badge(badge, now)) else []

    def _transmit(self, card: Any, protocol: int, command: bytes) -> bytes:
        result, answer = self._scard.SCardTransmit(card, protocol, list(command))
        if result != self._scard.SCARD_S_SUCCESS or not answer:  # some drivers answer nothing for a card that is gone
            raise OSError(result, "no answer from the card")
        return bytes(byte & 0xFF for byte in answer)
