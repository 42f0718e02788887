"""The `qr` backend: tickets shown to a camera. Only the text is read here; whether it is a ticket is checked elsewhere.

A picture is looked at only when it differs from the last one that was, or soon after: an idle door costs a comparison
of 64 x 48 points. A code is one tap until it has been out of the picture for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge import clock
from edge.hardware.badge import ReaderState, Tap, taps_within

MARK = "XT"
"""What the text of a ticket begins with, whatever its version."""
_LOOK_S = 0.2
_STALE_MS = 5000
_AFTER_MOTION_MS = 1500
"""A code that has come to rest is sharper than the picture that showed it moving."""
_GONE_MS = 3000
"""Out of the picture for so long it counts as taken away; the detector misses one in a few."""
_CODES, _MARGIN = 4, 1.1
"""So many codes are looked for in a picture at most; each is a little larger than its corners say."""
_SAMPLED_ROWS = 144
_THUMB = (64, 48)
_POINT, _POINTS = 14, 5
"""How much a point of the thumbnail has to change, and how many of them."""

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """The newest picture of a camera: its number, when it was taken (`mono_ms`), height x width x 3 bytes."""

    number: int
    mono_ms: int
    bgr: NDArray[np.uint8]


Pictures = Callable[[], Picture | None]


class QrReader:
    """A `BadgeReader` over the pictures of one camera."""

    def __init__(self, pictures: Pictures, debounce_ms: int) -> None:
        self._pictures = pictures
        self._gone_ms = max(debounce_ms, _GONE_MS)
        # by its finder patterns as markers: of small, slanted and dark codes it reads half as many again as the other
        self._detector = cv2.QRCodeDetectorAruco()
        self._state = ReaderState(False, "ticket_camera")
        self._number = -1
        self._last: Grey | None = None
        self._until_ms = 0
        self._held: dict[str, int] = {}
        self.looks = 0
        """Pictures that were searched for a code."""

    def poll(self, timeout_s: float) -> list[Tap]:
        return taps_within(self._look, timeout_s, _LOOK_S)

    def state(self) -> ReaderState:
        return self._state

    def close(self) -> None:
        self._state = ReaderState(False, "ticket_camera")

    def _look(self) -> list[Tap]:
        picture, now = self._pictures(), clock.mono_ms()
        if picture is None or now - picture.mono_ms > _STALE_MS:
            self._state = ReaderState(False, "ticket_camera")
            return []
        self._state = ReaderState(True)
        if picture.number == self._number:
            return []
        self._number = picture.number
        if not self._worth_a_look(picture.bgr, now):
            return []
        texts = self._texts(cv2.cvtColor(picture.bgr, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False))
        self._held = {held: at for held, at in self._held.items() if now - at < self._gone_ms}
        new = [text for text in texts if text not in self._held]
        self._held |= dict.fromkeys(texts, now)
        ticket = next((text for text in texts if text.startswith(MARK)), None)
        if ticket is None:
            return [Tap(None, "ticket_other_code", now)] if new else []
        return [Tap(None, None, now, "signed", ticket=ticket)] if ticket in new else []

    def _worth_a_look(self, bgr: NDArray[np.uint8], now: int) -> bool:
        step = max(1, bgr.shape[0] // _SAMPLED_ROWS)
        green = np.ascontiguousarray(bgr[::step, ::step, 1])
        thumb = cv2.resize(green, _THUMB, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        moved = self._last is None or int((cv2.absdiff(thumb, self._last) > _POINT).sum()) >= _POINTS
        if moved:
            self._last, self._until_ms = thumb, now + _AFTER_MOTION_MS
        if now <= self._until_ms:
            return True
        still = self._until_ms - _AFTER_MOTION_MS  # what was seen since the picture came to rest is still there
        self._held = {held: now if at >= still else at for held, at in self._held.items()}
        return False

    def _texts(self, grey: Grey) -> list[str]:
        """The codes in the picture, looked for until a ticket is among them.

        The detector gives one of several, or none where they differ in size: each that is no ticket is painted over
        and it is asked again; then its way for several is tried, each second time where there may be no code at all.
        """
        self.looks += 1
        whole, found = grey, list[str]()
        for _ in range(_CODES):
            text, corners = self._one(grey)
            found += [text] if text else []
            if text.startswith(MARK):
                return found
            if not text or corners is None:
                break
            grey = _without(grey, corners)
        return found + self._several(whole) if found or self.looks % 2 == 0 else found

    def _one(self, grey: Grey) -> tuple[str, NDArray[np.float32] | None]:
        try:
            text, corners, _ = self._detector.detectAndDecode(grey)
        except (cv2.error, UnicodeDecodeError, SystemError):  # of a code that is damaged in some ways
            return "", None
        return text, np.asarray(corners, np.float32).reshape(-1, 2) if text else None

    def _several(self, grey: Grey) -> list[str]:
        try:
            _, texts, _, _ = self._detector.detectAndDecodeMulti(grey)
        except (cv2.error, UnicodeDecodeError, SystemError):
            return []
        return [text for text in texts if text]


def _without(grey: Grey, corners: NDArray[np.float32]) -> Grey:
    """The picture with what lies between these corners, and a little around them, painted over."""
    middle = corners.mean(axis=0)
    wider = np.rint(middle + (corners - middle) * _MARGIN).astype(np.int32)
    painted = grey.copy()
    cv2.fillConvexPoly(painted, cv2.convexHull(wider), 255)
    return painted
