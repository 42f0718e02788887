"""Becoming a room: a power cut anywhere leaves the old identity, the new one, or enough to finish the change."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config import Paths
from edge.errors import BadInput, Unavailable, VerificationFailed
from edge.trust import certificate as certificates
from edge.trust import enrolment
from edge.trust.certificate import Certificate
from edge.trust.protocol import EnrolAnswer, EnrolRequest, GatewayKey, check_enrol_proof, sign_gateway_key
from edge.trust.signer import Ed25519Signer
from edge.trust.token import new_token
from support.rooms import make_config

ROOT, GATEWAY = Ed25519Signer.generate(), Ed25519Signer.generate()


def answer_to(request: EnrolRequest, epoch: int = 1, root: Ed25519Signer = ROOT) -> EnrolAnswer:
    certificate = Certificate(
        room="room-1",
        epoch=epoch,
        institution="示例学校",
        issuer="示例省",
        sign_key=request.sign_key,
        seal_key=request.seal_key,
        not_before_ms=0,
        not_after_ms=10**13,
    )
    key = GatewayKey(name="witness", key=GATEWAY.public.hex(), not_before_ms=0, not_after_ms=10**13)
    return EnrolAnswer(
        certificate=certificates.issue(certificate, root).decode(),
        root=root.public.hex(),
        gateway=sign_gateway_key(key, root).decode(),
    )


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return make_config(tmp_path).paths


def enrolled(paths: Paths, epoch: int = 1) -> enrolment.Identity:
    token = new_token(ROOT.public)
    answer = answer_to(enrolment.request_for(paths, token), epoch)
    return enrolment.accept(paths, token, answer, "https://gateway", b"-----BEGIN CERTIFICATE-----")


def test_before_enrolment_there_is_no_identity(paths: Paths) -> None:
    with pytest.raises(Unavailable) as error:
        enrolment.load(paths)
    assert error.value.code == "room_not_enrolled"


def test_keys_wait_for_their_certificate_and_then_serve(paths: Paths) -> None:
    token = new_token(ROOT.public)
    first = enrolment.request_for(paths, token)
    check_enrol_proof(first)
    assert enrolment.request_for(paths, token).sign_key == first.sign_key, "an answer may be lost: the same keys ask"
    assert not enrolment.enrolled_with(paths, token)
    identity = enrolment.accept(paths, token, answer_to(first), "https://gateway", None)
    assert identity.keys.sign.public.hex() == first.sign_key
    assert identity.certificate.room == "room-1"
    assert identity.gateway is not None and identity.gateway.public == GATEWAY.public
    assert (identity.url, identity.ca) == ("https://gateway", None)
    assert enrolment.enrolled_with(paths, token)
    assert not (paths.keys / "pending").exists()
    assert enrolment.load(paths).envelope == identity.envelope


def test_another_token_means_other_keys(paths: Paths) -> None:
    one = enrolment.request_for(paths, new_token(ROOT.public))
    assert enrolment.request_for(paths, new_token(ROOT.public)).sign_key != one.sign_key


def test_the_data_key_outlives_epochs(paths: Paths) -> None:
    before = enrolled(paths)
    after = enrolled(paths, 2)
    assert after.certificate.epoch == 2
    assert after.keys.data == before.keys.data
    assert after.keys.sign.public != before.keys.sign.public


def test_wrong_answers_change_nothing(paths: Paths) -> None:
    before = enrolled(paths)
    token = new_token(ROOT.public)
    request = enrolment.request_for(paths, token)
    good = answer_to(request, 2)
    other = Ed25519Signer.generate()
    stranger = enrolment.request_for(make_config(paths.state / "other").paths, token)
    wrong: list[tuple[EnrolAnswer, str]] = [
        (answer_to(request, 2, other), "root_other"),
        (good.model_copy(update={"root": other.public.hex()}), "root_other"),
        (answer_to(stranger, 2), "certificate_keys"),
        (good.model_copy(update={"gateway": answer_to(request, 2, other).gateway}), "signature_wrong"),
        (good.model_copy(update={"certificate": good.gateway}), "envelope_type"),
    ]
    for answer, code in wrong:
        with pytest.raises((VerificationFailed, BadInput)) as error:
            enrolment.accept(paths, token, answer, "https://gateway", None)
        assert error.value.code == code
        assert enrolment.load(paths).envelope == before.envelope
    assert enrolment.accept(paths, token, good, "https://gateway", None).certificate.epoch == 2


class PowerCutError(Exception):
    pass


def cut_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> Callable[[], int]:
    """Let `steps` more durable file changes happen, then the power is gone."""
    left = [steps]
    real_replace, real_unlink = Path.replace, Path.unlink

    def count() -> None:
        if left[0] <= 0:
            raise PowerCutError
        left[0] -= 1

    def replace(self: Path, target: Path) -> Path:
        count()
        return real_replace(self, target)

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if not self.name.endswith(".part"):
            count()
        real_unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)
    return lambda: left[0]


def test_a_power_cut_at_any_step_leaves_one_whole_identity(tmp_path: Path) -> None:
    outcomes: list[int] = []
    for steps in range(40):
        paths = make_config(tmp_path / str(steps)).paths
        old = enrolled(paths)
        token = new_token(ROOT.public)
        answer = answer_to(enrolment.request_for(paths, token), 2)
        with pytest.MonkeyPatch.context() as patch:
            left = cut_after(patch, steps)
            with contextlib.suppress(PowerCutError):
                enrolment.accept(paths, token, answer, "https://gateway", b"-----BEGIN CERTIFICATE-----")
            spared = left()
        now = enrolment.load(paths)
        assert now.certificate.public == now.keys.sign.public
        assert now.keys.data == old.keys.data
        assert now.gateway is not None
        outcomes.append(now.certificate.epoch)
        if spared:
            break
    assert outcomes[0] == 1, "cut before the answer was on disk: the old room"
    assert outcomes[-1] == 2
    assert outcomes == sorted(outcomes), "and once new, new from then on"
    assert len(outcomes) > 8, "each step of the change was tried"


def test_files_that_disagree_are_refused(paths: Paths) -> None:
    enrolled(paths)
    Ed25519Signer.generate().save(paths.keys / "sign.key")
    with pytest.raises(VerificationFailed) as error:
        enrolment.load(paths)
    assert error.value.code == "identity_mixed"
    (paths.trust / "root.pub").write_text("nonsense")
    with pytest.raises(VerificationFailed):
        enrolment.load(paths)


def test_a_changed_certificate_is_refused(paths: Paths) -> None:
    enrolled(paths)
    file = paths.trust / "certificate.json"
    data = file.read_bytes()
    file.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    with pytest.raises((BadInput, VerificationFailed)):
        enrolment.load(paths)


def test_a_new_gateway_key_needs_the_root(paths: Paths) -> None:
    identity = enrolled(paths)
    fresh = Ed25519Signer.generate()
    statement = GatewayKey(name="witness", key=fresh.public.hex(), not_before_ms=0, not_after_ms=10**13)
    with pytest.raises(VerificationFailed):
        enrolment.replace_gateway_key(paths, sign_gateway_key(statement, fresh), identity.root_public)
    enrolment.replace_gateway_key(paths, sign_gateway_key(statement, ROOT), identity.root_public)
    now = enrolment.load(paths)
    assert now.gateway is not None and now.gateway.public == fresh.public


def test_a_small_site_is_its_own_authority(paths: Paths) -> None:
    identity = enrolment.certify_locally(paths, "示例学校", "room-9", 1, 1000)
    assert identity.gateway is None and identity.url is None
    assert identity.certificate.issuer == "示例学校"
    again = enrolment.certify_locally(paths, "示例学校", "room-9", 2, 1000)
    assert again.root_public == identity.root_public
    assert again.certificate.epoch == 2
    with pytest.raises(BadInput):
        enrolment.certify_locally(paths, "示例学校", "../room", 3, 1000)
    assert enrolment.load(paths).certificate.epoch == 2


def test_secrets_are_their_owners_alone(paths: Paths) -> None:
    enrolled(paths)
    for file in paths.keys.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
