"""A real room: store, identity, ledger, witness, and real fragmented MP4 made by PyAV; and tools to tamper with it."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import av
import numpy as np
import pytest

from edge import clock
from edge.config import Paths
from edge.domain.footage import Fragment, fragments_root
from edge.recording import evidence
from edge.recording.evidence import export_evidence
from edge.store import ledger, segments
from edge.store.db import open_room, transaction
from edge.store.segments import Segment, segment_id
from edge.trust import checkpoint, dsse, timestamp
from edge.trust.container import ContainerWriter, read_directory
from edge.trust.enrolment import Identity, certify_locally
from edge.trust.protocol import GatewayKey, sign_gateway_key
from edge.trust.signer import Ed25519Signer
from support.tsa import Authority

T0 = 1_780_000_000_000
BOOT = "0123456789abcdef0123456789abcdef"
SECONDS = 6
MANIFEST = "manifest.dsse.json"


@dataclass
class Room:
    """One enrolled room with some footage. Its wall clock stands where a test puts it."""

    paths: Paths
    identity: Identity
    connection: Connection
    gateway: Ed25519Signer
    root: Ed25519Signer
    now: int = T0

    def at(self, seconds: float) -> None:
        self.now = T0 + round(seconds * 1000)

    def note(self, kind: str, body: dict[str, Any], **more: str) -> int:
        with transaction(self.connection):
            return ledger.append(self.connection, kind, body, **more)

    def footage(
        self, camera: str, sequence: int, start: float, seconds: int = SECONDS, *, salvaged: bool = False
    ) -> Segment:
        segment = make_segment(self.paths.recordings, camera, sequence, T0 + round(start * 1000), seconds)
        return segments.index(self.connection, replace(segment, salvaged=salvaged))

    def checkpoint(self, *, witnessed: bool) -> None:
        origin = self.identity.certificate.origin
        size = ledger.size(self.connection)
        root = ledger.root(self.connection, size)
        note = checkpoint.sign_note(origin, size, root, origin, self.identity.keys.sign)
        with transaction(self.connection):
            ledger.save_checkpoint(self.connection, size, root, note)
            if witnessed:
                ledger.save_witness(self.connection, size, checkpoint.cosign(note, "gateway-1", self.gateway))

    def export(self, out: Path, since: float = 8, until: float = 20, **more: Any) -> Path:
        asked: dict[str, Any] = {"camera": "door", "why": "复核拒绝入场", "by": "staff-7", "session": "s1", **more}
        span = {"from_ms": T0 + round(since * 1000), "until_ms": T0 + round(until * 1000)}
        return export_evidence(self.connection, self.paths, self.identity, out=out, **span, **asked)


def encode(seconds: int, shade: int) -> bytes:
    """Fragmented MP4 as the recorder writes it: 10 fps H.264, a key frame and a fragment each second."""
    file = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof+skip_trailer"}
    with av.open(file, "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.gop_size = 10
        for number in range(seconds * 10):
            picture = np.full((64, 96, 3), shade, np.uint8)
            picture[:, number % 90 : number % 90 + 6] = 255 - shade
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return file.getvalue()


def boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 0
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at, length
        at += length


def make_segment(recordings: Path, camera: str, sequence: int, start_ms: int, seconds: int) -> Segment:
    data = encode(seconds, (sequence * 37) % 200)
    found = list(boxes(data))
    init = next(at for kind, at, _ in found if kind == b"moof")
    fragments = []
    for (kind, at, length), (_, _, payload) in pairwise(found):
        if kind == b"moof":
            n = len(fragments)
            digest = hashlib.sha256(data[at : at + length + payload]).hexdigest()
            wall = start_ms + n * 1000
            fragments.append(Fragment(n, at, length + payload, digest, wall, wall - T0 + 5000, 1000))
    assert len(fragments) == seconds
    path = f"{camera}/{BOOT}-{sequence:06d}.mp4"
    (recordings / camera).mkdir(parents=True, exist_ok=True)
    (recordings / path).write_bytes(data)
    return Segment(
        id=segment_id(camera, BOOT, sequence),
        camera=camera,
        boot_id=BOOT,
        sequence=sequence,
        path=path,
        started_ms=start_ms,
        ended_ms=start_ms + seconds * 1000,
        started_mono_ms=start_ms - T0 + 5000,
        duration_ms=seconds * 1000,
        bytes=len(data),
        quality="synchronised",
        salvaged=False,
        cause="rotated",
        init_length=init,
        init_sha256=hashlib.sha256(data[:init]).hexdigest(),
        fragments=tuple(fragments),
        digest=fragments_root([f.sha256 for f in fragments]),
    )


def build_room(folder: Path, name: str, patch: pytest.MonkeyPatch) -> Room:
    """An enrolled room with 30 s of two cameras and a life of its own in the ledger, its clock at 600 s."""
    paths = Paths(
        state=folder / "state", runtime=folder / "run", recordings=folder / "footage", models=folder / "models"
    )
    identity = certify_locally(paths, "Training centre 培训中心", name, 1, T0 - 1000)
    root = Ed25519Signer.load(paths.keys / "root.key")
    gateway = Ed25519Signer.generate()
    key = GatewayKey(name="gateway-1", key=gateway.public.hex(), not_before_ms=0, not_after_ms=T0 * 2)
    (paths.trust / "gateway.json").write_bytes(sign_gateway_key(key, root))
    room = Room(paths, identity, open_room(paths.room_db), gateway, root)
    patch.setattr(clock, "wall_ms", lambda: room.now)
    room.at(-100)
    room.note("session-opened", {"policy": "p1"}, session="s1")
    for second in range(30):
        room.at(second)
        if second and second % SECONDS == 0:
            room.footage("door", second // SECONDS, second - SECONDS)
        if second == 14:
            room.footage("hall", 1, 4)
            room.checkpoint(witnessed=True)
        room.note("checkin", {"outcome": "refused" if second == 15 else "admitted"}, subject=f"p{second}", session="s1")
    room.at(31)
    room.footage("door", 5, 24)
    for second in range(40, 70):
        room.at(second)
        room.note("checkin", {"outcome": "admitted"}, subject=f"p{second}", session="s1")
    room.at(600)
    room.note("session-closed", {"note": "完\n"}, session="s1")
    return room


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    """A room of this test alone."""
    built = build_room(tmp_path, "room-1", monkeypatch)
    yield built
    built.connection.close()


def stamp(room: Room, authority: Authority) -> None:
    """Have the newest checkpoint time-stamped, as the uplink does."""
    latest = ledger.latest_checkpoint(room.connection)
    assert latest is not None
    answer = authority.reply(timestamp.request(timestamp.imprint(latest.note), 7))
    with transaction(room.connection):
        ledger.save_timestamp(room.connection, latest.size, answer)


def unpack(data: bytes) -> dict[str, bytes]:
    return {m.name: data[m.start : m.end] for m in read_directory(io.BytesIO(data))}


def pack(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    writer = ContainerWriter(file)
    for name, content in members.items():
        writer.add(name, [content])
    writer.finish()
    return file.getvalue()


@dataclass
class Original:
    """An evidence file nobody touched, and who made it."""

    data: bytes
    path: Path
    other: bytes
    root: bytes
    signer: Ed25519Signer
    issuer: Ed25519Signer
    stranger: Ed25519Signer
    authority: Authority
    late: bytes
    """An export of the same room whose camera stopped: its run ends a day after the span."""

    @property
    def members(self) -> dict[str, bytes]:
        return unpack(self.data)

    @property
    def other_members(self) -> dict[str, bytes]:
        return unpack(self.other)

    @property
    def manifest(self) -> dict[str, Any]:
        return dsse.peek(self.members[MANIFEST]).payload

    def resign(self, members: Mapping[str, bytes], **changes: Any) -> bytes:
        """What a dishonest holder of the room's key could make: members changed, and a manifest that fits them."""
        manifest = {**self.manifest, **changes}
        inside = {name: content for name, content in members.items() if name != MANIFEST}
        manifest["members"] = [
            {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in inside.items()
        ]
        return pack({**inside, MANIFEST: dsse.sign_envelope(dsse.EVIDENCE, manifest, [self.signer])})

    def with_member(self, name: str, content: bytes) -> bytes:
        """The file with one member replaced and everything around it made to fit."""
        return pack({**self.members, name: content})


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    """One export, and another of the same room, made once for all tests that only read them."""
    folder = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        room = build_room(folder, "room-1", patch)
        authority = Authority(folder / "tsa")
        stamp(room, authority)
        path = room.export(folder / "evidence.zip", 8.4, 19.7)
        other = room.export(folder / "other.zip", 9, 21, why="another <img src=x onerror=alert(1)>\u202e").read_bytes()
        for second in (40 + 86_399.999, 40 + 86_400, 40 + 86_401):
            room.at(second)
            room.note("checkin", {"outcome": "admitted"}, subject="p70", session="s1")
        patch.setattr(evidence, "MOST_BEHIND", 0)
        late = room.export(folder / "late.zip", 25, 40).read_bytes()
        room.connection.close()
    yield Original(
        path.read_bytes(),
        path,
        other,
        room.root.public,
        room.identity.keys.sign,
        room.root,
        Ed25519Signer.generate(),
        authority,
        late,
    )
