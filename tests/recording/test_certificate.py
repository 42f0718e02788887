"""A session's completeness certificate: what it counts, who signs it, and what a stranger makes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge import clock
from edge.cli import main
from edge.clock import TimeQuality
from edge.domain.canonical import canonical
from edge.domain.footage import Fragment, fragments_root
from edge.errors import Conflict
from edge.recording import certificate, clips, coverage
from edge.store import completeness, ledger, recorders, segments
from edge.store.completeness import Kept
from edge.store.db import transaction
from edge.store.segments import Segment
from edge.trust import dsse
from edge.trust.completeness_format import Completeness, completeness_file
from edge.trust.signer import Ed25519Signer
from edge.trust.verifier import verify_file
from support.rooms import DeskRoom

BOOT, OTHER = "a" * 32, "b" * 32
UP = 5_000_000  # how long the box has been up when the door opens
MINUTE = 60_000


@dataclass
class Now:
    """The box's clocks, in the hand."""

    wall: int
    mono: int = UP
    boot: str = BOOT
    quality: TimeQuality = TimeQuality.SYNCHRONISED

    def passes(self, milliseconds: int) -> None:
        self.wall, self.mono = self.wall + milliseconds, self.mono + milliseconds


@dataclass
class Session:
    """A session whose door opens now; the cameras `door` and `hall` are to record it."""

    desk: DeskRoom
    now: Now
    t0: int = 0
    sequence: int = 0

    def opens(self, *cameras: str) -> None:
        self.t0 = self.now.wall
        self._enters("checkin_opened", "opened_ms", {"cameras": sorted(cameras)})

    def closes(self) -> None:
        self._enters("exam_closed", "closed_ms", {})

    def _enters(self, kind: str, column: str, body: dict[str, Any]) -> None:
        with transaction(self.desk.db):
            query = f"UPDATE sessions SET {column} = ? WHERE id = ?"  # noqa: S608
            self.desk.db.execute(query, (self.now.wall, self.desk.session))
            ledger.append(self.desk.db, kind, body, session=self.desk.session)

    def films(self, seconds: int, cause: str = "rotated", camera: str = "door", **more: Any) -> Segment:
        """The clocks go on by so long, and then the segment of that time is indexed."""
        wall, mono = self.now.wall, self.now.mono
        self.now.passes(seconds * 1000)
        return segments.index(self.desk.db, self.segment(camera, wall, mono, seconds, cause, **more))

    def segment(self, camera: str, wall: int, mono: int, seconds: int, cause: str, **more: Any) -> Segment:
        self.sequence += 1
        fragment = Fragment(0, 800, 100, "cd" * 32, wall, mono, seconds * 1000)
        facts: dict[str, Any] = {
            "id": segments.segment_id(camera, self.now.boot, self.sequence),
            "camera": camera,
            "boot_id": self.now.boot,
            "sequence": self.sequence,
            "path": segments.segment_path(camera, self.now.boot, self.sequence),
            "started_ms": wall,
            "ended_ms": wall + seconds * 1000,
            "started_mono_ms": mono,
            "duration_ms": seconds * 1000,
            "bytes": 900,
            "quality": self.now.quality.value,
            "salvaged": False,
            "cause": cause,
            "init_length": 800,
            "init_sha256": "ab" * 32,
            "fragments": (fragment,),
            "digest": fragments_root([fragment.sha256]),
        }
        return Segment(**(facts | more))

    def certify(self) -> Completeness:
        return document(certificate.certify(self.desk.db, self.desk.config, self.desk.identity, self.desk.session))

    def file(self, kept: Kept) -> bytes:
        return completeness_file(self.desk.identity.envelope, kept.envelope)


def document(kept: Kept) -> Completeness:
    return Completeness.model_validate(dsse.peek(kept.envelope).payload)


def told(found: Completeness, camera: str = "door") -> list[tuple[int, str, int]]:
    (one,) = [c for c in found.cameras if c.camera == camera]
    return [(gap.ms, gap.cause, gap.doubt_ms) for gap in one.gaps]


@pytest.fixture
def session(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> Session:
    now = Now(clock.wall_ms() + 86_400_000)  # so that a clock set back stays within the room's certificate
    monkeypatch.setattr(clock, "wall_ms", lambda: now.wall)
    monkeypatch.setattr(clock, "mono_ms", lambda: now.mono)
    monkeypatch.setattr(clock, "boot_id", lambda: now.boot)
    monkeypatch.setattr(clock, "quality", lambda: now.quality)
    return Session(desk, now)


def test_a_whole_camera_and_one_that_never_came(session: Session) -> None:
    session.films(30)
    session.now.wall -= 10_000  # the door opens ten seconds before the end of that segment
    session.now.mono -= 10_000
    session.opens("door", "hall")
    session.now.passes(10_000)
    session.films(60, frames=1500, dropped=2)
    session.films(20, frames=500)
    session.closes()
    session.films(40)
    found = session.certify()
    door, hall = found.cameras
    assert (door.expected_ms, door.recorded_ms, door.hundredths, door.gaps) == (90_000, 90_000, 10_000, [])
    assert (door.segments, door.frames, door.dropped) == (3, None, 2)  # of the first nobody counted the frames
    assert (hall.expected_ms, hall.recorded_ms, hall.hundredths) == (90_000, 0, 0)
    assert told(found, "hall") == [(90_000, "not-started", 0)]
    assert (found.hundredths, found.gaps, found.version) == (5_000, 1, 1)
    entry = ledger.entries(session.desk.db, kinds=(completeness.KIND,))[0]
    kept = completeness.latest(session.desk.db, session.desk.session)
    assert kept is not None and entry.body == {"version": 1, "sha256": kept.sha256}


def test_a_camera_that_died_and_one_that_was_late(session: Session) -> None:
    session.opens("door")
    session.now.passes(5_000)
    session.films(60, "camera-missing")
    session.now.passes(10_000)
    session.films(60, "killed")
    session.now.passes(25_000)
    session.closes()
    found = session.certify()
    assert told(found) == [(5_000, "not-started", 0), (10_000, "camera-missing", 0), (25_000, "killed", 0)]
    assert (found.cameras[0].expected_ms, found.cameras[0].hundredths) == (160_000, 7_500)


def test_a_kill_as_a_segment_begins_is_one(session: Session) -> None:
    """The one before made way in good order, and the new one has no whole fragment."""
    session.opens("door")
    session.films(60)
    now, db = session.now, session.desk.db
    empty = session.segment("door", now.wall, now.mono, 0, "killed", salvaged=True, fragments=(), duration_ms=0)
    segments.index(db, empty)
    now.passes(7_000)
    session.films(60)
    now.passes(3_000)
    session.films(60)
    session.closes()
    assert told(session.certify()) == [(7_000, "killed", 0), (3_000, "unknown", 0)]
    gaps = clips.completeness_between(db, "door", session.t0, now.wall).gaps
    assert [gap.cause for gap in gaps] == ["killed", "unknown"]


@pytest.mark.parametrize("step", [3_600_000, -3_600_000])
def test_a_clock_that_is_set_makes_no_gap_and_hides_none(session: Session, step: int) -> None:
    session.opens("door")
    session.films(60, "clock-step")
    session.now.wall += step
    with transaction(session.desk.db):
        body = {"camera": "door", "step_ms": step, "segment": "x"}
        ledger.append(session.desk.db, "clock", body)
    session.films(60, "killed")
    session.now.passes(7_000)
    session.films(60)
    session.closes()
    found = session.certify()
    assert told(found) == [(7_000, "killed", 0)]
    assert (found.cameras[0].expected_ms, found.cameras[0].recorded_ms) == (187_000, 180_000)
    assert [fact.step_ms for fact in found.clock if fact.step_ms is not None] == [step]


@pytest.mark.parametrize("true_again", [True, False])
def test_a_power_cut_in_the_exam(session: Session, true_again: bool) -> None:
    """The box comes up with its clock two hours behind; where it is synchronised later, the gap is known."""
    session.opens("door")
    wall, mono = session.now.wall, session.now.mono
    session.now.passes(130_000)
    session.now.boot, session.now.mono = OTHER, 40_000  # up for 40 s, the cut was 60 s before
    session.now.wall -= 7_200_000
    session.now.quality = TimeQuality.UNKNOWN
    session.now.boot = BOOT
    lost = session.segment("door", wall, mono, 30, "power", salvaged=True, quality="synchronised")
    session.now.boot = OTHER
    segments.index(session.desk.db, lost)
    session.films(60, "clock-step" if true_again else "rotated")
    if true_again:
        session.now.wall += 7_200_000
        session.now.quality = TimeQuality.SYNCHRONISED
        session.films(60)
    session.closes()
    found = session.certify()
    ((length, cause, doubt),) = told(found)
    assert cause == "power"
    if true_again:
        assert (length, doubt) == (100_000, 0)
    else:
        assert length == 40_000  # at least as long as it had been up
        assert doubt >= 7_000_000
    assert [fact.boot for fact in found.clock if fact.boot] == [OTHER]
    assert found.cameras[0].salvaged == 1


def test_it_waits_for_the_index_and_issues_again_for_footage_that_comes_late(session: Session) -> None:
    db, config = session.desk.db, session.desk.config
    session.opens("door")
    with pytest.raises(Conflict) as open_still:
        session.certify()
    assert open_still.value.code == "completeness_open"
    since = certificate.issue_due(db, config, 0)
    session.films(60, "rotated")
    wall, mono = session.now.wall, session.now.mono
    session.now.passes(30_000)
    session.closes()
    late = session.segment("door", wall, mono, 30, "killed", salvaged=True)
    since = certificate.issue_due(db, config, since)
    assert completeness.latest(db, session.desk.session) is None
    assert certificate.waits_for(db, config, session.desk.session) == "door"
    session.now.passes(coverage.SILENT_MS + 1000 * config.recording.segment_seconds)
    since = certificate.issue_due(db, config, since)
    first = completeness.latest(db, session.desk.session)
    assert first is not None and told(document(first)) == [(30_000, "unknown", 0)]
    assert certificate.issue_due(db, config, since) >= since
    assert completeness.latest(db, session.desk.session) == first
    segments.index(db, late)
    since = certificate.issue_due(db, config, since)
    second = completeness.latest(db, session.desk.session)
    assert second is not None and (second.version, told(document(second))) == (2, [])
    assert session.certify().version == 2  # nothing new: no third
    session.films(60)  # after the session: none of its business
    certificate.issue_due(db, config, since)
    assert completeness.latest(db, session.desk.session) == second


@pytest.mark.parametrize("step", [-86_400_000, 86_400_000])
def test_late_footage_of_a_session_whose_clock_was_set_makes_a_new_version_too(session: Session, step: int) -> None:
    db, config = session.desk.db, session.desk.config
    session.opens("door")
    session.films(60, "clock-step")
    session.now.wall += step
    with transaction(db):
        ledger.append(db, "clock", {"camera": "door", "step_ms": step, "segment": "x"})
    wall, mono = session.now.wall, session.now.mono
    session.now.passes(30_000)
    session.closes()
    late = session.segment("door", wall, mono, 30, "killed", salvaged=True)
    session.now.passes(certificate.SILENT_MS + 1000 * config.recording.segment_seconds)
    since = certificate.issue_due(db, config, 0)
    segments.index(db, late)
    certificate.issue_due(db, config, since)
    found = completeness.latest(db, session.desk.session)
    assert found is not None and (found.version, told(document(found))) == (2, [])


def test_once_every_camera_is_past_the_close_it_is_issued(session: Session) -> None:
    db, config = session.desk.db, session.desk.config
    session.opens("door")
    session.films(60)
    session.now.passes(20_000)
    session.closes()
    session.now.wall, session.now.mono = session.now.wall - 20_000, session.now.mono - 20_000
    session.films(60)
    certificate.issue_due(db, config, 0)
    kept = completeness.latest(db, session.desk.session)
    assert kept is not None and document(kept).hundredths == 10_000


def test_what_the_camera_could_not_see_and_what_was_deleted(session: Session) -> None:
    db = session.desk.db
    session.opens("door")
    first = session.films(60)
    for state, reason in (("trouble", "camera_black"), ("good", "camera_black"), ("trouble", "camera_missing")):
        ledger.note(db, "camera", {"camera": "door", "state": state, "reason": reason})
        session.now.passes(5_000)
    ledger.note(db, "camera", {"camera": "hall", "state": "trouble", "reason": "camera_covered"})
    session.films(60)
    session.closes()
    segments.remove(db, first, 90)
    found = session.certify()
    (door,) = found.cameras
    assert [(b.until_ms - b.from_ms, b.reason) for b in door.blind] == [(5_000, "camera_black")]
    assert found.deleted == [first.id]


def test_what_was_deleted_of_a_session_whose_clock_was_set_back_is_named_too(session: Session) -> None:
    db = session.desk.db
    session.opens("door")
    first = session.films(60, "clock-step")
    session.now.wall -= 86_400_000
    with transaction(db):
        ledger.append(db, "clock", {"camera": "door", "step_ms": -86_400_000, "segment": "x"})
    second = session.films(60)
    session.closes()
    for one in (first, second):
        segments.remove(db, one, 90)
    assert sorted(session.certify().deleted) == sorted([first.id, second.id])


def test_a_camera_covered_days_before_is_blind_whatever_else_befell_it(session: Session) -> None:
    db = session.desk.db

    def tells(state: str, reason: str, camera: str = "door") -> None:
        ledger.note(db, "camera", {"camera": camera, "state": state, "reason": reason})

    tells("good", "camera_black")
    session.now.passes(1000)
    tells("trouble", "camera_covered")
    session.now.passes(3 * 86_400_000)
    tells("trouble", "camera_silent")  # its process, as `web` sees it: nobody took the cap off
    tells("good", "camera_silent")
    tells("good", "camera_black", "hall")
    session.now.passes(1000)
    session.opens("door")
    session.films(20)
    tells("trouble", "camera_silent")
    session.films(10)
    assert recorders.blind_still(db, "door") == "camera_covered"
    tells("good", "camera_covered")
    assert recorders.blind_still(db, "door") is None
    session.films(30)
    session.closes()
    (door,) = session.certify().cameras
    blind = [(b.from_ms - session.t0, b.until_ms - session.t0, b.reason) for b in door.blind]
    assert blind == [(0, 30_000, "camera_covered")]


@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000])
def test_a_cover_that_a_clock_step_dates_outside_the_session_is_in_it(session: Session, step_ms: int) -> None:
    db = session.desk.db

    def tells(state: str) -> None:
        ledger.note(db, "camera", {"camera": "door", "state": state, "reason": "camera_covered"})

    session.opens("door")
    session.films(20)
    session.now.wall += step_ms
    shown = session.now.wall
    tells("trouble")
    session.films(15)
    tells("good")
    session.now.wall -= step_ms
    session.films(25)
    session.closes()
    tells("trouble")  # none of its business, though the clock says so
    (door,) = session.certify().cameras
    assert [(b.from_ms, b.until_ms - b.from_ms) for b in door.blind] == [(shown, 15_000)]


def test_a_cover_before_a_step_back_is_as_long_as_it_was(session: Session) -> None:
    session.opens("door")
    ledger.note(session.desk.db, "camera", {"camera": "door", "state": "trouble", "reason": "camera_covered"})
    session.films(20)
    session.now.wall -= 600_000
    session.films(40)
    session.closes()
    (door,) = session.certify().cameras
    assert [(b.from_ms - session.t0, b.until_ms - b.from_ms) for b in door.blind] == [(0, 60_000)]


def test_short_blindness_entered_later_is_blindness_of_its_moments(session: Session) -> None:
    db = session.desk.db

    def tells(*spans: tuple[int, int], camera: str = "door") -> None:
        told = [{"reason": "camera_dark", "from_mono_ms": a, "until_mono_ms": b} for a, b in spans]
        ledger.note(db, "camera", {"camera": camera, "state": "unseen", "spans": told})

    session.now.passes(10_000)
    session.opens("door")
    began = session.now.mono
    tells((began - 8_000, began + 2_000), (began + 100, began + 200), camera="hall")
    session.films(20)
    tells((began - 8_000, began + 2_000), (began + 5_000, began + 9_000))
    ledger.note(db, "camera", {"camera": "door", "state": "trouble", "reason": "camera_covered"})
    session.films(40)
    session.closes()
    session.now.passes(15_000)
    ledger.note(db, "camera", {"camera": "door", "state": "good", "reason": "camera_covered"})
    tells((began + 55_000, began + 70_000), (began + 70_000, began + 75_000))
    assert recorders.blind_still(db, "door") is None
    (door,) = session.certify().cameras
    blind = [(b.from_ms - session.t0, b.until_ms - session.t0, b.reason) for b in door.blind]
    assert blind == [
        (0, 2_000, "camera_dark"),
        (5_000, 9_000, "camera_dark"),
        (20_000, 60_000, "camera_covered"),
        (55_000, 60_000, "camera_dark"),
    ]


def test_a_clock_that_became_better_known_was_not_set(session: Session) -> None:
    session.opens("door")
    session.films(20)
    entered = {"camera": "door", "segment": "x", "step_ms": 0, "quality": "synchronised", "was": "rtc"}
    ledger.note(session.desk.db, "clock", entered)
    session.films(20)
    session.closes()
    ledger.note(session.desk.db, "clock", entered | {"step_ms": 9_000})  # after it: another's
    assert [fact.step_ms for fact in session.certify().clock if fact.step_ms is not None] == []


def certified(session: Session) -> bytes:
    session.opens("door")
    session.films(60, "killed")
    session.now.passes(3_000)
    session.films(60)
    session.closes()
    kept = certificate.certify(session.desk.db, session.desk.config, session.desk.identity, session.desk.session)
    return session.file(kept)


def test_a_stranger_with_the_root_alone_verifies_it(session: Session, tmp_path: Path) -> None:
    data, out = certified(session), tmp_path / "completeness.json"
    root = session.desk.identity.root_public
    out.write_bytes(data)
    verdict = verify_file(out, [root])
    assert verdict.ok, verdict
    assert (verdict.kind, verdict.facts["percent"], verdict.facts["gap_count"]) == ("completeness", "97.56", 1)
    assert "97.56" in verdict.sentence("zh") and "97.56" in verdict.sentence("en")
    for at in [*range(0, len(data), 41), len(data) - 1]:
        altered = bytearray(data)
        altered[at] ^= 1
        out.write_bytes(altered)
        assert not verify_file(out, [root]).ok, at
    out.write_bytes(data)
    assert verify_file(out, [Ed25519Signer.generate().public]).reason == "evidence_root_unknown"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"room": "another"}, "completeness_other_room"),
        ({"made_ms": 5}, "evidence_certificate_expired"),
        ({"checkpoint": "x"}, "evidence_checkpoint_altered"),
        ({"cameras": "nicer"}, "completeness_wrong"),
        ({"more": 1}, "completeness_wrong"),
    ],
)
def test_what_the_room_signs_must_hold_together(
    session: Session, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    envelope = json.loads(certified(session))["completeness"]
    said = dsse.peek(canonical(envelope)).payload
    if change.get("cameras"):
        change = {"cameras": [said["cameras"][0] | {"hundredths": 10_000}]}
    signed = dsse.sign_envelope(dsse.COMPLETENESS, said | change, [session.desk.identity.keys.sign])
    out = tmp_path / "made.json"
    out.write_bytes(completeness_file(session.desk.identity.envelope, signed))
    assert verify_file(out, [session.desk.identity.root_public]).reason == reason
    stranger = dsse.sign_envelope(dsse.COMPLETENESS, said, [Ed25519Signer.generate()])
    out.write_bytes(completeness_file(session.desk.identity.envelope, stranger))
    assert verify_file(out, [session.desk.identity.root_public]).reason == "evidence_signer_wrong"


def test_the_command(session: Session, tmp_path: Path) -> None:
    certified(session)
    paths, out = session.desk.config.paths, tmp_path / "c.json"
    config = tmp_path / "examroom.toml"
    config.write_text(
        f'[paths]\nstate = "{paths.state}"\nruntime = "{paths.runtime}"\nrecordings = "{paths.recordings}"\n'
    )
    run = ["--config", str(config), "footage", "certificate", session.desk.session]
    shown = CliRunner().invoke(main, [*run, "--out", str(out)])
    assert shown.exit_code == 0, shown.output
    assert "97.56 %" in shown.output and "killed" in shown.output
    again = CliRunner().invoke(main, [*run, "--out", str(out)])
    assert again.exit_code != 0  # never written over
    as_json = CliRunner().invoke(main, [*run, "--json"])
    assert json.loads(as_json.stdout)["cameras"][0]["hundredths"] == 9_756
    checked = CliRunner().invoke(main, ["--config", str(config), "verify", str(out), "--json"])
    assert checked.exit_code == 0 and json.loads(checked.stdout)["kind"] == "completeness", checked.output
