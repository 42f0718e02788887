"""When a camera's recording is late, what is said of it, and how much less the camera is asked to send meanwhile.

Told within five seconds: a picture that has waited two seconds for the disk; any loss; and pictures that come and give
nothing new on the disk for whatever reason (a source without key frames).
"""

from __future__ import annotations

from collections.abc import Callable

from edge.domain.sight import Telling
from edge.hardware.camera.source import CameraSource
from edge.recording.indexer import Note
from edge.recording.pen import Pen
from edge.recording.recorder import Recorder

LATE_MS = 2000
_GOOD_MS = 1000
_OVER_MS = 5000  # so long it has to be good again
_UNSYNCED_MS = 4000  # well above the longest fragment of `config.Recording`, and half a second
_EASE_EVERY_MS = 5000
_RESTORE_MS = 60_000
_STEP, _LEAST = 0.6, 0.2


class Late:
    """One camera's; `percent` is the share of its bitrate that it is asked for, 100 where that cannot be changed."""

    def __init__(self, camera: str, put: Callable[[Note], None]) -> None:
        self._camera, self._put = camera, put
        self._telling = Telling()
        self._code: str | None = None
        self._good_ms: int | None = None  # since when
        self._lost_ms = self._lost_before = self._lost_at = 0
        self._since_ms = 0
        self._eased_at = self._late_at = 0
        self._can = True
        self.percent = 100

    def opened(self, now_ms: int) -> None:
        """The camera was opened, and sends what is configured."""
        self._since_ms, self._eased_at = now_ms, now_ms - _EASE_EVERY_MS
        self._can, self.percent = True, 100

    def paused(self, now_ms: int) -> None:
        """Nothing is recorded now, for another reason, which is told instead."""
        self._since_ms = now_ms

    def judge(self, now_ms: int, pen: Pen, recorder: Recorder) -> tuple[str, dict[str, object]] | None:
        """The code of what is late and its facts, None for nothing. Beginning and end are ledger entries."""
        behind_ms = pen.behind_ms(now_ms)
        if pen.lost_ms > self._lost_ms:
            self._lost_ms, self._lost_at = pen.lost_ms, now_ms
        quiet_ms = now_ms - max(recorder.last_fragment_mono_ms, self._since_ms)
        losing = self._lost_ms > self._lost_before and now_ms - self._lost_at < _OVER_MS
        unsynced = behind_ms <= LATE_MS and quiet_ms > _UNSYNCED_MS
        if losing or behind_ms > LATE_MS or unsynced:
            self._good_ms = None
            self._code = "recording_losing" if losing else "recording_unsynced" if unsynced else "recording_behind"
        elif self._code is not None:
            self._good_ms = None if behind_ms > _GOOD_MS else self._good_ms or now_ms
            if self._good_ms is not None and now_ms - self._good_ms >= _OVER_MS:
                self._code, self._good_ms = None, None
        self._tell(now_ms)
        if self._code is None:
            return None
        seconds = max(behind_ms, quiet_ms if unsynced else 0) // 1000
        lost_s = -(-(self._lost_ms - self._lost_before) // 1000)
        return self._code, {"camera": self._camera, "seconds": seconds, "lost": lost_s}

    def ease(self, source: CameraSource, now_ms: int) -> None:
        """Ask the camera for less while the disk is late, step by step, and for more again after a good minute."""
        late = self._code in ("recording_behind", "recording_losing") and self._good_ms is None
        if late:
            self._late_at = now_ms
        share = max(_LEAST, self.percent * _STEP / 100) if late else min(1.0, self.percent / _STEP / 100)
        percent = round(100 * share)
        good_ms = now_ms - max(self._late_at, self._eased_at)
        due = now_ms - self._eased_at >= _EASE_EVERY_MS if late else good_ms >= _RESTORE_MS
        if not (self._can and due) or percent == self.percent:
            return
        self._eased_at = now_ms
        self._can = source.ease(percent / 100)
        if self._can:
            self.percent = percent
            self._put(Note("recording", {"camera": self._camera, "state": "bitrate", "percent": percent}))

    def _tell(self, now_ms: int) -> None:
        entry = self._telling.entry(self._code and "recording_behind", now_ms)
        if entry is None:
            return
        body: dict[str, object] = {"camera": self._camera, "state": "behind", "reason": self._code}
        if entry["state"] == "good":
            body = {"camera": self._camera, "state": "caught-up", "lost_ms": self._lost_ms - self._lost_before}
            self._lost_before = self._lost_ms
        self._put(Note("recording", body))
