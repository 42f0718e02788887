"""One RTSP connection to a camera (RFC 2326) that plays one of its streams: login, description, set-up, keeping alive,
and bytes taken in large pieces. What is made of them is `rtspfeed`'s and `rtspsound`'s.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import re
import secrets
import socket
import struct
import time
from contextlib import suppress
from urllib.parse import urlsplit

from edge import clock

_AHEAD_MS = 8  # of those who fetch what was gathered, on the same beat
_BUFFER = 1 << 19
_OPEN_MOST = 2  # times the limit of one answer: for all of the opening, however the answers trickle
_MOST = 16 << 20  # bytes of one picture
_AGENT = "examroom"


class Unusual(OSError):
    """The camera does something that this module does not know."""


class Refused(Exception):
    """The camera answered with this status code."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class RtspWire:
    """OSError where the camera cannot be reached, is silent for `read_s` or not open within twice `open_s`; Refused
    where it says no; Unusual."""

    def __init__(self, source: str, user: str, password: str, *, open_s: float, read_s: float) -> None:
        parts = urlsplit(source)
        self.url, self._user, self._password = source, user, password
        self._challenge: dict[str, str] = {}
        self._sequence = 0
        self._session = ""
        self._open_s, self._until = open_s, time.monotonic() + _OPEN_MOST * open_s
        self._connection = socket.create_connection((parts.hostname or "", parts.port or 554), timeout=open_s)
        self._buffer, self._end = bytearray(_BUFFER), 0
        try:
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._begin()
            self._connection.settimeout(read_s)
        except BaseException:
            self._connection.close()
            raise
        self.rest_ms = 0
        self._alive = time.monotonic()

    def hang_up(self) -> None:
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._connection.settimeout(0.2)
            self._send("TEARDOWN", self._base)
        self._connection.close()

    def _fill(self) -> bool:
        """Let something come, and take all of it; False at the end."""
        if self.rest_ms:
            time.sleep((self.rest_ms - (clock.mono_ms() + _AHEAD_MS) % self.rest_ms) / 1000)
        while True:
            if self._end == len(self._buffer):
                if self._end >= _MOST:
                    raise Unusual("a picture without end")
                self._buffer.extend(bytes(self._end))
            with memoryview(self._buffer) as whole, whole[self._end :] as free:
                count, room = self._connection.recv_into(free), len(free)
            if count == 0:
                return False
            self._end += count
            if count < room:
                return True

    def _stay(self) -> None:
        """Keep the session alive where that is due."""
        now = time.monotonic()
        if now - self._alive > self._every_s:
            self._alive = now
            self._keep_alive()

    def _begin(self) -> None:
        """Login, description, set-up, play."""
        status, head, _ = self._ask("OPTIONS", self.url)
        self._method = "GET_PARAMETER" if "GET_PARAMETER" in head.get("public", "") else "OPTIONS"
        status, head, text = self._ask("DESCRIBE", self.url, "Accept: application/sdp")
        if status != 200:
            raise Refused(status)
        self._base = head.get("content-base") or head.get("content-location") or self.url
        if urlsplit(self._base).netloc != urlsplit(self.url).netloc:  # a camera behind another's address
            self._base = self.url
        control = self._described(text)
        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
        status, head, _ = self._ask("SETUP", control, transport)
        if status != 200:
            raise Refused(status)
        channels = re.search(r"interleaved=(\d+)", head.get("transport", ""))
        if channels is None or "session" not in head:
            raise Unusual("no TCP")
        self._channel = int(channels[1])
        self._session, _, rest = head["session"].partition(";")
        timeout = re.search(r"timeout=(\d+)", rest)
        self._every_s = min(30.0, max(2.0, (int(timeout[1]) if timeout else 60) / 2))
        status, _, _ = self._ask("PLAY", self._base, "Range: npt=0.000-")
        if status != 200:
            raise Refused(status)

    def _described(self, text: str) -> str:
        """Learn from an SDP (RFC 4566) what is to be played, its payload type among it; the address to set it up."""
        raise NotImplementedError

    def _control(self, media: str) -> str:
        """The address that a media description is set up at."""
        control = re.search(r"^a=control:(\S+)", media, re.MULTILINE)
        if control is None or control[1] == "*":
            return self._base
        if control[1].lower().startswith("rtsp://"):
            return control[1]
        return f"{self._base.rstrip('/')}/{control[1]}"

    def _ask(self, method: str, url: str, *more: str) -> tuple[int, dict[str, str], str]:
        """Status, headers in lower case and body of the answer; a login is given when it is asked for."""
        for _ in range(2):
            self._send(method, url, *more)
            status, head, body = self._answer()
            if status != 401 or not self._user or not self._learn(head):
                break
        return status, head, body

    def _send(self, method: str, url: str, *more: str) -> None:
        self._sequence += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._sequence}", f"User-Agent: {_AGENT}", *more]
        if self._session:
            lines.append(f"Session: {self._session}")
        if self._challenge:
            lines.append(f"Authorization: {self._login(method, url)}")
        self._connection.sendall("\r\n".join([*lines, "", ""]).encode())

    def _answer(self) -> tuple[int, dict[str, str], str]:
        while (end := self._buffer.find(b"\r\n\r\n", 0, self._end)) < 0:
            self._more()
        line, *rest = bytes(self._buffer[:end]).decode("utf-8", "replace").split("\r\n")
        if not line.startswith("RTSP/"):
            raise Unusual("no answer")
        head = dict[str, str]()
        for one in rest:
            key, _, value = one.partition(":")
            key = key.strip().lower()
            head[key] = f"{head[key]}\n{value.strip()}" if key in head else value.strip()
        try:
            status, length = int(line.split()[1]), int(head.get("content-length", "0"))
        except (ValueError, IndexError) as error:
            raise Unusual("an answer without a status") from error
        if length < 0:
            raise Unusual("an answer shorter than nothing")
        while self._end < end + 4 + length:
            self._more()
        body = bytes(self._buffer[end + 4 : end + 4 + length]).decode("utf-8", "replace")
        left = self._end - end - 4 - length
        self._buffer[:left] = self._buffer[end + 4 + length : self._end]
        self._end = left
        return status, head, body

    def _more(self) -> None:
        if self._end == len(self._buffer):
            raise Unusual("an answer without end")
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "opening without end")
        self._connection.settimeout(min(self._open_s, left_s))
        with memoryview(self._buffer) as whole, whole[self._end :] as free:
            count = self._connection.recv_into(free)
        if count == 0:
            raise ConnectionError("the camera has hung up")
        self._end += count

    def _message(self, at: int, end: int) -> int | None:
        """Pass over an answer among the pictures; None while it is not whole. A new challenge is taken up."""
        stop = self._buffer.find(b"\r\n\r\n", at, end)
        if stop < 0:
            if end - at > 1 << 16:
                raise Unusual("neither a packet nor an answer")
            return None
        text = bytes(self._buffer[at:stop]).decode("utf-8", "replace")
        length = re.search(r"^content-length:\s*(\d+)", text, re.IGNORECASE | re.MULTILINE)
        after = stop + 4 + (int(length[1]) if length else 0)
        if re.match(r"RTSP/\S+ 401", text) and self._user:
            challenges = re.findall(r"^www-authenticate:\s*(.*?)\r?$", text, re.IGNORECASE | re.MULTILINE)
            self._learn({"www-authenticate": "\n".join(challenges)})
        return after if after <= end else None

    def _keep_alive(self) -> None:
        """A request and an empty receiver report (RFC 3550, 6.4.2) now and then: what cameras end a session without."""
        self._send(self._method, self._base)
        name = b"\1\x08" + _AGENT.encode() + b"\0\0"  # CNAME, and padding to 32 bits
        report = struct.pack(">BBHI", 0x80, 201, 1, 1) + struct.pack(">BBHI", 0x81, 202, 1 + len(name) // 4, 1) + name
        self._connection.sendall(struct.pack(">BBH", 0x24, self._channel + 1, len(report)) + report)

    def _learn(self, head: dict[str, str]) -> bool:
        """Take up a challenge (RFC 2617), digest rather than basic; False where there is none that differs."""
        before, self._challenge = self._challenge, {}
        for line in sorted(head.get("www-authenticate", "").split("\n"), reverse=True):
            kind, _, rest = line.partition(" ")
            facts = {key.lower(): a or b for key, a, b in re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([^",\s]+))', rest)}
            if kind.lower() == "digest":
                if facts.get("algorithm", "MD5").upper() != "MD5" or not {"realm", "nonce"} <= facts.keys():
                    continue
                self._challenge = {"kind": "digest", **facts}
                break
            if kind.lower() == "basic":
                self._challenge = {"kind": "basic"}
        if not self._challenge:
            raise Unusual("another way of logging in")
        return self._challenge != before

    def _login(self, method: str, url: str) -> str:
        facts = self._challenge
        if facts["kind"] == "basic":
            return "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        one = _md5(self._user, facts["realm"], self._password)
        two = _md5(method, url)
        words = {"username": self._user, "realm": facts["realm"], "nonce": facts["nonce"], "uri": url}
        more = ""
        if "auth" in facts.get("qop", "").split(","):
            own = secrets.token_hex(8)
            words["response"] = _md5(one, facts["nonce"], "00000001", own, "auth", two)
            more = f', qop=auth, nc=00000001, cnonce="{own}"'
        else:
            words["response"] = _md5(one, facts["nonce"], two)
        if "opaque" in facts:
            words["opaque"] = facts["opaque"]
        return "Digest " + ", ".join(f'{key}="{value}"' for key, value in words.items()) + more


def _md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()
