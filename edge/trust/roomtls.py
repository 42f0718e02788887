"""The room's own TLS: a small authority that tablets are given once, and a server certificate under it that renews.

The authority is P-256 and lasts ten years. It is name-constrained to the room's names and to private networks, so that
whoever steals its key can pretend to be this room and nobody else. It signs nothing but the server certificate, which
lasts 397 days, the most that browsers take, and is made anew 60 days before its end and whenever a name or address of
the box has changed. The files lie in one folder: `ca.key`, `ca.crt`, `room.key`, `room.crt` (PEM; keys 0600).
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.errors import Unavailable, Wrong
from edge.trust.addresses import Address
from edge.trust.signer import write_secret
from edge.why import why

CA_DAYS = 3652
SERVER_DAYS = 397
RENEW_DAYS = 60
# The beginning lies back by this much, for tablets whose clock is behind; the 397 days are counted from it.
BACKDATED = timedelta(days=2)
_PRIVATE = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)
_ALWAYS = ("localhost",)
_LOOPBACK = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))


@dataclass(frozen=True)
class RoomTls:
    """What stands on disk. `refused` are names and addresses wanted that the authority may not sign."""

    ca: x509.Certificate
    server: x509.Certificate
    names: tuple[str, ...]
    addresses: tuple[Address, ...]
    refused: tuple[str, ...] = ()
    changed: bool = False

    @property
    def ca_der(self) -> bytes:
        return self.ca.public_bytes(serialization.Encoding.DER)

    @property
    def ca_pem(self) -> bytes:
        return self.ca.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the authority's DER form as people compare it: AB:CD:..."""
        return self.ca.fingerprint(hashes.SHA256()).hex(":").upper()


def make(
    folder: Path, names: Sequence[str], addresses: Sequence[Address], now: datetime, *, new_ca: bool = False
) -> RoomTls:
    """Bring the files up to date and return them; `changed` says whether the server has to load them again.

    `now` is in UTC. With `new_ca` the authority is replaced, and every tablet has to be set up again. Unavailable when
    the files cannot be read or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _make(folder, names, addresses, now, new_ca)
    except (OSError, ValueError) as error:
        raise Unavailable("tls_unusable", path=folder, detail=why(error)) from error


def load(folder: Path) -> RoomTls:
    """The certificates without their keys, for whoever shows them. Unavailable before they are made."""
    try:
        ca = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        server = x509.load_pem_x509_certificate((folder / "room.crt").read_bytes())
    except FileNotFoundError as error:
        raise Unavailable("tls_missing", path=folder) from error
    except (OSError, ValueError) as error:
        raise Unavailable("tls_unusable", path=folder, detail=why(error)) from error
    return RoomTls(ca, server, *_named(server))


def _make(folder: Path, names: Sequence[str], addresses: Sequence[Address], now: datetime, new_ca: bool) -> RoomTls:
    if new_ca or not ((folder / "ca.crt").exists() and (folder / "ca.key").exists()):
        _make_ca(folder, names, addresses, now)
    ca = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    # a clock that woke up in the past must not make a certificate older than its authority
    now = max(now, ca.not_valid_before_utc + BACKDATED)
    wanted_names = [*dict.fromkeys([*names, *_ALWAYS])]
    wanted_addresses = [*dict.fromkeys([*addresses, *_LOOPBACK])]
    good_names = tuple(name for name in wanted_names if _may_name(ca, name))
    good_addresses = tuple(one for one in wanted_addresses if _may_address(ca, one))
    refused = tuple(
        str(one) for one in (*wanted_names, *wanted_addresses) if one not in good_names and one not in good_addresses
    )
    server = _current(folder, ca, good_names, good_addresses, now)
    changed = server is None
    if server is None:
        server = _make_server(folder, ca, good_names, good_addresses, now)
    return RoomTls(ca, server, good_names, good_addresses, refused, changed)


def _current(
    folder: Path, ca: x509.Certificate, names: tuple[str, ...], addresses: tuple[Address, ...], now: datetime
) -> x509.Certificate | None:
    """The server certificate if it will do as it is."""
    try:
        server = x509.load_pem_x509_certificate((folder / "room.crt").read_bytes())
        key = _read_key(folder / "room.key")
        server.verify_directly_issued_by(ca)
        good = key.public_key() == server.public_key() and _named(server) == (names, addresses)
    except Exception:  # whatever is wrong with it, it is made anew
        return None
    fresh = server.not_valid_before_utc <= now < server.not_valid_after_utc - timedelta(days=RENEW_DAYS)
    return server if good and fresh else None


def _make_ca(folder: Path, names: Sequence[str], addresses: Sequence[Address], now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # one look at a tablet's list of authorities tells two rooms apart
    title = f"Exam room CA {names[0] if names else 'room'} {own.digest.hex()[:6]}"[:64]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    begin = now - BACKDATED
    # "local" covers every name of the link: a box that is given another name keeps its authority
    permitted_names = [x509.DNSName(one) for one in dict.fromkeys(["local", *names, *_ALWAYS])]
    networks = [ipaddress.ip_network(text) for text in _PRIVATE]
    networks += [ipaddress.ip_network(one) for one in addresses if not _inside(one, networks)]
    constraints = x509.NameConstraints([*permitted_names, *(x509.IPAddress(one) for one in networks)], None)
    ca = (
        _builder(name, name, key.public_key(), begin, begin + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(constraints, critical=True)
        .add_extension(own, critical=False)
        .sign(key, hashes.SHA256())
    )
    # the key first: a certificate without its key would never be noticed until the renewal
    write_secret(folder / "ca.key", _pem(key))
    _write(folder / "ca.crt", ca.public_bytes(serialization.Encoding.PEM))


def _make_server(
    folder: Path, ca: x509.Certificate, names: tuple[str, ...], addresses: tuple[Address, ...], now: datetime
) -> x509.Certificate:
    ca_key = _read_key(folder / "ca.key")
    if ca_key.public_key() != ca.public_key():
        raise Wrong("tls_other_key")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Exam room {names[0]}"[:64])])
    alternative = [*(x509.DNSName(name) for name in names), *(x509.IPAddress(one) for one in addresses)]
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    begin = now - BACKDATED
    end = min(begin + timedelta(days=SERVER_DAYS), ca.not_valid_after_utc)
    server = (
        _builder(subject, ca.subject, key.public_key(), begin, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    # cut off in between, key and certificate do not fit, and the next run makes both anew
    write_secret(folder / "room.key", _pem(key))
    _write(folder / "room.crt", server.public_bytes(serialization.Encoding.PEM))
    return server


def _named(server: x509.Certificate) -> tuple[tuple[str, ...], tuple[Address, ...]]:
    alternative = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = alternative.get_values_for_type(x509.IPAddress)
    addresses = tuple(one for one in found if isinstance(one, ipaddress.IPv4Address | ipaddress.IPv6Address))
    return tuple(alternative.get_values_for_type(x509.DNSName)), addresses


def _permitted(ca: x509.Certificate) -> list[x509.GeneralName]:
    return list(ca.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or ())


def _may_name(ca: x509.Certificate, name: str) -> bool:
    roots = [one.value for one in _permitted(ca) if isinstance(one, x509.DNSName)]
    return any(name == root or name.endswith(f".{root}") for root in roots)


def _may_address(ca: x509.Certificate, address: Address) -> bool:
    networks = [one.value for one in _permitted(ca) if isinstance(one, x509.IPAddress)]
    return _inside(address, networks)


def _inside(address: Address, networks: Sequence[object]) -> bool:
    return any(
        isinstance(one, ipaddress.IPv4Network | ipaddress.IPv6Network)
        and one.version == address.version
        and address in one
        for one in networks
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Wrong("tls_no_key", file=path.name)
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(0o644)
    part.replace(path)
