"""The page that needs no Python: it opens from disk, and says of every file what the verifier in Python says."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from playwright.sync_api import Browser, Page

from edge.cli import main
from edge.clock import Instant, TimeQuality
from edge.domain import merkle
from edge.domain.canonical import canonical
from edge.domain.footage import Cause
from edge.recording.soundtrack import Heard, SoundTrack
from edge.recording.writer import Place, SegmentWriter
from edge.store import segments
from edge.trust import checkpoint, der, dsse, timestamp
from edge.trust.certificate import check
from edge.trust.completeness_format import completeness_file
from edge.trust.container import read_directory
from edge.trust.verifier import result_file, verify_open
from support.altered import TIMESTAMP, altered
from support.cameras import make_packets
from support.firefox import Firefox, firefox, needs_firefox
from support.pictures import shot
from support.sounds import heard as heard_of
from support.sounds import make_sounds
from support.tablet_page import axe
from support.tsa import Authority

BOOT = "0123456789abcdef" * 2
RUN = """async ({ original, vectors }) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const whole = bytes(original);
  const found = [];
  for (const { head, middle, tail, roots } of vectors) {
    const blob = new Blob([whole.subarray(0, head), bytes(middle), whole.subarray(whole.length - tail)]);
    found.push(JSON.stringify(await window.examroomVerifier.verify(blob, roots)));
  }
  return found;
}"""


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page as the command writes it, opened from disk, without a network and without an error."""
    out = tmp_path_factory.mktemp("page") / "verifier.html"
    done = CliRunner().invoke(main, ["verify-page", str(out)])
    assert done.exit_code == 0, done.output
    context = browser.new_context(locale="zh-CN", offline=True)
    opened = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    opened.goto(out.as_uri())
    yield opened
    assert {url for url in asked if not url.startswith("blob:")} == {out.as_uri()}
    assert errors == []
    context.close()


def alike(one: bytes, other: bytes) -> int:
    """How many bytes are the same from the start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def ask(page: Page | Firefox, original: bytes, files: list[tuple[bytes, str]]) -> list[dict[str, Any]]:
    """What the page says of each (file, roots): only what differs from `original` is carried over."""
    vectors = []
    for data, roots in files:
        head = alike(original, data)
        tail = alike(original[head:][::-1], data[head:][::-1])
        middle = base64.b64encode(data[head : len(data) - tail]).decode()
        vectors.append({"head": head, "middle": middle, "tail": tail, "roots": roots})
    asked = {"original": base64.b64encode(original).decode(), "vectors": vectors}
    found = page.run(f"return ({RUN})(arguments[0])", asked) if isinstance(page, Firefox) else page.evaluate(RUN, asked)
    return [json.loads(text) for text in found]


def python(data: bytes, roots: str) -> dict[str, Any]:
    verdict = verify_open(io.BytesIO(data), [bytes.fromhex(root) for root in roots.split()])
    said: dict[str, Any] = json.loads(json.dumps(verdict.as_json()))
    return said


def a_result(original: Any) -> bytes:
    """A result file of the original's room, with what only a result has: points that are no whole number."""
    envelope = original.members["certificate.dsse.json"]
    certificate = check(envelope, original.root)
    points = {"points": 86.5, "others": [1e-05, 1e16, 0.1, 100.0], "名": "“引号”\n\x7f"}
    payload = {"room": certificate.room, "epoch": 1, "seq": 1, **points}
    result = dsse.sign_envelope(dsse.RESULT, payload, [original.signer])
    told = {"kind": "result", "at": "2026-05-28T20:26:41.000Z", "body": {"sha256": hashlib.sha256(result).hexdigest()}}
    entries = [canonical({**(told if n == 5 else {"kind": "checkin"}), "seq": n}) for n in range(9)]
    tree = merkle.tree_of([merkle.leaf_hash(entry) for entry in entries])
    note = checkpoint.sign_note(certificate.origin, 9, merkle.root(9, tree), certificate.origin, original.signer)
    return result_file(envelope, result, note, entries[5], merkle.inclusion_proof(5, 9, tree))


def flips(name: str, good: bytes, every: int) -> Iterator[tuple[str, bytes]]:
    """The file with a bit of one byte in `every` changed, one at a time."""
    for at in range(0, len(good), every):
        data = bytearray(good)
        data[at] ^= 0x20 if at % 2 else 0x01
        yield f"{name} flip {at}", bytes(data)


def results(original: Any) -> Iterator[tuple[str, bytes]]:
    good = a_result(original)
    yield "result", good
    yield from flips("result", good, 29)
    payload = dsse.peek(canonical(json.loads(good)["result"])).payload
    for change in (
        {"epoch": 1.0},
        {"epoch": True},
        {"room": 7},
        {"big": 2**53},
        {"deep": json.loads("[" * 500 + "]" * 500)},
    ):
        signed = dsse.sign_envelope(dsse.RESULT, {**payload, **change}, [original.signer])
        yield f"result of {json.dumps(change)[:40]}", canonical({**json.loads(good), "result": json.loads(signed)})
    proof = json.loads(good)["proof"]
    for change in (
        {"path": [[]] * 90_000},
        {"leaf": [[]] * 90_000},
        {"checkpoint": "x" * (1 << 18)},
        {"entry": "[" * (1 << 18)},
    ):
        yield f"result with much {list(change)}", canonical({**json.loads(good), "proof": {**proof, **change}})
    yield "result with much padding", good.replace(b',"leaf":', b',"leaf":' + b"[]," * 90_000)
    yield "result under many lists", b'{"certificate":[' + b"[]," * 90_000 + b'[]],"completeness":{}}'
    yield "result cut", good[:-1]
    yield "result of other bytes", good + b" "
    yield "a certificate alone", original.members["certificate.dsse.json"].replace(b"certificate+json", b"nothing+json")
    bare = canonical(json.loads(good)["result"])
    yield from (("a result alone", bare), ("its line", bare + b"\n"), ("two lines", bare + b"\n{}"))
    yield "nothing", b""
    yield "text", b"hello"


def certificate_payload(original: Any, **more: Any) -> dict[str, Any]:
    """What a room certifies of a session of two cameras, with all that may stand there."""
    at = original.manifest["from_ms"]
    gap = {"from_ms": at, "until_ms": at + 3, "ms": 3, "cause": "killed", "doubt_ms": 0}
    whole = {
        "camera": "门口", "expected_ms": 60_000, "recorded_ms": 60_000, "hundredths": 10_000, "segments": 1,
        "salvaged": 0, "frames": None, "dropped": 0, "lost_ms": 0, "gaps": [], "blind": [],
    }  # fmt: skip
    blind = [{"from_ms": at, "until_ms": at + 9, "reason": "camera_dark"}]
    short = {**whole, "camera": "hall", "recorded_ms": 59_997, "hundredths": 9_999, "gaps": [gap], "blind": blind}
    payload = {
        "format": 1, "version": 2, "room": "room-1", "epoch": 1, "session": "场次-1",
        "from_ms": at, "until_ms": at + 60_000, "made_ms": at + 10**6,
        "cameras": [whole, {**short, "frames": 1500}], "deleted": ["door-01234567-000001"],
        "clock": [{"at_ms": at, "camera": "hall", "step_ms": -5}, {"at_ms": at, "camera": "hall", "boot": "0" * 32}],
        "checkpoint": original.members["checkpoint.txt"].decode(),
    }  # fmt: skip
    return {**payload, **more}


def completeness(original: Any) -> Iterator[tuple[str, bytes]]:
    """A completeness certificate, and what is none: bytes changed, and what a room may sign that does not add up."""
    certificate = original.members["certificate.dsse.json"]

    def signed(payload: dict[str, Any], signer: Any = original.signer) -> bytes:
        return completeness_file(certificate, dsse.sign_envelope(dsse.COMPLETENESS, payload, [signer]))

    payload = certificate_payload(original)
    good = signed(payload)
    yield "certified", good
    yield from flips("certified", good, 61)
    yield from (
        ("certified cut", good[:-1]),
        ("certified and more", good + b" "),
        ("certified by another", signed(payload, original.stranger)),
    )
    yield "certified under no certificate", completeness_file(b"{}", canonical(json.loads(good)["completeness"]))
    changes: tuple[dict[str, Any], ...] = (
        {"room": "room-2"}, {"epoch": 2}, {"made_ms": 5}, {"checkpoint": "x"}, {"checkpoint": "x" * 4097}, {"more": 1},
        {"format": 2}, {"format": True}, {"version": 0}, {"version": 1.0}, {"session": ""},
        {"session": "\U0001f512" * 128}, {"session": "\U0001f512" * 129}, {"cameras": []}, {"deleted": ["../x"]},
        {"from_ms": -1}, {"until_ms": 253_402_300_800_000},
        {"clock": [{"at_ms": 1, "camera": "x", "step_ms": None, "boot": None, "quality": None}]},
        {"clock": [{"at_ms": 1, "camera": "x", "more": 1}]}, {"clock": [{"at_ms": 1, "camera": "x", "boot": "0"}]},
        {"clock": [{"camera": "x"}]}, {"clock": [{"at_ms": 1, "camera": "", "quality": "A"}]}, {"clock": [7]},
        {"cameras": payload["cameras"] * 2},
    )  # fmt: skip
    for number, change in enumerate(changes):
        yield f"certified {number} {json.dumps(change)[:60]}", signed({**payload, **change})
    whole, short = payload["cameras"]
    large = 2**53 - 1
    cameras: tuple[dict[str, Any], ...] = (
        {**short, "hundredths": 10_000}, {**short, "hundredths": 9_998}, {**short, "recorded_ms": 60_000},
        {**short, "frames": -1}, {**short, "gaps": []}, {**short, "gaps": [{**short["gaps"][0], "cause": "B"}]},
        {**short, "blind": [{}]}, {**whole, "expected_ms": 0, "recorded_ms": 0}, {**whole, "camera": "x" * 65},
        {**whole, "hundredths": 0}, {**whole, "expected_ms": large, "recorded_ms": large},
        {**short, "expected_ms": large, "recorded_ms": large - 3}, {**whole, "more": 1},
        {**short, "expected_ms": 3, "recorded_ms": 0, "hundredths": 0},
        {**whole, "expected_ms": large, "recorded_ms": 2, "hundredths": 0,
         "gaps": [{**short["gaps"][0], "ms": ms} for ms in (large, large, 1)]},
    )  # fmt: skip
    for number, fact in enumerate(cameras):
        yield f"certified camera {number}", signed({**payload, "cameras": [fact, {**fact, "camera": "y"}]})


def test_the_page_says_what_the_verifier_in_python_says(page: Page, original: Any) -> None:
    root, stranger = original.root.hex(), original.stranger.public.hex()
    vectors = [("good", original.data, root), ("another", original.other, root)]
    vectors += [(what, data, root) for what, data in [*altered(original), *results(original), *completeness(original)]]
    vectors += [("no root", original.data, ""), ("another root", original.data, stranger)]
    vectors += [("two roots", original.data, f"{stranger} {root}")]
    wanted = {what: python(data, roots) for what, data, roots in vectors}
    assert len(wanted) == len(vectors)
    assert len(vectors) > 200 and len({said["reason"] for said in wanted.values()}) > 30
    assert {said["part"] for said in wanted.values()} >= {
        "container", "certificate", "manifest", "checkpoint", "ledger", "proof", "segment-index", "video", "video-view",
        "readme", "result", "completeness",
    }  # fmt: skip
    assert wanted["certified"]["ok"] and wanted["certified"]["facts"]["percent"] == "99.99"
    for what, covers in (
        ("good", False), ("a day later", False), ("witness of all the footage", True), ("witness taken out", False),
    ):  # fmt: skip
        assert wanted[what]["facts"]["witness_covers"] is covers
    assert wanted["time stamp of all the footage"]["facts"]["stamp_covers"] is True
    found = ask(page, original.data, [(data, roots) for _, data, roots in vectors])
    for (what, _, _), said in zip(vectors, found, strict=True):
        assert said == wanted[what], what
    # a browser without Ed25519, one without WebCrypto, and a video too long to be read whole
    some = vectors[::12]
    for setting in ("engine.ed25519 = false", "engine.subtle = false", "limits.whole = 1000"):
        page.evaluate(f"() => {{ window.examroomVerifier.{setting}; }}")
        found = ask(page, original.data, [(data, roots) for _, data, roots in some])
        for (what, _, _), said in zip(some, found, strict=True):
            assert said == wanted[what], (setting, what)
    page.reload()


@pytest.mark.long
@needs_firefox
def test_the_page_says_the_same_in_plain_firefox(original: Any, tmp_path: Path) -> None:
    root, out = original.root.hex(), tmp_path / "verifier.html"
    assert CliRunner().invoke(main, ["verify-page", str(out)]).exit_code == 0
    vectors = [("good", original.data), *altered(original), *results(original), *completeness(original)][::5]
    assert len(vectors) > 40
    with firefox(tmp_path) as page:
        page.goto(out.as_uri())
        for start in range(0, len(vectors), 10):  # a script that runs too long is stopped
            some = vectors[start : start + 10]
            found = ask(page, original.data, [(data, root) for _, data in some])
            for (what, data), said in zip(some, found, strict=True):
                assert said == python(data, root), what


def test_footage_with_sound_is_evidence_like_any_other(page: Page, room: Any, tmp_path: Path) -> None:
    """Its view is in step, both verifiers take it, and both name the second of a byte of sound that was changed."""
    room.at(100)
    at = Instant(room.now, 70_000, BOOT, TimeQuality.SYNCHRONISED)
    video, packets = make_packets(6)
    heard, sounds = Heard(), make_sounds(6, at.mono_ms, tone_s=2.7)
    heard.add(sounds)
    track = SoundTrack(sounds[0].format, at, heard)
    writer = SegmentWriter(Place(room.paths.recordings, "yard", BOOT, 1), video, at, 1, sound=track)
    for packet in packets:
        writer.write(packet)
    room.at(106)
    segments.index(room.connection, writer.close(Cause.STOPPED))
    video.owner.close()
    path = room.export(tmp_path / "sound.zip", 101.4, 104.6, camera="yard")
    data, root = path.read_bytes(), room.root.public.hex()
    inside = {m.name: data[m.start : m.end] for m in read_directory(io.BytesIO(data))}
    (view,) = (content for name, content in inside.items() if name.startswith("view/"))
    begins, ends, tone = heard_of(view)
    assert abs(begins) < 0.07 and abs(ends - 3.2) < 0.1 and tone == pytest.approx(1.3, abs=0.03)
    loud = next(one.data for one in sounds if one.mono_ms > at.mono_ms + 3500)
    changed = bytearray(data)
    changed[data.index(loud) + len(loud) // 2] ^= 1
    for said in (python, lambda file, roots: ask(page, data, [(file, roots)])[0]):
        assert said(data, root)["ok"]
        verdict = said(bytes(changed), root)
        assert (verdict["ok"], verdict["part"], verdict["second"]) == (False, "video", 2)


FILM = """async (size) => {
  let read = 0;
  const slice = (from, until) => {
    const length = Math.max(0, Math.min(until, size) - from);
    read += length;
    return new Blob([new Uint8Array(Math.min(length, 1 << 20))]);
  };
  return [await window.examroomVerifier.verify({ size, slice }, "00".repeat(32)), read];
}"""


def test_a_large_film_is_refused_by_its_first_bytes(page: Page) -> None:
    for size in (17 << 20, 3 << 30):
        verdict, read = page.evaluate(FILM, size)
        assert (verdict["reason"], verdict["kind"]) == ("verify_unknown", None) and read < 1 << 20


def test_what_a_clock_that_was_set_back_recorded_twice_counts_once(page: Page, room: Any, tmp_path: Path) -> None:
    room.at(12)
    room.footage("door", 6, 7, 5)
    room.at(40)
    room.footage("door", 7, 30)
    data, root = room.export(tmp_path / "out.zip").read_bytes(), room.root.public.hex()
    wanted = python(data, root)
    assert wanted["ok"] and wanted["facts"]["covered_s"] == 12.0 and wanted["facts"]["gaps"] == []
    assert ask(page, data, [(data, root)]) == [wanted]


def test_a_supervisor_checks_a_file_with_it(page: Page, original: Any, tmp_path: Path) -> None:
    bad, hostile, key = tmp_path / "bad.zip", tmp_path / "hostile.zip", tmp_path / "root.pub"
    video = next(name for name in original.members if name.startswith("video/"))
    bad.write_bytes(original.with_member(video, original.members[video][:-5] + b"12345"))
    hostile.write_bytes(original.other)
    key.write_bytes(original.root)
    answer = page.locator("#answer")
    page.click("#check")
    assert "请先选择" in answer.inner_text()
    page.set_input_files("#file", bad)
    page.click("#check")
    page.wait_for_function("() => document.getElementById('answer').textContent.includes('没有根公钥')")
    page.fill("#root", "12")
    page.click("#check")
    page.wait_for_function("() => document.getElementById('answer').textContent.includes('不是根公钥')")
    spki = Ed25519PublicKey.from_public_bytes(original.root)
    page.fill("#root", spki.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
    page.click("#check")
    page.wait_for_selector("#answer.bad h2")
    expected = verify_open(io.BytesIO(bad.read_bytes()), [original.root])
    assert expected.sentence("zh") in answer.inner_text() and expected.sentence("en") in answer.inner_text()
    assert "bad.zip" in answer.inner_text() and axe(page) == []
    shot(page, "verifier-bad", "zh")
    # a name that is markup, with a character that turns what follows, is text and nothing else
    page.fill("#root", "")
    page.set_input_files("#root-file", key)
    page.set_input_files("#file", hostile)
    page.click("#check")
    page.wait_for_selector("#answer.good h2")
    assert "<img src=x onerror=alert(1)>[U+202E]" in answer.inner_text() and page.query_selector("#answer img") is None
    assert "gateway-1" in answer.inner_text() and axe(page) == []
    assert "带有时间戳，没有核验" in answer.inner_text() and "时间戳只到" not in answer.inner_text()
    entries = python(original.other, original.root.hex())["facts"]["witnessed_entries"]
    assert f"gateway-1（台账前 {entries} 条）" in answer.inner_text()
    assert f"外部见证 gateway-1 只签到台账前 {entries} 条" in answer.inner_text()
    shot(page, "verifier-good", "zh")
    alone = tmp_path / "alone.zip"
    alone.write_bytes(original.resign({n: c for n, c in original.members.items() if n != "witness.json"}))
    page.set_input_files("#file", alone)
    page.click("#check")
    page.wait_for_selector("#answer.good h2")
    page.wait_for_function("() => document.getElementById('answer').textContent.includes('没有可确认的外部见证：除了')")
    assert "alone.zip" in answer.inner_text() and "外部见证 gateway-1" not in answer.inner_text()
    page.set_input_files("#file", hostile)
    page.click("summary")
    page.fill("#stamp", "no certificate")
    page.click("#check")
    page.wait_for_function("() => document.getElementById('answer').textContent.includes('时间戳机构的根证书（PEM）')")
    page.fill("#stamp", "")
    page.set_input_files("#stamp-file", original.authority.ca)
    page.click("#check")
    page.wait_for_selector("#answer.good h2")
    assert "没有核验" not in answer.inner_text() and f"Z tsa（台账前 {entries} 条）" in answer.inner_text()
    assert f"时间戳只到台账前 {entries} 条" in answer.inner_text() and axe(page) == []
    page.click("#language")
    assert page.evaluate("() => document.documentElement.lang") == "en"
    assert answer.locator("h2").inner_text() == "✓ Verified"
    page.click("#language")


def test_a_supervisor_checks_a_completeness_certificate_with_it(page: Page, original: Any, tmp_path: Path) -> None:
    out = tmp_path / "S-001.json"
    out.write_bytes(dict(completeness(original))["certified"])
    page.reload()  # another test's key file is gone
    answer = page.locator("#answer")
    page.fill("#root", original.root.hex())
    page.set_input_files("#file", out)
    page.click("#check")
    page.wait_for_selector("#answer.good h2")
    said = answer.inner_text()
    assert verify_open(io.BytesIO(out.read_bytes()), [original.root]).sentence("zh") in said
    assert "hall：99.99%，应录 60 秒，录下 59.997 秒，缺口 1 处" in said and "门口：100%" in said and "2026" in said
    assert "考场自己的签名证明" in said and axe(page) == []
    out.write_bytes(dict(completeness(original))["certified by another"])
    page.set_input_files("#file", out)
    page.click("#check")
    page.wait_for_selector("#answer.bad h2")
    assert "签名人不对" in answer.inner_text()
    page.fill("#root", "")


def test_a_page_may_bring_its_root_and_is_never_written_over(tmp_path: Path, original: Any) -> None:
    out = tmp_path / "v.html"
    words = ["verify-page", str(out), "--root", original.root.hex()]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert original.root.hex() in out.read_text(encoding="utf-8")
    before = out.read_bytes()
    assert CliRunner().invoke(main, words).exit_code == 2 and out.read_bytes() == before
    assert CliRunner().invoke(main, ["verify-page", str(tmp_path / "none" / "v.html")]).exit_code == 1
    assert CliRunner().invoke(main, ["verify-page", str(tmp_path / "w.html"), "--root", "12"]).exit_code == 2
    assert not (tmp_path / "w.html").exists()


STAMPED = """async ({ files, root, ca }) => {
  const found = [];
  for (const text of files) {
    const blob = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]);
    found.push(JSON.stringify(await window.examroomVerifier.verify(blob, root, "", ca)));
  }
  return found;
}"""


@pytest.mark.parametrize("use_rsa", [pytest.param(False, marks=pytest.mark.long), True])
def test_time_stamps_are_judged_as_the_verifier_in_python_does(
    page: Page, original: Any, tmp_path: Path, use_rsa: bool
) -> None:
    """Real stamps by `openssl ts`: good ones, of another purpose, time, authority or note, and with bytes changed."""
    made = Authority(tmp_path / "tsa", use_rsa=use_rsa, ess="sha1" if use_rsa else "sha384")
    stamped = json.loads(original.members[TIMESTAMP])
    question = timestamp.request(timestamp.imprint(stamped["note"]), 7)
    good = made.reply(question)
    made.signer("other", [ExtendedKeyUsageOID.CODE_SIGNING])
    made.signer("both", [ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING])
    made.signer("lax", [ExtendedKeyUsageOID.TIME_STAMPING], critical=False)
    made.signer("old", [ExtendedKeyUsageOID.TIME_STAMPING], days=-1)
    answers = [good, *(made.signed_by(name, good) for name in ("tsa", "other", "both", "lax", "old"))]
    answers.append(made.reply(timestamp.request(timestamp.imprint("elsewhere"), 7)))
    answers += [
        original.authority.reply(question),
        b"none",
        der.value(der.SEQUENCE, der.value(der.SEQUENCE, der.integer(2))),
    ]
    told = len(answers)
    chance = random.Random(3161)
    for at in chance.sample(range(len(good)), 60):
        answers.append(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
    members = original.members
    files = [
        original.resign({**members, TIMESTAMP: canonical({**stamped, "tsr": base64.b64encode(one).decode()})})
        for one in answers
    ]
    roots = timestamp.read_authorities(made.ca)
    wanted = [verify_open(io.BytesIO(data), [original.root], (), roots).as_json() for data in files]
    asked = {"files": [base64.b64encode(data).decode() for data in files], "root": original.root.hex()}
    found = [json.loads(text) for text in page.evaluate(STAMPED, {**asked, "ca": made.ca.read_text()})]
    assert [one["reason"] for one in wanted[:told]] == [
        None, None, "timestamp_purpose", "timestamp_purpose", "timestamp_purpose", "timestamp_authority",
        "timestamp_imprint", "timestamp_authority", "timestamp_broken", "timestamp_refused",
    ]  # fmt: skip
    assert found[:told] == json.loads(json.dumps(wanted[:told]))
    # of bytes changed at random the two may name another step, never another answer
    assert [(one["ok"], one["part"]) for one in found] == [(one["ok"], one["part"]) for one in wanted]


PLAYED = """async (src) => {
  const video = document.createElement("video");
  document.body.append(video);
  const shown = [];
  const note = (now, frame) => { shown.push(frame.mediaTime); video.requestVideoFrameCallback(note); };
  video.muted = true;
  video.src = src;
  await new Promise((done, failed) => { video.onloadeddata = done; video.onerror = () => failed(video.error); });
  video.requestVideoFrameCallback(note);
  await video.play();
  await new Promise((done) => { video.onended = done; });
  return { duration: video.duration, first: shown[0], last: shown[shown.length - 1] };
}"""


def test_a_browser_shows_of_a_view_what_was_asked(browser: Browser, original: Any, tmp_path: Path) -> None:
    """The first of two: from 8.4 s to the end of its segment, of which the recorded fragments begin at 8 s."""
    (tmp_path / "page.html").write_text("<!doctype html><title>view</title>")
    view = next(content for name, content in original.members.items() if name.startswith("view/"))
    (tmp_path / "view.mp4").write_bytes(view)
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    played = page.evaluate(PLAYED, "view.mp4")
    page.close()
    assert played["duration"] == pytest.approx(3.6, abs=0.002)
    assert played["first"] == pytest.approx(0, abs=0.11) and played["last"] == pytest.approx(3.5, abs=0.11)
