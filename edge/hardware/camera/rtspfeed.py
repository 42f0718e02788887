"""H.264 by RTP over one RTSP connection (RFC 2326, RFC 3550, RFC 6184), read in large pieces.

libavformat asks the kernel six times for each RTP packet, which is most of what recording a camera costs; this reads
what has gathered in the socket at once. It speaks what nearly every camera speaks: basic or digest login, TCP, NAL
units whole, aggregated (STAP-A) or in fragments (FU-A), without B pictures. Whatever else comes is `Unusual`, and the
camera is left to libavformat.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

from edge.hardware.camera.feed import Coded
from edge.hardware.camera.rtspwire import RtspWire, Unusual

_TRUST = 25  # pictures that ended with a marker before the marker is believed
_KEYLESS = 600
_START = b"\0\0\0\1"


class RtspFeed(RtspWire):
    """See `Feed` and, for errors, `RtspWire`."""

    rate: float | None = None
    time_base = Fraction(1, 90_000)
    extradata = b""

    def __init__(self, source: str, user: str, password: str, *, open_s: float, read_s: float) -> None:
        super().__init__(source, user, password, open_s=open_s, read_s=read_s)
        self._parts: list[bytes] = []
        self._key = self._picture = False
        self._stamp: int | None = None
        self._time: int | None = None  # of the picture before, extended to more than 32 bits
        self._marked = self._trust = 0
        self._keyless = 0

    def read(self) -> Iterator[Coded]:
        """Pictures as they come, until the camera hangs up. OSError when it is silent; Unusual."""
        while True:
            found = list(self._pictures())  # some may have come with the answer to PLAY
            for n, (data, key, stamp) in enumerate(found):
                yield Coded(data, key, stamp, stamp, n == len(found) - 1)
            if not self._fill():
                return
            self._stay()

    def _pictures(self) -> Iterator[tuple[bytes, bool, int]]:
        """Take apart what has come: (access unit, whether a key frame, its time in units of the RTP clock)."""
        buffer, at, end = self._buffer, 0, self._end
        while end - at >= 4:
            if buffer[at] != 0x24:
                after = self._message(at, end)
                if after is None:
                    break
                at = after
                continue
            length = buffer[at + 2] << 8 | buffer[at + 3]
            start, after = at + 4, at + 4 + length
            if after > end:
                break
            if buffer[at + 1] == self._channel and length > 12 and buffer[start + 1] & 127 == self._payload:
                first, second, _, stamp = struct.unpack_from(">BBHI", buffer, start)
                body = start + 12 + 4 * (first & 15)
                if first & 16:
                    body += 4 + 4 * (buffer[body + 2] << 8 | buffer[body + 3])
                stop = after - buffer[after - 1] if first & 32 else after
                if stamp != self._stamp:
                    if self._picture:
                        yield self._whole()
                    self._stamp = stamp
                elif self._marked:
                    self._trust = -_TRUST  # more of a picture that had been marked as whole
                self._marked = 0
                if stop - body >= 2:
                    self._take(body, stop)
                if second & 128:
                    self._marked, self._trust = 1, min(_TRUST, self._trust + (self._trust >= 0))
                    if self._trust == _TRUST and self._picture:
                        yield self._whole()
            at = after
        buffer[: end - at] = buffer[at:end]
        self._end = end - at

    def _take(self, body: int, stop: int) -> None:
        """One RTP payload (RFC 6184, 5.6 to 5.8)."""
        buffer, kind = self._buffer, self._buffer[body] & 31
        if kind == 28:
            part = buffer[body + 1]
            if part & 128:
                self._unit(part & 31)
                self._parts.append(_START + bytes((buffer[body] & 0xE0 | part & 31,)))
            self._parts.append(bytes(buffer[body + 2 : stop]))
        elif 1 <= kind <= 23:
            self._unit(kind)
            self._parts += (_START, bytes(buffer[body:stop]))
        elif kind == 24:
            at = body + 1
            while stop - at > 2:
                length = buffer[at] << 8 | buffer[at + 1]
                at += 2
                if not 0 < length <= stop - at:
                    return
                self._unit(buffer[at] & 31)
                self._parts += (_START, bytes(buffer[at : at + length]))
                at += length
        else:
            raise Unusual(f"packets of type {kind}")

    def _unit(self, kind: int) -> None:
        self._picture = self._picture or 1 <= kind <= 5
        self._key = self._key or kind == 5

    def _whole(self) -> tuple[bytes, bool, int]:
        data, key, stamp = b"".join(self._parts), self._key, self._stamp or 0
        self._parts, self._key, self._picture = [], False, False
        self._time = stamp if self._time is None else self._time
        step = (stamp - self._time + (1 << 31)) % (1 << 32) - (1 << 31)
        if -self._clock < step < 0:
            raise Unusual("pictures in another order than they are shown")
        self._time += step
        self._keyless = 0 if key else self._keyless + 1
        if self._keyless > _KEYLESS:
            raise Unusual("no key frame that begins anew")
        return data, key, self._time

    def _described(self, text: str) -> str:
        """Learn from an SDP (RFC 4566) what its first H.264 is; the address to set it up."""
        for media in re.split(r"^m=", text, flags=re.MULTILINE)[1:]:
            found = re.search(r"^a=rtpmap:(\d+) H264/(\d+)", media, re.MULTILINE | re.IGNORECASE)
            if not media.startswith("video") or found is None:
                continue
            self._payload, self._clock = int(found[1]), int(found[2])
            if not self._clock:
                raise Unusual("a clock that stands still")
            self.time_base = Fraction(1, self._clock)
            known = re.search(rf"^a=fmtp:{found[1]} .*sprop-parameter-sets=([^;\s]*)", media, re.MULTILINE)
            with suppress(ValueError):
                for one in known[1].split(",") if known else ():
                    self.extradata += _START + base64.b64decode(one)
            return self._control(media)
        raise Unusual("no H.264")
