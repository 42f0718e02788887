"""A network camera's own sound by RTP (RFC 3550), on a connection of its own: AAC as it comes (RFC 3640), G.711 and PCM
(RFC 3551) coded anew.

A connection of its own, since a camera that plays takes no further stream into its session: pictures would have to be
interrupted whenever a session that wants sound begins or ends. So nothing that sound does can touch them. A camera
that lets nobody in twice has no sound here, and that is said.
"""

from __future__ import annotations

import errno
import re
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext

from edge import clock
from edge.hardware.camera.aac import Coder, format_of
from edge.hardware.camera.coded import Times
from edge.hardware.camera.rtspwire import RtspWire, Unusual
from edge.hardware.camera.source import FRAME, Sound, SoundFormat

_STATIC = {"0": ("PCMU", "8000", ""), "8": ("PCMA", "8000", "")}  # RFC 3551, table 4
_PCM = {"PCMU": "pcm_mulaw", "PCMA": "pcm_alaw", "L16": "pcm_s16be"}
_SILENT_S = 10.0
_PCM_RATES = range(8_000, 96_001)
_BITS = range(17)  # of each part of a header: none needs more


class NoSound(Unusual):
    """The camera has no sound that this module knows; the message names what it has instead, if anything."""


class RtspSound(RtspWire):
    """See `Voice` and, for errors, `RtspWire`; NoSound."""

    _decoder: AudioCodecContext

    def __init__(self, source: str, user: str, password: str, *, open_s: float, read_s: float) -> None:
        self._format: SoundFormat | None = None  # None: it is coded here
        self._sizes = self._indices = self._deltas = 0  # bits in the headers of RFC 3640
        self._part, self._part_stamp = b"", 0
        super().__init__(source, user, password, open_s=open_s, read_s=read_s)
        self._coder = Coder()

    def read(self) -> Iterator[Sound]:
        """Frames of AAC as they come. What comes in the first moment, whose time is not certain, is let go."""
        times, heard = Times(Fraction(1, self._clock), None), time.monotonic()
        while True:
            found = list(self._packets())
            for n, (stamp, mark, payload) in enumerate(found):
                heard = time.monotonic()
                *_, mono_ms = times.of(stamp, clock.mono_ms(), fresh=n == len(found) - 1)
                for sound in (
                    self._copied(stamp, mark, payload, mono_ms) if self._format else self._coded(payload, mono_ms)
                ):
                    if times.known:
                        yield sound
            if time.monotonic() - heard > _SILENT_S:
                raise TimeoutError(errno.ETIMEDOUT, "no sound")
            if not self._fill():
                return
            self._stay()

    def _packets(self) -> Iterator[tuple[int, bool, bytes]]:
        """Take apart what has come: (time in units of the RTP clock, whether marked, payload) of each packet."""
        buffer, at, end = self._buffer, 0, self._end
        while end - at >= 4:
            if buffer[at] != 0x24:
                passed = self._message(at, end)
                if passed is None:
                    break
                at = passed
                continue
            start, after = at + 4, at + 4 + (buffer[at + 2] << 8 | buffer[at + 3])
            if after > end:
                break
            if buffer[at + 1] == self._channel and after - start > 12 and buffer[start + 1] & 127 == self._payload:
                first, second, _, stamp = struct.unpack_from(">BBHI", buffer, start)
                body = start + 12 + 4 * (first & 15)
                if first & 16 and body + 4 <= after:
                    body += 4 + 4 * (buffer[body + 2] << 8 | buffer[body + 3])
                stop = after - buffer[after - 1] if first & 32 else after
                if stop > body:
                    yield stamp, bool(second & 128), bytes(buffer[body:stop])
            at = after
        buffer[: end - at] = buffer[at:end]
        self._end = end - at

    def _copied(self, stamp: int, mark: bool, payload: bytes, mono_ms: int) -> Iterator[Sound]:
        """Access units with their headers before them (RFC 3640, 3.2). What has come was heard until then."""
        if self._format is None or len(payload) < 2:
            return
        bits, at = int.from_bytes(payload[:2], "big"), 2 + (int.from_bytes(payload[:2], "big") + 7) // 8
        head, passed, sizes = int.from_bytes(payload[2:at], "big"), 0, list[int]()
        while passed < bits:
            passed += self._sizes
            size = head >> max(0, 8 * (at - 2) - passed) & (1 << self._sizes) - 1
            passed += self._indices if not sizes else self._deltas
            sizes.append(size)
        if len(sizes) == 1 and sizes[0] > len(payload) - at:  # a part of one that is longer than a packet
            self._part = (self._part if stamp == self._part_stamp else b"") + payload[at:]
            self._part = self._part if len(self._part) <= sizes[0] else b""  # it would grow without end
            self._part_stamp = stamp
            units = [self._part] if mark and len(self._part) == sizes[0] else []
        else:
            units = list[bytes]()
            for size in sizes:
                units.append(payload[at : at + size])
                at += size
        for n, unit in enumerate(units):
            if unit:
                yield Sound(unit, mono_ms - round((len(units) - n) * FRAME * 1000 / self._format.rate), self._format)

    def _coded(self, payload: bytes, mono_ms: int) -> Iterator[Sound]:
        for frame in self._decoder.decode(av.Packet(payload)):
            yield from self._coder.code(frame, mono_ms - frame.samples * 1000 // self._clock)

    def _described(self, text: str) -> str:
        """Learn from an SDP (RFC 4566) what its first known sound is; the address to set it up."""
        others = list[str]()
        for media in re.split(r"^m=", text, flags=re.MULTILINE)[1:]:
            if not media.startswith("audio") or re.search(r"^a=sendonly", media, re.MULTILINE):  # what it would play
                continue
            for kind in re.findall(r" (\d+)\b", media.split("\n")[0])[1:]:
                found = re.search(rf"^a=rtpmap:{kind} ([^/\s]+)/(\d+)/?(\d*)", media, re.MULTILINE)
                name, rate, channels = (found[1], found[2], found[3]) if found else _STATIC.get(kind, (kind, "0", ""))
                self._payload, self._clock = int(kind), int(rate)
                known = re.search(rf"^a=fmtp:{kind} (.*)", media, re.MULTILINE)
                if self._knows(name.upper(), channels or "1", known[1] if known else ""):
                    return self._control(media)
                others.append(name)
        raise NoSound(", ".join(others))

    def _knows(self, name: str, channels: str, parameters: str) -> bool:
        if name in _PCM and channels in ("1", "2") and self._clock in _PCM_RATES:
            made = av.CodecContext.create(_PCM[name], "r")
            assert isinstance(made, AudioCodecContext)  # noqa: S101 - for the type checker
            made.sample_rate, made.layout = self._clock, "mono" if channels == "1" else "stereo"
            self._decoder = made
            return True
        if name != "MPEG4-GENERIC":
            return False
        facts = {key.lower(): value for key, value in re.findall(r"([\w-]+)=([^;\s]*)", parameters)}
        with suppress(ValueError):
            self._format = format_of(bytes.fromhex(facts.get("config", "")))
            self._sizes = int(facts.get("sizelength", "13"))
            self._indices, self._deltas = (int(facts.get(key, "3")) for key in ("indexlength", "indexdeltalength"))
            bits = self._sizes, self._indices, self._deltas
            return self._sizes > 0 and all(n in _BITS for n in bits) and self._clock == self._format.rate
        return False
