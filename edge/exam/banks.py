"""Opening a session's sealed banks: plain only in the memory of the process that serves the exam."""

from __future__ import annotations

from pathlib import Path

from edge import clock
from edge.bank.build import sample_bank
from edge.bank.model import BankDocument, parse_bank
from edge.errors import BadInput, Unavailable
from edge.store.sessions import Session
from edge.trust.enrolment import Identity
from edge.trust.seal import BundleManifest, open_bundle, read_manifest

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
    main = _open(identity, bundles, session.bank_file, session.bank_id, session.bank_version, whenever)
    if session.local_bank_file is None or session.local_bank_id is None or session.local_bank_version is None:
        return main
    local = _open(
        identity, bundles, session.local_bank_file, session.local_bank_id, session.local_bank_version, whenever
    )
    return joined(main, local)


def _open(identity: Identity, bundles: Path, file: str, name: str, version: int, whenever: bool) -> BankDocument:
    try:
        data = (bundles / file).read_bytes()
    except OSError as error:
        raise Unavailable("bank_missing", name=name, version=version) from error
    manifest, bank = open_sealed(identity, data, whenever)
    if (manifest.name, manifest.version) != (name, version):
        raise BadInput("bank_broken", where=file, detail=f"{manifest.kind} {manifest.name}")
    return bank


def open_sealed(identity: Identity, data: bytes, whenever: bool = False) -> tuple[BundleManifest, BankDocument]:
    """A sealed bank that this room may open."""
    room = identity.certificate.room
    roots = [identity.root_public]
    at_ms = read_manifest(data, roots).not_before_ms if whenever else clock.wall_ms()
    manifest, content = open_bundle(data, roots, room, identity.keys.seal, at_ms)
    if manifest.kind != "bank":
        raise BadInput("bank_broken", where=manifest.name, detail=manifest.kind)
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
