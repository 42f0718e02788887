"""Time stamps by a real `openssl ts` behind HTTP: kept beside the checkpoint, and only where they hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config import Config
from edge.errors import ExamroomError, Unavailable
from edge.services.uplink import run
from edge.store import ledger
from edge.store.db import open_room
from edge.store.status import read_statuses
from edge.trust import der, timestamp
from edge.uplink.checkpoints import make_checkpoint
from edge.uplink.timestamps import Authority, stamp_checkpoint
from support import tsa
from support.rooms import DeskRoom, make_desk_room
from support.serving import until


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tsa.Authority:
    return tsa.Authority(tmp_path_factory.mktemp("tsa") / "tsa")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskRoom]:
    made = make_desk_room(tmp_path, size=1, ledger={"checkpoint_seconds": 0.2})
    make_checkpoint(made.db, made.identity)
    yield made
    made.db.close()


def asking(url: str, ca: Path) -> Authority:
    return Authority(url, ca, 5.0, threading.Event())


def refused(desk: DeskRoom, here: Authority) -> str:
    with pytest.raises(ExamroomError) as caught:
        stamp_checkpoint(desk.db, here)
    assert ledger.latest_checkpoint(desk.db, timestamped=True) is None
    assert caught.value.sentence("zh") and "{" not in caught.value.sentence("en")
    return caught.value.code


def test_the_newest_checkpoint_is_stamped_once(desk: DeskRoom, authority: tsa.Authority) -> None:
    authority.answer = authority.reply
    with authority.serving() as url:
        here = asking(url, authority.ca)
        stamp = stamp_checkpoint(desk.db, here)
        asked = len(authority.asked)
        assert stamp is not None and stamp.authority == "tsa"
        assert stamp_checkpoint(desk.db, here) is None and len(authority.asked) == asked
        ledger.note(desk.db, "incident", {})
        make_checkpoint(desk.db, desk.identity)
        assert stamp_checkpoint(desk.db, here) is not None
    kept = ledger.latest_checkpoint(desk.db, timestamped=True)
    assert kept is not None and kept.timestamp is not None
    assert authority.openssl_verifies(kept.timestamp, kept.note.encode())
    assert authority.asked[-1] != authority.asked[-2]


def test_an_answer_that_does_not_hold_is_not_kept_and_entered_once(desk: DeskRoom, authority: tsa.Authority) -> None:
    authority.signer("wrong", [])
    old = authority.reply(timestamp.request(b"\0" * 32, 5))
    latest = ledger.latest_checkpoint(desk.db)
    assert latest is not None
    digest = timestamp.imprint(latest.note)

    def other_digest(query: bytes) -> bytes:
        return authority.reply(query.replace(digest, b"\1" * 32))

    def other_nonce(query: bytes) -> bytes:
        nonce = der.read(query).parts()[2].number()
        return authority.reply(timestamp.request(digest, nonce ^ 1))

    with authority.serving() as url:
        here = asking(url, authority.ca)
        for answer, code in (
            (other_digest, "timestamp_imprint"),
            (other_nonce, "timestamp_nonce"),
            (lambda query: authority.signed_by("wrong", authority.reply(query)), "timestamp_purpose"),
            (lambda _: old, "timestamp_imprint"),
            (lambda _: b"<html>", "timestamp_broken"),
            (lambda _: bytes(200_000), "timestamp_broken"),
        ):
            authority.answer = answer
            assert refused(desk, here) == refused(desk, here) == code
        authority.answer = authority.reply
    told = [entry.body["reason"] for entry in ledger.entries(desk.db, kinds=("timestamp_refused",))]
    assert told == [
        "timestamp_imprint", "timestamp_nonce", "timestamp_purpose", "timestamp_imprint", "timestamp_broken"
    ]  # fmt: skip


def test_nobody_there_or_nobody_named_is_told(desk: DeskRoom, authority: tsa.Authority, tmp_path: Path) -> None:
    with authority.serving() as url:
        pass
    assert refused(desk, asking(url, authority.ca)) == "timestamp_unreachable"
    assert refused(desk, asking(url, tmp_path / "none.pem")) == "timestamp_ca"
    here = asking(url, authority.ca)
    here.stop.set()
    with pytest.raises(Unavailable):
        stamp_checkpoint(desk.db, here)


def test_a_dead_authority_is_told_and_holds_nothing_up(desk: DeskRoom, authority: tsa.Authority) -> None:
    with authority.serving() as url:
        pass
    wanted = desk.config.timestamp.model_copy(update={"url": url, "ca": authority.ca})
    config: Config = desk.config.model_copy(update={"timestamp": wanted})
    stop = threading.Event()
    process = threading.Thread(target=run, args=(config, stop))
    process.start()
    other = open_room(config.paths.room_db)
    try:
        until(
            lambda: read_statuses(config.paths.status).get("uplink", {}).get("last_error") == "timestamp_unreachable",
            10,
            "it is told",
        )
        ledger.note(other, "incident", {})
        size = ledger.size(other)
        until(lambda: (tip := ledger.latest_checkpoint(other)) and tip.size == size, 10, "checkpoints go on")
        assert read_statuses(config.paths.status)["uplink"]["last_error"] == "timestamp_unreachable"
    finally:
        stop.set()
        process.join(10)
        other.close()


def test_the_service_stamps_by_itself_also_without_a_gateway(desk: DeskRoom, authority: tsa.Authority) -> None:
    authority.answer = authority.reply
    with authority.serving() as url:
        wanted = desk.config.timestamp.model_copy(update={"url": url, "ca": authority.ca, "minutes": 0})
        config: Config = desk.config.model_copy(update={"timestamp": wanted})
        stop = threading.Event()
        process = threading.Thread(target=run, args=(config, stop))
        process.start()
        other = open_room(config.paths.room_db)
        try:
            until(lambda: ledger.latest_checkpoint(other, timestamped=True), 10, "stamped")
            ledger.note(other, "incident", {})
            size = ledger.size(other)
            until(lambda: (tip := ledger.latest_checkpoint(other, timestamped=True)) and tip.size == size, 10, "again")
            until(lambda: read_statuses(config.paths.status)["uplink"]["last_error"] is None, 5, "no error")
        finally:
            stop.set()
            process.join(10)
            other.close()
