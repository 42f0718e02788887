"""Sound without a microphone: silence and then a tone, as PCM and as the frames of AAC that a recorder is given."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from edge.hardware.camera.aac import RATE, Coder
from edge.hardware.camera.source import Sound


def pcm(seconds: float, rate: int = RATE, tone_s: float = 0.0) -> NDArray[np.int16]:
    """Samples of a tone that begins after `tone_s` of silence."""
    at = np.arange(round(seconds * rate)) / rate
    return np.where(at >= tone_s, 12_000 * np.sin(2 * np.pi * 440 * at), 0).astype(np.int16)


def frame(samples: NDArray[np.int16], rate: int = RATE) -> av.AudioFrame:
    made = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    made.sample_rate = rate
    return made


def make_sounds(seconds: float, began_ms: int = 0, tone_s: float = 0.0) -> list[Sound]:
    """What a microphone gives from `began_ms` on, in pieces of 20 ms."""
    coder, samples, piece = Coder(), pcm(seconds + 0.2, tone_s=tone_s), RATE // 50  # as much is still in the coder
    found = list[Sound]()
    for n in range(0, len(samples), piece):
        found += coder.code(frame(samples[n : n + piece]), began_ms + n * 1000 // RATE)
    return [one for one in found if one.mono_ms < began_ms + seconds * 1000]


def heard(data: bytes | Path) -> tuple[float, float, float | None]:
    """Of a file's sound: when it begins and ends, and when the tone begins (None: never), in seconds from the first
    picture's time on."""
    with av.open(str(data) if isinstance(data, Path) else io.BytesIO(data)) as container:
        (track,) = container.streams.audio
        assert track.codec_context.name == "aac"
        begins, ends, tone = None, 0.0, None
        for one in container.decode(track):
            rate, at = one.sample_rate, float(one.time or 0)
            begins = at if begins is None else begins
            ends = at + one.samples / rate
            loud = np.flatnonzero(np.abs(one.to_ndarray()[0]) > 0.1)
            if tone is None and loud.size:
                tone = at + int(loud[0]) / rate
        assert begins is not None
    with av.open(str(data) if isinstance(data, Path) else io.BytesIO(data)) as container:
        first = min(float(one.time or 0) for one in container.decode(video=0))
    return begins - first, ends - first, None if tone is None else tone - first


def frames_of(data: bytes | Path) -> list[bytes]:
    """The frames of AAC in a file, as they are."""
    with av.open(str(data) if isinstance(data, Path) else io.BytesIO(data)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def aac_camera(seconds: float = 4) -> dict[str, object]:
    """What a camera with AAC of its own says and sends (RFC 3640), for `support.rtsp`."""
    sounds = make_sounds(seconds)
    config = sounds[0].format.config.hex()
    said = [
        "97",
        "a=rtpmap:97 MPEG4-GENERIC/16000/1",
        f"a=fmtp:97 streamtype=5;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config={config}",
    ]
    payloads = [b"\0\x10" + (len(one.data) << 3).to_bytes(2, "big") + one.data for one in sounds]
    return {"sound": "\r\n".join(said), "sounds": payloads}


def g711_camera(seconds: float = 4) -> dict[str, object]:
    """The same of one with G.711, in pieces of 40 ms."""
    coder = av.CodecContext.create("pcm_mulaw", "w")
    assert isinstance(coder, av.AudioCodecContext)
    coder.sample_rate, coder.layout, coder.format = 8000, "mono", "s16"
    samples = pcm(seconds, 8000)
    payloads = [
        bytes(packet) for n in range(0, len(samples), 320) for packet in coder.encode(frame(samples[n : n + 320], 8000))
    ]
    return {"sound": "0", "sounds": payloads, "sound_clock": 8000, "sound_ticks": 320}
