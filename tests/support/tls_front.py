"""A line between browser and room that a test can cut: plain, or by TLS for a name that is not localhost."""

from __future__ import annotations

import base64
import hashlib
import select
import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "room.test"


class Certificate:
    """A certificate for room.test that no browser knows, in files; `spki` is what Chromium can be told to trust."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "front.pem"
        self.file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + made.public_bytes(serialization.Encoding.PEM)
        )
        spki = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.spki = base64.b64encode(hashlib.sha256(spki).digest()).decode()


class Front:
    """Carries connections to the room's port; `cut` ends them all and refuses new ones, `mend` lets them in again."""

    def __init__(self, to_port: int, certificate: Certificate | None = None) -> None:
        self._to = to_port
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate.file)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.port = 0
        self.mend()

    @property
    def base(self) -> str:
        return f"{'https' if self._tls else 'http'}://{NAME}:{self.port}"

    def mend(self) -> None:
        if self._listener is None:
            made = socket.socket()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("127.0.0.1", self.port))
            made.listen(64)
            self.port = made.getsockname()[1]
            self._listener = made
            threading.Thread(target=self._accept, args=(made,), daemon=True).start()

    def cut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for one in list(self._open):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(caller,), daemon=True).start()

    def _carry(self, caller: socket.socket) -> None:
        room: socket.socket | None = None
        try:
            if self._tls is not None:
                caller = self._tls.wrap_socket(caller, server_side=True)
            room = socket.create_connection(("127.0.0.1", self._to), 10)
            with self._lock:
                self._open |= {caller, room}
            self._pump(caller, room)
        except OSError:
            pass
        finally:
            for one in (caller, room):
                if one is not None:
                    with self._lock:
                        self._open.discard(one)
                    one.close()

    @staticmethod
    def _pump(caller: socket.socket, room: socket.socket) -> None:
        while True:
            waiting = isinstance(caller, ssl.SSLSocket) and caller.pending()
            ready = [caller] if waiting else select.select([caller, room], [], [], 60)[0]
            if not ready:
                return
            for one in ready:
                data = one.recv(65_536)
                if not data:
                    return
                (room if one is caller else caller).sendall(data)
