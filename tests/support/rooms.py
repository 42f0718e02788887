"""Builders the tests share: a desk room with its own keys and a planned session; tablets that answer."""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.bank.model import BankDocument
from edge.config import Config, parse_config
from edge.demo import people as cast
from edge.domain.answers import to_shown
from edge.domain.canonical import canonical
from edge.domain.keys import BlankKey, Key, RegionKey
from edge.domain.paper import responses_of
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.live import LiveExam, Tablet
from edge.exam.papers import index
from edge.store import journal as rows
from edge.store.db import open_room
from edge.trust import enrolment
from edge.trust.enrolment import certify_locally
from edge.trust.seal import seal_bundle
from edge.trust.signer import Ed25519Signer

DAY_MS = 86_400_000


@dataclass
class DeskRoom:
    """An enrolled box in a folder, with one planned session of `size` candidates."""

    config: Config
    db: sqlite3.Connection
    session: str

    @property
    def identity(self) -> enrolment.Identity:
        return enrolment.load(self.config.paths)


def make_config(folder: Path, **sections: object) -> Config:
    paths = {
        "state": str(folder / "state"),
        "runtime": str(folder / "run"),
        "recordings": str(folder / "recordings"),
        "models": str(folder / "models"),
        "tls": str(folder / "tls"),
    }
    return parse_config({"paths": paths, **sections})


def seal_sample_bank(config: Config, version: int = 1) -> str:
    """The sample bank sealed to this room by its own root; the file's name."""
    bank, content = _sample()
    return _seal(config, bank, content, version, f"bank-{version}.bundle")


@cache
def _sample() -> tuple[str, bytes]:
    bank = sample_bank()
    return bank.bank, content_of(bank)


def seal_bank(config: Config, bank: BankDocument, version: int, name: str) -> str:
    """Any bank sealed to this room by its own root, as `name` among its bundles."""
    return _seal(config, bank.bank, content_of(bank), version, name)


def _seal(config: Config, bank: str, content: bytes, version: int, name: str) -> str:
    here = enrolment.load(config.paths)
    root = Ed25519Signer.load(config.paths.keys / "root.key")
    now = clock.wall_ms()
    sealed = seal_bundle(
        "bank",
        bank,
        version,
        content,
        {here.certificate.room: here.certificate.seal_public},
        [root],
        not_before_ms=now - DAY_MS,
        expires_ms=now + DAY_MS,
        facts={},
    )
    config.paths.bundles.mkdir(parents=True, exist_ok=True)
    (config.paths.bundles / name).write_bytes(sealed)
    return name


def make_desk_room(
    folder: Path, size: int = 6, photos: bool = False, policy: dict[str, Any] = cast.POLICY, **sections: object
) -> DeskRoom:
    config = make_config(folder, **sections)
    certify_locally(config.paths, "示例学校", "room-1", 1, clock.wall_ms())
    bank_file = seal_sample_bank(config)
    connection = open_room(config.paths.room_db)
    roster = parse_roster(canonical(cast.roster("S-1", clock.wall_ms(), size=size, photos=photos)))
    here = enrolment.load(config.paths)
    rules = parse_policy(canonical(policy))
    session = take_in(connection, roster, rules, room="room-1", bank_file=bank_file, data_key=here.keys.data)
    return DeskRoom(config, connection, session)


class TabletHand:
    """One tablet answering through the exam package, counting its own sequence."""

    def __init__(self, live: LiveExam, code: str) -> None:
        self.live = live
        self.secret, self.tablet = live.claim(code)
        self.seq = 0

    def op(self, item: str, value: list[str], base: int = 0, kind: str = "answer") -> rows.Operation:
        self.seq += 1
        binding = self.tablet.binding
        return rows.Operation(uuid.uuid4().hex, binding.attempt, binding.tablet, self.seq, kind, item, base, value)

    def answer(self, item: str, value: list[str], base: int = 0) -> rows.Recorded:
        return self.live.save(self.tablet, self.op(item, value, base))

    def hand_in(self) -> rows.Recorded:
        return self.live.save(self.tablet, self.op("", [], 0, "handin"))


def right_letters(tablet: Tablet, bank: BankDocument) -> dict[str, list[str]]:
    """The right answer to everything on a tablet's paper, as its candidate would give it."""
    items = index(bank).items
    return {
        drawn["id"]: to_shown(drawn, right_answer(items[drawn["id"]].key()))
        for drawn in responses_of(tablet.sitting.attempt.paper)
    }


def right_answer(key: Key) -> list[str]:
    """What gets full marks, in the bank's keys."""
    if key.type == "fill":
        return [_right_blank(blank) for blank in key.blanks]
    if key.type == "hotspot":
        return [_right_mark(region) for region in key.regions]
    return list(key.answer)


def _right_blank(blank: BlankKey) -> str:
    if blank.kind == "text":
        return blank.accepted[0]
    return f"{blank.value} {blank.units[0]}" if blank.unit_asked else str(blank.value)


def _right_mark(region: RegionKey) -> str:
    """A point of the region: a circle's centre, a rectangle's, a polygon's first corner."""
    at = region.coords
    if region.shape == "rect":
        return f"{(at[0] + at[2]) // 2},{(at[1] + at[3]) // 2}"
    return f"{at[0]},{at[1]}"
