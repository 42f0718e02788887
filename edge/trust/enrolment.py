"""Becoming a room: keys born on the device, the certificate that answers them, and who the room is from then on.

Files: `keys/` holds sign.key, seal.key, data.key (and root.key at a site that is its own authority); `trust/` holds
certificate.json, root.pub, gateway.json, gateway-ca.pem, link.json, certificates of before (`edge.trust.epochs`).
New keys wait in `keys/pending/` until their certificate is on disk beside them, and only then take the place of the old
ones; a power cut at any point leaves the old identity, or the new one, or enough to finish the change at the next
`load`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edge.config import Paths
from edge.errors import BadInput, ExamroomError, Unavailable, VerificationFailed
from edge.trust import certificate as certificates
from edge.trust import epochs
from edge.trust.certificate import Certificate
from edge.trust.protocol import (
    Body,
    EnrolAnswer,
    EnrolRequest,
    GatewayKey,
    enrol_proof,
    open_gateway_key,
)
from edge.trust.roomkeys import RoomKeys, load_keys
from edge.trust.seal import SealKey
from edge.trust.signer import Ed25519Signer, read_secret, write_secret
from edge.trust.token import is_for, token_hash


@dataclass(frozen=True)
class Identity:
    """Who this room is. `gateway` and `url` are None at a site without a gateway; `ca` None means the system's."""

    certificate: Certificate
    envelope: bytes
    root_public: bytes
    keys: RoomKeys
    gateway: GatewayKey | None
    url: str | None
    ca: Path | None
    earlier: tuple[bytes, ...] = ()
    """Envelopes of the certificates before this one."""

    def signer_of(self, envelope: bytes) -> tuple[bytes, Certificate]:
        """The room's certificate, its envelope first, under whose key `envelope` was signed, maybe in an earlier epoch.

        NotFound (`epoch_gone`) for one that this box has no certificate of.
        """
        return epochs.signer_of(envelope, (self.envelope, *self.earlier))


class Link(Body):
    """How the room came by its certificate: the gateway's address and the hash of the token it used."""

    url: str | None
    token_sha256: str | None


class _Answer(Body):
    """What waits beside the pending keys until the change is done."""

    certificate: str
    root: str
    gateway: str | None
    ca: str | None
    link: Link


def load(paths: Paths) -> Identity:
    """The room's identity, verified. Unavailable before enrolment; VerificationFailed when its files disagree."""
    if _answer_file(paths).exists():
        with _lock(paths):
            _promote(paths)
    identity = _read(paths)
    certificate, keys = identity.certificate, identity.keys
    if (certificate.public, certificate.seal_public) != (keys.sign.public, keys.seal.public):
        # another process may be between two files of a change: wait for it, then look once more
        with _lock(paths):
            _promote(paths)
            identity = _read(paths)
        certificate, keys = identity.certificate, identity.keys
        if (certificate.public, certificate.seal_public) != (keys.sign.public, keys.seal.public):
            raise VerificationFailed("identity_mixed", path=paths.trust)
    return identity


def enrolled_with(paths: Paths, token: str) -> bool:
    """Whether the certificate in force came from this (plain) token."""
    try:
        return _link(paths).token_sha256 == token_hash(token)
    except Unavailable:
        return False


def request_for(paths: Paths, token: str) -> EnrolRequest:
    """The request that enrols this box with `token`: the same keys for the same token, until an answer came."""
    with _lock(paths):
        signer, seal = _pending_keys(paths, token_hash(token))
    return EnrolRequest(
        token=token,
        sign_key=signer.public.hex(),
        seal_key=seal.public.hex(),
        proof=enrol_proof(signer, token, seal.public),
    )


def accept(paths: Paths, token: str, answer: EnrolAnswer, url: str, ca: bytes | None) -> Identity:
    """Check the gateway's answer against token and pending keys, then become that room.

    VerificationFailed when the root is not the token's, a signature does not hold or the keys are not ours.
    """
    root_public = bytes.fromhex(answer.root)
    if not is_for(token, root_public):
        raise VerificationFailed("root_other")
    with _lock(paths):
        signer, seal = _pending_keys(paths, token_hash(token))
        certificate = certificates.check(answer.certificate.encode(), root_public)
        if (certificate.public, certificate.seal_public) != (signer.public, seal.public):
            raise VerificationFailed("certificate_keys")
        open_gateway_key(answer.gateway.encode(), root_public)
        link = Link(url=url, token_sha256=token_hash(token))
        kept = _Answer(
            certificate=answer.certificate,
            root=answer.root,
            gateway=answer.gateway,
            ca=None if ca is None else ca.decode("ascii", "replace"),
            link=link,
        )
        write_secret(_answer_file(paths), kept.model_dump_json().encode())
        _promote(paths)
    return load(paths)


def certify_locally(paths: Paths, institution: str, room: str, epoch: int, now_ms: int, years: int = 5) -> Identity:
    """A small site's own authority: a root key made on the device certifies new room keys.

    BadInput when `room` or `institution` cannot stand in a certificate.
    """
    with _lock(paths):
        root_file = paths.keys / "root.key"
        if not root_file.exists():
            Ed25519Signer.generate().save(root_file)
        root = Ed25519Signer.load(root_file)
        signer, seal = _pending_keys(paths, f"local {room} {epoch}")
        try:
            certificate = Certificate(
                room=room,
                epoch=epoch,
                institution=institution,
                issuer=institution,
                sign_key=signer.public.hex(),
                seal_key=seal.public.hex(),
                not_before_ms=now_ms,
                not_after_ms=now_ms + years * 366 * 86_400_000,
            )
        except ValidationError as error:
            raise BadInput("room_name_wrong", room=room[:80]) from error
        kept = _Answer(
            certificate=certificates.issue(certificate, root).decode(),
            root=root.public.hex(),
            gateway=None,
            ca=None,
            link=Link(url=None, token_sha256=None),
        )
        write_secret(_answer_file(paths), kept.model_dump_json().encode())
        _promote(paths)
    return load(paths)


def room_of(paths: Paths) -> str | None:
    """The room by the certificate in force, for those who may not read its keys; None where there is no good one."""
    try:
        root_public = bytes.fromhex((paths.trust / "root.pub").read_text().strip())
        return certificates.check((paths.trust / "certificate.json").read_bytes(), root_public).room
    except (OSError, ValueError, ExamroomError):
        return None


def replace_gateway_key(paths: Paths, envelope: bytes, root_public: bytes) -> None:
    """Take over a new gateway key, once the province's root signed it."""
    open_gateway_key(envelope, root_public)
    _publish(paths.trust / "gateway.json", envelope)


def _read(paths: Paths) -> Identity:
    try:
        envelope = (paths.trust / "certificate.json").read_bytes()
        root_public = bytes.fromhex((paths.trust / "root.pub").read_text().strip())
        gateway_file = paths.trust / "gateway.json"
        gateway = gateway_file.read_bytes() if gateway_file.exists() else None
    except FileNotFoundError as error:
        raise Unavailable("room_not_enrolled") from error
    except (OSError, ValueError) as error:
        raise VerificationFailed("identity_mixed", path=paths.trust) from error
    ca = paths.trust / "gateway-ca.pem"
    return Identity(
        certificate=certificates.check(envelope, root_public),
        envelope=envelope,
        root_public=root_public,
        keys=load_keys(paths.keys),
        gateway=None if gateway is None else open_gateway_key(gateway, root_public),
        url=_link(paths).url,
        ca=ca if ca.exists() else None,
        earlier=epochs.kept(paths.trust),
    )


def _link(paths: Paths) -> Link:
    try:
        return Link.model_validate_json((paths.trust / "link.json").read_bytes())
    except FileNotFoundError as error:
        raise Unavailable("room_not_enrolled") from error
    except (OSError, ValidationError) as error:
        raise VerificationFailed("identity_mixed", path=paths.trust) from error


def _pending(paths: Paths) -> Path:
    return paths.keys / "pending"


def _answer_file(paths: Paths) -> Path:
    return _pending(paths) / "answer.json"


def _pending_keys(paths: Paths, purpose: str) -> tuple[Ed25519Signer, SealKey]:
    """The keys waiting for the certificate of `purpose` (a token's hash); fresh ones when they are for another."""
    folder = _pending(paths)
    mark = hashlib.sha256(purpose.encode()).digest()
    try:
        if read_secret(folder / "purpose", 32) == mark:
            return Ed25519Signer.load(folder / "sign.key"), SealKey.load(folder / "seal.key")
    except Unavailable:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    signer, seal = Ed25519Signer.generate(), SealKey.generate()
    signer.save(folder / "sign.key")
    seal.save(folder / "seal.key")
    write_secret(folder / "purpose", mark)
    return signer, seal


def _promote(paths: Paths) -> None:
    """Put pending keys and their certificate in force; each step may be repeated, so it may be cut off anywhere."""
    folder = _pending(paths)
    try:
        answer = _Answer.model_validate_json(_answer_file(paths).read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValidationError) as error:
        raise VerificationFailed("identity_mixed", path=folder) from error
    if not (paths.keys / "data.key").exists():
        write_secret(paths.keys / "data.key", secrets.token_bytes(32))
    for name in ("sign.key", "seal.key"):
        write_secret(paths.keys / name, read_secret(folder / name, 32))
    _publish(paths.trust / "root.pub", answer.root.encode() + b"\n")
    _publish(paths.trust / "link.json", answer.link.model_dump_json().encode())
    for name, text in (("gateway.json", answer.gateway), ("gateway-ca.pem", answer.ca)):
        if text is None:
            (paths.trust / name).unlink(missing_ok=True)
        else:
            _publish(paths.trust / name, text.encode())
    certificate = paths.trust / "certificate.json"
    if certificate.exists() and (before := certificate.read_bytes()) != answer.certificate.encode():
        epochs.keep(paths.trust, before)
    _publish(certificate, answer.certificate.encode())
    _answer_file(paths).unlink()
    shutil.rmtree(folder)


def _publish(path: Path, data: bytes) -> None:
    """Write something public as durably as a secret."""
    write_secret(path, data)
    path.chmod(0o644)


@contextmanager
def _lock(paths: Paths) -> Iterator[None]:
    """One process at a time changes who the room is."""
    paths.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(paths.keys / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
