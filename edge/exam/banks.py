"""Opening a session's sealed bank: plain only in the memory of the process that serves the exam."""

from __future__ import annotations

from pathlib import Path

from edge import clock
from edge.bank.model import BankDocument, parse_bank
from edge.errors import BadInput, Unavailable
from edge.store.sessions import Session
from edge.trust.enrolment import Identity
from edge.trust.seal import open_bundle


def open_bank(identity: Identity, bundles: Path, session: Session) -> BankDocument:
    """The session's bank, verified against the province's root and opened with this room's key.

    Unavailable when the file is not here; VerificationFailed or Refused as `open_bundle` has it.
    """
    try:
        data = (bundles / session.bank_file).read_bytes()
    except OSError as error:
        raise Unavailable("bank_missing", name=session.bank_id, version=session.bank_version) from error
    room = identity.certificate.room
    manifest, content = open_bundle(data, [identity.root_public], room, identity.keys.seal, clock.wall_ms())
    if (manifest.kind, manifest.name, manifest.version) != ("bank", session.bank_id, session.bank_version):
        raise BadInput("bank_broken", where=session.bank_file, detail=f"{manifest.kind} {manifest.name}")
    return parse_bank(content)
