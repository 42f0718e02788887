"""One camera's sound: opened, read and opened again by a thread of its own, so that pictures wait for nothing of it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from typing import Protocol

import av

from edge import clock
from edge.config import Camera
from edge.domain.reasons import words
from edge.errors import Unavailable
from edge.hardware.camera.source import Sound
from edge.why import why

SILENT_MS = 3000
BACKLOG_MS = 10_000
_AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_LOGIN_S = 300.0  # many a camera locks an account after some wrong logins
_log = logging.getLogger(__name__)
Fault = tuple[str, dict[str, object]]


class Voice(Protocol):
    """Where sound comes from."""

    def read(self) -> Iterator[Sound]:
        """Frames as they come, until the end. OSError, av.FFmpegError or ValueError when it breaks."""

    def hang_up(self) -> None:
        """End a read that waits, from another thread, where that is possible."""

    def close(self) -> None: ...


def open_voice(name: str, options: Camera) -> Voice:
    """The camera's microphone, or its own sound. Unavailable: `sound_missing`, `sound_unknown`, `camera_login`."""
    if not options.microphone:
        from edge.hardware.camera.rtsp import open_sound

        return open_sound(name, options)
    from edge.hardware.camera.alsa import Microphone

    try:
        return Microphone(options.microphone)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise Unavailable("sound_missing", camera=name, detail=why(error)) from error


class Ear:
    """Hears until `close`; what nobody fetches is lost from its old end after BACKLOG_MS."""

    def __init__(self, name: str, options: Camera) -> None:
        self._name, self._options = name, options
        self._ready: deque[Sound] = deque()
        self._lock = threading.Lock()
        self._voice: Voice | None = None
        self._fault: Fault | None = None
        self._heard_ms = clock.mono_ms()
        self._any = False
        self._stopping = threading.Event()
        threading.Thread(target=self._run, name=f"ear-{name}", daemon=True).start()

    @property
    def heard(self) -> bool:
        """Whether anything has ever come."""
        return self._any

    @property
    def trouble(self) -> Fault | None:
        """Why nothing has come for SILENT_MS; None where something has, or it has only begun."""
        silent_ms = clock.mono_ms() - self._heard_ms
        if silent_ms < SILENT_MS:
            return None
        return self._fault or ("sound_silent", {"camera": self._name})

    def take(self) -> list[Sound]:
        """What has come since the last call, in order."""
        with self._lock:
            found = list(self._ready)
            self._ready.clear()
        return found

    def close(self) -> None:
        """Hear no more. The thread lets go of the device as soon as that lets it; nobody waits for it."""
        self._stopping.set()
        if (voice := self._voice) is not None:
            voice.hang_up()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            before, wait_s = self._heard_ms, _AGAIN_S[min(failures, len(_AGAIN_S) - 1)]
            try:
                self._voice = open_voice(self._name, self._options)
                self._listen(self._voice)
            except Unavailable as error:
                self._failed(error.code, dict(error.facts))
                wait_s = _LOGIN_S if error.code == "camera_login" else wait_s
            except Exception as error:  # whatever a camera makes of a library: this thread is the only one that hears
                _log.error("the sound of camera %s failed: %s", self._name, type(error).__name__)
                self._failed("sound_lost", {"camera": self._name, "detail": why(error)})
            failures = 0 if self._heard_ms != before else failures + 1
            self._stopping.wait(wait_s)

    def _listen(self, voice: Voice) -> None:
        detail: object = words("camera_ended")
        try:
            for sound in voice.read():
                if self._stopping.is_set():
                    return
                self._heard_ms, self._any, self._fault = clock.mono_ms(), True, None
                with self._lock:
                    self._ready.append(sound)
                    while sound.mono_ms - self._ready[0].mono_ms > BACKLOG_MS:
                        self._ready.popleft()
        except (av.FFmpegError, OSError, ValueError) as error:
            detail = why(error)
        finally:
            voice.close()
        self._failed("sound_lost", {"camera": self._name, "detail": detail})

    def _failed(self, code: str, facts: dict[str, object]) -> None:
        if self._stopping.is_set():
            return
        if self._fault is None or self._fault[0] != code:
            _log.warning("%s", Unavailable(code, **facts))
        self._fault = code, facts
