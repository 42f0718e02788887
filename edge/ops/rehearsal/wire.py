"""One tablet's connection to the room, over the standard library: two hundred must not weigh more than the room does.

Kept open between requests, as a browser's; cookies are remembered.
"""

from __future__ import annotations

import functools
import gzip
import socket
import ssl
import struct
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

TIMEOUT_S = 10.0


class NoAnswer(Exception):
    """Nothing came back, or nothing to rely on."""


@dataclass(frozen=True)
class Answer:
    """`headers`: names in small letters. `carried`: bytes of the body as they came over the wire, packed or not."""

    status: int
    headers: dict[str, str]
    content: bytes
    carried: int


class Wire:
    """For one thread, or two that do not ask at once."""

    def __init__(self, base: str, verify: bool | str = True) -> None:
        """`base`: the room's address; `verify`: a file with the CA to trust, where it is not a public one."""
        self._base = base
        self._verify = verify
        self._connection: HTTPConnection | None = None
        self._cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, sent: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """The room's answer, whatever it says. NoAnswer."""
        connection = self._connection or self._connect()
        self._connection = None
        try:
            connection.request(method, path, sent, self._headers(headers))
            got = connection.getresponse()
            told = {name.lower(): value for name, value in got.getheaders()}
            body = got.read()
            content = gzip.decompress(body) if told.get("content-encoding") == "gzip" else body
            answer = Answer(got.status, told, content, len(body))
        except (OSError, EOFError, zlib.error, HTTPException) as error:
            connection.close()
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        for line in got.headers.get_all("Set-Cookie") or ():
            with suppress(CookieError):
                self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        self._connection = connection
        return answer

    def cut(self, method: str, path: str, body: bytes, headers: dict[str, str], after_s: float) -> bool:
        """Send, and reset the connection `after_s` later, whatever is on its way; whether it was sent at all."""
        connection = self._connection or self._connect()
        self._connection = None
        try:
            connection.request(method, path, body, self._headers(headers))
            time.sleep(after_s)
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        return True

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _headers(self, more: dict[str, str] | None) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return {"Accept-Encoding": "gzip", **({"Cookie": cookies} if cookies else {}), **(more or {})}

    def _connect(self) -> HTTPConnection:
        where = urlsplit(self._base)
        host = str(where.hostname)
        if where.scheme == "https":
            return HTTPSConnection(host, where.port, timeout=TIMEOUT_S, context=_context(self._verify))
        return HTTPConnection(host, where.port, timeout=TIMEOUT_S)


@functools.cache
def _context(verify: bool | str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
