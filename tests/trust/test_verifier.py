"""Result files, receipts, bundles, certificates and whatever else is handed to the verifier."""

from __future__ import annotations

import hashlib
import io
import json
import tracemalloc
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from edge.cli import main
from edge.domain import merkle
from edge.domain.canonical import canonical
from edge.errors import BadInput, NotFound
from edge.trust import checkpoint, dsse
from edge.trust.certificate import Certificate, issue
from edge.trust.protocol import GatewayKey, Receipt, sign_gateway_key, sign_receipt
from edge.trust.seal import SealKey, seal_bundle
from edge.trust.signer import Ed25519Signer
from edge.trust.verifier import Verdict, layout, read_root, result_file, verify_file, verify_open
from edge.trust.verifier.roots import read_witness
from support.examples import examples

AT = 1_780_000_000_000


@dataclass
class World:
    root: Ed25519Signer
    room: Ed25519Signer
    gateway: Ed25519Signer
    certificate: Certificate
    envelope: bytes
    result: bytes
    note: str
    entries: list[bytes]
    file: bytes

    def proof(self, seq: int) -> list[bytes]:
        return merkle.inclusion_proof(
            seq, len(self.entries), merkle.tree_of([merkle.leaf_hash(e) for e in self.entries])
        )


def entry(seq: int, kind: str, body: dict[str, Any]) -> bytes:
    facts = {"at": "2026-05-28T20:26:41.000Z", "boot_id": "b", "by": "staff-1", "mono_ms": seq, "quality": "rtc"}
    return canonical({**facts, "seq": seq, "kind": kind, "body": body, "session": "s1", "subject": "p1"})


@pytest.fixture(scope="module")
def world() -> World:
    root, room, gateway = (Ed25519Signer.generate() for _ in range(3))
    certificate = Certificate(
        room="room-1",
        epoch=2,
        institution="培训中心",
        issuer="Province",
        sign_key=room.public.hex(),
        seal_key=SealKey.generate().public.hex(),
        not_before_ms=AT - 10**9,
        not_after_ms=AT + 10**9,
    )
    result = dsse.sign_envelope(dsse.RESULT, {"room": "room-1", "epoch": 2, "seq": 1, "points": 86.5}, [room])
    body = {"epoch": 2, "seq": 1, "sha256": hashlib.sha256(result).hexdigest()}
    entries = [
        entry(n, "result", body) if n == 7 else entry(n, "checkin", {"n": n, "t": '“引号” \\ " \n'}) for n in range(13)
    ]
    tree = merkle.tree_of([merkle.leaf_hash(e) for e in entries])
    origin = certificate.origin
    note = checkpoint.sign_note(origin, 13, merkle.root(13, tree), origin, room)
    witnessed = checkpoint.cosign(note, "gateway-1", gateway)
    envelope = issue(certificate, root)
    made = World(root, room, gateway, certificate, envelope, result, note, entries, b"")
    made.file = result_file(envelope, result, witnessed, entries[7], made.proof(7))
    return made


def verify(data: bytes, *roots: bytes) -> Verdict:
    return verify_open(io.BytesIO(data), roots)


def test_a_result_file_verifies_with_the_root_alone(world: World) -> None:
    verdict = verify(world.file, world.root.public)
    assert verdict.ok, verdict
    assert (verdict.kind, verdict.facts["room"], verdict.facts["seq"]) == ("result", "room-1", 7)
    assert verdict.facts["payload"] == dsse.peek(world.result).payload
    assert "第 7 条" in verdict.sentence("zh")


def test_it_is_the_published_form(world: World) -> None:
    content = json.loads(world.file)
    assert canonical(content) == world.file
    assert content["certificate"] == json.loads(world.envelope)
    assert content["result"] == json.loads(world.result)
    assert content["proof"] == {
        "checkpoint": world.note,
        "entry": world.entries[7].decode(),
        "leaf": merkle.leaf_hash(world.entries[7]).hex(),
        "path": [step.hex() for step in world.proof(7)],
        "seq": 7,
    }


@pytest.mark.parametrize("flip", [1, 0x20, 0x80])
def test_every_flipped_byte_of_a_result_file_is_named(world: World, tmp_path: Path, flip: int) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(world.file)
    regions = layout(path)
    assert regions[0].start == 0 and regions[-1].end == len(world.file)
    assert {r.part for r in regions} == {"container", "certificate", "checkpoint", "ledger", "proof", "result"}
    for region in regions:
        for at in range(region.start, region.end):
            data = bytearray(world.file)
            data[at] ^= flip
            verdict = verify(bytes(data), world.root.public)
            assert not verdict.ok
            assert verdict.part == region.part or (region.part, verdict.reason) == ("container", "verify_unknown"), (
                at, chr(world.file[at]), verdict,
            )  # fmt: skip


def test_a_zip_of_somebody_elses_is_not_called_altered_evidence(world: World) -> None:
    book, plain = io.BytesIO(), io.BytesIO()
    Workbook().save(book)
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("notes.txt", "x" * 100)
    for data in (book.getvalue(), plain.getvalue(), plain.getvalue()[:60], plain.getvalue()[1:]):
        verdict = verify(data, world.root.public)
        assert (verdict.ok, verdict.kind, verdict.reason) == (False, None, "verify_unknown")


class Film(io.BytesIO):
    """A file of any size, of which what was read is counted."""

    def __init__(self, head: bytes, size: int) -> None:
        super().__init__()
        self.head, self.size, self.at, self.count = head, size, 0, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (self.size if whence == 2 else 0)
        return self.at

    def readline(self, size: int | None = -1) -> bytes:
        assert size is not None and 0 < size <= 4 << 20
        return self.head + b"\n"

    def read(self, size: int | None = -1) -> bytes:
        size = self.size - self.at if size is None or size < 0 else min(size, self.size - self.at)
        self.count += size
        assert self.count < 1 << 20, "it is read into memory"
        data = self.head[self.at : self.at + size].ljust(size, b"\n")
        self.at += size
        return data


@pytest.mark.parametrize(
    ("head", "size"), [(b"\0\0\0\x1cftypisom", 3 << 30), (b"\0\0\0\x1cftypisom", 17 << 20), (b'{"a":', (1 << 30) + 1)]
)
def test_a_large_file_that_is_none_of_ours_is_not_read(world: World, head: bytes, size: int) -> None:
    verdict = verify_open(Film(head, size), [world.root.public])
    assert (verdict.ok, verdict.kind, verdict.reason) == (False, None, "verify_unknown")


def test_a_large_bundle_is_read(world: World) -> None:
    keys = {"room-1": SealKey.generate().public}
    more = {"not_before_ms": 0, "expires_ms": AT, "facts": {}}
    bundle = seal_bundle("bank", "big", 1, bytes(17 << 20), keys, [world.root], **more)
    assert verify(bundle, world.root.public).ok
    assert verify(b"[" + bundle[1:], world.root.public).kind == "bundle", "its first byte altered"


def test_only_a_bundle_may_be_larger_than_any_document(world: World) -> None:
    """Of a file of 100 MB that begins as a document does, the first line tells what it is before the rest is read."""
    for head in (
        b'{"certificate":',
        b'{"payload":"e30=","payloadType":"application/vnd.examroom.policy+json","signatures":[',
    ):
        verdict = verify_open(Film(head, 100 << 20), [world.root.public])
        assert (verdict.ok, verdict.kind, verdict.reason) == (False, None, "verify_unknown")


@pytest.mark.parametrize("key", ["certificate", "result", "checkpoint", "entry", "leaf", "path"])
def test_lists_that_nobody_signed_are_not_read_into_memory(world: World, key: str) -> None:
    junk: Any = [[]] * (1 << 20)
    change = {key: junk} if key in ("certificate", "result") else {"proof": {key: junk}}
    data = rebuilt(world, **change)
    tracemalloc.start()
    verdict = verify(data, world.root.public)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not verdict.ok and peak < 4 * len(data), peak


def test_parts_that_do_not_belong_together_are_not_written(world: World) -> None:
    other = dsse.sign_envelope(dsse.RESULT, {"room": "room-1", "epoch": 2, "seq": 2}, [world.room])
    foreign = dsse.sign_envelope(dsse.RESULT, {"room": "room-9", "epoch": 2, "seq": 2}, [world.room])
    for result, note, index, path in (
        (other, world.note, 7, 7),
        (foreign, world.note, 7, 7),
        (world.result, world.note, 6, 6),
        (world.result, world.note, 7, 6),
        (world.result, "x", 7, 7),
        (b"{}", world.note, 7, 7),
    ):
        with pytest.raises(BadInput) as caught:
            result_file(world.envelope, result, note, world.entries[index], world.proof(path))
        assert caught.value.code == "result_file_parts"


def rebuilt(world: World, **changes: Any) -> bytes:
    content = json.loads(world.file)
    proof = {**content["proof"], **changes.pop("proof", {})}
    return canonical({**content, "proof": proof, **changes})


def test_other_signers_and_other_results_are_told(world: World) -> None:
    stranger = Ed25519Signer.generate()
    payload = dsse.peek(world.result).payload
    forged = json.loads(dsse.sign_envelope(dsse.RESULT, payload, [stranger]))
    verdict = verify(rebuilt(world, result=forged), world.root.public)
    assert (verdict.part, verdict.reason) == ("result", "evidence_signer_wrong")
    better = json.loads(dsse.sign_envelope(dsse.RESULT, {**payload, "points": 100}, [world.room]))
    verdict = verify(rebuilt(world, result=better), world.root.public)
    assert (verdict.part, verdict.reason) == ("ledger", "result_not_entered")
    elsewhere = json.loads(dsse.sign_envelope(dsse.RESULT, {**payload, "epoch": 3}, [world.room]))
    assert verify(rebuilt(world, result=elsewhere), world.root.public).reason == "result_other_room"
    for epoch in (2.0, True):
        odd = json.loads(dsse.sign_envelope(dsse.RESULT, {**payload, "epoch": epoch}, [world.room]))
        assert verify(rebuilt(world, result=odd), world.root.public).reason == "result_other_room"
    large = json.loads(dsse.sign_envelope(dsse.RESULT, {**payload, "more": 2**53}, [world.room]))
    assert verify(rebuilt(world, result=large), world.root.public).reason == "result_content"
    verdict = verify(world.file, stranger.public)
    assert (verdict.part, verdict.reason) == ("certificate", "evidence_root_unknown")
    sixth = {"entry": world.entries[6].decode(), "leaf": merkle.leaf_hash(world.entries[6]).hex(), "seq": 6}
    path = [step.hex() for step in world.proof(6)]
    verdict = verify(rebuilt(world, proof={**sixth, "path": path}), world.root.public)
    assert verdict.reason == "result_not_entered"


def test_a_result_entered_outside_the_certificates_time_is_refused(world: World) -> None:
    early = world.certificate.model_copy(update={"not_before_ms": AT + 10**8})
    verdict = verify(rebuilt(world, certificate=json.loads(issue(early, world.root))), world.root.public)
    assert (verdict.part, verdict.reason) == ("certificate", "evidence_certificate_expired")


def test_certificate_receipt_bundle_and_policy(world: World) -> None:
    receipt = Receipt(
        room="room-1", epoch=2, seq=1, body_sha256="0" * 64, tree_head=None, contiguous_to=1, time_ms=AT
    )  # fmt: skip
    bundle = seal_bundle(
        "bank", "safety", 3, b"questions" * 9000, {"room-1": SealKey.generate().public}, [world.root],
        not_before_ms=0, expires_ms=AT, facts={},
    )  # fmt: skip
    files = {
        "certificate": (world.envelope, world.root, "certificate"),
        "receipt": (sign_receipt(receipt, world.gateway), world.gateway, "receipt"),
        "bundle": (bundle, world.root, None),
        "policy": (dsse.sign_envelope(dsse.POLICY, {"rule": 1}, [world.root]), world.root, "policy"),
    }
    for kind, (data, signer, part) in files.items():
        good = verify(data, world.room.public, signer.public)
        assert (good.ok, good.kind) == (True, kind), good
        assert good.sentence("zh") and "{" not in good.sentence("en")
        other = verify(data, world.room.public)
        assert (other.ok, other.kind) == (False, kind)
        for at in range(0, len(data), max(1, len(data) // 300)):
            altered = bytearray(data)
            altered[at] ^= 4
            verdict = verify(bytes(altered), signer.public)
            assert not verdict.ok
            assert part is None or verdict.part in (part, None)
    sealed_at = bundle.index(b"\n") + 1000
    altered = bytearray(bundle)
    altered[sealed_at] ^= 1
    assert verify(bytes(altered), world.root.public).part == "content"
    altered = bytearray(bundle)
    altered[60] ^= 1
    assert verify(bytes(altered), world.root.public).part in ("manifest", None)


def test_a_bare_result_says_what_to_ask_for(world: World) -> None:
    assert verify(world.result, world.room.public).reason == "verify_result_bare"


@settings(max_examples=examples(300), deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_bytes_get_a_verdict(data: bytes) -> None:
    verdict = verify(data, bytes(32))
    assert not verdict.ok and verdict.sentence("zh")


@pytest.mark.parametrize(
    "data",
    [
        b'{"payload":"e30=","payloadType":"application/vnd.examroom.receipt+json","signatures":[],"z":NaN}',
        b'{"payload":"e30=","payloadType":"application/vnd.examroom.certificate+json","signatures":[{"keyid":"\\ud800","sig":""}]}',
        b'{"payload":"e30=","payloadType":"application/vnd.examroom.policy+json","signatures":[]}',
        b'{"certificate":' + b"[" * 100_000,
        b'{"payload":' + b"[" * 100_000 + b'"payloadType":"application/vnd.examroom.receipt+json"',
    ],
)
def test_hostile_json_gets_a_verdict(data: bytes) -> None:
    assert not verify(data, Ed25519Signer.generate().public).ok


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_in_a_result_file_gets_a_verdict(world: World, data: st.DataObject) -> None:
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
        max_leaves=5,
    )
    key = data.draw(st.sampled_from(["certificate", "result", "checkpoint", "entry", "leaf", "path", "seq"]))
    value = data.draw(values)
    changed = rebuilt(world, **({key: value} if key in ("certificate", "result") else {"proof": {key: value}}))
    if changed != world.file:
        assert not verify(changed, world.root.public).ok


def test_roots_are_read_as_hex_pem_raw_and_file(world: World, tmp_path: Path) -> None:
    public = world.root.public
    pem = Ed25519PublicKey.from_public_bytes(public).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name, content in (("hex", public.hex().encode() + b"\r\n"), ("pem", pem), ("raw", public)):
        (tmp_path / name).write_bytes(content)
        assert read_root(tmp_path / name) == public
    assert read_root(public.hex()) == public and read_root(public.hex().upper()) == public
    rsa = generate_private_key(65537, 2048).public_key()
    (tmp_path / "rsa").write_bytes(rsa.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "text").write_text("hello")
    for wrong in (tmp_path / "rsa", tmp_path / "text", tmp_path / "none", tmp_path, "12", "g" * 64, "a\0b"):
        with pytest.raises(BadInput) as caught:
            read_root(wrong)
        assert caught.value.code == "verify_root_broken"


def test_a_witness_may_be_named_by_the_gateways_signed_key(world: World, tmp_path: Path) -> None:
    key = GatewayKey(name="gateway-1", key=world.gateway.public.hex(), not_before_ms=0, not_after_ms=AT)
    path = tmp_path / "gateway.json"
    path.write_bytes(sign_gateway_key(key, world.root))
    assert read_witness(path, [world.root.public]) == world.gateway.public
    with pytest.raises(BadInput):
        read_witness(path, [world.gateway.public])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(NotFound) as caught:
            verify_file(path, [])
        assert caught.value.code == "verify_file_missing"
    with pytest.raises(BadInput):
        (tmp_path / "x").write_bytes(b"hello")
        layout(tmp_path / "x")


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command(world: World, tmp_path: Path, as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMROOM_CONFIG", str(tmp_path / "none.toml"))
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(world.file)
    bad.write_bytes(world.file.replace(b'"seq":7}', b'"seq":6}'))
    options = ["--root", world.root.public.hex(), *(["--json"] if as_json else [])]
    run = CliRunner().invoke
    passed, failed = run(main, ["verify", str(good), *options]), run(main, ["verify", str(bad), *options])
    assert (passed.exit_code, failed.exit_code) == (0, 1), (passed.output, failed.output)
    if as_json:
        assert json.loads(passed.output)["ok"] is True
        told = json.loads(failed.output)
        assert {"ok", "reason", "part", "second"} <= set(told)
        assert (told["ok"], told["part"], told["second"]) == (False, "proof", None)
    else:
        assert "核验通过" in passed.output and "Verified" in passed.output
        assert "证明" in failed.output and "proof" in failed.output
    for wrong in ([str(good)], [str(tmp_path / "none"), *options], [str(good), "--root", "12"], []):
        refused = run(main, ["verify", *wrong])
        assert refused.exit_code == 2, refused.output


def test_on_an_enrolled_box_its_own_root_is_taken(world: World, tmp_path: Path) -> None:
    (tmp_path / "state" / "trust").mkdir(parents=True)
    (tmp_path / "state" / "trust" / "root.pub").write_text(world.root.public.hex() + "\n")
    (tmp_path / "box.toml").write_text(f'[paths]\nstate = "{tmp_path}/state"\n')
    (tmp_path / "good.json").write_bytes(world.file)
    done = CliRunner().invoke(main, ["--config", str(tmp_path / "box.toml"), "verify", str(tmp_path / "good.json")])
    assert done.exit_code == 0, done.output
