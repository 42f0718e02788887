"""What a session's footage needs and what there is; the figures of the page, and that they cost no row's reading."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge import clock
from edge.cli import main
from edge.clock import Instant, TimeQuality
from edge.config import Config, parse_config
from edge.domain.footage import Cause, Fragment
from edge.domain.keeping import DAY_MS, Why
from edge.errors import Conflict
from edge.ops.preflight import footage_room, need_footage_room
from edge.ops.rehearsal.fitness import planned
from edge.recording import retention, space
from edge.recording.figures import figures
from edge.recording.space import preflight, same_disk
from edge.recording.writer import Place, segment_of
from edge.store import holds, ledger, segments, sessions
from edge.store import space as store_space
from support.rooms import DeskRoom
from support.serving import write_config

BOOT = "0123456789abcdef" * 2
NOW = Instant(clock.wall_ms(), 0, BOOT, TimeQuality.SYNCHRONISED)
GB = 1_000_000_000
MINUTE_MS = 60_000


def with_cameras(desk: DeskRoom, **recording: object) -> Config:
    cameras = {"door": {"bitrate": 2_000_000}, "hall": {"source": "1", "bitrate": 4_000_000}}
    paths = desk.config.paths.model_dump(mode="json")
    return parse_config({"paths": paths, "camera": cameras, "recording": {"reserve_mb": 100, **recording}})


def minute(desk: DeskRoom, camera: str, sequence: int, start_ms: int, size: int = 7_500_000) -> None:
    place = Place(desk.config.paths.recordings, camera, BOOT, sequence)
    fragments = [
        Fragment(n, 4 + n * (size // 60), size // 60, f"{n:02x}" * 32, start_ms + n * 1000, n * 1000, 1000)
        for n in range(60)
    ]
    at = Instant(start_ms, 0, BOOT, TimeQuality.SYNCHRONISED)
    segments.index(desk.db, segment_of(place, at, 4, "00" * 32, fragments, size, Cause.ROTATED))


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Says how many bytes the disk has left."""

    def say(size: int) -> None:
        monkeypatch.setattr(space, "free_bytes", lambda _: size)

    return say


def test_a_session_needs_its_hours_times_what_its_cameras_record(desk: DeskRoom, free: Callable[[int], None]) -> None:
    config = with_cameras(desk)
    for n in (1, 2):
        minute(desk, "door", n, NOW.wall_ms - n * MINUTE_MS - 1000)  # 1 Mbit/s, half of what is configured
    free(3 * GB)
    found = preflight(desk.db, config, 90, beside=5, now=NOW)
    assert [(one.camera, one.bps, one.measured) for one in found.rates] == [
        ("door", 1_000_000, True), ("hall", 4_000_000, False),
    ]  # fmt: skip
    assert found.needed == round(5_000_000 / 8 * 120 * 60 * 1.3) + 5, "90 minutes and the door's 30"
    assert (found.free, found.enough) == (2_900_000_000, False)
    free(6 * GB)
    assert preflight(desk.db, config, 90, now=NOW).enough
    export = desk.config.paths.recordings / ".exports" / "x.zip"
    export.parent.mkdir(parents=True)
    with export.open("wb") as sparse:
        sparse.truncate(4 * GB)
    free(2 * GB)
    assert preflight(desk.db, config, 90, now=NOW).enough, "an export keeps no door shut: it goes"
    export.unlink()
    assert not preflight(desk.db, config, 90, now=replace(NOW, wall_ms=NOW.wall_ms + 2 * DAY_MS)).rates[0].measured
    nobody = preflight(desk.db, desk.config, 90, beside=5, now=NOW)
    assert (nobody.needed, nobody.enough) == (0, True), "no camera, no footage"


def test_what_may_go_counts_as_room_and_what_is_kept_does_not(desk: DeskRoom, free: Callable[[int], None]) -> None:
    config = with_cameras(desk)
    free(100_000_000)
    minute(desk, "yard", 1, NOW.wall_ms - 3 * DAY_MS, 8 * GB)  # of a camera that is gone, of no session
    assert preflight(desk.db, config, 90, now=NOW).may_go == 8 * GB
    assert preflight(desk.db, config, 90, now=NOW).enough
    assert not preflight(desk.db, config, 90, now=replace(NOW, quality=TimeQuality.UNKNOWN)).enough
    hold = holds.place_on_span(desk.db, None, 0, NOW.wall_ms, "申诉", "U-1")
    found = preflight(desk.db, config, 90, now=NOW)
    assert (found.may_go, found.held, found.enough) == (0, 1, False)
    holds.release(desk.db, hold, "已了结", "U-1")
    opened = NOW.wall_ms - 3 * DAY_MS
    desk.db.execute("UPDATE sessions SET opened_ms = ?, closed_ms = ?", (opened, opened + MINUTE_MS))
    found = preflight(desk.db, config, 90, now=NOW)
    assert (found.may_go, found.waiting, found.enough) == (0, 1, False)


def test_the_door_stays_shut_and_the_figures_are_said(desk: DeskRoom, free: Callable[[int], None]) -> None:
    config, session = with_cameras(desk), sessions.find(desk.db, desk.session)
    assert same_disk(config.paths.state, config.paths.recordings / "not" / "there")
    free(1 * GB)
    with pytest.raises(Conflict) as caught:
        need_footage_room(desk.db, config, session)
    room = footage_room(desk.db, config, session)
    assert room.needed > round(6_000_000 / 8 * (session.minutes + 30) * 60 * 1.3), "and the answers, on the same disk"
    assert caught.value.code == "footage_too_full"
    for language in ("zh", "en"):
        said = caught.value.sentence(language)
        assert "door 2.0 Mbit/s, hall 4.0 Mbit/s" in said and "0.9 GB" in said and "{" not in said
        assert f"{-(-room.needed * 10 // GB) / 10} GB" in said
    checks = {one.name: one for one in planned(desk.db, config, desk.identity, session)}
    assert checks[f"footage:{desk.session}"].reason == "footage_too_full"
    assert checks[f"footage:{desk.session}"].grave
    desk.db.execute("UPDATE sessions SET policy = json_set(policy, '$.practice', json('true'))")
    need_footage_room(desk.db, config, sessions.find(desk.db, desk.session))
    free(20 * GB)
    need_footage_room(desk.db, config, session)


def test_the_figures_of_the_page(desk: DeskRoom) -> None:
    config = with_cameras(desk, keep_days=60)
    opened, closed = NOW.wall_ms - 2 * DAY_MS, NOW.wall_ms - 2 * DAY_MS + 3_600_000
    desk.db.execute(
        "UPDATE sessions SET state = 'signed', opened_ms = ?, closed_ms = ?, signed_ms = ?", (opened, closed, closed)
    )
    minute(desk, "door", 1, opened + 1000)
    minute(desk, "door", 2, NOW.wall_ms - 3 * DAY_MS)
    minute(desk, "door", 3, NOW.wall_ms - 3_600_000)
    minute(desk, "yard", 1, NOW.wall_ms - 61 * DAY_MS)
    hold = holds.place_on_span(desk.db, "door", NOW.wall_ms - 3 * DAY_MS, opened - DAY_MS // 2, "申诉", "U-1")

    found = figures(desk.db, config, NOW)
    size = 7_500_000
    assert (found.footage, found.kept, found.may_go) == (4 * size, 2 * size, size)
    assert [(c.camera, c.rate and c.rate.bps, c.bytes, c.due) for c in found.cameras] == [
        ("door", 1_000_000, 3 * size, 0), ("hall", 4_000_000, 0, 0), ("yard", None, size, size),
    ]  # fmt: skip
    assert [(s.session, s.bytes, s.date_ms, s.why) for s in found.sessions] == [
        (desk.session, size, None, Why.UNINSPECTED)
    ]
    assert [(one.id, held) for one, held in found.holds] == [(hold, size)]
    assert found.day_bytes == 5_000_000 * 86_400 // 8
    assert found.room_db > 100_000 and 500 < found.room_db_day < 20_000, "one segment in the last day"
    assert found.free == pytest.approx(retention.free_mb(config.paths.state) * 1_000_000, rel=0.2)
    assert found.forecast.untouched_ms is not None

    holds.inspect(desk.db, desk.session, "U-1")
    found = figures(desk.db, config, NOW)
    assert (found.sessions[0].date_ms, found.sessions[0].why) == (closed + 180 * DAY_MS, Why.POLICY)


def test_a_disk_that_what_has_to_stay_will_fill_has_its_date(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    config = with_cameras(desk)
    opened = NOW.wall_ms - 10 * DAY_MS
    desk.db.execute("UPDATE sessions SET state = 'closed', opened_ms = ?, closed_ms = ?", (opened, opened + 3_600_000))
    minute(desk, "door", 1, opened + 1000, 100 * GB)  # unsigned: it stays; 10 GB a day of its kind
    usage = type("Usage", (), {"total": 200 * GB, "free": 80 * GB + 100_000_000})
    monkeypatch.setattr("edge.recording.figures.shutil.disk_usage", lambda _: usage)
    found = figures(desk.db, config, NOW)
    days = ((found.forecast.full_ms or 0) - NOW.wall_ms) / DAY_MS
    assert 7 <= days <= 9, "80 GB are free, 10 a day have to stay"
    limited = with_cameras(desk, limit_gb=50)
    assert figures(desk.db, limited, NOW).forecast.full_ms == NOW.wall_ms


def test_the_sums_read_no_segments_row(desk: DeskRoom) -> None:
    """Rows carry tables of fragments: a page that read them would read gigabytes after some months."""
    for name, what in (("stored", ("door",)), ("total_bytes", ()), ("bytes_touching", ("door", 1, 2))):
        said = list[str]()
        desk.db.set_trace_callback(said.append)
        getattr(store_space, name)(desk.db, *what)
        desk.db.set_trace_callback(None)
        plan = [row["detail"] for query in said for row in desk.db.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert plan and all("COVERING INDEX" in step for step in plan), (name, plan)


def test_the_preflight_looks_at_a_folder_that_is_still_to_be_made(tmp_path: Path) -> None:
    assert space.there(tmp_path / "a" / "b") == tmp_path


def test_the_same_from_a_terminal(desk: DeskRoom, tmp_path: Path) -> None:
    opened = NOW.wall_ms - 2 * DAY_MS
    desk.db.execute("UPDATE sessions SET state = 'closed', opened_ms = ?, closed_ms = ?", (opened, opened + MINUTE_MS))
    minute(desk, "door", 1, opened)
    words = ["--config", str(write_config(with_cameras(desk), tmp_path)), "footage"]

    def run(*more: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, [*words, *more])
        return done.exit_code, done.output

    who = ("--why", "家长申诉", "--by", "U-1")
    code, said = run("hold", "--session", desk.session, *who, "--json")
    hold = json.loads(said)["hold"]
    assert (code, run("hold", "--from", "2026-01-02T08:00", "--until", "2026-01-02T09:00", *who)[0]) == (0, 0)
    found = json.loads(run("space", "--json")[1])
    assert [one["session"] for one in found["holds"]] == [desk.session, None]
    assert (found["footage"], found["sessions"][0]["why"]) == (7_500_000, "unsigned")
    code, said = run("space")
    assert code == 0 and hold in said and "door: 0.0 GB" in said and "未签名" in said
    assert run("release", hold, *who)[0] == 0
    assert run("inspected", desk.session, "--by", "U-1")[0] == 0
    assert [e.kind for e in ledger.entries(desk.db)][-4:] == ["hold", "hold", "hold_released", "session_inspected"]
    code, said = run("release", hold, *who)
    assert code == 1 and "已经解除" in said
    span = ("--from", "1", "--until", "2")
    assert run("hold", "--camera", "attic", *span, *who)[0] == 2
    assert run("hold", "--camera", "hall", *span, *who)[0] == 0
    for wrong in ((), ("--session", desk.session, "--camera", "door"), ("--from", "1")):
        code, said = run("hold", *wrong, *who)
        assert code == 2 and "--session" in said
    assert ledger.last(desk.db, "act_refused", 1)[0].body["reason"] == "hold_unclear"
