"""The outbox: waiting until a receipt is stored, and a receipt once stored stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge import clock
from edge.store import bundles, identity, ledger, outbox
from edge.store.db import open_room, transaction
from edge.trust.enrolment import Identity, certify_locally
from support.gateways import add_results
from support.rooms import make_config


@pytest.fixture
def here(tmp_path: Path) -> Identity:
    return certify_locally(make_config(tmp_path).paths, "示例学校", "room-1", 1, clock.wall_ms())


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_room(make_config(tmp_path).paths.room_db)
    yield connection
    connection.close()


def test_results_wait_in_order_and_move_once(db: sqlite3.Connection, here: Identity) -> None:
    add_results(db, here, 5)
    assert [one.seq for one in outbox.waiting(db, 3)] == [1, 2, 3]
    with transaction(db):
        assert outbox.receipted(db, 1, 2, b"first")
        assert not outbox.receipted(db, 1, 2, b"second")
        assert outbox.refused(db, 1, 3, "result_fork")
        assert not outbox.refused(db, 1, 2, "result_fork"), "a receipt outweighs a later refusal"
        outbox.failed(db, [(1, 1), (1, 2), (1, 3)], "gateway_unreachable")
    held = outbox.find(db, 1, 2)
    assert held is not None and held.receipt == b"first" and held.state == "receipted"
    assert outbox.counts(db) == {"waiting": 3, "receipted": 1, "refused": 1}
    assert [one.seq for one in outbox.waiting(db, 9)] == [4, 5, 1], "one that failed does not hold up the others"
    first = outbox.find(db, 1, 1)
    assert first is not None and (first.tries, first.last_error) == (1, "gateway_unreachable")
    with transaction(db):
        assert outbox.receipted(db, 1, 3, b"after all"), "a refused result may yet be receipted"
    assert outbox.find(db, 1, 99) is None


def test_paging_walks_over_every_result_once(db: sqlite3.Connection, here: Identity) -> None:
    add_results(db, here, 7)
    seen: list[int] = []
    at = (0, 0)
    while batch := outbox.after(db, at, 3):
        at = batch[-1].key
        seen += [one.seq for one in batch]
    assert seen == [1, 2, 3, 4, 5, 6, 7]


def test_bundles_by_version_and_whether_dealt_with(db: sqlite3.Connection) -> None:
    with transaction(db):
        for version in (1, 2, 10):
            bundles.put(db, "bank", "safety", version, f"bank-safety-{version}.bundle", str(version))
        bundles.put(db, "roster", "S", 1, "roster", "r")
        bundles.put(db, "bank", "safety", 2, "resealed", "2b")
    newest, second = bundles.newest(db, "bank", "safety"), bundles.get(db, "bank", "safety", 2)
    assert newest is not None and newest.version == 10
    assert second is not None and (second.path, second.sha256) == ("resealed", "2b")
    assert bundles.get(db, "bank", "safety", 3) is None
    assert bundles.newest(db, "policy", "policy") is None
    assert [row.version for row in bundles.everything(db, "bank")] == [1, 2, 10]
    [roster] = bundles.untaken(db, "roster")
    with transaction(db):
        bundles.set_taken(db, roster, "roster_broken")
    assert bundles.untaken(db, "roster") == []
    assert len(bundles.untaken(db, "bank")) == 3


def test_an_enrolment_is_noted_once_an_epoch(db: sqlite3.Connection) -> None:
    assert identity.noted(db) is None
    for epoch, new in ((1, True), (1, False), (2, True)):
        with transaction(db):
            assert identity.note_enrolled(db, "room-1", epoch, {"issuer": "省"}) is new
    assert identity.noted(db) == ("room-1", 2)
    assert [entry.body["epoch"] for entry in ledger.entries(db, kinds=("enrolled",))] == [1, 2]
