"""What the spot check's page plays and shows: fragments by ranges, marks of the cameras' own, thumbnails, answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from edge import clock
from edge.clock import Instant, TimeQuality
from edge.domain.footage import Cause
from edge.exam import conduct, incidents
from edge.exam.banks import open_bank
from edge.recording import thumbs
from edge.recording.thumbs import Thumbs
from edge.recording.writer import Place, SegmentWriter
from edge.store import access, admissions, checkins, holds, ledger, people, segments, sessions
from edge.store.db import transaction
from edge.store.status import write_status
from edge.trust.passes import issue
from edge.trust.signer import Ed25519Signer
from edge.web.app import create_app
from edge.web.body import csrf_of
from edge.web.bucket import Bucket
from edge.web.spotcheck.marks import Mark, marks
from support.cameras import make_packets
from support.costs import steps
from support.rooms import TabletHand, make_desk_room
from support.serving import SUPERVISOR, said

BOOT = "0" * 32
MINUTE = 60_000
JPEG = b"\xff\xd8\xff\xe0 a small picture"


class Site:
    """A session that opened ten minutes ago, filmed by two cameras for two times four seconds."""

    def __init__(self, folder: Path) -> None:
        cameras = {name: {"backend": "file", "source": "none.mp4"} for name in ("door", "hall")}
        self.desk = make_desk_room(folder, camera=cameras)
        self.db, self.session = self.desk.db, self.desk.session
        bank = open_bank(self.desk.identity, self.desk.config.paths.bundles, sessions.find(self.db, self.session))
        conduct.open_checkin(self.db, self.session, bank, "P-001")
        self.people = people.candidates(self.db, self.session)
        for who in self.people[:2]:
            admissions.admit(self.db, self.session, who.person, route="policy", reason="admitted_manual", by="P-001")
        conduct.start(self.db, self.session, "P-001")
        self.opened = clock.wall_ms() - 10 * MINUTE
        self.filmed = self.opened + MINUTE
        with transaction(self.db):
            self.db.execute("UPDATE sessions SET opened_ms = ?", (self.opened,))
        self.video, self.packets = make_packets(4)
        for camera in ("door", "hall"):
            for sequence in (1, 2):
                self.film(camera, sequence, self.filmed + (sequence - 1) * 6000, 1000 + sequence * 6000)
        self.app = create_app(self.desk.config)
        self.app.extensions["examroom"].live.set_running(self.session, True)
        self.client = self.app.test_client()
        self.client.post("/staff/login", data={"badge": SUPERVISOR.badge, "pin": SUPERVISOR.pin, "next": ""})

    def film(self, camera: str, sequence: int, wall_ms: int, mono_ms: int) -> segments.Segment:
        at = Instant(wall_ms, mono_ms, BOOT, TimeQuality.SYNCHRONISED)
        writer = SegmentWriter(Place(self.desk.config.paths.recordings, camera, BOOT, sequence), self.video, at, 1)
        for packet in self.packets:
            writer.write(packet)
        return segments.index(self.db, writer.close(Cause.ROTATED))

    def view(self, since: int, until: int, *cameras: str, client: FlaskClient | None = None) -> str:
        client = client or self.client
        cookie = client.get_cookie("examroom_staff")
        assert cookie is not None
        told = client.post(
            f"/spotcheck/api/{self.session}/views",
            json={"cameras": list(cameras or ("door",)), "from": since, "until": until, "why": "例行抽查"},
            headers={"X-CSRF": csrf_of(cookie.value)},
        )
        assert told.status_code == 200, told.text
        return str(told.json["view"])

    def get(self, path: str, view: str = "", client: FlaskClient | None = None, **headers: str) -> Any:
        address = f"/spotcheck/{path.replace('SESSION', self.session)}"
        query = {"view": view} if view else {}
        return (client or self.client).get(
            address, query_string=query, headers={"Accept": "application/json"} | headers
        )

    def files(self, view: str, camera: str = "door") -> list[dict[str, Any]]:
        told = self.get(f"api/SESSION/fragments/{camera}", view)
        assert told.status_code == 200, told.text
        return list(told.json["files"])

    def timeline(self, client: FlaskClient | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self.get("api/SESSION/timeline", client=client).json
        return found

    def enter(self, kind: str, **body: object) -> None:
        with transaction(self.db):
            ledger.append(self.db, kind, body)

    def close(self) -> None:
        self.video.owner.close()
        self.app.extensions["examroom"].journal.close()
        self.db.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_fragments_are_fetched_by_the_ranges_that_are_listed(site: Site) -> None:
    view = site.view(site.filmed + 1500, site.filmed + 8000)
    files = site.files(view)
    assert [len(file["fragments"]) for file in files] == [3, 2]
    for file, sequence in zip(files, (1, 2), strict=True):
        whole = (site.desk.config.paths.recordings / segments.segment_path("door", BOOT, sequence)).read_bytes()
        index = segments.get(site.db, file["segment"])
        address = f"SESSION/media/{file['segment']}"
        assert site.get(address, view, Range=f"bytes=0-{file['init'] - 1}").data == whole[: file["init"]]
        for offset, length, wall_ms, duration_ms, key in file["fragments"]:
            fragment = next(f for f in index.fragments if f.wall_ms == wall_ms)
            told = site.get(address, view, Range=f"bytes={offset}-{offset + length - 1}")
            assert (told.status_code, told.data) == (206, whole[fragment.offset : fragment.offset + fragment.length])
            assert (duration_ms, key) == (fragment.duration_ms, 1)
        assert len(site.get(address, view).data) == file["length"] <= len(whole)


def test_media_belong_to_a_view_of_their_camera_and_span(site: Site) -> None:
    view = site.view(site.filmed, site.filmed + 3000)
    (file,) = site.files(view)
    address = f"SESSION/media/{file['segment']}"
    assert said(site.get(address)) == said(site.get(address, "made-up")) == "view_wanted"
    assert said(site.get(address.replace("door", "hall"), view)) == "view_wanted"
    assert said(site.get("api/SESSION/fragments/hall", view)) == "view_wanted"
    assert said(site.get("api/SESSION/thumbs/hall", view)) == "view_wanted"
    assert said(site.get(address.replace("000001", "000002"), view)) == "no_footage"
    assert said(site.get("SESSION/media/door-none", view)) == "segment_missing"
    site.client.get(f"/spotcheck/{site.session}")
    assert site.app.test_client().get(f"/spotcheck/{site.session}/media/x").status_code == 302


def test_a_first_picture_costs_three_openings_of_a_segment_at_most(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the click on: the view, what there is, the segment's beginning, the fragment of the moment in its middle."""
    opened, real = list[str](), Path.open

    def counted(path: Path, *how: Any, **more: Any) -> Any:
        if path.suffix == ".mp4":
            opened.append(path.name)
        return real(path, *how, **more)

    monkeypatch.setattr(Path, "open", counted)
    at = site.filmed + 8500
    view = site.view(at - 5 * MINUTE, at + MINUTE)
    found = [(file, row) for file in site.files(view) for row in file["fragments"] if row[2] <= at < row[2] + row[3]]
    ((file, row),) = found
    assert opened == []
    address = f"SESSION/media/{file['segment']}"
    with site.get(address, view, Range=f"bytes=0-{file['init'] - 1}") as head:
        assert b"avcC" in head.data, "what the page takes the type of the video from"
    with site.get(address, view, Range=f"bytes={row[0]}-{row[0] + row[1] - 1}") as picture:
        assert picture.data[4:8] == b"moof"
    assert 1 <= len(opened) <= 3


def test_what_is_being_recorded_is_seen_as_far_as_it_is_on_the_disk(site: Site) -> None:
    now = clock.now()
    at = Instant(now.wall_ms - 6000, now.mono_ms - 6000, now.boot_id, TimeQuality.SYNCHRONISED)
    writer = SegmentWriter(Place(site.desk.config.paths.recordings, "door", now.boot_id, 7), site.video, at, 1)
    write_status(site.desk.config.paths.status, "camera-door", state="recording", segment=writer.id)
    for packet in site.packets:
        writer.write(packet)
    view = site.view(at.wall_ms, at.wall_ms + 9000)
    (file,) = site.files(view)
    assert (file["segment"], len(file["fragments"])) == (writer.id, 3)
    whole = writer.place.path.read_bytes()
    told = site.get(f"SESSION/media/{writer.id}", view)
    assert told.data == whole and told.headers["ETag"]
    assert said(site.get(f"SESSION/media/{writer.id}", site.view(site.filmed, site.filmed + 1000))) == "no_footage"
    assert (
        said(site.get(f"SESSION/media/{writer.id}", site.view(at.wall_ms, at.wall_ms + 1, "hall"))) == "segment_missing"
    )
    (door, _) = site.timeline()["cameras"]
    assert door["segments"][-1] == {
        "id": None,
        "from_ms": at.wall_ms,
        "until_ms": at.wall_ms + 3000,
        "salvaged": False,
        "quality": "synchronised",
    }
    done = segments.index(site.db, writer.close(Cause.ROTATED))
    (again,) = site.files(view)
    assert again["fragments"][:3] == file["fragments"] and len(again["fragments"]) == 4 == len(done.fragments)
    grown = site.get(f"SESSION/media/{writer.id}", view)
    assert grown.data[: len(whole)] == whole and grown.headers["ETag"] != told.headers["ETag"]


def test_times_that_come_twice_are_told_apart(site: Site) -> None:
    site.film("door", 3, site.filmed + 7000, 30_000)  # the clock was set back before it
    site.film("door", 4, site.filmed + 11_000, 34_000)
    files = site.files(site.view(site.filmed, site.filmed + 15_000))
    taken = [(int(file["segment"][-6:]), file["take"]) for file in files]
    assert taken == [(1, 0), (2, 0), (3, 1), (4, 1)]


def test_marks_of_clock_camera_and_recording_belong_to_no_session_and_are_shown(site: Site) -> None:
    for camera in ("door", "hall"):
        site.enter("clock", camera=camera, segment="x", step_ms=-4000)
    site.enter("clock", camera="hall", segment="x", step_ms=0, quality="rtc", was="synchronised")
    site.enter("camera", camera="door", state="trouble", reason="camera_covered")
    site.enter("camera", camera="door", state="good", reason="camera_covered")
    site.enter("recording", camera="hall", state="write-failed", detail="EIO")
    site.enter("recording", camera="hall", state="made-up")
    marks = [mark for mark in site.timeline()["marks"] if mark["kind"] in ("clock", "camera", "recording")]
    assert [mark["sentence"]["en"] for mark in marks] == [
        "The clock was set back by 4.0 s: these times come twice, and times before it may be fast by that much"
        " (door, hall)",
        'Time went from "synchronised" to "by the box\'s own clock, not synchronised" (hall)',
        "Camera door was covered or out of focus",
        "Camera door is well again",
        "Footage of camera hall could not be written",
        "Camera hall: recording in trouble",
    ]
    assert all(mark["sentence"]["zh"] and "{" not in mark["sentence"]["zh"] for mark in marks)
    assert (marks[0]["step_ms"], marks[0]["cameras"], marks[0]["camera"]) == (-4000, ["door", "hall"], None)
    began = clock.mono_ms() - 5_000
    spans = [{"reason": "camera_dark", "from_mono_ms": began, "until_mono_ms": began + 3_000}]
    site.enter("camera", camera="door", state="unseen", spans=spans)
    (late,) = [mark for mark in site.timeline()["marks"] if "again for a while" in mark["sentence"]["en"]]
    assert late["at_ms"] == pytest.approx(clock.wall_ms() - 5_000, abs=2_000) and not late["good"]


def test_a_step_to_another_day_stays_on_the_timeline(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    real = clock.now()
    monkeypatch.setattr(clock, "now", lambda: Instant(real.wall_ms - 86_400_000, real.mono_ms, BOOT, real.quality))
    site.enter("clock", camera="door", segment="x", step_ms=-86_400_000)
    monkeypatch.undo()
    (mark,) = [mark for mark in site.timeline()["marks"] if mark["kind"] == "clock"]
    assert mark["at_ms"] == real.wall_ms - 86_400_000


def test_marks_of_a_past_session_cost_nothing_of_what_came_after(site: Site) -> None:
    with transaction(site.db):
        site.db.execute("UPDATE sessions SET state = 'closed', closed_ms = ?", (clock.wall_ms(),))
        ledger.append(site.db, "exam_closed", {}, session=site.session)
    until = clock.wall_ms() + 5000

    def ask() -> list[Mark]:
        return marks(site.db, site.session, site.opened, until)

    shown, before = ask(), steps(site.db, ask)
    with transaction(site.db):
        site.db.execute(
            "WITH RECURSIVE later(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM later WHERE n < 5000)"
            " INSERT INTO ledger (seq, kind, at_ms, entry) SELECT 1000 + n, 'recording', ? + n, x'7b7d' FROM later",
            (until + MINUTE,),
        )
    assert ask() == shown
    assert steps(site.db, ask) <= before + 200


def test_deleted_footage_is_a_mark_where_it_was(site: Site) -> None:
    with transaction(site.db):
        # its entry is dated when it closed; these are closed now
        site.db.execute("UPDATE ledger SET at_ms = ? WHERE kind = 'segment'", (site.filmed + 12_000,))
    segments.remove(site.db, segments.get(site.db, f"hall-{BOOT[:8]}-000001"), 30, "space")
    segments.remove(site.db, segments.get(site.db, f"hall-{BOOT[:8]}-000002"), 30, "space")
    with transaction(site.db):
        site.db.execute("DELETE FROM segments WHERE id = ?", (f"door-{BOOT[:8]}-000002",))
    gone = [mark for mark in site.timeline()["marks"] if mark["kind"] == "segment-deleted"]
    spans = {(mark["camera"], mark["reason"], mark["at_ms"], mark["until_ms"]) for mark in gone}
    first = site.filmed
    assert spans == {
        ("hall", "space", first, first + 10_000),  # what follows on is one
        ("door", "unexplained", first + 6000, first + 10_000),
    }
    assert all(mark["sentence"]["zh"] for mark in gone)


def test_an_incident_stands_where_it_happened_and_each_candidate_at_the_door(site: Site) -> None:
    happened = site.opened + 2 * MINUTE
    number = incidents.note(
        site.db, site.session, kind="conduct-phone", text="看手机", by="P-001", happened_ms=happened,
        person=site.people[1].person,
    )  # fmt: skip
    assert number > 0
    with transaction(site.db):
        checkins.record(
            site.db, session=site.session, person=site.people[2].person, outcome="refused", reason="face_refused",
            route=None, ledger_seq=0, camera="door",
        )  # fmt: skip
    found = site.timeline()
    (mark,) = [mark for mark in found["marks"] if mark["kind"] == "incident"]
    assert (mark["at_ms"], mark["number"], mark["seat"]) == (happened, site.people[1].number, "A2")
    assert mark["noted_ms"] > happened and "手机" in mark["sentence"]["zh"]
    assert "看手机" not in site.get("api/SESSION/timeline").text, "the words stay at the console"
    at_door = [(one["number"], one["outcome"], one["camera"]) for one in found["candidates"][:4]]
    numbers = [who.number for who in site.people]
    assert at_door == [
        (numbers[0], "admitted", None),
        (numbers[1], "admitted", None),
        (numbers[2], "refused", "door"),
        (numbers[3], None, None),
    ]
    # whoever comes with a pass sees what lies in it
    root, now = Ed25519Signer.load(site.desk.config.paths.keys / "root.key"), clock.wall_ms()
    _, text = issue(
        root, name="李检查", rooms=["room-1"], from_ms=happened - 1000, until_ms=happened + 1000,
        not_before_ms=now - MINUTE, expires_ms=now + MINUTE, export=False,
    )  # fmt: skip
    holder = site.app.test_client()
    holder.post("/staff/login", data={"pass": text, "next": ""})
    seen = site.timeline(holder)
    assert [mark["kind"] for mark in seen["marks"]] == ["incident"]
    assert seen["candidates"] == []


def test_holds_and_qualities_are_in_the_timeline(site: Site) -> None:
    holds.place_on_session(site.db, site.session, "申诉", SUPERVISOR.id)
    holds.place_on_span(site.db, "hall", site.filmed, site.filmed + 1000, "门口的事", SUPERVISOR.id)
    holds.place_on_span(site.db, "hall", 1000, 2000, "早先的事", SUPERVISOR.id)
    found = site.timeline()
    assert [(hold["camera"], hold["session"]) for hold in found["holds"]] == [(None, True), ("hall", False)]
    assert "申诉" not in str(found["holds"])
    assert {part["quality"] for camera in found["cameras"] for part in camera["segments"]} == {"synchronised"}


# ---- answers


def allow_answers(site: Site) -> None:
    with transaction(site.db):
        site.db.execute("UPDATE sessions SET policy = json_set(policy, '$.spot_check_answers', json('true'))")


def test_answers_are_shown_where_the_policy_lets_them_be(site: Site) -> None:
    live = site.app.extensions["examroom"].live
    live.refresh(site.db)
    hand = TabletHand(live, people.candidates(site.db, site.session)[0].seat_code or "")
    paper = sessions.attempts(site.db, site.session)[site.people[0].person].paper
    item = next(one for part in paper["parts"] for one in part["items"] if "items" not in one)["id"]
    hand.answer(item, ["A"])
    hand.answer(item, ["B"], base=1)
    hand.answer(item, ["A"], base=0)
    now = clock.wall_ms()
    view = site.view(now - MINUTE, now + 1000)
    number = site.people[0].number
    before = len(ledger.entries(site.db, kinds=(access.ANSWERS,)))
    assert said(site.get(f"api/SESSION/answers/{number}", view)) == "answers_not_allowed"
    assert site.timeline()["answers"] is False
    allow_answers(site)
    assert site.timeline()["answers"] is True
    assert said(site.get(f"api/SESSION/answers/{number}")) == "view_wanted"
    for wrong in ("99", "x", "-1"):
        assert said(site.get(f"api/SESSION/answers/{wrong}", view)) == "candidate_unknown"
    for _ in range(2):
        told = site.get(f"api/SESSION/answers/{number}", view).json["answers"]
    assert [(one["value"], one["version"], one["outcome"]) for one in told] == [
        (["A"], 1, "applied"),
        (["B"], 2, "applied"),
        (["A"], 2, "stale"),
    ]
    assert len({one["item"] for one in told}) == 1 and told[0]["item"].isdigit()
    assert item not in site.get(f"api/SESSION/answers/{number}", view).text
    (entry,) = ledger.entries(site.db, kinds=(access.ANSWERS,))[before:]
    assert (entry.subject, entry.content["by"]) == (site.people[0].person, SUPERVISOR.id)
    viewed = ledger.entries(site.db, kinds=("footage_viewed",))[-1]
    assert entry.body["view_seq"] == viewed.seq
    assert [(look.kind, look.cameras) for look in access.looks(site.db, site.session)][-1] == (access.ANSWERS, ())
    # of another time nothing is told
    earlier = site.view(now - 3 * MINUTE, now - 2 * MINUTE)
    assert site.get(f"api/SESSION/answers/{number}", earlier).json["answers"] == []


# ---- small pictures


def test_small_pictures_lie_beside_their_segment_and_are_spread_over_a_view(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Thumbs()
    assert kept.due(5000)
    for second in range(4):
        kept.add(7000 + 1000 * second, JPEG + bytes([second]))
    assert not kept.due(10_000 + thumbs.EVERY_MS - 1) and kept.due(10_000 + thumbs.EVERY_MS) and kept.due(1)
    kept.add(11_500, b"x" * (thumbs.LARGEST + 1))
    kept.add(13_000, JPEG + b"next")  # of the segment that follows
    first = segments.get(site.db, f"door-{BOOT[:8]}-000001")
    kept.keep(site.desk.config.paths.recordings, first)
    path = site.desk.config.paths.recordings / first.path
    found = thumbs.read_thumbs(path)
    assert found == [(site.filmed + 1000 * second, JPEG + bytes([second])) for second in range(4)]
    kept.keep(site.desk.config.paths.recordings, segments.get(site.db, f"door-{BOOT[:8]}-000002"))
    view = site.view(site.filmed + 1000, site.filmed + 9000)
    sent, real = list[int](), Bucket.take
    monkeypatch.setattr(Bucket, "take", lambda bucket, size: sent.append(size) or real(bucket, size))
    answer = site.get("api/SESSION/thumbs/door", view)
    assert sent == [len(answer.data)], "at the pace of all footage"
    told = answer.json["pictures"]
    assert [one["at_ms"] - site.filmed for one in told] == [1000, 2000, 3000, 6000]
    short = site.view(site.filmed, site.filmed + 10_000, "hall")
    assert site.get("api/SESSION/thumbs/hall", short).json["pictures"] == []
    data = thumbs.thumbs_path(path).read_bytes()
    for torn in (data[:-1], data[:-20], b"\x00" * 40, data[: len(data) // 2]):
        thumbs.thumbs_path(path).write_bytes(torn)
        assert thumbs.read_thumbs(path) == found[: len(thumbs.read_thumbs(path))]
        assert site.get("api/SESSION/thumbs/door", view).status_code == 200
