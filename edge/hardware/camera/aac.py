"""Sound as it is recorded, AAC-LC: what its configuration says, and PCM coded into it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext

from edge.hardware.camera.source import Sound, SoundFormat

RATE, _BITRATE = 16_000, 32_000  # of what is coded here: speech, in frames of 64 ms
_RATES = (0, 0, 0, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
_LONGEST = 64
_LC = 2
_JUMP_MS = 150


def format_of(config: bytes) -> SoundFormat:
    """What an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) says. ValueError where it is no AAC-LC of whole frames."""
    if not 2 <= len(config) <= _LONGEST:
        raise ValueError("no configuration")
    word = int.from_bytes(config[:2], "big")
    index, channels = word >> 7 & 15, word >> 3 & 15
    if word >> 11 != _LC or index >= len(_RATES) or not _RATES[index] or channels not in (1, 2) or word & 4:
        raise ValueError("another AAC than LC, or of more than two channels or 48 kHz")
    return SoundFormat(_RATES[index], channels, config)


class Coder:
    """Codes PCM of any rate and layout into mono AAC; a hole in what comes begins a new stream of the same format."""

    def __init__(self) -> None:
        self._encoder: AudioCodecContext | None = None
        self._format: SoundFormat | None = None
        self._count = 0  # samples taken in, of the rate they came in
        self._began_ms = 0.0  # when the first of them was heard

    def code(self, frame: av.AudioFrame, mono_ms: int) -> Iterator[Sound]:
        """The frames of AAC that this PCM completes; its first sample was heard at `mono_ms`."""
        rate = frame.sample_rate
        if self._encoder is None or abs(mono_ms - self._began_ms - self._count * 1000 / rate) > _JUMP_MS:
            yield from self._end()
            self._encoder, self._count = _encoder(), 0
            self._format = format_of(bytes(self._encoder.extradata or b""))
        self._began_ms = mono_ms - self._count * 1000 / rate
        frame.pts, frame.time_base = self._count, Fraction(1, rate)
        self._count += frame.samples
        yield from self._sounds(self._encoder.encode(frame))

    def _end(self) -> Iterator[Sound]:
        if self._encoder is not None:
            yield from self._sounds(self._encoder.encode(None))

    def _sounds(self, packets: list[av.Packet[av.AudioStream]]) -> Iterator[Sound]:
        """The encoder is a frame ahead: its first one is of the time before, and nothing is heard in it."""
        for packet in packets:
            if packet.pts is not None and packet.pts >= 0 and self._format is not None:
                yield Sound(bytes(packet), round(self._began_ms + packet.pts * 1000 / RATE), self._format)


def _encoder() -> AudioCodecContext:
    made = av.CodecContext.create("aac", "w")
    assert isinstance(made, AudioCodecContext)  # noqa: S101 - for the type checker
    made.sample_rate, made.layout, made.format = RATE, "mono", "fltp"
    made.bit_rate, made.time_base = _BITRATE, Fraction(1, RATE)
    made.open()
    return made
