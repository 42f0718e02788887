"""Bundles over a real line: resumed, verified, never an older one for a newer, and refused once, with a reason."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from edge import clock
from edge.errors import Refused, Unavailable
from edge.gateway.bundles import publish
from edge.gateway.rooms import issue_token, suspend
from edge.gateway.settings import DAY_MS, Province
from edge.services.uplink import _Uplink
from edge.store import bundles, ledger
from edge.trust.protocol import BundleItem, BundleList
from edge.trust.seal import open_bundle, seal_bundle
from edge.trust.signer import Ed25519Signer
from edge.uplink.client import GatewayClient
from edge.uplink.enrol import enrol
from edge.uplink.sync import Sync, Synced, sync_bundles
from support.gateways import GatewayProcess, RealRoom

CONTENT = bytes(range(256)) * 2000


def sync(room: RealRoom, client: GatewayClient | None = None, memory: Sync | None = None) -> Synced:
    return sync_bundles(room.db, client or room.client, room.identity, room.config.paths, memory or Sync())


def plain(room: RealRoom, kind: str, name: str, version: int) -> bytes:
    row = bundles.get(room.db, kind, name, version)
    assert row is not None
    data = (room.config.paths.bundles / row.path).read_bytes()
    assert hashlib.sha256(data).hexdigest() == row.sha256
    identity = room.identity
    return open_bundle(data, [identity.root_public], room.name, identity.keys.seal, clock.wall_ms())[1]


def leftovers(room: RealRoom) -> list[str]:
    return [file.name for file in room.config.paths.bundles.glob(".*")]


def test_what_is_published_arrives_sealed_and_opens(room: RealRoom, province: Province) -> None:
    publish(province, "roster", room.name, b'{"roster":1}', [room.name])
    publish(province, "bank", "b-" + room.name, CONTENT, [room.name])
    publish(province, "policy", "p-" + room.name, b"{}", [room.name])
    done = sync(room)
    assert [kind for kind, _, _ in done.taken] == ["policy", "bank", "roster"], "a roster comes after what it needs"
    assert plain(room, "bank", "b-" + room.name, 1) == CONTENT
    assert CONTENT[:512] not in (room.config.paths.bundles / f"bank-b-{room.name}-1.bundle").read_bytes()
    assert sync(room).taken == [], "what is here is not fetched again"
    assert [e.body["kind"] for e in ledger.entries(room.db, kinds=("bundle",))] == ["policy", "bank", "roster"]
    assert leftovers(room) == []
    publish(province, "bank", "b-" + room.name, b"second", [room.name])
    assert sync(room).taken == [("bank", "b-" + room.name, 2)]
    assert plain(room, "bank", "b-" + room.name, 2) == b"second"
    assert plain(room, "bank", "b-" + room.name, 1) == CONTENT, "a session may still want the earlier one"


def listed(room: RealRoom, name: str) -> BundleItem:
    return next(item for item in room.client.bundles().bundles if item.name == name)


@pytest.mark.parametrize("have", [1, 1000, 100_000])
def test_a_fetch_goes_on_where_it_was_cut(room: RealRoom, province: Province, have: int) -> None:
    publish(province, "bank", room.name, CONTENT, [room.name])
    item = listed(room, room.name)
    whole, part = room.config.paths.state / "whole", room.config.paths.bundles / f".{item.sha256}.part"
    part.parent.mkdir(exist_ok=True)
    room.client.fetch_bundle(item, whole)
    part.write_bytes(whole.read_bytes()[:have])
    fetched = _fetched(room, item, part)
    assert fetched == item.size - have
    assert sync(room).taken == [("bank", room.name, 1)]
    assert plain(room, "bank", room.name, 1) == CONTENT


def _fetched(room: RealRoom, item: BundleItem, part: Path) -> int:
    """How many bytes come over the line for the rest of `part`."""
    got: list[int] = []
    plain_iter = requests.Response.iter_content

    def counting(self: requests.Response, *arguments: object) -> object:
        for chunk in plain_iter(self, *arguments):  # type: ignore[arg-type]
            got.append(len(chunk))
            yield chunk

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Response, "iter_content", counting)
        room.client.fetch_bundle(item, part)
    return sum(got)


def test_a_beginning_that_was_damaged_is_fetched_anew(room: RealRoom, province: Province) -> None:
    publish(province, "bank", room.name, CONTENT, [room.name])
    item = listed(room, room.name)
    for damage in (b"\0" * 1000, b"\0" * item.size, b"\0" * (item.size + 5)):
        part = room.config.paths.bundles / f".{item.sha256}.part"
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(damage)
        room.client.fetch_bundle(item, part)
        assert hashlib.sha256(part.read_bytes()).hexdigest() == item.sha256
    stale = room.config.paths.bundles / f".{'0' * 64}.part"
    stale.write_bytes(b"x")
    assert sync(room).taken == [("bank", room.name, 1)]
    assert leftovers(room) == [], "beginnings nobody offers any more are removed"


class FalseGateway(GatewayClient):
    """Offers files of our making under names of our choosing, over no line at all."""

    def offer(self, *files: tuple[str, str, int, bytes]) -> FalseGateway:
        self._files = {
            hashlib.sha256(data).hexdigest(): (kind, name, version, data) for kind, name, version, data in files
        }
        self.fetches = 0
        return self

    def bundles(self) -> BundleList:
        return BundleList(
            bundles=[
                BundleItem.model_validate(
                    {"kind": kind, "name": name, "version": version, "sha256": sha256, "size": len(data)}
                )
                for sha256, (kind, name, version, data) in self._files.items()
            ]
        )

    def fetch_bundle(self, item: BundleItem, part: Path) -> None:
        self.fetches += 1
        part.write_bytes(self._files[item.sha256][3])


@pytest.fixture
def false(room: RealRoom) -> FalseGateway:
    return FalseGateway(room.client.endpoint, room.identity)


def seal(room: RealRoom, province: Province, version: int = 1, content: bytes = b"x", **change: object) -> bytes:
    now = clock.wall_ms()
    facts = {
        "kind": "bank",
        "name": "safety",
        "rooms": {room.name: room.identity.certificate.seal_public},
        "signers": [province.root],
        "not_before_ms": now - 1000,
        "expires_ms": now + DAY_MS,
        "facts": {},
    } | change
    return seal_bundle(version=version, content=content, **facts)  # type: ignore[arg-type]


def test_each_wrong_bundle_is_refused_with_its_reason(room: RealRoom, province: Province, false: FalseGateway) -> None:
    good = seal(room, province)
    cases = [
        (seal(room, province, signers=[Ed25519Signer.generate()]), "signature_wrong"),
        (seal(room, province, signers=[province.key]), "signature_wrong"),
        (good[:-1] + bytes([good[-1] ^ 1]), "bundle_content"),
        (good[:200] + bytes([good[200] ^ 1]) + good[201:], "signature_wrong"),
        (b"\x00" * 100, "bundle_broken"),
        (seal(room, province, expires_ms=clock.wall_ms() - 1), "bundle_expired"),
        (seal(room, province, rooms={"room-x": room.identity.certificate.seal_public}), "bundle_other_room"),
        (seal(room, province, name="other"), "bundle_mismatch"),
        (seal(room, province, kind="policy"), "bundle_mismatch"),
        (seal(room, province, version=2), "bundle_mismatch"),
    ]
    for data, code in cases:
        [refusal] = sync(room, false.offer(("bank", "safety", 1, data))).refused
        assert refusal[3] in (code, "envelope_broken"), code
        assert bundles.everything(room.db) == []
        assert [(one.name, one.reason) for one in bundles.unused(room.db)] == [("safety", refusal[3])]
        assert list(room.config.paths.bundles.iterdir()) == []
    assert len(ledger.entries(room.db, kinds=("bundle_refused",))) == len(cases)
    assert sync(room, false.offer(("bank", "safety", 1, good))).taken == [("bank", "safety", 1)]
    assert bundles.unused(room.db) == []


def test_a_refused_bundle_is_fetched_and_noted_once(room: RealRoom, province: Province, false: FalseGateway) -> None:
    memory = Sync()
    false.offer(("bank", "safety", 1, seal(room, province, name="other")))
    for _ in range(3):
        assert sync(room, false, memory).refused == [("bank", "safety", 1, "bundle_mismatch")]
    assert false.fetches == 1
    assert len(ledger.entries(room.db, kinds=("bundle_refused",))) == 1


def test_an_older_version_is_not_taken_for_a_newer(room: RealRoom, province: Province, false: FalseGateway) -> None:
    one, two, three = (seal(room, province, version, str(version).encode()) for version in (1, 2, 3))
    sync(room, false.offer(("bank", "safety", 2, two)))
    done = sync(room, false.offer(("bank", "safety", 1, one)))
    assert done == Synced([], [("bank", "safety", 1, "bundle_older")]), "all that is offered is older: a rollback"
    history = false.offer(("bank", "safety", 1, one), ("bank", "safety", 2, two), ("bank", "safety", 3, three))
    assert sync(room, history) == Synced([("bank", "safety", 3)], []), "an old one beside a new one is history"
    renamed = sync(room, false.offer(("bank", "safety", 4, two)))
    assert renamed.refused == [("bank", "safety", 4, "bundle_mismatch")]
    newest = bundles.newest(room.db, "bank", "safety")
    assert newest is not None and newest.version == 3


def test_one_version_has_one_content(room: RealRoom, province: Province, false: FalseGateway) -> None:
    sync(room, false.offer(("bank", "safety", 1, seal(room, province, content=b"first"))))
    done = sync(room, false.offer(("bank", "safety", 1, seal(room, province, content=b"other"))))
    assert done.refused == [("bank", "safety", 1, "bundle_changed")]
    assert plain(room, "bank", "safety", 1) == b"first"
    resealed = sync(room, false.offer(("bank", "safety", 1, seal(room, province, content=b"first"))))
    assert resealed.taken == [("bank", "safety", 1)]


def test_a_lost_file_is_fetched_again(room: RealRoom, province: Province) -> None:
    publish(province, "bank", room.name, CONTENT, [room.name])
    sync(room)
    (room.config.paths.bundles / f"bank-{room.name}-1.bundle").unlink()
    assert sync(room).taken == [("bank", room.name, 1)]
    assert plain(room, "bank", room.name, 1) == CONTENT


def test_a_new_epoch_gets_its_bundles_for_its_new_key(
    make_room: Callable[[], RealRoom], province: Province, gateway: GatewayProcess
) -> None:
    room = make_room()
    publish(province, "bank", room.name, CONTENT, [room.name])
    sync(room)
    fresh = enrol(room.config, None, None, issue_token(province, room.name, "示例学校"), again=True)
    room.client.close()
    room.identity, room.client = fresh, GatewayClient(room.client.endpoint, fresh)
    assert sync(room).taken == [("bank", room.name, 1)]
    assert plain(room, "bank", room.name, 1) == CONTENT
    assert len(bundles.everything(room.db)) == 1


def test_a_suspended_room_is_given_nothing(room: RealRoom, province: Province) -> None:
    publish(province, "bank", room.name, CONTENT, [room.name])
    suspend(province, room.name, "检查")
    with pytest.raises(Refused) as error:
        sync(room)
    assert error.value.code == "room_suspended"
    suspend(province, room.name, None)
    assert sync(room).taken == [("bank", room.name, 1)]


def test_a_disk_that_takes_no_file_is_a_state_and_no_end(room: RealRoom, province: Province) -> None:
    publish(province, "bank", room.name, CONTENT, [room.name])
    folder = room.config.paths.bundles
    if folder.exists():
        folder.rmdir()
    folder.write_text("a file where the folder should be")
    with pytest.raises(Unavailable) as error:
        sync(room)
    assert error.value.code == "bundle_storage"
    process = _Uplink(room.config, room.db, threading.Event(), client=room.client, identity=room.identity)

    def fail() -> str | None:
        raise OSError(5, "I/O error")

    assert process._try(fail) is False and process.last_error == "store_unavailable"
    folder.unlink()
    assert sync(room).taken == [("bank", room.name, 1)]
