"""A time-stamping authority for tests: `openssl ts` behind a local HTTP server, with a root and an issuing CA."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.trust import der

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CONFIG = """
[tsa]
serial = {folder}/serial
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
signer_digest = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""
TST_INFO = "1.2.840.113549.1.9.16.1.4"


class Authority:
    """Root, issuing CA and signer in a folder. `answer` may be replaced: what is made of a query's bytes."""

    def __init__(self, folder: Path, *, use_rsa: bool = False, ess: str = "sha256") -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._rsa = use_rsa
        self.root_key, self.ca_key = self._key(), self._key()
        self.root = certificate("TSA root", self.root_key, None, None, ca=True)
        self.issuing = certificate("TSA issuing", self.ca_key, self.root, self.root_key, ca=True)
        self.signer("tsa", [ExtendedKeyUsageOID.TIME_STAMPING])
        self.ca = folder / "root.pem"
        self.ca.write_bytes(pem(self.root))
        (folder / "issuing.pem").write_bytes(pem(self.issuing))
        (folder / "serial").write_text("01\n")
        (folder / "ts.cnf").write_text(CONFIG.format(folder=folder, ess=ess))
        self.asked: list[bytes] = []
        self.answer: Callable[[bytes], bytes] = self.reply

    def _key(self) -> Key:
        return rsa.generate_private_key(65537, 2048) if self._rsa else ec.generate_private_key(ec.SECP256R1())

    def signer(self, name: str, usages: list[x509.ObjectIdentifier], *, critical: bool = True, days: int = 30) -> None:
        key = self._key()
        made = certificate(name, key, self.issuing, self.ca_key, usages=usages, critical=critical, days=days)
        (self.folder / f"{name}.pem").write_bytes(pem(made))
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / f"{name}.key").write_bytes(secret)

    def reply(self, query: bytes) -> bytes:
        """A TimeStampResp, as openssl makes it."""
        (self.folder / "query").write_bytes(query)
        self._openssl(
            "ts", "-reply", "-config", "ts.cnf", "-section", "tsa", "-queryfile", "query", "-signer", "tsa.pem",
            "-inkey", "tsa.key", "-chain", "issuing.pem", "-out", "answer",
        )  # fmt: skip
        return (self.folder / "answer").read_bytes()

    def signed_by(self, name: str, answer: bytes) -> bytes:
        """The same time stamp signed by another key of this authority's, one that `openssl ts` would not take."""
        token = der.read(answer).parts()[1]
        info = token.parts()[1].parts()[0].parts()[2].parts()[1].parts()[0].content
        (self.folder / "info").write_bytes(info)
        self._openssl(
            "cms", "-sign", "-cades", "-binary", "-nodetach", "-md", "sha256", "-econtent_type", TST_INFO, "-in",
            "info", "-signer", f"{name}.pem", "-inkey", f"{name}.key", "-certfile", "issuing.pem", "-outform", "DER",
            "-out", "token",
        )  # fmt: skip
        status = der.value(der.SEQUENCE, der.integer(0))
        return der.value(der.SEQUENCE, status, (self.folder / "token").read_bytes())

    def openssl_verifies(self, answer: bytes, data: bytes) -> bool:
        """Whether `openssl ts` itself takes the answer for a stamp over `data`."""
        (self.folder / "answer").write_bytes(answer)
        (self.folder / "data").write_bytes(data)
        words = ["ts", "-verify", "-in", "answer", "-data", "data", "-CAfile", "root.pem", "-untrusted", "issuing.pem"]
        return subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, check=False).returncode == 0

    def _openssl(self, *words: str) -> None:
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address while it serves."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/timestamp-query"
                authority.asked.append(query)
                body = authority.answer(query)
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/tsa"
            finally:
                server.shutdown()
                thread.join(5)


def certificate(
    name: str,
    key: Key,
    issuer: x509.Certificate | None,
    issuer_key: Key | None,
    *,
    ca: bool = False,
    usages: list[x509.ObjectIdentifier] | None = None,
    critical: bool = True,
    days: int = 30,
) -> x509.Certificate:
    """A certificate from 60 days ago for `days` days from now, by `issuer` or itself."""
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=critical)
    return builder.sign(issuer_key or key, hashes.SHA256())


def pem(made: x509.Certificate) -> bytes:
    return made.public_bytes(Encoding.PEM)
