"""The supervisor's page of a session's completeness: printed, taken away, and what the timeline says of an end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from edge import clock
from edge.cli import main
from edge.clock import Instant
from edge.config import to_toml
from edge.domain.footage import Fragment, fragments_root
from edge.domain.reasons import sentence
from edge.recording import certificate
from edge.store import completeness, ledger, segments
from edge.store.db import transaction
from edge.store.segments import Segment
from edge.trust.verifier import verify_file
from edge.uplink.enrol import enrol_local, note_identity
from edge.web import keeper
from edge.web.app import create_app
from edge.web.body import csrf_of
from support.rooms import DeskRoom, make_desk_room
from support.serving import PROCTOR, SUPERVISOR


@dataclass
class Site:
    """A room whose session the proctor opens at the console; the camera `door` is configured."""

    app: Flask
    desk: DeskRoom
    now: Instant = field(default_factory=clock.now)

    def client(self, who: Any) -> FlaskClient:
        client = self.app.test_client()
        client.post("/staff/login", data={"badge": who.badge, "pin": who.pin, "next": ""})
        return client

    def closed(self, ago_ms: int) -> None:
        """The session was opened ten minutes before it was closed, `ago_ms` before now."""
        now = self.now
        with transaction(self.desk.db):
            self.desk.db.execute(
                "UPDATE sessions SET state = 'closed', opened_ms = ?, closed_ms = ? WHERE id = ?",
                (now.wall_ms - ago_ms - 600_000, now.wall_ms - ago_ms, self.desk.session),
            )

    def filmed(self, sequence: int, from_ago_ms: int, until_ago_ms: int, cause: str) -> None:
        now, length = self.now, from_ago_ms - until_ago_ms
        fragment = Fragment(0, 800, 100, "cd" * 32, now.wall_ms - from_ago_ms, now.mono_ms - from_ago_ms, length)
        done = Segment(
            id=segments.segment_id("door", now.boot_id, sequence),
            camera="door",
            boot_id=now.boot_id,
            sequence=sequence,
            path=segments.segment_path("door", now.boot_id, sequence),
            started_ms=fragment.wall_ms,
            ended_ms=fragment.ended_ms,
            started_mono_ms=fragment.mono_ms,
            duration_ms=length,
            bytes=900,
            quality="synchronised",
            salvaged=False,
            cause=cause,
            init_length=800,
            init_sha256="ab" * 32,
            fragments=(fragment,),
            digest=fragments_root([fragment.sha256]),
        )
        segments.index(self.desk.db, done)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    desk = make_desk_room(tmp_path, camera={"door": {"backend": "file", "source": str(tmp_path / "none.mp4")}})
    app = create_app(desk.config)
    yield Site(app, desk)
    app.extensions["examroom"].journal.close()
    desk.db.close()


def test_the_timeline_shows_the_end_of_a_camera_that_died(site: Site) -> None:
    site.closed(ago_ms=60_000)
    site.filmed(1, 670_000, 400_000, "camera-missing")
    path = f"/spotcheck/api/{site.desk.session}/timeline"
    (door,) = site.client(SUPERVISOR).get(path).json["cameras"]
    (gap,) = door["gaps"]
    assert (gap["cause"], gap["doubt_ms"]) == ("camera-missing", 0)
    assert 344_000 < gap["ms"] <= gap["until_ms"] - gap["from_ms"] < 346_000
    assert 609_000 < 1000 * door["expected_s"] < 611_000
    assert round(door["expected_s"] - door["recorded_s"]) == 345


def test_the_page_and_the_file(site: Site, tmp_path: Path) -> None:
    supervisor, path = site.client(SUPERVISOR), f"/spotcheck/{site.desk.session}/certificate"
    site.closed(ago_ms=400_000)
    assert "还没有签发" in supervisor.get(path).text
    missing = supervisor.get(path + ".json", headers={"Accept": "application/json"})
    assert (missing.status_code, missing.json["error"]) == (404, "completeness_none")
    site.filmed(1, 1_000_000, 700_000, "killed")
    site.filmed(2, 693_000, 300_000, "rotated")
    writer = keeper._Writer(site.app.extensions["examroom"])
    writer._certified = -keeper.CERTIFY_SECONDS
    writer(site.desk.db)
    kept = completeness.latest(site.desk.db, site.desk.session)
    assert kept is not None
    for lang in ("zh", "en"):
        page = supervisor.get(f"{path}?lang={lang}").text
        assert "98.83" in page and kept.sha256 in page
        assert sentence("gap_killed", lang) in page
        assert "0:00:07.0" in page
    answer = supervisor.get(path + ".json")
    assert "attachment" in answer.headers["Content-Disposition"]
    out = tmp_path / "taken.json"
    out.write_bytes(answer.data)
    verdict = verify_file(out, [site.desk.identity.root_public])
    assert (verdict.ok, verdict.facts["percent"]) == (True, "98.83")
    proctor = site.client(PROCTOR)
    assert (proctor.get(path).status_code, proctor.get(path + ".json").status_code) == (403, 403)


def test_a_room_that_enrols_again_still_hands_out_what_it_signed_before(site: Site, tmp_path: Path) -> None:
    desk, supervisor = site.desk, site.client(SUPERVISOR)
    note_identity(desk.db, desk.identity)
    site.closed(ago_ms=400_000)
    site.filmed(1, 1_000_000, 300_000, "rotated")
    kept = certificate.certify(desk.db, desk.config, desk.identity, desk.session)
    assert enrol_local(desk.config, "示例学校", "room-1", again=True).certificate.epoch == 2
    page, typed = tmp_path / "page.json", tmp_path / "typed.json"
    page.write_bytes(supervisor.get(f"/spotcheck/{desk.session}/certificate.json").data)
    config = tmp_path / "examroom.toml"
    config.write_text(to_toml(desk.config))
    command = ["--config", str(config), "footage", "certificate", desk.session, "--out", str(typed)]
    assert CliRunner().invoke(main, command, catch_exceptions=False).exit_code == 0
    for file in (page, typed):
        verdict = verify_file(file, [desk.identity.root_public])
        assert verdict.ok and verdict.facts["epoch"] == 1, verdict
    assert completeness.latest(desk.db, desk.session) == kept, "and nothing was signed anew"


def test_the_opening_names_the_cameras_that_are_to_record(site: Site) -> None:
    proctor = site.client(PROCTOR)
    session = site.desk.session
    cookie = proctor.get_cookie("examroom_staff")
    assert cookie is not None
    done = proctor.post(
        f"/console/api/{session}/open-checkin", json={"reason": "开门"}, headers={"X-CSRF": csrf_of(cookie.value)}
    )
    assert done.status_code == 200, done.text
    (entry,) = ledger.entries(site.desk.db, session=session, kinds=("checkin_opened",))
    assert entry.body["cameras"] == ["door"]
