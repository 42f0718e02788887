"""Which preset x264 codes with: the best that leaves the machine room, by how long coding really takes.

A slower preset codes the same pictures better at the same bitrate. One that turns out to take too long is not tried
again as long as the camera is open, so that a busy machine does not go to and fro; each change is a new encoder.
"""

from __future__ import annotations

PRESETS = ("ultrafast", "superfast", "veryfast")
_WINDOW_S = 5.0
_CALM = 3  # windows
_LOW, _HIGH = 0.3, 0.6
"""Shares of the time from one picture to the next that coding takes."""


class Headroom:
    """Tell it of each picture how long coding it took; `preset` is what to code the next with."""

    def __init__(self) -> None:
        self._level, self._most = 0, len(PRESETS) - 1
        self._began_s: float | None = None
        self._busy_s = 0.0
        self._calm = 0

    @property
    def preset(self) -> str:
        return PRESETS[self._level]

    def took(self, seconds: float, now_s: float) -> None:
        """A picture was coded in so many seconds, and is done at `now_s` of any clock that only goes forward."""
        if self._began_s is None:
            self._began_s = now_s
            return
        self._busy_s += seconds
        passed_s = now_s - self._began_s
        if passed_s < _WINDOW_S:
            return
        share, self._busy_s, self._began_s = self._busy_s / passed_s, 0.0, now_s
        self._calm = self._calm + 1 if share < _LOW else 0
        if share > _HIGH and self._level > 0:
            self._level -= 1
            self._most = self._level
        elif self._calm >= _CALM and self._level < self._most:
            self._level, self._calm = self._level + 1, 0
