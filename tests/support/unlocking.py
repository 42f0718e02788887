"""Rooms whose bank is under two shares, for tests."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.bank.outline import outline
from edge.trust import shares
from edge.trust.seal import seal_bundle
from edge.trust.shares import Content, new_codes, share_out
from edge.trust.signer import Ed25519Signer
from support.rooms import DAY_MS, DeskRoom, make_desk_room


def lock_bank(desk: DeskRoom, gateway: bool = False) -> tuple[str, str]:
    """Seal the desk's bank again, under two shares; the codes of its slips."""
    identity, bank, now = desk.identity, sample_bank(), clock.wall_ms()
    plain = content_of(bank)
    codes = new_codes()
    with pytest.MonkeyPatch.context() as cheap:  # a slip says how hard it was made, and takes its time by design
        cheap.setattr(shares, "MEMORY_KIB", 1024)
        shared = share_out(Content("bank", bank.bank, 1, hashlib.sha256(plain).hexdigest()), codes, gateway)
    sealed = seal_bundle(
        "bank",
        bank.bank,
        1,
        plain,
        {identity.certificate.room: identity.certificate.seal_public},
        [Ed25519Signer.load(desk.config.paths.keys / "root.key")],
        not_before_ms=now - DAY_MS,
        expires_ms=now + DAY_MS,
        facts={"items": len(bank.items), "sample": True, **outline(bank)},
        shared=shared,
    )
    (desk.config.paths.bundles / "bank-1.bundle").write_bytes(sealed)
    return codes


def locked_room(folder: Path, gateway: bool = False, **sections: object) -> tuple[DeskRoom, tuple[str, str]]:
    """A desk room whose only bank is locked; and the codes of its slips."""
    desk = make_desk_room(folder, **sections)
    codes = lock_bank(desk, gateway)
    return desk, codes
