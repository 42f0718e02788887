"""Opening a session's sealed banks: plain only in the memory of the process that serves the exam.

A bank under two shares opens with what `edge.exam.unlock` kept for the session, and with nothing before and after.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from pathlib import Path

from edge import clock
from edge.bank.build import sample_bank
from edge.bank.model import BankDocument, parse_bank
from edge.bank.outline import outlined, stock
from edge.domain.paper import ItemFacts
from edge.errors import BadInput, Refused, Unavailable
from edge.store import unlocks
from edge.store.sessions import Session
from edge.trust.enrolment import Identity
from edge.trust.seal import BundleManifest, open_bundle, read_manifest, what_it_is

SAMPLE_FILE = "sample"
"""Stands for the bank that ships with the product, in a practice session: no file, no seal, nothing secret."""


class SessionBank(BankDocument):
    """The province's bank and an institution's own as one; `sources` are the two as they came."""

    sources: tuple[BankDocument, ...]


def open_bank(identity: Identity, bundles: Path, session: Session, whenever: bool = False) -> BankDocument:
    """The session's bank with its local one joined to it, verified against the root, opened with this room's key.

    `whenever`: even before or after its time, to look back at a paper. Unavailable when a file is not here;
    VerificationFailed or Refused as `open_bundle` has it; BadInput `bank_clash`.
    """
    if session.practice and session.bank_file == SAMPLE_FILE:
        return sample_bank()
    main, *local = (_open(identity, bundles, session, one, whenever) for one in banks_of(session))
    return joined(main, local[0]) if local else main


@dataclasses.dataclass(frozen=True)
class BankFile:
    """One bank of a session, as its roster names it; `file` is in the bundles folder."""

    file: str
    name: str
    version: int


def banks_of(session: Session) -> list[BankFile]:
    """The sealed banks of a session, the province's first."""
    if session.practice and session.bank_file == SAMPLE_FILE:
        return []
    found = [BankFile(session.bank_file, session.bank_id, session.bank_version)]
    if (
        session.local_bank_file is not None
        and session.local_bank_id is not None
        and session.local_bank_version is not None
    ):
        found.append(BankFile(session.local_bank_file, session.local_bank_id, session.local_bank_version))
    return found


def _open(identity: Identity, bundles: Path, session: Session, bank: BankFile, whenever: bool) -> BankDocument:
    data = _read(bundles, bank)
    sealed = session.unlocked.get(unlocks.key(bank.name, bank.version))
    share = None
    if sealed is not None:
        context = unlocks.context(session.id, bank.name, bank.version)
        share = identity.keys.data.decrypt(bytes.fromhex(sealed), context)
    manifest, found = open_sealed(identity, data, whenever, share)
    _need_same(manifest, bank)
    return found


def _read(bundles: Path, bank: BankFile) -> bytes:
    try:
        return (bundles / bank.file).read_bytes()
    except OSError as error:
        raise Unavailable("bank_missing", name=bank.name, version=bank.version) from error


def _need_same(manifest: BundleManifest, bank: BankFile) -> None:
    if (manifest.kind, manifest.name, manifest.version) != ("bank", bank.name, bank.version):
        raise BadInput("bank_broken", where=bank.file, detail=what_it_is(manifest))


def manifest_of(identity: Identity, bundles: Path, bank: BankFile) -> BundleManifest:
    """What the bank's verified manifest says; a file that has not changed is read once. Errors as `open_bank`."""
    file = bundles / bank.file
    try:
        now = file.stat()
    except OSError as error:
        raise Unavailable("bank_missing", name=bank.name, version=bank.version) from error
    manifest = _manifest(file, now.st_mtime_ns, now.st_size, identity.root_public)
    _need_same(manifest, bank)
    return manifest


@functools.lru_cache(maxsize=32)
def _manifest(file: Path, _changed: int, _size: int, root: bytes) -> BundleManifest:
    return read_manifest(file.read_bytes(), [root])


def stock_of(identity: Identity, bundles: Path, session: Session, whenever: bool = False) -> list[ItemFacts]:
    """What papers can be drawn from: the bank's own items, or of a locked one what its signed manifest counts.

    `whenever`: even before its time, for counting.
    """
    stocks = []
    for bank in banks_of(session):
        manifest = manifest_of(identity, bundles, bank)
        if manifest.shares == 2 and unlocks.key(bank.name, bank.version) not in session.unlocked:
            need_usable(identity, manifest)
            stocks.append(stock(manifest.facts))
        else:
            stocks.append([item.facts() for item in _open(identity, bundles, session, bank, whenever).items])
    return together(stocks)


def stock_in(manifest: BundleManifest, bank: BankDocument) -> list[ItemFacts]:
    """What papers can be drawn from in one bank as `plan_sealed` gives it."""
    return stock(manifest.facts) if manifest.shares == 2 else [item.facts() for item in bank.items]


def together(stocks: Iterable[list[ItemFacts]]) -> list[ItemFacts]:
    """The province's stock and an institution's own as one."""
    return [
        dataclasses.replace(item, local=True, id=f"local {item.id}") if number else item
        for number, stock in enumerate(stocks)
        for item in stock
    ]


def need_usable(identity: Identity, manifest: BundleManifest) -> None:
    """What can be told of a locked bank: Refused when it is not for this room, or its time is over."""
    if clock.wall_ms() > manifest.expires_ms:
        raise Refused("bundle_expired", name=manifest.name)
    if identity.certificate.room not in manifest.keys:
        raise Refused("bundle_other_room", name=manifest.name, room=identity.certificate.room)


def plan_sealed(identity: Identity, data: bytes) -> tuple[BundleManifest, BankDocument]:
    """A sealed bank to plan a session with; of one under two shares, blueprints and score sheets without any item."""
    manifest = read_manifest(data, [identity.root_public])
    if manifest.shares == 1:
        return open_sealed(identity, data)
    if manifest.kind != "bank":
        raise BadInput("bank_broken", where=manifest.name, detail=what_it_is(manifest))
    need_usable(identity, manifest)
    return manifest, outlined(manifest.name, manifest.facts)


def open_sealed(
    identity: Identity, data: bytes, whenever: bool = False, share: bytes | None = None
) -> tuple[BundleManifest, BankDocument]:
    """A sealed bank that this room may open; `share` is the released one of two."""
    room = identity.certificate.room
    roots = [identity.root_public]
    at_ms = read_manifest(data, roots).not_before_ms if whenever else clock.wall_ms()
    manifest, content = open_bundle(data, roots, room, identity.keys.seal, at_ms, share)
    if manifest.kind != "bank":
        raise BadInput("bank_broken", where=manifest.name, detail=what_it_is(manifest))
    return manifest, parse_bank(content)


def joined(main: BankDocument, local: BankDocument) -> SessionBank:
    """One bank of both; every item of `local` counts as local, whatever it says.

    BadInput `bank_clash` where an id, or a file's name for another file, stands in both.
    """
    taken = {name for item in main.items for name in (item.id, *item.responses)}
    for item in local.items:
        if clash := taken & {item.id, *item.responses}:
            raise BadInput("bank_clash", name=sorted(clash)[0])
    for name in main.media.keys() & local.media.keys():
        if main.media[name] != local.media[name]:
            raise BadInput("bank_clash", name=name)
    return SessionBank.model_construct(
        bank=main.bank,
        title=main.title,
        sample=main.sample,
        items=[*main.items, *(item.model_copy(update={"local": True}) for item in local.items)],
        rubrics=main.rubrics,
        blueprints=main.blueprints,
        media=local.media | main.media,
        sources=(main, local),
    )


def sources_of(bank: BankDocument) -> tuple[BankDocument, ...]:
    """The banks a session's bank was made of, the province's first."""
    return bank.sources if isinstance(bank, SessionBank) else (bank,)
