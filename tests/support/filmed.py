"""Footage of a room that has been open for a minute, as the recorder leaves it: for the pages that play it."""

from __future__ import annotations

import cv2

from edge import clock
from edge.clock import Instant, TimeQuality
from edge.demo import clip
from edge.domain.footage import Cause
from edge.recording.soundtrack import Heard, SoundTrack
from edge.recording.thumbs import Thumbs
from edge.recording.writer import Place, SegmentWriter
from edge.store import ledger, segments
from edge.store.db import transaction
from support.cameras import make_packets
from support.rooms import DeskRoom
from support.sounds import make_sounds


def film(desk: DeskRoom) -> int:
    """The session has been open for a minute, and its door was filmed but for three seconds after a kill, half a minute
    before the time returned, and with sound from then on; the hall has no such gap."""
    now = clock.wall_ms()
    scene = clip._Scene()
    stands = [cv2.resize(scene.picture(150 + n)[:, 120:840], (320, 240)) for n in range(10)]
    video, packets = make_packets(20, pictures=stands * 20)
    told = (("door", 1, 50_000, Cause.KILLED), ("door", 2, 27_000, Cause.STOPPED))
    for camera, sequence, ago, cause in (*told, ("hall", 1, 50_000, Cause.ROTATED), ("hall", 2, 30_000, Cause.STOPPED)):
        at = Instant(now - ago, 51_000 - ago, "0" * 32, TimeQuality.RTC)
        heard, sounds = Heard(), make_sounds(9, at.mono_ms) if (camera, sequence) == ("door", 2) else []
        heard.add(sounds)
        sound = SoundTrack(sounds[0].format, at, heard) if sounds else None
        place = Place(desk.config.paths.recordings, camera, "0" * 32, sequence)
        writer = SegmentWriter(place, video, at, 1, sound=sound)
        for packet in packets:
            writer.write(packet)
        done = segments.index(desk.db, writer.close(cause))
        small = Thumbs()
        jpeg = cv2.imencode(".jpg", stands[0])[1].tobytes()
        small.add(done.started_mono_ms + 5000, jpeg)
        small.keep(desk.config.paths.recordings, done)
    video.owner.close()
    with transaction(desk.db):
        desk.db.execute("UPDATE sessions SET opened_ms = ?", (now - 50_000,))
        ledger.append(desk.db, "clock", {"camera": "door", "segment": "x", "step_ms": -4000})
    return now
