"""Taking evidence away by the pages: made by a job, fetched in pieces, deleted after a day, and never at the cost of
recording."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from edge import clock
from edge.cli import main
from edge.clock import Instant, TimeQuality
from edge.config import to_toml
from edge.demo.people import StaffMember
from edge.domain.footage import Cause
from edge.errors import Conflict
from edge.exam import conduct
from edge.exam.banks import open_bank
from edge.recording import packing, retention
from edge.recording.retention import Rules
from edge.recording.writer import Place, SegmentWriter
from edge.store import access, downloads, ledger, segments, sessions
from edge.store.db import transaction
from edge.store.reserve import free_bytes
from edge.trust.verifier import verify_file
from edge.web import exports as exporting
from edge.web.app import create_app
from edge.web.body import csrf_of
from edge.web.exports import Exports
from support.cameras import make_packets
from support.disks import small_disk
from support.rooms import make_desk_room
from support.serving import SUPERVISOR, TECHNICIAN, said

HOUR = 3_600_000
DAY = 24 * HOUR


class Site:
    """A session that opened an hour ago, with eight seconds of its door half an hour ago."""

    def __init__(self, folder: Path, bitrate: int = 2_000_000, **sections: object) -> None:
        door = {"backend": "file", "source": "door.mp4", "bitrate": bitrate}
        self.desk = make_desk_room(folder, camera={"door": door}, **sections)
        self.db, self.session = self.desk.db, self.desk.session
        bank = open_bank(self.desk.identity, self.desk.config.paths.bundles, sessions.find(self.db, self.session))
        conduct.open_checkin(self.db, self.session, bank, "P-001")
        self.filmed = clock.wall_ms() - HOUR // 2
        with transaction(self.db):
            self.db.execute("UPDATE sessions SET opened_ms = ? WHERE id = ?", (self.filmed - HOUR, self.session))
        video, packets = make_packets(4)
        for sequence, start in enumerate((self.filmed, self.filmed + 4000), start=1):
            at = Instant(start, 1000, "0" * 32, TimeQuality.RTC)
            writer = SegmentWriter(Place(self.desk.config.paths.recordings, "door", "0" * 32, sequence), video, at, 1)
            for packet in packets:
                writer.write(packet)
            segments.index(self.db, writer.close(Cause.ROTATED))
        video.owner.close()
        self.app = create_app(self.desk.config)
        self.exports: Exports = self.app.extensions["examroom"].exports

    def staff(self, who: StaffMember = SUPERVISOR) -> tuple[FlaskClient, dict[str, str]]:
        client = self.app.test_client()
        client.post("/staff/login", data={"badge": who.badge, "pin": who.pin, "next": ""})
        cookie = client.get_cookie("examroom_staff")
        assert cookie is not None
        return client, {"X-CSRF": csrf_of(cookie.value)}

    @property
    def address(self) -> str:
        return f"/spotcheck/api/{self.session}/exports"

    def ask(self, client: FlaskClient, head: dict[str, str], since: int = 500, until: int = 7300) -> Any:
        body = {"camera": "door", "from": self.filmed + since, "until": self.filmed + until, "why": "家属申诉"}
        return client.post(self.address, json=body, headers=head)

    def made(self, client: FlaskClient, export_id: str) -> dict[str, Any]:
        finished(self.exports, export_id)
        told: dict[str, Any] = client.get(f"{self.address}/{export_id}").json
        return told

    def close(self) -> None:
        self.app.extensions["examroom"].journal.close()
        self.db.close()


def finished(exports: Exports, export_id: str) -> None:
    end = threading.Event()
    for _ in range(2000):
        if exports.job(export_id) is None:
            return
        end.wait(0.01)
    raise AssertionError("it is never made")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("exports"))
    yield made
    made.close()


def test_an_export_is_made_fetched_in_pieces_and_verifies(site: Site, tmp_path: Path) -> None:
    client, head = site.staff()
    asked = site.ask(client, head)
    assert (asked.status_code, asked.json["state"]) in ((202, "waiting"), (202, "making"))
    told = site.made(client, asked.json["id"])
    assert (told["state"], told["done"], told["why"]) == ("ready", told["bytes"], None)
    assert told["expires_ms"] - clock.wall_ms() > DAY - HOUR
    assert client.get(site.address).json["exports"][0]["id"] == told["id"]
    whole = client.get(told["url"])
    assert whole.headers["ETag"] == f'"{hashlib.sha256(whole.data).hexdigest()}"' == f'"{told["sha256"]}"'
    assert told["name"] in whole.headers["Content-Disposition"] and whole.content_length == told["bytes"]
    # the line breaks, and the browser goes on
    broken = client.get(told["url"])
    first = next(iter(broken.response))[:70_001]
    broken.close()
    resumed = {"Range": f"bytes={len(first)}-", "If-Range": broken.headers["ETag"]}
    rest = client.get(told["url"], headers=resumed)
    assert rest.status_code == 206 and first + rest.data == whole.data
    file = tmp_path / told["name"]
    file.write_bytes(first + rest.data)
    verdict = verify_file(file, [site.desk.identity.root_public])
    assert verdict.ok and verdict.facts["by"] == SUPERVISOR.id and b"view/" in whole.data
    entries = ledger.entries(site.db, kinds=("export",))
    assert entries[-1].content["by"] == SUPERVISOR.id and entries[-1].session_id == site.session
    assert site.db.execute("SELECT count(*) FROM footage_pins").fetchone()[0] == 0
    # after a restart of the pages it is still there; what was half done is not
    (site.exports.folder / ".x.zip.9.part").write_bytes(b"half")
    (site.exports.folder / f"{'f' * 32}.zip").write_bytes(b"nobody's")
    with transaction(site.db):
        downloads.add(site.db, "e" * 32, site.session, "door", 1, 2, by=SUPERVISOR.id, size=9)
    site.exports.begin(site.db)
    assert [one.name for one in site.exports.folder.iterdir()] == [f"{told['id']}.zip"]
    left = client.get(f"{site.address}/{'e' * 32}").json
    assert (left["state"], left["why"]["error"]) == ("failed", "export_interrupted")
    assert said(client.get(left["url"], headers={"Accept": "application/json"})) == "export_not_ready"
    # it is whoever's who asked, and nobody changes a thing without the page's token
    other, _ = site.staff(TECHNICIAN)
    assert said(other.get(f"{site.address}/{told['id']}")) == "export_gone"
    assert said(client.delete(f"{site.address}/{told['id']}")) == "csrf_wrong"
    assert client.delete(f"{site.address}/{told['id']}", headers=head).json == {"done": "delete"}
    # who took it away, and who deleted it: one entry an hour for a download in pieces, none for what sends no byte
    client.head(told["url"])
    entered = ledger.entries(site.db, kinds=("export_fetched", "export_deleted"))
    assert [entry.kind for entry in entered] == ["export_fetched", "export_deleted"]
    for entry in entered:
        assert (entry.session_id, entry.content["by"]) == (site.session, SUPERVISOR.id)
        assert {k: entry.body[k] for k in ("camera", "export", "sha256")} == {
            "camera": "door", "export": told["id"], "sha256": told["sha256"],
        }  # fmt: skip
        assert entry.body["until_ms"] - entry.body["from_ms"] == 6800
    assert [look.kind for look in access.looks(site.db, site.session)][-2:] == ["export_fetched", "export_deleted"]
    assert said(client.delete(f"{site.address}/{told['id']}", headers=head)) == "export_gone"
    assert list(site.exports.folder.iterdir()) == []


def test_the_command_exports_too_with_and_without_a_view(site: Site, tmp_path: Path) -> None:
    config = tmp_path / "examroom.toml"
    config.write_text(to_toml(site.desk.config))
    span = ["--from", str(site.filmed + 500), "--until", str(site.filmed + 7300), "--why", "申诉", "--by", "S-1"]
    for more, views in (([], 2), (["--no-view"], 0)):
        out = tmp_path / f"{views}.zip"
        words = ["--config", str(config), "footage", "export", "--camera", "door", *span, "--out", str(out), *more]
        told = CliRunner().invoke(main, [*words, "--json"])
        assert told.exit_code == 0, told.output
        assert json.loads(told.output) == {"file": str(out), "bytes": out.stat().st_size}
        with zipfile.ZipFile(out) as archive:
            assert sum(name.startswith("view/") for name in archive.namelist()) == views
        assert verify_file(out, [site.desk.identity.root_public]).ok
        assert CliRunner().invoke(main, words).exit_code == 2, "nothing is overwritten"


def test_an_export_is_gone_after_a_day(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client, head = site.staff()
    told = site.made(client, site.ask(client, head).json["id"])
    now = clock.wall_ms()
    monkeypatch.setattr(clock, "wall_ms", lambda: now + DAY - HOUR)
    site.exports.tidy(site.db)
    assert site.exports.file(told["id"]).is_file()
    monkeypatch.setattr(clock, "wall_ms", lambda: now + DAY + HOUR)
    site.exports.tidy(site.db)
    assert not site.exports.file(told["id"]).exists()
    assert downloads.of(site.db, site.session, SUPERVISOR.id) == []


def test_what_would_not_be_made_is_refused_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client, head = site.staff()
    before = len(ledger.entries(site.db, kinds=("export",)))
    assert said(site.ask(client, head, 20_000, 21_000)) == "evidence_no_footage"
    assert said(site.ask(client, head, 7000, 7000)) == "span_wrong"
    body = {"camera": "hall", "from": site.filmed, "until": site.filmed + 9, "why": "家属申诉"}
    assert said(client.post(site.address, json=body, headers=head)) == "no_footage"
    size = client.get(site.address).json["exports"]
    reserve = site.exports.reserve(site.db)
    for free, enough in ((reserve, False), (reserve + 100_000, False), (reserve + 10**7, True)):
        monkeypatch.setattr(packing, "free_bytes", lambda _, free=free: free)
        told = site.ask(client, head)
        assert enough == (told.status_code == 202), (free, size)
        if not enough:
            assert said(told) == "export_no_room" and str(reserve // 10**6) in told.json["zh"]
    client.delete(f"{site.address}/{site.made(client, told.json['id'])['id']}", headers=head)
    assert len(ledger.entries(site.db, kinds=("export",))) == before + 1


def test_one_is_made_at_a_time_few_wait_and_one_that_is_deleted_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, head = site.staff()
    begun, go_on = threading.Event(), threading.Event()
    made, real = list[int](), exporting.export_evidence

    def slow(*args: Any, told: Any, **more: Any) -> Any:
        def wait(done: int, total: int) -> None:
            made.append(done)
            begun.set()
            assert go_on.wait(20)
            told(done, total)

        return real(*args, told=wait, **more)

    monkeypatch.setattr(exporting, "export_evidence", slow)
    ids = [site.ask(client, head).json["id"] for _ in range(exporting.MOST)]
    assert begun.wait(20)
    states = {one["id"]: one["state"] for one in client.get(site.address).json["exports"]}
    assert [states[one] for one in ids] == ["making", "waiting", "waiting", "waiting"]
    assert said(site.ask(client, head)) == "export_queue"
    exports = site.app.extensions["examroom"].exports
    with monkeypatch.context() as one_more:  # who asks has a place before there is a job
        one_more.setattr(exporting, "MOST", exporting.MOST + 1)
        with exports.place():
            assert said(site.ask(client, head)) == "export_queue"
    client.delete(f"{site.address}/{ids[0]}", headers=head)
    client.delete(f"{site.address}/{ids[2]}", headers=head)
    assert said(client.get(f"{site.address}/{ids[0]}")) == "export_gone"
    go_on.set()
    assert [site.made(client, one)["state"] for one in (ids[1], ids[3])] == ["ready", "ready"]
    finished(site.exports, ids[2])
    assert sorted(one.name for one in site.exports.folder.iterdir()) == sorted(f"{one}.zip" for one in (ids[1], ids[3]))
    assert site.db.execute("SELECT count(*) FROM footage_pins").fetchone()[0] == 0
    for one in (ids[1], ids[3]):
        client.delete(f"{site.address}/{one}", headers=head)


def test_a_disk_that_fills_meanwhile_ends_the_export_before_the_recording(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, head = site.staff()
    reserve = site.exports.reserve(site.db)
    free = iter([reserve + 10**9, reserve + 10**9, reserve - 1])
    monkeypatch.setattr(packing, "free_bytes", lambda _: next(free))
    monkeypatch.setattr(packing, "FLUSHED_EVERY", 10_000)
    told = site.made(client, site.ask(client, head).json["id"])
    assert (told["state"], told["why"]["error"]) == ("failed", "export_no_room") and told["why"]["zh"]
    assert list(site.exports.folder.iterdir()) == []
    assert ledger.entries(site.db, kinds=("act_refused",))[-1].body == {"reason": "export_no_room", "act": "export"}


def test_an_export_goes_before_the_recording_has_to_stop(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client, head = site.staff()
    ids = [site.made(client, site.ask(client, head).json["id"])["id"] for _ in range(2)]
    with transaction(site.db):
        site.db.execute("UPDATE exports SET expires_ms = expires_ms - 1000 WHERE export_id = ?", (ids[0],))
    reserve, rate = site.desk.config.recording.reserve_mb * 10**6, site.desk.config.camera["door"].bitrate
    short = reserve + reserve // 10 + rate * retention.GIVE_WAY_S // 8
    free = iter([short - 1, short])
    monkeypatch.setattr(exporting, "free_bytes", lambda _: next(free))
    site.exports.tidy(site.db)
    told = {one["id"]: one for one in client.get(site.address).json["exports"]}
    assert [told[one]["state"] for one in ids] == ["failed", "ready"]
    assert told[ids[0]]["why"]["error"] == "export_dropped"
    assert [site.exports.file(one).exists() for one in ids] == [False, True]
    for one in ids:
        client.delete(f"{site.address}/{one}", headers=head)


def test_on_a_real_disk_that_is_nearly_full_the_reserve_is_never_touched(tmp_path: Path) -> None:
    with small_disk("tmpfs", tmp_path / "room" / "recordings", tmp_path / "image", 18):
        site = Site(tmp_path / "room", recording={"reserve_mb": 3}, bitrate=100_000)
        client, head = site.staff()
        disk = site.desk.config.paths.recordings
        size = sum(file.stat().st_size for file in (disk / "door").iterdir())
        kept = site.exports.reserve(site.db)
        assert kept > 3_300_000
        filler = disk / "filler"
        filler.write_bytes(bytes(free_bytes(disk) - kept - size))
        assert said(site.ask(client, head)) == "export_no_room"
        assert not site.exports.folder.exists() or not list(site.exports.folder.iterdir())
        filler.write_bytes(bytes(free_bytes(disk) + filler.stat().st_size - kept - 5 * size))
        told = site.made(client, site.ask(client, head).json["id"])
        assert told["state"] == "ready" and free_bytes(disk) >= kept
        site.close()


def test_as_the_disk_fills_exports_go_before_footage_does(tmp_path: Path) -> None:
    with small_disk("tmpfs", tmp_path / "room" / "recordings", tmp_path / "image", 24):
        site = Site(tmp_path / "room", recording={"reserve_mb": 3}, bitrate=100_000)
        disk, rules = site.desk.config.paths.recordings, retention.rules_of(site.desk.config)
        at = Instant(clock.wall_ms() - 40 * DAY, 1000, "1" * 32, TimeQuality.RTC)
        video, packets = make_packets(4)
        writer = SegmentWriter(Place(disk, "door", "1" * 32, 1), video, at, 1)
        for packet in packets:
            writer.write(packet)
        old = segments.index(site.db, writer.close(Cause.ROTATED)).id
        video.owner.close()
        client, head = site.staff()
        made = site.made(client, site.ask(client, head).json["id"])
        assert made["state"] == "ready"
        size = 6_000_000  # as a longer span's would be
        with site.exports.file(made["id"]).open("ab") as file:
            file.write(bytes(size - made["bytes"]))
        now = Instant(clock.wall_ms(), 0, "2" * 32, TimeQuality.SYNCHRONISED)

        def leave(free: int) -> list[str]:
            filler = disk / "filler"
            there = filler.stat().st_size if filler.exists() else 0
            filler.write_bytes(bytes(free_bytes(disk) + there - free))
            return retention.sweep(site.db, disk, rules, now)

        assert leave(rules.wanted_free - size // 2) == [], "no footage goes on account of an export"
        site.exports.tidy(site.db)
        assert site.exports.file(made["id"]).exists()
        assert leave(site.exports.reserve(site.db) - 8192) == []
        site.exports.tidy(site.db)
        assert not site.exports.file(made["id"]).exists()
        assert leave(rules.wanted_free - 8192) == [old], "now it is its turn"
        site.close()


def test_footage_that_is_being_taken_outlives_its_date(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client, head = site.staff()
    recordings = site.desk.config.paths.recordings
    at = Instant(clock.wall_ms() - 100 * DAY, 1000, "1" * 32, TimeQuality.RTC)
    video, packets = make_packets(4)
    writer = SegmentWriter(Place(recordings, "door", "1" * 32, 1), video, at, 1)
    for packet in packets:
        writer.write(packet)
    old = segments.index(site.db, writer.close(Cause.ROTATED))
    video.owner.close()
    now = Instant(clock.wall_ms(), 0, "2" * 32, TimeQuality.SYNCHRONISED)

    def sweep() -> list[str]:
        return retention.sweep(site.db, recordings, Rules(keep_days=90), now)

    swept, real = list[list[str]](), exporting.export_evidence

    def sweeping(*args: Any, told: Any, **more: Any) -> Any:
        def wait(done: int, total: int) -> None:
            opened(0)  # now it is footage of no session, long overdue
            swept.append(sweep())
            told(done, total)

        return real(*args, told=wait, **more)

    def opened(days_earlier: int) -> None:
        with transaction(site.db):
            site.db.execute("UPDATE sessions SET opened_ms = ?", (site.filmed - HOUR - days_earlier * DAY,))

    monkeypatch.setattr(exporting, "export_evidence", sweeping)
    opened(200)
    offset = old.started_ms - site.filmed
    told = site.made(client, site.ask(client, head, offset, offset + 3000).json["id"])
    assert told["state"] == "ready" and swept and not any(swept)
    client.delete(f"{site.address}/{told['id']}", headers=head)
    # a view that was opened a moment ago keeps it too, one of long ago does not
    with transaction(site.db):
        site.db.execute(
            "INSERT INTO footage_views VALUES ('v', ?, '[\"door\"]', ?, ?, 's', 1, ?)",
            (site.session, old.started_ms + 1000, old.started_ms + 2000, now.wall_ms),
        )
    assert sweep() == [] and (recordings / old.path).is_file()
    with pytest.raises(Conflict) as refused:
        segments.remove(site.db, old, 90)
    assert refused.value.code == "footage_pinned"
    # one after the other keeps it for some hours and no longer
    again = "INSERT INTO footage_views SELECT 'v' || ?, session_id, cameras, from_ms, until_ms, by_id, 1, at_ms - ?"
    every = downloads.VIEW_PIN_MS // 2
    for ago in range(every, downloads.VIEWS_PIN_MS + every, every):
        assert sweep() == [], ago
        with transaction(site.db):
            site.db.execute(f"{again} FROM footage_views WHERE view_id = 'v'", (ago, ago))
    assert not downloads.pinned(site.db, old.id, "door", old.started_ms, old.ended_ms)
    with transaction(site.db):
        site.db.execute("DELETE FROM footage_views WHERE view_id <> 'v'")
    assert downloads.pinned(site.db, old.id, "door", old.started_ms, old.ended_ms)
    with transaction(site.db):
        site.db.execute("UPDATE footage_views SET at_ms = at_ms - ? WHERE view_id = 'v'", (downloads.VIEW_PIN_MS,))
    assert sweep() == [old.id] and not (recordings / old.path).exists()


def test_while_an_exam_is_on_less_is_sent_and_written(site: Site) -> None:
    room = site.app.extensions["examroom"]
    room.live.refresh(site.db)
    web = site.desk.config.web
    assert room.in_exam() and room._footage_bits() == web.footage_mbit_exam * 10**6
    with transaction(site.db):
        site.db.execute("UPDATE sessions SET state = 'closed'")
    room.live.refresh(site.db)
    assert not room.in_exam() and room._footage_bits() == web.footage_mbit * 10**6
    with transaction(site.db):
        site.db.execute("UPDATE sessions SET state = 'checkin'")
