"""Up to this moment: what is being written now is no gap, and what follows a camera that died is one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from edge import clock
from edge.cli import main
from edge.domain.footage import Cause
from edge.hardware.camera.source import Packet, VideoFormat
from edge.recording.coverage import LIVE_MS, Coverage, coverage
from edge.recording.writer import Place, SegmentWriter
from edge.store import segments
from edge.store.segments import Segment
from edge.store.status import write_status
from support.cameras import make_packets
from support.rooms import DeskRoom

SECONDS = 4


@pytest.fixture(scope="module")
def video() -> tuple[VideoFormat, list[Packet]]:
    return make_packets(SECONDS)


class Film:
    """Files of three whole fragments and an open one, begun so long before the test did."""

    def __init__(self, desk: DeskRoom, video: tuple[VideoFormat, list[Packet]]) -> None:
        self.desk, self.video, self.now = desk, video, clock.now()

    def write(self, sequence: int, ago_ms: int) -> SegmentWriter:
        now = self.now
        at = replace(now, wall_ms=now.wall_ms - ago_ms, mono_ms=now.mono_ms - ago_ms)
        place = Place(self.desk.config.paths.recordings, "door", now.boot_id, sequence)
        writer = SegmentWriter(place, self.video[0], at, 1)
        for packet in self.video[1]:
            writer.write(packet)
        assert len(writer.fragments) == SECONDS - 1
        return writer

    def closed(self, sequence: int, ago_ms: int, cause: Cause) -> Segment:
        return segments.index(self.desk.db, self.write(sequence, ago_ms).close(cause))

    def seen(self, since_ago_ms: int, until_ago_ms: int | None = None) -> Coverage:
        since = self.now.wall_ms - since_ago_ms
        until = clock.wall_ms() if until_ago_ms is None else self.now.wall_ms - until_ago_ms
        return coverage(self.desk.db, self.desk.config, "door", since, until)


@pytest.fixture
def film(desk: DeskRoom, video: tuple[VideoFormat, list[Packet]]) -> Film:
    return Film(desk, video)


def status(desk: DeskRoom, state: str = "recording", segment: str | None = None) -> None:
    write_status(desk.config.paths.status, "camera-door", state=state, segment=segment)


def test_the_file_places_are_the_writers(desk: DeskRoom) -> None:
    place = Place(desk.config.paths.recordings, "door", "ab" * 16, 12)
    assert segments.segment_path("door", "ab" * 16, 12) == place.relative


def test_what_is_written_now_is_no_gap(desk: DeskRoom, film: Film) -> None:
    done = film.closed(1, 8000, Cause.ROTATED)
    writer = film.write(2, 4000)
    status(desk, segment=writer.id)
    found = film.seen(7500)
    assert found.whole.gaps == ()
    assert [row.id for row in found.rows] == [done.id]
    assert found.whole.expected_ms == found.whole.recorded_ms == 6500
    writer.abandon()


def test_a_gap_before_the_file_that_is_written_now(desk: DeskRoom, film: Film) -> None:
    film.closed(1, 20_000, Cause.CAMERA_MISSING)
    writer = film.write(90, 4000)  # a disk that refused to open files used numbers up
    status(desk, segment=writer.id)
    (gap,) = film.seen(19_000).whole.gaps
    assert (gap.cause, round(gap.seconds)) == ("camera-missing", 12)
    writer.abandon()


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (None, Cause.KILLED),
        ("stopped", Cause.STOPPED),
        ("recording", Cause.DISK_SLOW),
        ("camera_missing", Cause.CAMERA_MISSING),
        ("disk_error", Cause.DISK_ERROR),
    ],
)
def test_a_camera_that_died_shows_its_gap_to_the_end(
    desk: DeskRoom, film: Film, state: str | None, cause: Cause
) -> None:
    film.closed(1, 34_000, Cause.ROTATED)
    writer = film.write(2, 30_000)
    writer.abandon()
    if state is not None:
        status(desk, state, writer.id if state == "recording" else None)
    (gap,) = film.seen(33_000).whole.gaps
    assert (gap.cause, 26 <= gap.seconds <= 28) == (cause, True)
    (gap,) = film.seen(33_000, 20_000).whole.gaps  # a session that was closed then
    assert (gap.cause, 6 <= gap.seconds <= 8) == (cause, True)


def test_a_camera_whose_last_segment_was_closed_in_good_order(desk: DeskRoom, film: Film) -> None:
    film.closed(1, 30_000, Cause.ROTATED)
    assert [g.cause for g in film.seen(29_000).whole.gaps] == [Cause.UNKNOWN]
    status(desk, "reserve")
    assert [g.cause for g in film.seen(29_000).whole.gaps] == [Cause.RESERVE]
    file = desk.config.paths.status / "camera-door.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps(said | {"state": "recording", "mono_ms": said["mono_ms"] - 2 * LIVE_MS}))
    assert [g.cause for g in film.seen(29_000).whole.gaps] == [Cause.KILLED]


def test_a_power_cut_leaves_a_file_of_the_boot_before(
    desk: DeskRoom, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.closed(1, 34_000, Cause.ROTATED)
    film.write(2, 30_000).abandon()
    monkeypatch.setattr(clock, "boot_id", lambda: "f" * 32)
    (gap,) = film.seen(33_000).whole.gaps
    assert (gap.cause, 26 <= gap.seconds <= 28) == (Cause.POWER, True)


def test_the_list_hides_no_end(desk: DeskRoom, film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    film.closed(1, 30_000, Cause.CAMERA_MISSING)
    now = clock.wall_ms()
    config = desk.config.paths.state / "examroom.toml"
    config.write_text(
        f'[paths]\nstate = "{desk.config.paths.state}"\nruntime = "{desk.config.paths.runtime}"\n'
        f'recordings = "{desk.config.paths.recordings}"\n'
    )
    asked = ["--config", str(config), "footage", "list", "--json", "--from", str(now - 40_000), "--until", str(now)]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 0, result.output
    (door,) = json.loads(result.stdout)
    assert [(g["cause"], g["doubt_s"]) for g in door["gaps"]] == [("not-started", 0), ("camera-missing", 0)]
    assert round(door["expected_s"]) == 40
