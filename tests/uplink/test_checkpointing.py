"""Checkpoints: signed when the ledger grew, countersigned when there is a line, whatever answer was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.domain import merkle
from edge.errors import Conflict, VerificationFailed
from edge.gateway.rooms import issue_token
from edge.gateway.settings import Province
from edge.store import ledger
from edge.store.db import open_room, transaction
from edge.trust.checkpoint import cosign, open_note, sign_note
from edge.trust.protocol import CheckpointRequest, GatewayKey
from edge.trust.signer import Ed25519Signer
from edge.uplink.checkpoints import make_checkpoint, push_checkpoint
from edge.uplink.client import GatewayClient
from edge.uplink.enrol import enrol, enrol_local
from support.gateways import RealRoom, room_config


def grow(room: RealRoom, count: int = 1) -> None:
    with transaction(room.db):
        for _ in range(count):
            ledger.append(room.db, "incident", {"n": ledger.size(room.db)})


def push(room: RealRoom, client: GatewayClient | None = None) -> bool:
    return push_checkpoint(room.db, client or room.client, room.identity)


def seen(room: RealRoom) -> int:
    tree = room.client.status().seen
    return 0 if tree is None else tree.size


def test_a_checkpoint_is_made_only_when_the_ledger_grew(room: RealRoom) -> None:
    assert make_checkpoint(room.db, room.identity)
    assert not make_checkpoint(room.db, room.identity)
    grow(room, 5)
    assert make_checkpoint(room.db, room.identity)
    latest = ledger.latest_checkpoint(room.db)
    assert latest is not None
    origin = room.identity.certificate.origin
    head = open_note(latest.note, {origin: room.identity.certificate.public})
    assert (head.origin, head.size, head.root) == (origin, ledger.size(room.db), ledger.root(room.db, head.size))


def test_an_empty_ledger_has_no_checkpoint(tmp_path: Path) -> None:
    config = room_config(tmp_path, None)
    identity = enrol_local(config, "示例学校", "room-1")
    empty = open_room(tmp_path / "empty.db")
    assert not make_checkpoint(empty, identity)
    empty.close()


def test_the_gateway_follows_the_ledger(room: RealRoom) -> None:
    assert not push(room), "nothing to send yet"
    for count in (1, 3, 0, 20, 1):
        grow(room, count)
        made = make_checkpoint(room.db, room.identity)
        assert push(room) is made
        assert seen(room) == ledger.size(room.db)
    witnessed = ledger.latest_checkpoint(room.db, witnessed=True)
    assert witnessed is not None and witnessed.witnessed is not None and room.identity.gateway is not None
    certificate, gateway = room.identity.certificate, room.identity.gateway
    keys = {certificate.origin: certificate.public, gateway.name: gateway.public}
    assert open_note(witnessed.witnessed, keys).root == ledger.root(room.db, witnessed.size)


def test_checkpoints_made_without_a_line_are_proved_in_one_step(room: RealRoom) -> None:
    make_checkpoint(room.db, room.identity)
    push(room)
    for _ in range(4):
        grow(room, 3)
        make_checkpoint(room.db, room.identity)
    assert push(room)
    assert seen(room) == ledger.size(room.db)


def test_a_lost_answer_is_made_good(room: RealRoom) -> None:
    grow(room, 4)
    make_checkpoint(room.db, room.identity)
    latest = ledger.latest_checkpoint(room.db)
    assert latest is not None
    room.client.push_checkpoint(CheckpointRequest(note=latest.note, old_size=0, proof=[]))
    assert push(room), "the gateway has it already; the room learns so and gets its signature"
    grow(room, 4)
    make_checkpoint(room.db, room.identity)
    again = ledger.latest_checkpoint(room.db)
    assert again is not None
    steps = [step.hex() for step in ledger.consistency_proof(room.db, latest.size, again.size)]
    room.client.push_checkpoint(CheckpointRequest(note=again.note, old_size=latest.size, proof=steps))
    grow(room)
    make_checkpoint(room.db, room.identity)
    assert push(room)


def test_a_restored_older_ledger_is_found_out(room: RealRoom) -> None:
    before = ledger.size(room.db)
    grow(room, 6)
    make_checkpoint(room.db, room.identity)
    push(room)
    with transaction(room.db):
        room.db.execute("DELETE FROM ledger WHERE seq >= ?", (before,))
        room.db.execute("DELETE FROM checkpoints")
        room.db.execute("DELETE FROM ledger_nodes WHERE (position + 1) << level > ?", (before,))
    grow(room, 2)
    make_checkpoint(room.db, room.identity)
    with pytest.raises(Conflict) as error:
        push(room)
    assert error.value.code == "checkpoint_smaller"
    grow(room, 10)
    make_checkpoint(room.db, room.identity)
    with pytest.raises(Conflict) as fork:
        push(room)
    assert fork.value.code == "checkpoint_fork"


class FalseWitness(GatewayClient):
    """Answers a checkpoint with something else."""

    answer: Callable[[str], str]

    def push_checkpoint(self, request: CheckpointRequest) -> str:
        return self.answer(request.note)


def test_a_false_countersignature_is_not_kept(room: RealRoom, province: Province) -> None:
    make_checkpoint(room.db, room.identity)
    origin = room.identity.certificate.origin
    other = sign_note(origin, 9, merkle.leaf_hash(b"x"), origin, room.identity.keys.sign)
    name = province.settings.name
    client = FalseWitness(room.client.endpoint, room.identity)
    for answer in (
        lambda note: note,
        lambda note: cosign(note, name, room.identity.keys.sign),
        lambda note: cosign(note, "someone", province.key),
        lambda _note: cosign(other, name, province.key),
    ):
        client.answer = answer
        with pytest.raises(VerificationFailed):
            push(room, client)
    client.close()
    assert ledger.latest_checkpoint(room.db, witnessed=True) is None
    assert push(room)


class NewKey(GatewayClient):
    """The gateway, which has seen what it saw, and signs with a new key."""

    key: Ed25519Signer
    name: str

    def push_checkpoint(self, request: CheckpointRequest) -> str:
        super().push_checkpoint(request)
        return cosign(request.note, self.name, self.key)


def test_a_gateway_with_a_new_key_signs_the_newest_checkpoint_again(room: RealRoom, province: Province) -> None:
    make_checkpoint(room.db, room.identity)
    assert push(room) and not push(room)
    before = ledger.latest_checkpoint(room.db)
    client = NewKey(room.client.endpoint, room.identity)
    client.name, client.key = province.settings.name, Ed25519Signer.generate()
    key = GatewayKey(name=client.name, key=client.key.public.hex(), not_before_ms=0, not_after_ms=1 << 46)
    room.identity = replace(room.identity, gateway=key)
    assert push(room, client) and not push(room, client)
    client.close()
    after = ledger.latest_checkpoint(room.db)
    assert before is not None and after is not None and after.witnessed is not None
    certificate = room.identity.certificate
    head = open_note(after.witnessed, {certificate.origin: certificate.public, key.name: key.public})
    assert (head.size, after.note) == (before.size, before.note) and after.witnessed != before.witnessed


def test_a_new_epoch_starts_a_new_history_with_the_witness(
    make_room: Callable[[], RealRoom], province: Province
) -> None:
    room = make_room()
    grow(room, 3)
    make_checkpoint(room.db, room.identity)
    push(room)
    fresh = enrol(room.config, None, None, issue_token(province, room.name, "示例学校"), again=True)
    with GatewayClient(room.client.endpoint, fresh) as client:
        assert make_checkpoint(room.db, fresh)
        assert push_checkpoint(room.db, client, fresh)
        assert client.status().epoch == 2
