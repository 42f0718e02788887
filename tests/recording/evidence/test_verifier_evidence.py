"""Nobody changes an evidence file unseen: every byte, every member, every line, and the room itself lying."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import re
import tracemalloc
from dataclasses import replace
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge import clock
from edge.cli import main
from edge.domain.canonical import canonical
from edge.trust import certificate as certificates
from edge.trust import checkpoint, der, dsse, timestamp
from edge.trust.container import read_directory
from edge.trust.evidence_format import Part
from edge.trust.verifier import Region, Verdict, layout, verify_open
from edge.trust.verifier.signed import millis_of
from support.altered import (
    CERTIFICATE,
    CHECKPOINT,
    LEDGER,
    MANIFEST,
    PROOFS,
    TIMESTAMP,
    WITNESS,
    change_line,
    disordered,
    ending_late,
    left_out,
    odd_entries,
    pack,
    too_large,
)
from support.examples import examples
from support.tsa import Authority

UNTIL = 1_780_000_040_000
"""Where the span of `original.late` ends."""


def verify(data: bytes, root: bytes) -> Verdict:
    return verify_open(io.BytesIO(data), [root])


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


@pytest.fixture(scope="module")
def regions(original: Any) -> list[Region]:
    return layout(original.path)


def expect(original: Any, region: Region, at: int, flip: int) -> None:
    data = bytearray(original.data)
    data[at] ^= flip
    verdict = verify(bytes(data), original.root)
    found = (verdict.ok, verdict.kind, verdict.part, verdict.second, verdict.seq)
    assert found == (False, "evidence", region.part, region.second, region.seq), (at, flip, region, verdict)
    assert len({problem.part for problem in verdict.details}) == 1
    assert verdict.sentence("zh") and verdict.sentence("en")
    # an altered key id, which is quoted, may hold a brace of its own
    assert not re.search(r"\{\w+\}", verdict.sentence("zh") + verdict.sentence("en"))


def test_the_layout_covers_the_file_and_has_every_part(original: Any, regions: list[Region]) -> None:
    assert regions[0].start == 0 and regions[-1].end == len(original.data)
    assert all(a.end == b.start for a, b in pairwise(regions))
    assert {region.part for region in regions} == {
        "container", "certificate", "manifest", "checkpoint", "timestamp", "ledger", "proof", "segment-index", "video",
        "video-view",
        "readme",
    }  # fmt: skip
    seconds = [region.second for region in regions if region.part == "video"]
    assert sorted(set(seconds)) == [float(second) for second in range(12)]


def test_first_middle_and_last_byte_of_every_region_are_named(original: Any, regions: list[Region]) -> None:
    for region in regions:
        for at in {region.start, (region.start + region.end) // 2, region.end - 1}:
            expect(original, region, at, 0x20 if at % 2 else 0x01)


def test_a_thousand_flips_at_random_places_are_named(original: Any, regions: list[Region]) -> None:
    chance = random.Random(20261120)
    for _ in range(1000):
        at = chance.randrange(len(original.data))
        region = next(r for r in regions if r.start <= at < r.end)
        expect(original, region, at, chance.randrange(1, 256))


@pytest.mark.parametrize("part", ["container", "certificate", "manifest", "checkpoint", "ledger", "proof"])
def test_flips_spread_over_the_small_parts_are_named(original: Any, regions: list[Region], part: str) -> None:
    chance = random.Random(part)
    mine = [region for region in regions if region.part == part]
    for _ in range(120):
        region = chance.choice(mine)
        expect(original, region, chance.randrange(region.start, region.end), 1 << chance.randrange(8))


def test_the_altered_second_is_told_with_camera_and_wall_time(original: Any, regions: list[Region]) -> None:
    region = next(r for r in regions if r.part == "video" and r.second == 7.0)
    data = bytearray(original.data)
    data[region.end - 5] ^= 8
    verdict = verify(bytes(data), original.root)
    assert verdict.facts["camera"] == "door"
    assert verdict.facts["wall"] == "2026-05-28T20:26:55.000Z"
    assert verdict.facts["segment"] == "door-01234567-000003"
    assert "第 7.0 秒" in verdict.sentence("zh") and "second 7.0" in verdict.sentence("en")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.999])
def test_a_cut_file_is_called_cut(original: Any, share: float) -> None:
    verdict = verify(original.data[: max(4, int(len(original.data) * share))], original.root)
    assert (verdict.ok, verdict.part, verdict.reason) == (False, "container", "container_cut")


def test_each_lost_byte_at_the_end_is_called_cut(original: Any) -> None:
    for less in range(1, 60):
        verdict = verify(original.data[:-less], original.root)
        assert (verdict.ok, verdict.part, verdict.reason) == (False, "container", "container_cut")


@pytest.mark.parametrize("tail", [b"\0", b"PK\x05\x06" + bytes(18), b"x" * 5000])
def test_bytes_appended_put_before_or_put_between_are_the_containers(original: Any, tail: bytes) -> None:
    middle = read_directory(io.BytesIO(original.data))[3].header
    for data in (
        original.data + tail,
        tail + original.data,
        original.data[:middle] + tail + original.data[middle:],
    ):
        verdict = verify(data, original.root)
        assert (verdict.ok, verdict.part) == (False, "container"), verdict


def test_each_member_removed_is_named(original: Any) -> None:
    parts = {"README.txt": "readme", CERTIFICATE: "certificate", MANIFEST: "manifest", LEDGER: "ledger"}
    parts |= {PROOFS: "proof", CHECKPOINT: "checkpoint", WITNESS: "checkpoint", TIMESTAMP: "timestamp"}
    for name in original.members:
        verdict = verify(pack({n: c for n, c in original.members.items() if n != name}), original.root)
        folders = {"video": "video", "view": "video-view", "segments": "segment-index"}
        part = parts.get(name) or folders[name.partition("/")[0]]
        assert (verdict.ok, verdict.reason, verdict.part) == (False, "evidence_member_missing", part)
        assert verdict.facts["member"] == name


def test_members_added_or_put_in_another_order_are_the_containers(original: Any) -> None:
    added = verify(pack({**original.members, "extra.txt": b"x"}), original.root)
    assert (added.reason, added.part) == ("evidence_member_extra", "container")
    turned = verify(pack(dict(reversed(original.members.items()))), original.root)
    assert (turned.reason, turned.part) == ("evidence_member_order", "container")


def test_a_member_of_another_export_of_the_same_room_is_named(original: Any) -> None:
    parts = {LEDGER: "ledger", PROOFS: "proof", CHECKPOINT: "checkpoint", "README.txt": "readme", WITNESS: "checkpoint"}
    parts |= {TIMESTAMP: "timestamp"}
    tried = 0
    for name, content in original.other_members.items():
        if name in original.members and content != original.members[name] and name != MANIFEST:
            verdict = verify(original.with_member(name, content), original.root)
            part = parts.get(name, "video")
            assert (verdict.ok, verdict.part) == (False, part), (name, verdict)
            tried += 1
    assert tried >= 6
    assert not verify(original.with_member(MANIFEST, original.other_members[MANIFEST]), original.root).ok


def test_another_root_is_told(original: Any) -> None:
    for roots in ([original.stranger.public], []):
        verdict = verify_open(io.BytesIO(original.data), roots)
        assert (verdict.ok, verdict.part, verdict.reason) == (False, "certificate", "evidence_root_unknown")
        assert verdict.facts["signer"] == original.issuer.key_id
    assert verify_open(io.BytesIO(original.data), [original.stranger.public, original.root]).ok


def test_a_manifest_by_another_key_names_the_wrong_signer(original: Any) -> None:
    forged = dsse.sign_envelope(dsse.EVIDENCE, original.manifest, [original.stranger])
    verdict = verify(original.with_member(MANIFEST, forged), original.root)
    assert (verdict.part, verdict.reason) == ("manifest", "evidence_signer_wrong")
    assert verdict.facts["signer"] == original.stranger.key_id
    both = dsse.sign_envelope(dsse.EVIDENCE, original.manifest, [original.signer, original.stranger])
    assert not verify(original.with_member(MANIFEST, both), original.root).ok


def test_a_certificate_out_of_its_time_or_of_another_room(original: Any) -> None:
    own = certificates.check(original.members[CERTIFICATE], original.root)
    late = own.model_copy(update={"not_before_ms": own.not_before_ms + 10**9, "not_after_ms": own.not_after_ms + 10**9})
    other = own.model_copy(update={"room": "room-2"})
    longer = own.model_copy(update={"not_after_ms": own.not_after_ms + 1})

    def under(certificate: certificates.Certificate) -> Verdict:
        envelope = certificates.issue(certificate, original.issuer)
        return verify(original.resign({**original.members, CERTIFICATE: envelope}), original.root)

    assert (under(late).reason, under(late).part) == ("evidence_certificate_expired", "certificate")
    assert (under(other).reason, under(other).part) == ("evidence_manifest_room", "manifest")
    assert under(longer).ok
    swapped = original.with_member(CERTIFICATE, certificates.issue(longer, original.issuer))
    assert verify(swapped, original.root).part == "certificate"


def test_a_certificate_that_ended_is_not_revived_by_the_time_the_file_says_it_was_made(original: Any) -> None:
    """`made_ms` is a number that the signer chose: the export's own ledger entry is asked too."""
    own = certificates.check(original.members[CERTIFICATE], original.root)
    entry = next(
        e for e in map(json.loads, lines(original.members[LEDGER])) if e["seq"] == original.manifest["export_seq"]
    )
    at = millis_of(entry["at"])
    assert at is not None

    def made(made_ms: int, ended: int) -> Verdict:
        envelope = certificates.issue(
            own.model_copy(update={"not_before_ms": 0, "not_after_ms": ended}), original.issuer
        )
        return verify(original.resign({**original.members, CERTIFICATE: envelope}, made_ms=made_ms), original.root)

    ended = 1_780_000_000_000 - 1  # before the first second of footage
    told = made(ended, ended)
    assert (told.reason, told.part, told.facts["at"]) == ("evidence_certificate_expired", "certificate", entry["at"])
    assert len(told.details) == 1 and len(made(at, at - 1).details) == 1
    assert made(at, at).ok and made(at - 86_400_000, at).ok and made(at + 10**9, at + 10**9).ok
    early = made(at - 86_400_001, at)
    assert (early.reason, early.part, early.seq) == ("evidence_made_before", "manifest", entry["seq"])


@pytest.mark.parametrize("index", [0, 5, -1])
def test_a_dropped_entry_is_named_missing(original: Any, index: int) -> None:
    at = index % len(lines(original.members[LEDGER]))
    seq = json.loads(lines(original.members[LEDGER])[at])["seq"]
    shorter = change_line(original.members[LEDGER], at, lambda _: [])
    verdict = verify(original.with_member(LEDGER, shorter), original.root)
    assert (verdict.reason, verdict.part, verdict.seq) == ("evidence_entry_missing", "ledger", seq)
    assert len(verdict.details) == 1
    assert f"第 {seq} 条缺失" in verdict.sentence("zh")


def test_an_entry_put_in_and_a_proof_of_another_entry(original: Any) -> None:
    entries, proofs = original.members[LEDGER], original.members[PROOFS]
    seq = json.loads(lines(entries)[4])["seq"]
    doubled = verify(original.with_member(LEDGER, change_line(entries, 4, lambda x: [x, x])), original.root)
    assert (doubled.part, doubled.seq) == ("ledger", seq + 1)
    last = verify(original.with_member(LEDGER, entries + lines(entries)[0]), original.root)
    assert (last.part, last.reason) == ("ledger", "evidence_entry_extra")
    foreign = canonical({**json.loads(lines(proofs)[5]), "seq": seq}) + b"\n"
    wrong = verify(original.with_member(PROOFS, change_line(proofs, 4, lambda _: [foreign])), original.root)
    assert (wrong.reason, wrong.part, wrong.seq) == ("evidence_proof_altered", "proof", seq)


def test_two_parts_altered_are_both_told(original: Any) -> None:
    entries = change_line(original.members[LEDGER], 3, lambda x: [x.replace(b"admitted", b"rejected")])
    members = {**original.members, LEDGER: entries, "README.txt": b"changed"}
    verdict = verify(pack(members), original.root)
    assert [problem.part for problem in verdict.details] == ["ledger", "readme"]


def test_swapped_and_dropped_fragments_name_the_second(original: Any, regions: list[Region]) -> None:
    video = "video/door-01234567-000003.mp4"
    start = next(m for m in read_directory(io.BytesIO(original.data)) if m.name == video).start
    mine = [r for r in regions if r.part == "video" and r.start >= start][:7]
    pieces = [original.data[r.start : r.end] for r in mine]
    swapped = b"".join([*pieces[:2], pieces[3], pieces[2], *pieces[4:]])
    verdict = verify(original.with_member(video, swapped), original.root)
    assert (verdict.part, verdict.second) == ("video", mine[2].second)
    dropped = verify(original.with_member(video, b"".join([*pieces[:4], *pieces[5:]])), original.root)
    assert (dropped.part, dropped.second) == ("video", mine[4].second)
    longer = verify(original.with_member(video, b"".join(pieces) + b"x"), original.root)
    assert (longer.part, longer.second, longer.reason) == ("video", None, "evidence_video_unknown")


def test_what_nobody_signed_costs_neither_memory_nor_time(original: Any) -> None:
    """Sizes are looked at before anything is read, and signatures before what they are under is parsed."""
    for what, reason, data in too_large(original):
        tracemalloc.start()
        verdict = verify(data, original.root)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (verdict.ok, verdict.reason) == (False, reason), (what, verdict)
        assert peak < 4 << 20, (what, peak)
    large = original.with_member(MANIFEST, b"[" + b"[]," * (1 << 20) + b"[]]")
    tracemalloc.start()
    assert verify(large, original.root).reason == "evidence_manifest_altered"
    assert tracemalloc.get_traced_memory()[1] < 16 << 20  # read twice over, and no list made of it
    tracemalloc.stop()


# From here on the liar holds the room's own key: hashes in the manifest fit whatever was put in.


def test_resigning_unchanged_members_verifies(original: Any) -> None:
    assert verify(original.resign(original.members), original.root).ok


def test_the_room_cannot_leave_an_entry_out(original: Any) -> None:
    members, manifest = original.members, original.manifest
    first, last = manifest["span"]["first"], manifest["span"]["last"]
    for kept, seq in (({"first": first + 1, "last": last}, first), ({"first": first, "last": last - 1}, last)):
        gone = next(i for i, line in enumerate(lines(members[LEDGER])) if json.loads(line)["seq"] == seq)
        less = {name: change_line(members[name], gone, lambda _: []) for name in (LEDGER, PROOFS)}
        verdict = verify(original.resign({**members, **less}, span=kept), original.root)
        assert (verdict.part, verdict.reason, verdict.seq) == ("ledger", "evidence_span_open", seq)


def test_the_room_cannot_end_the_run_before_the_segments_of_the_span_are_entered(original: Any) -> None:
    """A segment is entered as it closes: behind the first entry that is dated after the span."""
    members, manifest = original.members, original.manifest
    entries = [json.loads(line) for line in lines(members[LEDGER])]
    after = next(e["seq"] for e in entries if millis_of(e["at"]) >= manifest["until_ms"])
    hidden = manifest["segments"][-1]
    assert after < hidden["ledger_seq"] < manifest["span"]["last"]
    kept = [e["seq"] <= after or e["seq"] > manifest["span"]["last"] for e in entries]
    less = {n: c for n, c in members.items() if hidden["segment"] not in n}
    for name in (LEDGER, PROOFS):
        less[name] = b"".join(line for line, keep in zip(lines(members[name]), kept, strict=True) if keep)
    rest = [fact for fact in manifest["segments"] if fact is not hidden]
    span = {"first": manifest["span"]["first"], "last": after}
    verdict = verify(original.resign(less, segments=rest, span=span), original.root)
    assert (verdict.part, verdict.reason, verdict.seq) == ("ledger", "evidence_span_open", after + 1)


def test_a_run_may_end_a_day_after_the_span_and_no_earlier(original: Any) -> None:
    late = replace(original, data=original.late)
    (_, good), (_, early) = ending_late(late)
    verdict = verify(good, original.root)
    assert verdict.ok and verdict.facts["open_end"] is True and verdict.facts["gaps"], verdict
    entries = [json.loads(line) for line in late.members["ledger.jsonl"].splitlines()]
    assert [e["at"] for e in entries[-3:-1]] == [clock.iso(UNTIL + 86_399_999), clock.iso(UNTIL + 86_400_000)]
    verdict = verify(early, original.root)
    assert (verdict.part, verdict.reason) == ("ledger", "evidence_span_open")
    assert verdict.seq == late.manifest["span"]["last"]


def test_words_that_nobody_signed_are_no_part_of_an_envelope(original: Any) -> None:
    for name, part in ((MANIFEST, "manifest"), (CERTIFICATE, "certificate")):
        more = canonical({**json.loads(original.members[name]), "note": "unsigned"})
        assert verify(original.with_member(name, more), original.root).part == part
        if name == CERTIFICATE:
            assert verify(original.resign({**original.members, name: more}), original.root).part == part


def test_the_room_cannot_rewrite_an_entry(original: Any) -> None:
    entries = change_line(original.members[LEDGER], 3, lambda x: [x.replace(b"admitted", b"rejected")])
    verdict = verify(original.resign({**original.members, LEDGER: entries}), original.root)
    assert not verdict.ok and verdict.seq == json.loads(lines(entries)[3])["seq"]


def test_the_room_cannot_replace_footage(original: Any) -> None:
    members = original.members
    fact = original.manifest["segments"][1]
    index, video = f"segments/{fact['segment']}.json", f"video/{fact['segment']}.mp4"
    table = json.loads(members[index])
    altered = bytearray(members[video])
    altered[-10] ^= 1
    piece = table["fragments"][-1]
    piece["sha256"] = hashlib.sha256(bytes(altered)[-piece["length"] :]).hexdigest()
    verdict = verify(original.resign({**members, index: canonical(table), video: bytes(altered)}), original.root)
    assert (verdict.part, verdict.reason) == ("segment-index", "evidence_index_ledger")


def test_the_room_cannot_hide_a_segment_or_call_it_another(original: Any) -> None:
    members, manifest = original.members, original.manifest
    middle = manifest["segments"][1]
    hidden = {name: content for name, content in members.items() if middle["segment"] not in name}
    rest = [fact for fact in manifest["segments"] if fact is not middle]
    verdict = verify(original.resign(hidden, segments=rest), original.root)
    assert (verdict.part, verdict.reason, verdict.seq) == ("video", "evidence_segment_missing", middle["ledger_seq"])
    told = verify(original.resign(hidden, segments=rest, absent=[middle["segment"]]), original.root)
    assert told.ok and told.facts["absent"] == [middle["segment"]]
    moved = [{**fact, "ledger_seq": manifest["segments"][0]["ledger_seq"]} for fact in manifest["segments"]]
    assert verify(original.resign(members, segments=moved), original.root).reason == "evidence_index_ledger"


def test_the_room_cannot_leave_seconds_out_of_a_segment_it_gives(original: Any) -> None:
    """Nor call them a gap; where the last alone is left out there is not even one."""
    found = {}
    for kept, data in left_out(original):
        verdict = verify(data, original.root)
        assert {(p.reason, p.part) for p in verdict.details} == {("evidence_fragments_missing", "video")}, verdict
        assert {p.seq for p in verdict.details} == {original.manifest["segments"][1]["ledger_seq"]}
        found[kept] = [(p.second, p.facts["count"]) for p in verdict.details]
    assert found == {
        (0, 4): [(9.0, 1)], (0, 2): [(7.0, 3)], (0, 0): [(5.0, 5)], (5, 5): [(4.0, 5)], (2, 3): [(4.0, 2), (8.0, 2)],
    }  # fmt: skip
    assert "第 4.0 秒" in verdict.sentence("zh") and "second 4.0" in verdict.sentence("en")


@pytest.mark.parametrize(
    "change", [{"why": "another"}, {"by": "staff-8"}, {"session": None}, {"from_ms": 1}, {"export_seq": 3}]
)
def test_the_room_cannot_tell_of_another_export(original: Any, change: dict[str, Any]) -> None:
    verdict = verify(original.resign(original.members, **change), original.root)
    assert not verdict.ok
    assert "evidence_export_differs" in {problem.reason for problem in verdict.details}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2}, {"camera": 7}, {"until_ms": 0}, {"segments": []}, {"more": 1}, {"clip_ms": 1},
        {"others": [9, 3]}, {"span": {"first": 9, "last": 2}}, {"made_ms": 10**18}, {"segments": [{"segment": "../x"}]},
    ],
)  # fmt: skip
def test_a_manifest_that_is_not_the_format_is_refused(original: Any, change: dict[str, Any]) -> None:
    verdict = verify(original.resign(original.members, **change), original.root)
    assert not verdict.ok and verdict.part in ("manifest", "segment-index")


def test_a_rewritten_ledger_does_not_extend_what_the_witness_signed(original: Any) -> None:
    members = original.members
    witness = json.loads(members[WITNESS])
    origin = origin_of(original)
    earlier = checkpoint.sign_note(origin, 20, bytes(32), origin, original.signer)
    forged = canonical({**witness, "note": earlier})
    verdict = verify(original.resign({**members, WITNESS: forged}), original.root)
    assert (verdict.part, verdict.reason) == ("checkpoint", "evidence_witness_differs")


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mutation_is_accepted_and_none_is_an_exception(original: Any, data: st.DataObject) -> None:
    whole = original.data
    for _ in range(data.draw(st.integers(1, 4))):
        at, width = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, 3000))
        put = data.draw(
            st.binary(max_size=60) | st.just(whole[at : at + 300]) | st.just(original.other[at : at + width])
        )
        whole = whole[:at] + put + whole[at + width :]
    if whole != original.data:
        verdict = verify(whole, original.root)
        assert not verdict.ok and verdict.sentence("zh") and verdict.as_json()["problems"]


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_members_of_any_content_are_refused_without_an_exception(original: Any, data: st.DataObject) -> None:
    """The room's key signs whatever was put in, so that the parsers behind the hashes see it."""
    name = data.draw(st.sampled_from([n for n in original.members if n not in (MANIFEST, CERTIFICATE, "README.txt")]))
    before = original.members[name]
    keys = st.sampled_from(["seq", "path", "body", "at", "kind", "note", "init"])
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner),
        max_leaves=8,
    )  # fmt: skip
    at = data.draw(st.integers(0, len(before) - 1))
    content = data.draw(
        st.binary(max_size=200)
        | values.map(canonical)
        | values.map(lambda value: canonical(value) + b"\n")
        | st.binary(min_size=1, max_size=9).map(lambda put: before[:at] + put + before[at + len(put) :])
    )
    if content != before and verify(original.resign({**original.members, name: content}), original.root).ok:
        # What the room's signature alone vouches for: times of fragments inside their segment, where a view begins.
        if name.startswith("view/"):
            video = original.members[name.replace("view/", "video/")]
            fragments = video[video.index(b"moof") - 4 :]
            assert content.endswith(fragments) and before.endswith(fragments)
            return
        assert name.startswith("segments/") and untimed(content) == untimed(before)


def untimed(table: bytes) -> Any:
    value = json.loads(table)
    for fragment in value["fragments"]:
        fragment.update(wall_ms=0, mono_ms=0, duration_ms=0, offset=0)
    return value


def test_the_room_cannot_move_footage_to_another_time(original: Any) -> None:
    members, fact = original.members, original.manifest["segments"][1]
    name = f"segments/{fact['segment']}.json"
    for step in (3_600_000, -3_600_000):
        table = json.loads(members[name])
        for fragment in table["fragments"]:
            fragment["wall_ms"] += step
        verdict = verify(original.resign({**members, name: canonical(table)}), original.root)
        assert (verdict.part, verdict.reason) == ("segment-index", "evidence_index_ledger")


def test_the_room_cannot_give_segments_in_another_order_or_call_absent_what_is_not(original: Any) -> None:
    """A second of a verdict counts from the first of them, and an absence explains a gap."""
    tried = set()
    for what, reason, data in disordered(original):
        verdict = verify(data, original.root)
        assert (verdict.ok, verdict.reason, verdict.part) == (False, reason, "manifest"), (what, verdict)
        tried.add(reason)
    assert len(tried) == 2


def test_one_form_of_an_entry_is_taken_and_no_other(original: Any) -> None:
    """What a second reader could read otherwise is refused: floats, large numbers, deep lists, times as numbers."""
    tried = 0
    for what, good, data in odd_entries(original):
        verdict = verify(data, original.root)
        assert verdict.ok is good, (what, verdict)
        tried += not good
        assert good or (verdict.part, verdict.seq) != (None, None), what
    assert tried >= 15


def test_a_witness_line_that_does_not_hold_is_refused(original: Any) -> None:
    witness = json.loads(original.members[WITNESS])
    note = checkpoint.cosign(
        checkpoint.only_signers(witness["note"], {origin_of(original)}), "gateway-1", original.stranger
    )
    for changed in ({"note": note}, {"gateway": witness["gateway"].replace("A", "B", 1)}):
        forged = canonical({**witness, **changed})
        verdict = verify(original.resign({**original.members, WITNESS: forged}), original.root)
        assert (verdict.part, verdict.reason) == ("checkpoint", "evidence_witness_differs")


def test_a_file_without_a_witness_warns_as_one_with_an_old_witness_does(original: Any, tmp_path: Path) -> None:
    """The room's key holder gains nothing by taking it out, or the envelope that names the gateway's key."""
    members = original.members
    alone = {name: content for name, content in members.items() if name != WITNESS}
    unnamed = {**members, WITNESS: canonical({**json.loads(members[WITNESS]), "gateway": None})}
    for number, inside in enumerate((alone, unnamed)):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(original.resign(inside))
        words = ["verify", str(path), "--root", original.root.hex()]
        said = CliRunner().invoke(main, words)
        assert said.exit_code == 0 and "✓ 外部见证" not in said.output
        assert "! 没有可确认的外部见证" in said.output and "the room's own signature alone" in said.output
        facts = json.loads(CliRunner().invoke(main, [*words, "--json"]).output)["facts"]
        assert (facts["witnesses"], facts["witnessed_entries"], facts["witness_covers"]) == ([], 0, False)


def origin_of(original: Any) -> str:
    return checkpoint.read_note(original.members[CHECKPOINT].decode())[0].origin


def test_an_altered_view_is_told_from_its_video(original: Any) -> None:
    members = original.members
    name = [name for name in members if name.startswith("view/")][-1]
    video = name.replace("view/", "video/")
    flipped = members[name][:-5] + bytes([members[name][-5] ^ 1]) + members[name][-4:]
    verdict = verify(original.with_member(name, flipped), original.root)
    assert (verdict.part, verdict.reason, verdict.second) == ("video-view", "evidence_view_altered", 11.0)
    assert "第 11.0 秒" in verdict.sentence("zh") and "second 11.0" in verdict.sentence("en")
    longer = verify(original.with_member(name, members[name] + b"x"), original.root)
    assert (longer.part, longer.reason, longer.second) == ("video-view", "evidence_view_unknown", None)
    # the room itself puts other pictures there, or none
    signed = verify(original.resign({**members, name: flipped}), original.root)
    assert (signed.part, signed.reason) == ("video-view", "evidence_view_differs")
    assert verify(original.resign({n: c for n, c in members.items() if n != name}), original.root).ok
    assert verify(original.with_member(video, members[video][:-1] + b"x"), original.root).part == "video"


def test_the_published_format_names_every_member_key_and_part(original: Any) -> None:
    text = (resources.files("edge.trust.verifier") / "FORMAT.md").read_text(encoding="utf-8")
    names = [re.sub(r"(segments|video|view)/[^.]+", r"\1/ID", name) for name in original.members]
    table = json.loads(next(c for n, c in original.members.items() if n.startswith("segments/")))
    keys = [*original.manifest, *table, *table["fragments"][0], *json.loads(original.members[WITNESS])]
    keys += json.loads(original.members[TIMESTAMP])
    missing = [word for word in [*names, *keys, *(part.value for part in Part)] if word not in text]
    assert missing == []
    assert original.manifest["version"] == 1 and "version 1" in text


def test_a_time_stamp_is_checked_against_the_authority_that_is_named(original: Any, tmp_path: Path) -> None:
    roots, ca = [original.root], timestamp.read_authorities(original.authority.ca)
    stranger = timestamp.read_authorities(Authority(tmp_path / "tsa").ca)
    stamped = json.loads(original.members[TIMESTAMP])
    entries = checkpoint.read_note(stamped["note"])[0].size
    unchecked = verify_open(io.BytesIO(original.data), roots)
    assert unchecked.ok and unchecked.facts["timestamp"] == {"checked": False, "entries": entries}
    told = verify_open(io.BytesIO(original.data), roots, (), [*stranger, *ca])
    assert told.ok and isinstance(told.facts["timestamp"], dict)
    assert told.facts["timestamp"] | {"time": ""} == {
        "checked": True, "entries": entries, "time": "", "authority": "tsa",
    }  # fmt: skip
    assert millis_of(told.facts["timestamp"]["time"]) is not None
    other = verify_open(io.BytesIO(original.data), roots, (), stranger)
    assert (other.ok, other.part, other.reason) == (False, "timestamp", "timestamp_authority")
    # a dishonest room: a real stamp over something else, or one that was tampered with
    answer = base64.b64decode(stamped["tsr"])
    elsewhere = original.authority.reply(timestamp.request(timestamp.imprint("elsewhere"), 7))
    at = answer.rindex(der.read(answer).parts()[1].parts()[1].parts()[0].parts()[-1].parts()[0].parts()[5].content)
    for forged, reason in (
        (elsewhere, "timestamp_imprint"),
        (answer[: at + 9] + bytes([answer[at + 9] ^ 1]) + answer[at + 10 :], "timestamp_signature"),
        (b"none", "timestamp_broken"),
    ):
        content = canonical({**stamped, "tsr": base64.b64encode(forged).decode()})
        data = original.resign({**original.members, TIMESTAMP: content})
        verdict = verify_open(io.BytesIO(data), roots, (), ca)
        assert (verdict.ok, verdict.part, verdict.reason) == (False, "timestamp", reason)


def test_the_command_says_whether_the_time_stamp_was_checked(original: Any, tmp_path: Path) -> None:
    words = ["verify", str(original.path), "--root", original.root.hex()]
    asked = CliRunner().invoke(main, words)
    assert asked.exit_code == 0 and "没有核验" in asked.output and "was not checked" in asked.output
    checked = CliRunner().invoke(main, [*words, "--tsa-ca", str(original.authority.ca)])
    assert checked.exit_code == 0 and "✓ 时间戳" in checked.output and "tsa" in checked.output
    told = json.loads(CliRunner().invoke(main, [*words, "--tsa-ca", str(original.authority.ca), "--json"]).output)
    assert told["facts"]["timestamp"]["checked"] is True
    # both are of second 14, before some of the footage was entered
    assert (told["facts"]["stamp_covers"], told["facts"]["witness_covers"]) == (False, False)
    assert "! 时间戳只到" in checked.output and "The time stamp covers the first" in checked.output
    assert "! 时间戳只到" not in asked.output and "! 外部见证" in asked.output and "✓ 外部见证" not in asked.output
    wrong = CliRunner().invoke(main, [*words, "--tsa-ca", str(original.path)])
    assert wrong.exit_code == 2 and "时间戳" in wrong.output
