"""The camera process: record all the time, publish pictures, and say how it goes. One a camera."""

from __future__ import annotations

import fcntl
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from edge import clock
from edge.clock import Instant
from edge.config import Camera, Config
from edge.domain.footage import Cause
from edge.domain.reasons import is_words, words
from edge.domain.sight import BLIND, FROZEN, Sight, Telling, Watch
from edge.errors import BadInput, ConfigError, ExamroomError, Unavailable
from edge.hardware.camera import CameraSource, Packet, Picture, VideoFormat, open_camera
from edge.hardware.camera.ear import Ear
from edge.hardware.camera.pictures import thumbnail
from edge.recording import cuts
from edge.recording.indexer import Indexer, Note
from edge.recording.late import Late
from edge.recording.pen import Pen
from edge.recording.recorder import STALL_MS, Recorder
from edge.recording.retention import rules_of
from edge.recording.salvage import on_disk
from edge.recording.thumbs import Thumbs
from edge.store import recorders, segments
from edge.store.db import open_room
from edge.store.ring import RingWriter
from edge.store.status import write_status
from edge.trust import enrolment

_log = logging.getLogger(__name__)
_NAP_S = 0.2
_REOPEN_S = 2.0
_REMOTE_S = (1.0, 2.0, 4.0, 8.0, 10.0)  # a network camera is asked less often the longer it is away
_LOGIN_S = (60.0, 300.0)  # many a camera locks an account after some wrong logins
_STATUS_MS = 1000
_KEYS_MS = round(1000 * cuts.NEAR)
_JUDGE_MS = 350  # so often it is judged how it goes while all is well, and not whenever packets come
_SILENT_MS = 10_000  # then the camera is closed and opened again
_KEYLESS_MS = 60_000  # for the first key frame; who opens a camera anew meanwhile may miss each
_CLOSE_S = 2.0
_PEN_S = 1.5
_FROZEN_MS = 10_000  # then it is opened again, and after twice as long the next time
_FROZEN_MOST_MS = 600_000


def run(config: Config, name: str, stop: threading.Event, *, pictures: bool = True) -> None:
    """Record camera `name` until `stop` is set, then close its segment. ConfigError when no such camera is configured.

    Without `pictures` it only records: no previews, no faces, and nobody notices that it is covered. A camera, disk or
    store that is missing is a state in the status file (`camera-NAME`), tried again until it is back.
    """
    if name not in config.camera:
        raise ConfigError("camera_unknown", camera=name)
    with _alone(config, name, stop) as mine:
        if mine:
            service = _Service(config, name, pictures)
            try:
                service.loop(stop)
            finally:
                service.end()


@contextmanager
def _alone(config: Config, name: str, stop: threading.Event) -> Iterator[bool]:
    """Hold the camera's lock, so that nobody salvages a file being written; False when stopped while waiting for it."""
    config.paths.runtime.mkdir(parents=True, exist_ok=True)
    with (config.paths.runtime / f"camera-{name}.lock").open("w") as file:
        told = False
        while not stop.is_set():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    _log.warning("%s", Unavailable("camera_busy", camera=name))
                    told = True
                stop.wait(0.2)
            else:
                yield True
                return
        yield False


def _left_before(config: Config, name: str) -> tuple[int, str | None]:
    """One past every number used by this camera in this boot, on the disk or, where it can be asked, in the index;
    and the blindness that an earlier process entered, and not its end.
    """
    boot = clock.boot_id()
    used = [0]
    with suppress(OSError):
        used += [p.sequence for p in on_disk(config.paths.recordings, name) if p.boot_id == boot]
    try:
        connection = open_room(config.paths.room_db)
    except Unavailable as error:
        _log.error("%s", error)
        return max(used) + 1, None
    try:
        first = max(*used, segments.last_sequence(connection, name, boot)) + 1
        return first, recorders.blind_still(connection, name)
    finally:
        connection.close()


class _Service:
    """What one run of the process holds."""

    def __init__(self, config: Config, name: str, pictures: bool) -> None:
        self._config, self._name, self._pictures = config, name, pictures
        self._options = config.camera[name]
        self._nap_s = min(_NAP_S, 1 / self._options.face_fps)
        first, blind = _left_before(config, name)
        paths = config.paths
        self._thumbs = Thumbs()
        self._indexer = Indexer(paths.room_db, paths.recordings, name, first, rules_of(config), self._thumbs)
        self._recorder = Recorder(
            paths.recordings, name, config.recording, self._indexer.put, first, room=enrolment.room_of(paths) or ""
        )
        self._pen = Pen(self._recorder)
        self._late = Late(name, self._indexer.put)
        self._dropped, self._source_dropped = 0, 0  # in all, and by the camera that is open
        self._look_cpu = (0.0, 0.0)  # of the camera that is open: now, and when last reported
        self._untold = 0  # dropped, and not given to the recorder yet
        self._video: VideoFormat | None = None
        self._kept: list[Packet] = []  # of that format, and not given to the pen yet
        self._key_ms, self._near = 0, False  # when the last key frame was, and whether the one before was near
        self._judged = (0, clock.quality())  # in which second, and what of the wall clock
        self._ring: tuple[RingWriter, int] | None = None
        self._state: tuple[str, dict[str, object]] = ("recording_starting", {"camera": name})
        self._status_ms = self._judge_ms = 0
        self._packets = 0
        self._last_packet_ms = clock.mono_ms()
        self._heard_ms = 0  # when any video came last, also of what cannot be recorded
        self._watch = Watch(exact=False)
        self._telling = Telling(blind)
        self._opened_ms, self._frozen_ms = 0, _FROZEN_MS
        self._failures = 0  # in opening the camera, one after another
        self._said, self._coder = "", ""
        self._ear: Ear | None = None  # only while a session's policy wants sound
        self._hears: str | None = None  # what the ledger was told last of it
        self._indexer.start()

    def loop(self, stop: threading.Event) -> None:
        self._report()
        while not stop.is_set():
            try:
                source = open_camera(self._name, self._options, pictures=self._pictures)
            except (Unavailable, BadInput) as error:
                self._without(error, stop)
                continue
            try:
                self._opened_ms = self._last_packet_ms = clock.mono_ms()
                self._source_dropped, self._look_cpu = 0, (0.0, 0.0)
                self._late.opened(self._opened_ms)
                self._coder = source.coder
                self._watch.restarted(exact=source.exact)
                while not stop.is_set() and self._turn(source):
                    pass
            except Unavailable as error:
                self._without(error, stop)
            finally:
                source.close()

    def end(self) -> None:
        """Close the segment and give disk and index a moment; what the store does not take is salvaged at the next
        start. What a disk that hangs has not taken is lost, and said."""
        self._finish(Cause.STOPPED)
        if self._ear is not None:
            self._ear.close()
        left_ms = self._pen.close(_PEN_S)
        if left_ms:
            _log.error("camera %s: the disk hangs, %s ms are lost", self._name, left_ms)
            self._indexer.put(Note("recording", {"camera": self._name, "state": "unwritten", "lost_ms": left_ms}))
        self._indexer.close(_CLOSE_S)
        self._state = ("recording_stopped", {"camera": self._name})
        self._report()
        if self._ring is not None:
            self._ring[0].close()

    def _turn(self, source: CameraSource) -> bool:
        """Take what has come; False when the camera is to be opened again."""
        packets = source.packets(self._nap_s)
        now = clock.mono_ms()
        video = source.format
        self._count(source.dropped)
        self._look_cpu = source.look_cpu_s, self._look_cpu[1]
        if packets and video is not None:
            self._last_packet_ms, self._failures = now, 0
            self._packets += len(packets)
            self._keep(video, packets)
        picture = source.picture()
        if picture is not None:
            self._publish(picture)
            self._watch.look(picture.look)
        elif packets and self._pictures:
            self._watch.video(now)
        if now < self._judge_ms and self._state[0] in _WELL:
            return True
        self._judge_ms = now + _JUDGE_MS
        sight = self._watch.sight
        self._heard_ms = max(self._last_packet_ms, self._heard_ms, source.keyless_ms)
        silent_ms = now - self._heard_ms
        if silent_ms > _SILENT_MS:
            raise Unavailable("camera_stalled", camera=self._name, seconds=silent_ms // 1000)
        keyless_ms = now - self._opened_ms if source.keyless_ms else 0
        if keyless_ms > _KEYLESS_MS:
            raise Unavailable("camera_keyless", camera=self._name, seconds=keyless_ms // 1000)
        if keyless_ms > STALL_MS >= silent_ms:
            self._late.paused(now)
            self._state = ("camera_keyless", {"camera": self._name, "seconds": keyless_ms // 1000})
        elif silent_ms > STALL_MS:
            self._finish(Cause.CAMERA_STALLED)
            self._late.paused(now)
            self._state = ("camera_stalled", {"camera": self._name, "seconds": silent_ms // 1000})
        elif self._recorder.trouble is not None:
            self._state = self._recorder.trouble
            self._late.paused(now)
        elif (late := self._late.judge(now, self._pen, self._recorder)) is not None:
            self._state = late
        elif sight.code is not None:
            self._state = (sight.code, {"camera": self._name})
        elif self._recorder.segment is not None:
            self._state = self._with_sound() or ("recording_on", {"camera": self._name})
        if now - self._status_ms >= _STATUS_MS or self._state[0] != self._said:
            self._report()
        self._late.ease(source, now)
        return not self._stands_still(now)

    def _keep(self, video: VideoFormat, packets: list[Packet]) -> None:
        """Give packets to the pen. Where key frames come each second, those before the next wait for it here: a
        fragment is complete by it, so that nothing is on the disk later, and the pen is woken a fifth as often."""
        if self._video is not video:
            self._hand_over()
        self._video = video
        self._kept += packets
        keys = [packet.mono_ms for packet in packets if packet.keyframe]
        since_ms = (keys[0] if keys else packets[-1].mono_ms) - self._key_ms
        self._key_ms = keys[-1] if keys else self._key_ms
        if keys or since_ms > _KEYS_MS:
            self._near = since_ms <= _KEYS_MS
        if keys or not self._near:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._kept and self._video is not None:
            sound = self._ear.take() if self._ear is not None else ()
            self._pen.put(self._video, self._kept, self._instant(), self._untold, sound)
            self._kept, self._untold = [], 0

    def _listen(self) -> None:
        """Begin to hear, or hear no more, as the policy of a session under way has it; the ledger is told of both, and
        of sound that is wanted and does not come."""
        wanted = self._indexer.sound and self._options.has_sound
        if wanted and self._ear is None:
            self._ear = Ear(self._name, self._options)
        elif not wanted and self._ear is not None:
            self._ear.close()
            self._ear = None
        state, reason = "off", None
        if (fault := self._deaf()) is not None:
            state, reason = "lost", fault[0]
        elif self._ear is not None:
            state = "on" if self._ear.heard else "lost" if self._hears == "lost" else "off"
        if state == (self._hears or "off"):
            return
        self._hears = state
        body: dict[str, object] = {"camera": self._name, "state": f"sound-{state}"}
        self._indexer.put(Note("recording", body | ({"reason": reason} if reason else {})))

    def _deaf(self) -> tuple[str, dict[str, object]] | None:
        if self._indexer.sound_unsure and self._options.has_sound:
            return "sound_unsure", {}
        return self._ear.trouble if self._ear is not None else None

    def _with_sound(self) -> tuple[str, dict[str, object]] | None:
        """What is to be said while pictures are recorded as they should be and a policy wants sound."""
        fault = self._deaf()
        if self._indexer.sound and not any(camera.has_sound for camera in self._config.camera.values()):
            fault = "sound_nowhere", {}
        if fault is not None:
            return "recording_soundless", {"camera": self._name, "detail": words(fault[0], **_shown(fault[1]))}
        heard = self._ear is not None and self._ear.heard
        return ("recording_sound", {"camera": self._name}) if heard else None

    def _finish(self, cause: Cause) -> None:
        self._hand_over()
        self._pen.finish(cause)

    def _instant(self) -> Instant:
        """Now; how far the wall clock can be believed is looked up once a second."""
        second = clock.mono_ms() // 1000
        if self._judged[0] != second:
            self._judged = second, clock.quality()
        return Instant(clock.wall_ms(), clock.mono_ms(), clock.boot_id(), self._judged[1])

    def _stands_still(self, now: int) -> bool:
        """Whether a frozen camera is to be opened again, which many a webcam needs."""
        sight = self._watch.sight
        if sight.code is None:
            self._frozen_ms = _FROZEN_MS
        if sight.code != FROZEN or now - max(sight.since_ms, self._opened_ms) < self._frozen_ms:
            return False
        self._frozen_ms = min(2 * self._frozen_ms, _FROZEN_MOST_MS)
        self._finish(Cause.CAMERA_STALLED)
        return True

    def _count(self, dropped: int) -> None:
        """Take in how many pictures the open camera has lost by now."""
        more, self._source_dropped = dropped - self._source_dropped, dropped
        self._dropped += more
        self._untold += more

    def _without(self, error: ExamroomError, stop: threading.Event) -> None:
        """The camera is not there: say so, and wait a moment before it is tried again."""
        self._finish(Cause.CAMERA_MISSING)
        if self._state[0] != error.code:
            _log.error("%s", error)
        self._state = (error.code, _shown(error.facts))
        until = clock.mono_ms() + round(1000 * _wait_s(self._options, error.code, self._failures))
        self._failures += 1
        while not stop.is_set() and (left_ms := until - clock.mono_ms()) > 0:
            self._report()
            stop.wait(min(1.0, left_ms / 1000))

    def _publish(self, picture: Picture) -> None:
        if self._thumbs.due(picture.mono_ms):
            self._thumbs.add(picture.mono_ms, thumbnail(picture))
        size = 2 * len(picture.bgr)
        try:
            if self._ring is None or self._ring[1] != size:
                if self._ring is not None:
                    self._ring[0].close()
                self._ring = RingWriter(self._config.paths.ring(self._name), size), size
            self._ring[0].write(
                mono_ms=picture.mono_ms,
                wall_ms=clock.wall_ms() - (clock.mono_ms() - picture.mono_ms),
                source_ms=picture.source_ms,
                width=picture.width,
                height=picture.height,
                bgr=picture.bgr,
                jpeg=picture.jpeg if len(picture.jpeg) <= len(picture.bgr) else b"",
                moved_ms=picture.moved_ms,
            )
        except OSError as error:  # pictures are worth less than footage
            _log.error("camera %s: no frame ring: %s", self._name, error)

    def _report(self) -> None:
        now = clock.mono_ms()
        self._listen()
        seconds = (now - self._status_ms) / 1000
        code, facts = self._state
        self._said = code
        state = _STATES.get(code, "camera_missing" if code not in BLIND else "blind")
        # what the disk does neither covers a camera nor uncovers it
        fed = self._last_packet_ms > self._opened_ms or state in ("recording", "soundless")
        if code.startswith("camera_") or (fed and state not in ("starting", "stopped")):
            sight = Sight(None, now) if code.startswith("camera_") and code not in BLIND else self._watch.sight
            trouble = code if code.startswith("camera_") else sight.code
            for body in filter(None, (self._telling.entry(trouble, now), self._telling.unseen(sight, now))):
                self._indexer.put(Note("camera", {"camera": self._name, **body}))
        recorder = self._recorder
        write_status(
            self._config.paths.status,
            f"camera-{self._name}",
            camera=self._name,
            state=state,
            reason=code,
            facts=facts,
            coder=self._coder,
            sight=self._watch.sight.code,
            sound=self._hears == "on",
            segment=recorder.segment,
            bytes=recorder.bytes,
            last_fragment_mono_ms=recorder.last_fragment_mono_ms,
            fps=round(self._packets / seconds, 1) if self._status_ms and seconds > 0 else 0.0,
            look_cpu=round((self._look_cpu[0] - self._look_cpu[1]) / seconds, 3) if seconds > 0 else 0.0,
            dropped=self._dropped + recorder.lost,
            behind_ms=self._pen.behind_ms(now),
            lost_ms=self._pen.lost_ms,
            bitrate_percent=self._late.percent,
            waiting=self._indexer.waiting,
            salvaged=self._indexer.salvaged,
            store=self._indexer.trouble,
        )
        self._status_ms, self._packets = now, 0
        self._look_cpu = self._look_cpu[0], self._look_cpu[0]


def _shown(facts: Mapping[str, object]) -> dict[str, object]:
    return {key: value if is_words(value) else str(value) for key, value in facts.items()}


def _wait_s(options: Camera, code: str, failures: int) -> float:
    """How long to wait before a camera is opened again that was not there, or failed, so many times before."""
    steps = _LOGIN_S if code == "camera_login" else _REMOTE_S if options.backend == "rtsp" else (_REOPEN_S,)
    return steps[min(failures, len(steps) - 1)]


_WELL = ("recording_on", "recording_sound")
_STATES = {
    "recording_starting": "starting",
    "recording_on": "recording",
    "recording_sound": "recording",
    "recording_soundless": "soundless",
    "recording_stopped": "stopped",
    "recording_reserve": "reserve",
    "recording_write_failed": "disk_error",
    "recording_behind": "behind",
    "recording_losing": "losing",
    "recording_unsynced": "unsynced",
    "camera_stalled": "camera_stalled",
    "camera_keyless": "camera_stalled",
}
