"""A real gateway over HTTPS releases a bank's second share to a real room near its session's time, and not before."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.bank.outline import outline
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.errors import Refused
from edge.exam.arrivals import take_in_arrivals
from edge.exam.banks import open_bank
from edge.gateway.bundles import publish
from edge.gateway.settings import Province
from edge.services.uplink import run
from edge.store import ledger, sessions
from edge.store.db import open_room
from edge.trust.protocol import ReleaseRequest
from edge.trust.shares import new_codes
from edge.uplink.release import fetch_releases
from edge.uplink.sync import Sync, sync_bundles
from support.gateways import RealRoom
from support.serving import until

HOUR_MS = 3_600_000


def published(province: Province, room: RealRoom, hours: float) -> None:
    """A locked bank, the policy and a roster for this room, whose session is in `hours`."""
    bank = sample_bank()
    plain, only = content_of(bank), [room.name]
    item = publish(province, "bank", bank.bank, plain, only, codes=new_codes(), facts={"items": 1, **outline(bank)})
    publish(province, "policy", "policy", canonical(cast.POLICY), only)
    session = f"S-{room.name}"
    roster = cast.roster(session, clock.wall_ms() + int(hours * HOUR_MS), size=2, photos=False)
    roster["bank"] = {"name": bank.bank, "version": item.version}
    publish(province, "roster", session, canonical(roster), only)
    sync_bundles(room.db, room.client, room.identity, room.config.paths, Sync())
    assert take_in_arrivals(room.db, room.config.paths) == [session]


def planned(room: RealRoom) -> sessions.Session:
    return sessions.find(room.db, f"S-{room.name}")


def test_near_the_time_the_process_unlocks_by_itself(province: Province, room: RealRoom) -> None:
    published(province, room, 0.5)
    with pytest.raises(Refused):
        open_bank(room.identity, room.config.paths.bundles, planned(room))
    stop = threading.Event()
    process = threading.Thread(target=run, args=(room.config, stop))
    process.start()
    try:
        until(lambda: planned(room).unlocked, 20, "unlocked")
    finally:
        stop.set()
        process.join(20)
    assert open_bank(room.identity, room.config.paths.bundles, planned(room)).items
    again = open_room(room.config.paths.room_db)
    [entry] = ledger.entries(again, kinds=("bank_unlocked",))
    again.close()
    assert (entry.body["way"], len(entry.body["release_sha256"])) == ("gateway", 64)


def fetch(room: RealRoom, early_ms: int, refused: dict[tuple[str, str, int], str]) -> str | None:
    return fetch_releases(room.db, room.client, room.identity, room.config.paths, early_ms, refused)


def test_before_the_time_nobody_asks_and_who_asks_is_refused_once_in_the_ledger(
    province: Province, room: RealRoom
) -> None:
    published(province, room, 3)
    refused: dict[tuple[str, str, int], str] = {}
    assert fetch(room, HOUR_MS, refused) is None and not refused
    assert fetch(room, 4 * HOUR_MS, refused) == fetch(room, 4 * HOUR_MS, refused) == "release_early"
    [entry] = ledger.entries(room.db, kinds=("bank_unlock_refused",))
    assert (entry.body["reason"], entry.body["way"]) == ("release_early", "gateway")
    assert not planned(room).unlocked


def test_a_release_of_somebody_else_s_is_not_taken(
    province: Province, make_room: Callable[..., RealRoom], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = make_room(), make_room()
    published(province, one, 0.5)
    published(province, other, 0.5)
    monkeypatch.setattr(type(one.client), "release", _crossed(other, type(one.client).release))
    refused: dict[tuple[str, str, int], str] = {}
    assert fetch(one, HOUR_MS, refused) == "unlock_share_wrong"
    assert not planned(one).unlocked
    monkeypatch.setattr(type(one.client), "release", lambda _client, _wanted: json.dumps({"payload": "x"}))
    assert fetch(one, HOUR_MS, refused) == "envelope_broken"


def _crossed(other: RealRoom, real: Callable[..., str]) -> Callable[..., str]:
    """Whoever asks gets what the other room is given."""
    theirs = planned(other)
    wanted = ReleaseRequest(name=theirs.bank_id, version=theirs.bank_version, session=theirs.id)

    def release(_client: object, _wanted: object) -> str:
        return real(other.client, wanted)

    return release
