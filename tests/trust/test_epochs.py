"""A certificate that another one replaces is kept for what was signed under it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import Paths
from edge.errors import NotFound
from edge.trust import dsse, enrolment
from edge.trust.enrolment import certify_locally
from edge.trust.signer import Ed25519Signer

NOW = 1_780_000_000_000


def paths_of(folder: Path) -> Paths:
    return Paths(
        state=folder / "state", runtime=folder / "run", recordings=folder / "footage", models=folder / "models"
    )


def signed(signer: Ed25519Signer) -> bytes:
    return dsse.sign_envelope(dsse.COMPLETENESS, {"format": 1}, [signer])


def test_each_epochs_own_certificate_goes_with_what_it_signed(tmp_path: Path) -> None:
    paths = paths_of(tmp_path)
    made = [certify_locally(paths, "示例学校", "room-1", epoch, NOW) for epoch in (1, 2, 3)]
    now = enrolment.load(paths)
    for one in made:
        assert now.signer_of(signed(one.keys.sign)) == (one.envelope, one.certificate)
    assert set(now.earlier) == {one.envelope for one in made[:2]}
    with pytest.raises(NotFound) as unknown:
        now.signer_of(signed(Ed25519Signer.generate()))
    assert unknown.value.code == "epoch_gone"


def test_a_kept_certificate_that_is_damaged_fails_nobody_else(tmp_path: Path) -> None:
    paths = paths_of(tmp_path)
    first = certify_locally(paths, "示例学校", "room-1", 1, NOW)
    (paths.trust / "epoch-0.json").write_bytes(b"{")
    second = certify_locally(paths, "示例学校", "room-1", 2, NOW)
    now = enrolment.load(paths)
    assert now.signer_of(signed(first.keys.sign))[0] == first.envelope
    for file in paths.trust.glob("epoch-*.json"):
        file.unlink()
    assert enrolment.load(paths).signer_of(signed(second.keys.sign))[0] == second.envelope


def test_a_power_cut_while_one_replaces_the_other_loses_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = paths_of(tmp_path)
    first, real = certify_locally(paths, "示例学校", "room-1", 1, NOW), enrolment._publish

    def cut(path: Path, data: bytes) -> None:
        real(path, data)
        if path.name == "certificate.json":
            raise SystemExit("power cut")

    monkeypatch.setattr(enrolment, "_publish", cut)
    with pytest.raises(SystemExit):
        certify_locally(paths, "示例学校", "room-1", 2, NOW)
    monkeypatch.undo()
    now = enrolment.load(paths)
    assert (now.certificate.epoch, now.earlier) == (2, (first.envelope,))
