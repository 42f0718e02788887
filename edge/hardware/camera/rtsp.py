"""A network camera over RTSP: its H.264 as it comes, by TCP, read by ourselves or, where it is unusual, by libavformat.

User and password stand in options of their own and reach nothing but the connection: messages of the library, which
may quote the whole address, are never passed on. Tested against a server of our own on loopback, which plays what a
camera's firmware may do; against no make of camera yet.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import av
from av.container import InputContainer

from edge.config import Camera
from edge.errors import BadInput, Unavailable
from edge.hardware.camera.coded import CodedCamera
from edge.hardware.camera.feed import Coded, Feed, LibavFeed
from edge.hardware.camera.rtspfeed import RtspFeed
from edge.hardware.camera.rtspsound import NoSound, RtspSound
from edge.hardware.camera.rtspwire import Refused, Unusual
from edge.hardware.camera.source import CameraSource
from edge.why import why

_log = logging.getLogger(__name__)
_OPEN_S, _READ_S = 4.0, 3.0
_unusual = set[str]()  # addresses, without login, of cameras that are left to libavformat


def address(options: Camera) -> str:
    """`options.source` with user and password in it."""
    if not options.user:
        return options.source
    parts = urlsplit(options.source)
    login = f"{quote(options.user, safe='')}:{quote(options.password, safe='')}"
    return parts._replace(netloc=f"{login}@{parts.netloc}").geturl()


def open_network(name: str, options: Camera, *, pictures: bool = True, record: bool = True) -> CameraSource:
    """See `CodedCamera`. Unavailable: `camera_unreachable`, `camera_login`, `camera_no_stream`, later `camera_failed`;
    BadInput (`camera_format`) where it sends no H.264."""
    return CodedCamera(name, _feed(name, options), options, pictures=pictures, record=record)


def _feed(name: str, options: Camera) -> Feed:
    """The camera read by ourselves; by libavformat where it is unusual, and has been since."""
    facts: dict[str, object] = {"host": urlsplit(options.source).netloc}
    code = ""
    if options.source not in _unusual:
        try:
            return _Own(options.source, options.user, options.password, open_s=_OPEN_S, read_s=_READ_S)
        except Unusual as error:
            _log.info("camera %s is left to libavformat: %s", name, error)
        except Refused as error:
            code = "camera_login" if error.status in (401, 403) else "camera_no_stream"
            facts = facts if code == "camera_login" else {"source": options.source}
        except (OSError, ValueError) as error:
            code, facts = "camera_unreachable", {**facts, "detail": why(error)}
    if code:
        raise Unavailable(code, camera=name, **facts)
    container = _connect(name, options)
    for stream in container.streams.video:
        if stream.codec_context.name == "h264":
            return LibavFeed(container, stream)
    container.close()
    raise BadInput("camera_format", camera=name, source=options.source)


def open_sound(name: str, options: Camera) -> RtspSound:
    """The camera's own sound, read by ourselves in any case. Unavailable: `sound_unknown`, `sound_missing`,
    `camera_login`."""
    try:
        return RtspSound(options.source, options.user, options.password, open_s=_OPEN_S, read_s=_READ_S)
    except NoSound as error:
        raise Unavailable("sound_unknown", camera=name, codec=str(error) or "-") from error
    except Refused as error:
        if error.status in (401, 403):
            raise Unavailable("camera_login", camera=name, host=urlsplit(options.source).netloc) from error
        raise Unavailable("sound_missing", camera=name, detail=f"RTSP {error.status}") from error
    except (OSError, ValueError) as error:
        raise Unavailable("sound_missing", camera=name, detail=why(error)) from error


class _Own(RtspFeed):
    """Remembers a camera that turns out to be unusual."""

    def read(self) -> Iterator[Coded]:
        try:
            yield from super().read()
        except Unusual:
            _unusual.add(self.url)
            raise


def _connect(name: str, options: Camera) -> InputContainer:
    wanted = {
        "rtsp_transport": "tcp",
        "allowed_media_types": "video",
        "timeout": str(round(_READ_S * 1_000_000)),
        "analyzeduration": "200000",  # microseconds: what there is to know stands in the description
        "fpsprobesize": "0",
    }
    host = urlsplit(options.source).netloc
    facts: dict[str, object]
    try:
        limits = (_OPEN_S, _READ_S)
        return av.open(address(options), format="rtsp", options=wanted, timeout=limits, metadata_errors="replace")
    except (av.HTTPUnauthorizedError, av.HTTPForbiddenError):
        code, facts = "camera_login", {"host": host}
    except (av.HTTPNotFoundError, av.HTTPOtherClientError, av.HTTPServerError):
        code, facts = "camera_no_stream", {"source": options.source}
    except av.InvalidDataError:
        code, facts = "camera_no_stream", {"source": options.source}
    except (av.FFmpegError, OSError, ValueError) as error:
        code, facts = "camera_unreachable", {"host": host, "detail": why(error)}
    raise Unavailable(code, camera=name, **facts)  # not from the error: it quotes the address with the password
