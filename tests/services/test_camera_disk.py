"""The camera process on bad disks, for what they are: told in time, and each lost second under its cause."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edge import clock
from edge.config import Config
from edge.domain.footage import Gap
from edge.recording import clips, pen
from edge.services import camera
from edge.store import ledger, segments, sessions
from edge.store.db import open_room
from edge.store.segments import Segment
from support.cameras import FPS, camera_config, decoded, make_clip
from support.certified import certified_session, session_of
from support.disks import bad_disk, small_disk
from support.kills import RUN_CAMERA
from support.kills import camera_status as status
from support.serving import until

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=3)


@contextmanager
def process(config: Config, environment: dict[str, str]) -> Iterator[None]:
    """The camera as a process of its own, ended in good order, and a session that opens and closes while it lives."""
    command = [sys.executable, "-W", "error", "-c", RUN_CAMERA, config.model_dump_json(), "door"]
    camera_process = subprocess.Popen(command, env=environment)
    try:
        until(lambda: status(config, "door").get("state") == "recording")
        with session_of(config, "door"):
            until(lambda: status(config, "door").get("last_fragment_mono_ms"))
            yield
        camera_process.terminate()
        assert camera_process.wait(10) == 0
    finally:
        camera_process.kill()
        camera_process.wait()


@contextmanager
def recording(config: Config) -> Iterator[None]:
    """The same on a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=camera.run, args=(config, "door", stop))
    thread.start()
    try:
        until(lambda: status(config, "door").get("state") == "recording")
        with session_of(config, "door"):
            until(lambda: status(config, "door").get("last_fragment_mono_ms"))
            yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def told(config: Config, state: str, seconds: float = 8) -> float:
    until(lambda: status(config, "door").get("state") == state, seconds, state)
    return time.monotonic()


def indexed(config: Config) -> tuple[list[Segment], tuple[Gap, ...], list[str]]:
    """The segments, the gaps between the session's opening and close, and the states of recording that were entered.

    The session's certificate says the same.
    """
    with closing(open_room(config.paths.room_db)) as db:
        found = segments.between(db, "door", 0, 1 << 52)
        session = sessions.find(db, "S-door")
        assert session.opened_ms is not None and session.closed_ms is not None
        assert found[0].started_ms < session.opened_ms < session.closed_ms < found[-1].ended_ms
        whole = clips.completeness_between(db, "door", session.opened_ms, session.closed_ms)
        notes = [str(e.body["state"]) for e in ledger.entries(db, kinds=("recording",))]
        ledger.check(db)
    for segment in found:
        assert decoded(config.paths.recordings / segment.path) == segment.frames == segment.duration_ms * FPS // 1000
    fact = certified_session(config, "door", session.id)
    assert [(gap.cause, gap.ms, gap.from_ms) for gap in fact.gaps] == [(g.cause, g.ms, g.from_ms) for g in whole.gaps]
    assert fact.expected_ms - fact.recorded_ms == sum(gap.ms for gap in whole.gaps)
    its = [s for s in found if s.ended_ms > session.opened_ms]
    assert (fact.frames, fact.lost_ms) == (sum(s.frames or 0 for s in its), sum(s.lost_ms for s in its))
    return found, whole.gaps, notes


def one_gap(config: Config, cause: str, notes: list[str], began_ms: int, ended_ms: int) -> None:
    """The one hole is the disk's, and as long as it was bad."""
    found, gaps, said = indexed(config)
    assert [s.cause for s in found] == [cause, "stopped"]
    (gap,) = gaps
    assert gap.cause == cause
    assert began_ms - 1500 <= gap.from_ms <= began_ms + 2500
    assert ended_ms - 3500 <= gap.until_ms <= ended_ms + 500
    assert said == notes


def test_a_disk_that_hangs_and_then_is_slow_is_told_in_five_seconds_and_loses_nothing(
    tmp_path: Path, clip: Path
) -> None:
    config, disk = camera_config(tmp_path, {"door": clip}, segment_seconds=5), bad_disk(tmp_path)
    with process(config, disk.environment):
        disk.hang()
        began = time.monotonic()
        assert told(config, "behind") - began < 5
        said = status(config, "door")
        assert (said["reason"], said["facts"]["camera"], said["lost_ms"]) == ("recording_behind", "door", 0)
        assert said["behind_ms"] > 2000
        disk.good()
        disk.write_slowly(600)  # more than half of the time there is for each: kept up with all the same
        since = clock.mono_ms()
        until(lambda: status(config, "door")["last_fragment_mono_ms"] > since)
        disk.good()
        until(lambda: status(config, "door")["behind_ms"] < 500)
    found, gaps, notes = indexed(config)
    assert gaps == ()
    assert {s.cause for s in found} == {"rotated", "stopped"}
    assert sum(s.lost_ms for s in found) == 0
    assert notes == ["behind"]


def test_what_a_hung_disk_costs_beyond_memory_is_the_disks(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, go = os.fdatasync, threading.Event()

    def sync(handle: int) -> None:
        assert go.wait(20)
        real(handle)

    monkeypatch.setattr(pen, "MEMORY_MS", 2500)
    config = camera_config(tmp_path, {"door": clip})
    with recording(config):
        monkeypatch.setattr(os, "fdatasync", sync)
        told(config, "losing")
        until(lambda: status(config, "door")["lost_ms"] >= 2000)
        go.set()
        until(lambda: status(config, "door")["behind_ms"] < 500)
    found, gaps, notes = indexed(config)
    assert [s.cause for s in found] == ["disk-slow", "stopped"]
    (gap,) = gaps
    assert gap.cause == "disk-slow"
    assert abs(gap.until_ms - gap.from_ms - found[0].lost_ms) < 250
    assert 2000 <= found[0].lost_ms <= 5000
    assert notes[0] == "behind"


@ROOT
@pytest.mark.parametrize(
    ("reserve_mb", "state", "cause"), [(0, "disk_error", "disk-error"), (3, "reserve", "disk-reserve")]
)
def test_a_full_disk_is_a_gap_of_its_own_length_and_cause(
    tmp_path: Path, clip: Path, reserve_mb: int, state: str, cause: str
) -> None:
    config = camera_config(tmp_path, {"door": clip}, reserve_mb=reserve_mb)
    disk = config.paths.recordings
    with small_disk("tmpfs", disk, tmp_path / "image", 16):
        with recording(config):
            with (disk / "junk").open("wb", buffering=0) as junk:
                while junk.write(bytes(1 << 16)) == 1 << 16 and not (reserve_mb and _free(disk) < 2_500_000):
                    pass
            began = clock.wall_ms()
            told(config, state)
            assert clock.wall_ms() - began < 5000
            (disk / "junk").unlink()
            told(config, "recording")
            ended = clock.wall_ms()
        one_gap(config, cause, ["write-failed" if state == "disk_error" else "reserve", "resumed"], began, ended)


def _free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def writable(image: Path, disk: Path) -> bool:
    subprocess.run(["mount", "-o", "loop", str(image), str(disk)], check=True)
    if not os.access(disk, os.W_OK):
        subprocess.run(["umount", "-l", str(disk)], check=True)
    return os.access(disk, os.W_OK) and disk.is_mount()


@ROOT
def test_a_disk_that_turns_read_only_is_a_gap_and_what_was_written_is_indexed_when_it_can_be(
    tmp_path: Path, clip: Path
) -> None:
    """As a kernel makes it after an error: under the open file."""
    config = camera_config(tmp_path, {"door": clip})
    disk, image = config.paths.recordings, tmp_path / "image"
    with small_disk("ext4", disk, image, 24):
        with recording(config):
            began = clock.wall_ms()
            subprocess.run(["mount", "-o", "remount,abort", str(disk)], check=False, capture_output=True)
            told(config, "disk_error")
            assert clock.wall_ms() - began < 5000
            subprocess.run(["umount", "-l", str(disk)], check=True)
            until(lambda: writable(image, disk), 5)  # not yet while somebody still has a file of it open
            told(config, "recording")
            ended = clock.wall_ms()
        one_gap(config, "disk-error", ["write-failed", "resumed"], began, ended)


def test_writes_that_fail_halfway_are_a_gap_of_the_disk_and_all_that_was_whole_stays(
    tmp_path: Path, clip: Path
) -> None:
    config, disk = camera_config(tmp_path, {"door": clip}), bad_disk(tmp_path)
    with process(config, disk.environment):
        began = clock.wall_ms()
        disk.fail(errno.EIO)
        told(config, "disk_error")
        assert clock.wall_ms() - began < 5000
        disk.good()
        told(config, "recording")
        ended = clock.wall_ms()
    one_gap(config, "disk-error", ["write-failed", "resumed"], began, ended)
    (torn,) = config.paths.recordings.glob("door/*.tail")
    assert torn.stat().st_size > 0
