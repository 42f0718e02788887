"""Time stamps of an outside authority over a checkpoint (RFC 3161, RFC 5816): asking for one, and checking it.

Checked are the answer's status, the imprint, the nonce where one was sent, the authority's signature over the signed
attributes, that these name its certificate, that this certificate is for time stamping and for nothing else (critical
extended key usage), and its chain to a root that the caller trusts, each link valid at the time that is stated. Not
checked are revocation, name constraints and policies: a chain with a critical extension other than those named here
is refused. SHA-2 with RSA (PKCS #1 v1.5), ECDSA or Ed25519; SM2 and RSA-PSS are refused as unknown. Tried with
`openssl ts` as the authority, never with a public one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.errors import BadInput, VerificationFailed
from edge.trust import der
from edge.trust.der import Node

LONGEST = 64 * 1024
"""Bytes of an answer; one with two certificates has about five thousand."""
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
_SHA256 = der.oid("2.16.840.1.101.3.4.2.1")
_DIGESTS = {
    _SHA256: "sha256",
    der.oid("2.16.840.1.101.3.4.2.2"): "sha384",
    der.oid("2.16.840.1.101.3.4.2.3"): "sha512",
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# how a signature is made: the kind of key, and the digest where the algorithm itself names one
_RSA = {der.oid(f"1.2.840.113549.1.1.{n}"): d for n, d in ((1, None), (11, "sha256"), (12, "sha384"), (13, "sha512"))}
_ECDSA = {der.oid(f"1.2.840.10045.4.3.{n}"): d for n, d in ((2, "sha256"), (3, "sha384"), (4, "sha512"))}
_ED25519 = der.oid("1.3.101.112")
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_TST_INFO = der.oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE = der.oid("1.2.840.113549.1.9.16.2.12")
_SIGNING_CERTIFICATE_V2 = der.oid("1.2.840.113549.1.9.16.2.47")
_GRANTED = (0, 1)
_MOMENT = re.compile(rb"(\d{14})(?:\.(\d{1,9}))?Z")
_DEEPEST = 6
# what cryptography says of a certificate that it cannot read, at whichever field that shows
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_JUDGED = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.CertificatePolicies)


@dataclass(frozen=True)
class Stamp:
    """What an authority vouches for: that the imprint was there at `time_ms` (ms since 1970 UTC)."""

    time_ms: int
    authority: str
    serial: int


@dataclass(frozen=True)
class _Signed:
    """The parts of a token (CMS SignedData) that are judged."""

    info: bytes
    certificates: list[x509.Certificate]
    signer: list[Node]


def imprint(note: str) -> bytes:
    """What is time-stamped of a checkpoint: the SHA-256 of its note's UTF-8 bytes."""
    return hashlib.sha256(note.encode()).digest()


def request(digest: bytes, nonce: int) -> bytes:
    """A TimeStampReq over a SHA-256 digest that asks for the authority's certificate too."""
    algorithm = der.value(der.SEQUENCE, der.value(der.OID, _SHA256), der.value(der.NULL))
    stamped = der.value(der.SEQUENCE, algorithm, der.value(der.OCTETS, digest))
    return der.value(der.SEQUENCE, der.integer(1), stamped, der.integer(nonce), der.value(0x01, b"\xff"))


def read_authorities(given: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file: the roots of time-stamping authorities. BadInput `timestamp_ca` for any other."""
    try:
        return x509.load_pem_x509_certificates(given.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput("timestamp_ca", path=given) from error


def check(answer: bytes, digest: bytes, authorities: Sequence[x509.Certificate], nonce: int | None = None) -> Stamp:
    """What a TimeStampResp says, once an authority under one of `authorities` signed it over this digest.

    `nonce`: the one that was sent; None where the answer is an old one. BadInput `timestamp_broken`: it is none.
    VerificationFailed: `timestamp_refused` (no token in it), `timestamp_imprint` (of something else),
    `timestamp_nonce` (to another question), `timestamp_purpose`, `timestamp_signature`, `timestamp_authority`.
    """
    try:
        token = _token(answer)
        signed = _signed(token)
        stamp = _info(signed.info, digest, nonce)
        certificate = _signer(signed)
        _need_purpose(certificate)
        _need_signature(signed, certificate)
        at = datetime.fromtimestamp(stamp.time_ms / 1000, UTC)
        if not _trusted(certificate, signed.certificates, authorities, at, 0):
            raise VerificationFailed("timestamp_authority", authority=_name(certificate))
        return Stamp(stamp.time_ms, _name(certificate), stamp.serial)
    except (IndexError, KeyError, *_UNREADABLE) as error:
        raise BadInput("timestamp_broken") from error


def _token(answer: bytes) -> Node:
    status, *token = der.read(answer).need(der.SEQUENCE).parts()
    code = status.need(der.SEQUENCE).parts()[0].number()
    if code not in _GRANTED or len(token) != 1:
        raise VerificationFailed("timestamp_refused", status=code)
    return token[0]


def _signed(token: Node) -> _Signed:
    kind, wrapped = token.need(der.SEQUENCE).parts()
    if kind.need(der.OID).content != _SIGNED_DATA:
        raise ValueError("no signed data")
    [data] = wrapped.need(0xA0).parts()
    _, _, inside, *rest = data.need(der.SEQUENCE).parts()
    content_type, content = inside.need(der.SEQUENCE).parts()
    [info] = content.need(0xA0).parts()
    if content_type.need(der.OID).content != _TST_INFO:
        raise ValueError("no time stamp")
    certificates = [
        x509.load_der_x509_certificate(one.raw) for node in rest if node.tag == 0xA0 for one in node.parts()
    ]
    [signer] = rest[-1].need(der.SET).parts()
    return _Signed(info.need(der.OCTETS).content, certificates, signer.need(der.SEQUENCE).parts())


def _info(data: bytes, digest: bytes, nonce: int | None) -> Stamp:
    version, _, stamped, serial, moment, *rest = der.read(data).need(der.SEQUENCE).parts()
    algorithm, hashed = stamped.need(der.SEQUENCE).parts()
    if version.number() != 1:
        raise ValueError("another version")
    if _algorithm(algorithm) != _SHA256 or hashed.need(der.OCTETS).content != digest:
        raise VerificationFailed("timestamp_imprint")
    nonces = [node.number() for node in rest if node.tag == der.INTEGER]
    if nonce is not None and nonces != [nonce]:
        raise VerificationFailed("timestamp_nonce")
    return Stamp(_millis(moment.need(der.TIME).content), "", serial.number())


def _millis(text: bytes) -> int:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("no time")
    whole = datetime.strptime(found[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return round(whole.timestamp()) * 1000 + int((found[2] or b"0").ljust(3, b"0")[:3])


def _signer(signed: _Signed) -> x509.Certificate:
    """The one certificate that the signed attributes name by its hash."""
    attributes = _attributes(signed)
    named: list[tuple[str, bytes]] = []
    for kind, default in ((_SIGNING_CERTIFICATE_V2, "sha256"), (_SIGNING_CERTIFICATE, "sha1")):
        if kind in attributes:
            first = attributes[kind].need(der.SEQUENCE).parts()[0].need(der.SEQUENCE).parts()[0].need(der.SEQUENCE)
            parts = first.parts()
            algorithm = default
            if kind == _SIGNING_CERTIFICATE_V2 and parts[0].tag == der.SEQUENCE:
                algorithm = _DIGESTS[_algorithm(parts[0])]
                parts = parts[1:]
            named.append((algorithm, parts[0].need(der.OCTETS).content))
    if not named:
        raise ValueError("no certificate is named")
    for certificate in signed.certificates:
        raw = certificate.public_bytes(Encoding.DER)
        if all(hashlib.new(algorithm, raw, usedforsecurity=False).digest() == told for algorithm, told in named):
            return certificate
    raise VerificationFailed("timestamp_signature")


def _algorithm(node: Node) -> bytes:
    """The identifier of an AlgorithmIdentifier; its parameters say nothing that is not known."""
    return node.need(der.SEQUENCE).parts()[0].need(der.OID).content


def _attributes(signed: _Signed) -> dict[bytes, Node]:
    found: dict[bytes, Node] = {}
    for attribute in signed.signer[3].need(0xA0).parts():
        kind, values = attribute.need(der.SEQUENCE).parts()
        [only] = values.need(der.SET).parts()
        if kind.need(der.OID).content in found:
            raise ValueError("an attribute twice")
        found[kind.content] = only
    return found


def _need_purpose(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound as error:
        raise VerificationFailed("timestamp_purpose", authority=_name(certificate)) from error
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise VerificationFailed("timestamp_purpose", authority=_name(certificate))


def _need_signature(signed: _Signed, certificate: x509.Certificate) -> None:
    """The attributes are of this content, and signed by this certificate's key."""
    _, _, digested, attributes, algorithm, signature, *_ = signed.signer
    digest = _DIGESTS[_algorithm(digested)]
    told = _attributes(signed)
    content = told[_CONTENT_TYPE].need(der.OID).content == _TST_INFO
    if not content or told[_MESSAGE_DIGEST].need(der.OCTETS).content != hashlib.new(digest, signed.info).digest():
        raise VerificationFailed("timestamp_signature")
    message = der.value(der.SET, attributes.content)
    try:
        _verify(certificate, _algorithm(algorithm), digest, signature.need(der.OCTETS).content, message)
    except InvalidSignature as error:
        raise VerificationFailed("timestamp_signature") from error


def _verify(certificate: x509.Certificate, algorithm: bytes, digest: str, signature: bytes, message: bytes) -> None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and algorithm in _RSA:
        key.verify(signature, message, padding.PKCS1v15(), _HASHES[_RSA[algorithm] or digest])
    elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA:
        key.verify(signature, message, ec.ECDSA(_HASHES[_ECDSA[algorithm]]))
    elif isinstance(key, ed25519.Ed25519PublicKey) and algorithm == _ED25519:
        key.verify(signature, message)
    else:
        raise ValueError("an unknown algorithm")


def _trusted(
    certificate: x509.Certificate,
    others: Iterable[x509.Certificate],
    authorities: Sequence[x509.Certificate],
    at: datetime,
    below: int,
) -> bool:
    """Whether a chain of certificates leads to one of `authorities`; `below`: how many CAs stand under this one."""
    if not _usable(certificate, at):
        return False
    if certificate in authorities:
        return True
    if below >= _DEEPEST:
        return False
    for issuer in (*authorities, *others):
        if issuer.subject == certificate.issuer and issuer != certificate and _may_issue(issuer, below):
            try:
                certificate.verify_directly_issued_by(issuer)
            except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
                continue
            if _trusted(issuer, others, authorities, at, below + 1):
                return True
    return False


def _usable(certificate: x509.Certificate, at: datetime) -> bool:
    """In its time, and without a critical extension that nobody here judges."""
    try:
        extensions = list(certificate.extensions)
    except _UNREADABLE:
        return False
    judged = all(isinstance(one.value, _JUDGED) for one in extensions if one.critical)
    return judged and certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _may_issue(certificate: x509.Certificate, below: int) -> bool:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return False
    try:
        signs = certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        signs = True
    return basic.ca and signs and (basic.path_length is None or basic.path_length >= below)


def _name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = str(names[0].value) if names else "-"
    return "".join(c if c.isprintable() else "?" for c in text[:80])
