"""Exporting evidence: what is in the file, what the ledger keeps, what is refused."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from click.testing import CliRunner

from edge import clock
from edge.cli import main
from edge.errors import BadInput, Conflict, ExamroomError, NotFound, Unavailable, VerificationFailed
from edge.recording import editlist, evidence, packing
from edge.store import ledger, segments
from edge.store.db import transaction
from edge.trust.enrolment import replace_gateway_key
from edge.trust.protocol import GatewayKey, sign_gateway_key
from edge.trust.signer import Ed25519Signer
from edge.trust.verifier import verify_file


def boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at, length
        at += length


def test_it_verifies_with_the_root_alone(room: Any, tmp_path: Path) -> None:
    path = room.export(tmp_path / "out.zip")
    verdict = verify_file(path, [room.root.public])
    assert verdict.ok, verdict
    assert verdict.kind == "evidence" and verdict.reason is None and verdict.part is None
    assert verdict.facts["room"] == "room-1"
    assert verdict.facts["camera"] == "door"
    assert verdict.facts["why"] == "复核拒绝入场"
    assert verdict.facts["by"] == "staff-7"
    assert verdict.facts["covered_s"] == 12.0
    assert verdict.facts["gaps"] == []
    assert verdict.facts["witnesses"] == ["gateway-1"]
    assert "room-1" in verdict.sentence("zh") and "Verified" in verdict.sentence("en")


def test_any_zip_tool_reads_it_and_the_video_plays(room: Any, tmp_path: Path) -> None:
    path = room.export(tmp_path / "out.zip")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        videos = [name for name in archive.namelist() if name.startswith("video/")]
        assert len(videos) == 3
        frames = 0
        for name in videos:
            with av.open(io.BytesIO(archive.read(name))) as video:
                frames += sum(1 for _ in video.decode(video=0))
    assert frames == 120  # 8 to 20 s: 4 + 6 + 2 fragments of ten frames


def test_the_video_holds_the_recorded_bytes_of_the_span_and_no_others(room: Any, tmp_path: Path) -> None:
    path = room.export(tmp_path / "out.zip", 8.5, 10.5)
    segment = segments.between(room.connection, "door", room.now - 10**9, room.now)[1]
    recorded = (room.paths.recordings / segment.path).read_bytes()
    first, last = segment.fragments[2], segment.fragments[4]
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith("video/")]
        assert names == [f"video/{segment.id}.mp4"]
        kept = archive.read(names[0])
    assert kept == recorded[: segment.init_length] + recorded[first.offset : last.offset + last.length]


def shown(data: bytes) -> tuple[list[float], float]:
    """When a player shows each picture, in seconds, and how long it says the file is."""
    with av.open(io.BytesIO(data)) as video:
        assert video.duration is not None
        return [frame.time for frame in video.decode(video=0)], video.duration / av.time_base


@pytest.mark.parametrize(("since", "until"), [(8.35, 19.62), (8.5, 9.3), (9, 13.25), (8.01, 18), (20.9, 29.95)])
def test_a_view_shows_the_very_span_of_the_very_bytes(room: Any, tmp_path: Path, since: float, until: float) -> None:
    path = room.export(tmp_path / "out.zip", since, until)
    with zipfile.ZipFile(path) as archive:
        inside = {name: archive.read(name) for name in archive.namelist() if name.endswith(".mp4")}
    views = {name: data for name, data in inside.items() if name.startswith("view/")}
    ends = [6 * (math.ceil(at / 6)) for at in (since, until)]
    assert len(views) == len({end for at, end in zip((since, until), ends, strict=True) if at != round(at)})
    for name, data in views.items():
        segment = segments.get(room.connection, name[5:-4])
        begins = (segment.started_ms - 1_780_000_000_000) / 1000
        wanted = min(until, begins + 6) - max(since, begins)
        times, duration = shown(data)
        frame = 0.1
        assert wanted - 0.002 <= duration < wanted + frame
        assert times[0] == 0 and duration - frame - 0.002 <= times[-1] < duration
        assert len(times) == math.ceil(round(duration / frame, 2)) and times == sorted(times)
        original = inside[name.replace("view/", "video/")]
        assert data.endswith(original[segment.init_length :])
        assert b"moof" not in data[: len(data) - len(original) + segment.init_length]
    assert verify_file(path, [room.root.public]).ok


def test_a_view_of_pictures_that_come_out_of_order_is_exact_too(tmp_path: Path) -> None:
    """A camera that uses B-frames; a track whose first key frame is not at its beginning."""
    file = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof+skip_trailer"}
    with av.open(file, "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "fast", "bf": "2", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(40):
            picture = np.full((64, 96, 3), 5 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    data, found = file.getvalue(), list(boxes(file.getvalue()))
    init = next(at for kind, at, _ in found if kind == b"moof")
    whole = [(at, length, after) for (kind, at, length), (_, _, after) in pairwise(found) if kind == b"moof"]
    assert len(whole) == 4
    moofs = [(data[at : at + length], length + after) for at, length, after in whole[1:]]
    view = editlist.view_head(data[:init], moofs, 450, 300) + data[whole[1][0] :]
    with av.open(io.BytesIO(view)) as video:
        shades = [int(frame.to_ndarray(format="gray").mean()) for frame in video.decode(video=0)]
    with av.open(io.BytesIO(data)) as video:
        all_shades = [int(frame.to_ndarray(format="gray").mean()) for frame in video.decode(video=0)]
    assert shades == all_shades[14:33]
    for broken in (data[: init - 9], data[:init].replace(b"mvex", b"free")):
        with pytest.raises(editlist.Untrimmable):
            editlist.view_head(broken, moofs, 450, 300)
    with pytest.raises(editlist.Untrimmable):
        editlist.view_head(data[:init], moofs[:1], 700, 300)


def test_there_is_no_view_where_none_is_wanted_or_none_can_be(
    room: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = room.export(tmp_path / "plain.zip", 8.3, 19.6, views=False)
    monkeypatch.setattr(editlist, "_BASE_IS_MOOF", 0x40000)
    other = room.export(tmp_path / "other.zip", 8.3, 19.6)
    for path in (plain, other):
        assert b"view/" not in path.read_bytes() and verify_file(path, [room.root.public]).ok


def test_the_export_is_in_the_ledger_without_its_words(room: Any, tmp_path: Path) -> None:
    before = ledger.size(room.connection)
    room.export(tmp_path / "out.zip", why="王小明 appeals")
    entry = ledger.get(room.connection, before)
    assert (entry.kind, entry.session_id, entry.content["by"]) == ("export", "s1", "staff-7")
    assert set(entry.body) == {"camera", "from_ms", "until_ms", "why"}
    assert "王小明" not in entry.entry.decode()
    assert ledger.latest_checkpoint(room.connection).size == before + 1


def test_the_slice_has_every_entry_of_the_span_and_its_neighbours(room: Any, tmp_path: Path) -> None:
    path = room.export(tmp_path / "out.zip")
    with zipfile.ZipFile(path) as archive:
        entries = [json.loads(line) for line in archive.read("ledger.jsonl").splitlines()]
    in_span = [e.seq for e in ledger.entries(room.connection) if 8000 <= e.at_ms - 1_780_000_000_000 <= 20000]
    given = [entry["seq"] for entry in entries]
    assert set(in_span) <= set(given)
    assert {e["kind"] for e in entries} == {"checkin", "segment", "export"}
    assert len(given) < ledger.size(room.connection) / 2 + 5


def test_the_slice_ends_with_the_cameras_next_segment_and_says_when_there_is_none(room: Any, tmp_path: Path) -> None:
    path = room.export(tmp_path / "out.zip")
    with zipfile.ZipFile(path) as archive:
        *_, last, export = [json.loads(line) for line in archive.read("ledger.jsonl").splitlines()]
    assert (last["kind"], last["body"]["segment"], export["kind"]) == ("segment", "door-01234567-000005", "export")
    assert verify_file(path, [room.root.public]).facts["open_end"] is False
    late = verify_file(room.export(tmp_path / "late.zip", 25, 40), [room.root.public])
    assert late.ok and late.facts["open_end"] is True and late.facts["gaps"]


def test_a_camera_that_stopped_does_not_bring_all_that_was_entered_since(room: Any, tmp_path: Path) -> None:
    with transaction(room.connection):
        for n in range(12_000):
            room.at(700 + n * 30)  # what two cameras enter in four days
            ledger.append(room.connection, "segment", {"camera": "hall", "segment": f"hall-{n}"})
    path = room.export(tmp_path / "out.zip", 20, 30)
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("ledger.jsonl").splitlines()
    assert 2850 < len(lines) < 2950
    verdict = verify_file(path, [room.root.public])
    assert verdict.ok and verdict.facts["open_end"] is True and not verdict.facts["gaps"], verdict


def test_what_a_killed_recorder_left_does_not_end_the_slice(room: Any, tmp_path: Path) -> None:
    """It may be entered before what another start left, so only a segment that closed in good order tells of all."""
    room.footage("door", 6, 50, salvaged=True)
    verdict = verify_file(room.export(tmp_path / "out.zip", 25, 40), [room.root.public])
    assert verdict.ok and verdict.facts["open_end"] is True


def test_a_clock_set_back_into_the_span_is_taken_in(room: Any, tmp_path: Path) -> None:
    room.at(12)
    again = room.footage("door", 6, 7, 5)
    room.at(40)
    room.footage("door", 7, 30)
    verdict = verify_file(room.export(tmp_path / "out.zip"), [room.root.public])
    assert verdict.ok, verdict
    assert again.id in verdict.facts["segments"] and verdict.facts["open_end"] is False
    assert verdict.facts["covered_s"] == 12.0, "what was recorded twice counts once"


def test_entries_dated_by_a_wrong_clock_do_not_bring_all_that_stands_between(
    room: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One long before the footage and one long after it, dated in its span: single entries beside the run."""
    monkeypatch.setattr(evidence, "FAR", 50)
    room.at(90_002)
    before = room.note("checkin", {"outcome": "admitted"})
    crowd(room, 1000)
    footage = []
    for number in range(4):
        room.at(90_006 + 6 * number)
        footage.append(room.footage("door", 6 + number, 90_000 + 6 * number).ledger_seq)
    crowd(room, 91_000)
    room.at(90_003)
    after = room.note("checkin", {"outcome": "refused"})
    room.at(95_000)
    path = room.export(tmp_path / "out.zip", 90_001, 90_010)
    verdict = verify_file(path, [room.root.public])
    assert verdict.ok and verdict.facts["gaps"] == [] and verdict.facts["open_end"] is False, verdict
    with zipfile.ZipFile(path) as archive:
        given = [json.loads(line)["seq"] for line in archive.read("ledger.jsonl").splitlines()]
    assert given == [before, footage[0] - 1, *footage[:3], after, after + 1]
    # the same where nothing of the footage was entered while it was recorded
    room.at(90_020)
    room.footage("hall", 9, 90_004, salvaged=True)
    room.at(95_001)
    left = room.export(tmp_path / "left.zip", 90_001, 90_010, camera="hall")
    assert verify_file(left, [room.root.public]).ok


def crowd(room: Any, since: float) -> None:
    for number in range(60):
        room.at(since + number)
        room.note("checkin", {"outcome": "admitted"})


@pytest.mark.parametrize(("since", "until"), [(-3, 2), (23, 200), (0, 31), (29.2, 29.4), (5.9, 6.1)])
def test_spans_at_the_edges_verify_and_say_what_is_not_there(
    room: Any, tmp_path: Path, since: float, until: float
) -> None:
    verdict = verify_file(room.export(tmp_path / "out.zip", since, until), [room.root.public])
    assert verdict.ok, verdict
    missing = max(0, -since) + max(0, until - 30)
    gaps = verdict.facts["gaps"]
    assert bool(gaps) == (missing > 1.5)


def test_a_span_that_reaches_into_the_future_verifies(room: Any, tmp_path: Path) -> None:
    verdict = verify_file(room.export(tmp_path / "out.zip", 20, 5000), [room.root.public])
    assert verdict.ok, verdict


def test_a_segment_that_retention_removed_is_told(room: Any, tmp_path: Path) -> None:
    gone = segments.get(room.connection, "door-01234567-000002")
    segments.remove(room.connection, gone, 180)
    verdict = verify_file(room.export(tmp_path / "out.zip", 3, 20), [room.root.public])
    assert verdict.ok, verdict
    assert verdict.facts["absent"] == [gone.id]
    assert len(verdict.facts["gaps"]) == 1
    said = CliRunner().invoke(main, ["verify", str(tmp_path / "out.zip"), "--root", room.root.public.hex()])
    assert f"! 台账记有录像段 {gone.id}" in said.output and f"Segment {gone.id} is" in said.output


def test_a_room_without_a_witness_exports_too(room: Any, tmp_path: Path) -> None:
    room.connection.execute("UPDATE checkpoints SET witnessed = NULL")
    verdict = verify_file(room.export(tmp_path / "out.zip"), [room.root.public])
    assert verdict.ok, verdict
    assert (verdict.facts["witnesses"], verdict.facts["witness_covers"]) == ([], False)


def test_a_witness_whose_key_no_root_named_is_not_claimed(room: Any, tmp_path: Path) -> None:
    (room.paths.trust / "gateway.json").unlink()
    path = room.export(tmp_path / "out.zip")
    assert verify_file(path, [room.root.public]).facts["witnesses"] == []
    assert verify_file(path, [room.root.public], [room.gateway.public]).facts["witnesses"] == ["gateway-1"]


def test_a_gateway_with_a_new_key_vouches_for_what_it_signed_with_that(room: Any, tmp_path: Path) -> None:
    """Never does honest evidence look forged for it: until it has signed again, the file has no witness."""
    old, room.gateway = room.gateway, Ed25519Signer.generate()
    key = GatewayKey(name="gateway-1", key=room.gateway.public.hex(), not_before_ms=0, not_after_ms=1 << 46)
    replace_gateway_key(room.paths, sign_gateway_key(key, room.root), room.root.public)
    verdict = verify_file(room.export(tmp_path / "before.zip"), [room.root.public])
    assert verdict.ok and not verdict.facts.get("witnesses"), verdict
    room.checkpoint(witnessed=True)
    again = ledger.size(room.connection)
    room.gateway = old
    room.note("checkin", {"outcome": "admitted"})
    room.checkpoint(witnessed=True)  # a note that came late, of the key before
    verdict = verify_file(room.export(tmp_path / "after.zip"), [room.root.public])
    assert verdict.ok and (verdict.facts["witnesses"], verdict.facts["witnessed_entries"]) == (["gateway-1"], again)


def test_a_witness_older_than_the_footage_is_never_shown_as_one_of_it(room: Any, tmp_path: Path) -> None:
    """A note of as many entries as stand before the footage's own does not cover it, one of one more does."""
    room.at(700)
    room.checkpoint(witnessed=True)
    before = room.footage("door", 6, 690)
    older = room.export(tmp_path / "older.zip", 690, 695)
    again = room.footage("door", 7, 696)
    room.checkpoint(witnessed=True)
    covered = room.export(tmp_path / "covered.zip", 690, 702)
    for path, entries, covers in ((older, before.ledger_seq, False), (covered, again.ledger_seq + 1, True)):
        verdict = verify_file(path, [room.root.public])
        told = ("witnesses", "witnessed_entries", "witness_covers")
        assert verdict.ok and [verdict.facts[name] for name in told] == [["gateway-1"], entries, covers], path
        said = CliRunner().invoke(main, ["verify", str(path), "--root", room.root.public.hex()])
        assert said.exit_code == 0
        assert ("✓ 外部见证" in said.output) is covers and str(entries) in said.output
        assert ("! 外部见证 gateway-1 只签到" in said.output) is not covers
        assert ("witness gateway-1 signed the first" in said.output) is not covers


@pytest.mark.parametrize(
    ("more", "code", "kind"),
    [
        ({"since": 20, "until": 20}, "evidence_span", BadInput),
        ({"since": 5000, "until": 5001}, "evidence_span", BadInput),
        ({"since": -(10**12), "until": 10**12}, "evidence_span", BadInput),
        ({"why": "  "}, "evidence_why", BadInput),
        ({"why": "x" * 501}, "evidence_why", BadInput),
        ({"why": "\ud800"}, "evidence_why", BadInput),
        ({"by": ""}, "evidence_why", BadInput),
        ({"camera": "roof"}, "evidence_no_footage", NotFound),
        ({"since": 100, "until": 200}, "evidence_no_footage", NotFound),
    ],
)
def test_bad_requests_change_nothing(
    room: Any, tmp_path: Path, more: dict[str, Any], code: str, kind: type[ExamroomError]
) -> None:
    before = ledger.size(room.connection)
    with pytest.raises(kind) as caught:
        room.export(tmp_path / "out.zip", **more)
    assert caught.value.code == code
    assert ledger.size(room.connection) == before
    assert not list(tmp_path.glob("*.zip*"))


def test_nothing_is_overwritten(room: Any, tmp_path: Path) -> None:
    (tmp_path / "out.zip").write_text("mine")
    with pytest.raises(Conflict) as caught:
        room.export(tmp_path / "out.zip")
    assert caught.value.code == "evidence_exists"
    assert (tmp_path / "out.zip").read_text() == "mine"


def test_damaged_footage_is_not_exported(room: Any, tmp_path: Path) -> None:
    segment = segments.get(room.connection, "door-01234567-000003")
    path = room.paths.recordings / segment.path
    data = bytearray(path.read_bytes())
    data[segment.fragments[1].offset + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(VerificationFailed) as caught:
        room.export(tmp_path / "out.zip")
    assert caught.value.code == "footage_altered"
    assert caught.value.facts["n"] == 1
    data[segment.fragments[1].offset + 100] ^= 1
    path.write_bytes(data)
    aside = path.rename(path.with_name(path.name + ".expired"))  # a sweep is about to take that back
    room.export(tmp_path / "meanwhile.zip")
    aside.unlink()
    with pytest.raises(Unavailable) as gone:
        room.export(tmp_path / "out.zip")
    assert gone.value.code == "footage_missing"
    assert not list(tmp_path.glob("*out.zip*"))


def test_no_room_on_the_way_out_leaves_no_half_file(room: Any, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        room.export(tmp_path / "no-such-folder" / "out.zip")
    assert caught.value.code == "evidence_unwritable"


def test_what_a_killed_export_left_goes_with_the_next_one_and_nothing_else_does(room: Any, tmp_path: Path) -> None:
    whole = room.export(tmp_path / "first.zip").read_bytes()
    own, gone = os.getpid(), int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    here, boot = packing._machine(), clock.boot_id()[:8]
    killed, before = tmp_path / f".x.zip.{here}-{boot}-{gone}.part", tmp_path / f".x.zip.{here}-00000000-{own}.part"
    others = [
        tmp_path / f".x.zip.{here}-{boot}-{own}.part",
        tmp_path / ".x.zip.part",
        # by another machine, in a folder that both have mounted
        tmp_path / f".x.zip.00000000-{boot}-{gone}.part",
        tmp_path / f".x.zip.00000000-00000000-{gone}.part",
    ]
    notes = tmp_path / f".notes.{here}-{boot}-{gone}.part"
    for file in (killed, before, *others):
        file.write_bytes(whole[:9000])
    notes.write_bytes(b"PK\x03\x04 somebody else's")
    room.export(tmp_path / "second.zip")
    assert not killed.exists() and not before.exists(), "of this machine, also before it was switched off"
    assert all(file.exists() for file in (notes, *others))


def test_an_expired_certificate_exports_nothing(room: Any, tmp_path: Path) -> None:
    before = ledger.size(room.connection)
    room.at(20 * 366 * 86_400)
    with pytest.raises(VerificationFailed) as caught:
        room.export(tmp_path / "out.zip")
    assert caught.value.code == "certificate_expired"
    assert ledger.size(room.connection) == before
