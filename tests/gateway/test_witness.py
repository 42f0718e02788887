"""The witness signs only what extends the last it saw."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from edge.domain import merkle
from edge.gateway.settings import Province
from edge.gateway.tables import alarms
from edge.trust.checkpoint import cosign, open_note, sign_note
from edge.trust.signer import Ed25519Signer
from support.gateways import FakeRoom

LEAVES = [merkle.leaf_hash(f"entry {n}".encode()) for n in range(40)]
TREE = merkle.tree_of(LEAVES)
FORKED = merkle.tree_of([*LEAVES[:10], merkle.leaf_hash(b"changed"), *LEAVES[11:]])


def push(
    room: FakeRoom, size: int, old: int, tree: merkle.Node = TREE, proof: list[bytes] | None = None, **change: Any
) -> tuple[int, dict[str, Any]]:
    assert room.certificate is not None
    origin = room.certificate.origin
    facts = {"origin": origin, "size": size, "root": merkle.root(size, tree), "name": origin, "signer": room.signer}
    note = sign_note(**(facts | change))
    steps = merkle.consistency_proof(old, size, tree) if proof is None and old <= size else proof or []
    body = {"note": note, "old_size": old, "proof": [step.hex() for step in steps]}
    response = room.post("checkpoints", json.dumps(body).encode())
    return response.status_code, response.get_json()


def codes(province: Province) -> list[str]:
    with province.engine.connect() as connection:
        return list(connection.execute(select(alarms.c.code)).scalars())


def test_a_growing_tree_is_countersigned(room: FakeRoom, province: Province) -> None:
    assert room.certificate is not None
    origin = room.certificate.origin
    old = 0
    for size in (1, 2, 7, 8, 31, 40, 40):
        status, answer = push(room, size, old)
        assert status == 200, answer
        keys = {origin: room.signer.public, "witness.example": province.key.public}
        head = open_note(answer["note"], keys)
        assert (head.origin, head.size, head.root) == (origin, size, merkle.root(size, TREE))
        assert room.get("status").get_json()["seen"] == {"size": size, "root": head.root.hex()}
        old = size
    assert codes(province) == []


def test_the_same_note_again_gets_the_same_answer(room: FakeRoom) -> None:
    assert push(room, 5, 0)[0] == 200
    one, two = push(room, 5, 5), push(room, 5, 5)
    assert one == two and one[0] == 200


def test_a_proof_from_another_size_is_told_the_size_seen(room: FakeRoom, province: Province) -> None:
    push(room, 8, 0)
    for old in (0, 3, 9):
        status, answer = push(room, 12, old)
        assert (status, answer["error"], answer["facts"]["size"]) == (409, "checkpoint_old_size", 8)
    assert codes(province) == []
    assert push(room, 12, 8)[0] == 200


@pytest.mark.parametrize("old", [8, 5, 0])
def test_a_smaller_tree_is_refused_and_alarmed(room: FakeRoom, province: Province, old: int) -> None:
    push(room, 8, 0)
    status, answer = push(room, 5, old)
    assert (status, answer["error"]) == (409, "checkpoint_smaller")
    assert codes(province) == ["checkpoint_smaller"]
    assert room.get("status").get_json()["seen"]["size"] == 8


def test_a_rewritten_history_is_refused_and_alarmed(room: FakeRoom, province: Province) -> None:
    push(room, 20, 0)
    assert push(room, 30, 20, FORKED)[1]["error"] == "checkpoint_fork"
    assert push(room, 20, 20, FORKED)[1]["error"] == "checkpoint_fork"
    assert sorted(codes(province)) == ["checkpoint_fork", "checkpoint_fork"]
    assert push(room, 30, 20)[0] == 200, "the honest tree goes on"


def test_a_wrong_or_missing_proof_is_refused(room: FakeRoom) -> None:
    push(room, 20, 0)
    right = merkle.consistency_proof(20, 30, TREE)
    for wrong in ([], right[:-1], [*right, right[0]], right[::-1], [bytes(32)] * len(right)):
        assert push(room, 30, 20, proof=wrong)[0] == 409
    assert push(room, 30, 20)[0] == 200


def test_only_the_rooms_own_note_is_taken(room: FakeRoom, province: Province) -> None:
    assert room.certificate is not None
    other = Ed25519Signer.generate()
    for change in (
        {"signer": other},
        {"name": "someone"},
        {"origin": "examroom.room-2.1"},
        {"origin": "examroom.room-1.2"},
    ):
        status, answer = push(room, 3, 0, **change)
        assert (status, answer["error"]) == (422, "checkpoint_signature"), change
    origin = room.certificate.origin
    signed = cosign(sign_note(origin, 3, merkle.root(3, TREE), origin, room.signer), "witness.example", province.key)
    body = json.dumps({"note": signed, "old_size": 0, "proof": []}).encode()
    assert room.post("checkpoints", body).status_code == 422
    assert room.get("status").get_json()["seen"] is None


def test_a_new_epoch_begins_anew(room: FakeRoom, province: Province) -> None:
    push(room, 20, 0)
    spare = FakeRoom(room.client, province).enrol()
    assert push(spare, 3, 0)[0] == 200
