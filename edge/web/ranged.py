"""Footage by HTTP (RFC 9110): ranges, resuming, revalidating and HEAD, over whatever can give bytes [start, end).

Every answer with footage goes out through here, hence at the pace of `edge.web.bucket`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from flask import Response, request
from werkzeug.datastructures import Range
from werkzeug.http import parse_if_range_header, parse_range_header, quote_etag

from edge.errors import BadInput
from edge.ui import error_response, language
from edge.web.later import JSON, to_text
from edge.web.room import room

Blocks = Callable[[int, int], Iterator[bytes]]


def ranged(length: int, etag: str, blocks: Blocks, *, mimetype: str, name: str | None = None) -> Response:
    """The answer to a GET or HEAD of `length` bytes that `etag` (bare, strong) stands for.

    `blocks(start, end)` gives bytes [start, end) and is called for those alone that are sent; what it raises at the
    call is the answer. `name`: the file name to save it under, else it is to be shown. One range is answered by 206 or
    416; several, and what is no range, by the whole, as is a range `If-Range` another version. TooMany
    (`footage_streams`) as `FootageFlow.paced`.
    """
    if request.if_none_match.contains_weak(etag):
        return _headed(Response(status=304), etag)
    start, end, status = 0, length, 200
    wanted = _wanted(etag) if request.method == "GET" else None
    if wanted is not None:
        found = _bounds(wanted, length)
        if found is None:
            return _unsatisfied(length, etag)
        (start, end), status = found, 206
    response = Response(status=status, mimetype=mimetype, direct_passthrough=True)
    if request.method == "GET":
        response.response = room().footage.paced(lambda: blocks(start, end))
    response.content_length = end - start
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{length}"
    if name is not None:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return _headed(response, etag)


def paced_json(document: dict[str, Any]) -> Response:
    """A document with pictures in it. TooMany (`footage_streams`) as `FootageFlow.paced`."""
    data = to_text(document).encode()
    blocks = room().footage.paced(lambda: iter([data]))
    response = Response(blocks, mimetype=JSON, direct_passthrough=True)
    response.content_length = len(data)
    return response


def _headed(response: Response, etag: str) -> Response:
    response.headers["ETag"] = quote_etag(etag)
    response.headers["Accept-Ranges"] = "bytes"
    return response


def _wanted(etag: str) -> Range | None:
    """The one range asked for, of this version."""
    with suppress(ValueError):  # what werkzeug cannot make numbers of is no range
        wanted = parse_range_header(request.headers.get("Range"))
        if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
            return None
        if "If-Range" in request.headers:
            given = request.headers["If-Range"].strip()
            if given.startswith(("W/", "w/")) or parse_if_range_header(given).etag != etag:
                return None
        return wanted
    return None


def _bounds(wanted: Range, length: int) -> tuple[int, int] | None:
    """[start, end) of what there is of the range; None for nothing."""
    first, end = wanted.ranges[0]
    if first < 0:
        first, end = max(0, length + first), length
    end = length if end is None else min(end, length)
    return (first, end) if first < end else None


def _unsatisfied(length: int, etag: str) -> Response:
    response = error_response(BadInput("footage_past_end", length=length), language())
    response.status_code = 416
    response.headers["Content-Range"] = f"bytes */{length}"
    return _headed(response, etag)
