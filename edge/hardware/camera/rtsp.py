"""A network camera over RTSP: its H.264 as it comes, by TCP, decoded besides for the pictures of faces.

User and password stand in options of their own and reach nothing but the connection: messages of the library, which
may quote the whole address, are never passed on. Tested against a server of our own on loopback, which plays what a
camera's firmware may do; against no make of camera yet.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

import av
from av.container import InputContainer

from edge.config import Camera
from edge.errors import BadInput, Unavailable
from edge.hardware.camera.coded import CodedCamera
from edge.hardware.camera.source import CameraSource
from edge.why import why

_OPEN_S, _READ_S = 4.0, 3.0


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
    before = _sockets()
    container = _connect(name, options)
    ours = _sockets() - before
    for stream in container.streams.video:
        if stream.codec_context.name == "h264":
            return CodedCamera(
                name,
                container,
                stream,
                options,
                pictures=pictures,
                record=record,
                gather=True,
                hang_up=lambda: _shut(ours),
            )
    container.close()
    raise BadInput("camera_format", camera=name, source=options.source)


def _sockets() -> set[tuple[int, str]]:
    """Descriptor and name (`socket:[inode]`) of each socket of this process."""
    found = set[tuple[int, str]]()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            if (name := str(link.readlink())).startswith("socket:"):
                found.add((int(link.name), name))
    return found


def _shut(ours: set[tuple[int, str]]) -> None:
    """End these connections, so that whoever reads them stops waiting; they are closed by whom they belong to."""
    for number, _ in ours & _sockets():
        with suppress(OSError), socket.socket(fileno=os.dup(number)) as connection:
            connection.shutdown(socket.SHUT_RDWR)


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
        # `timeout` above ends a read of a silent camera; another limit here would cost as much as all the reading
        return av.open(address(options), format="rtsp", options=wanted, timeout=(_OPEN_S, None))
    except (av.HTTPUnauthorizedError, av.HTTPForbiddenError):
        code, facts = "camera_login", {"host": host}
    except (av.HTTPNotFoundError, av.HTTPOtherClientError, av.HTTPServerError):
        code, facts = "camera_no_stream", {"source": options.source}
    except av.InvalidDataError:
        code, facts = "camera_no_stream", {"source": options.source}
    except (av.FFmpegError, OSError, ValueError) as error:
        code, facts = "camera_unreachable", {"host": host, "detail": why(error)}
    raise Unavailable(code, camera=name, **facts)  # not from the error: it quotes the address with the password
